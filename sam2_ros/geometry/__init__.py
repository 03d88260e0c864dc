"""Images, masks and places: NumPy, OpenCV and torch; knows neither SAM nor ROS."""
