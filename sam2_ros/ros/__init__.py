"""The ROS side: parameters, messages, services and the node. The only home of rclpy beside simulation and web."""

import os

# Threads that wait for one another must sleep: OpenMP's spin, and where other processes use the same cores an image
# then takes ten times as long. It is read when torch is loaded, so it is set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
