"""The page to click on: a ROS client like any other, which a browser speaks to."""
