"""The ROS side: parameters, messages, services and the node. The only home of rclpy beside simulation and web."""

import os

# Threads that wait for one another must sleep: OpenMP's spin, and where other processes use the same cores an image
# then takes ten times as long. It is read when torch is loaded, so it is set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A compressed image with a broken header may claim any size; OpenCV would set aside 3 GB before it sees the rest. It is
# read when cv2 is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
