"""From sensor_msgs/CameraInfo to a camera. Pure functions."""

from __future__ import annotations

import re

from sensor_msgs.msg import CameraInfo

from sam2_ros.geometry.camera import BadCamera, Pinhole


def is_rectified(image_topic: str) -> bool:
    """Whether a topic's name says that its images have lost their distortion: one of its words is rect, rectified or
    undistorted, as in image_rect_color, rect/image or image_mono_rect.

    Raw and rectified images share one camera_info, which does not say to which of them an image belongs; the names do.
    """
    return not {"rect", "rectified", "undistorted"}.isdisjoint(re.split("[/_]", image_topic))


def to_pinhole(message: CameraInfo, width: int, height: int, *, rectified: bool = False) -> Pinhole:
    """The camera of an image of that many pixels.

    rectified: take P, which holds for rectified images, and no distortion; else K and D, which hold for raw ones.
    Binning and the region of interest are taken into account. P's fourth column, which says where a stereo pair's other
    camera lies, is not: places are in the frame of the image itself, as depth_image_proc has its clouds. Raises
    BadCamera if the message does not say how the camera is calibrated, or speaks of images of another size.
    """
    if not message.k[0] and not message.p[0]:
        raise BadCamera("camera_info has no focal length: the camera is not calibrated")
    # Drivers that know one of the two leave the other zero.
    if rectified and message.p[0]:
        fx, fy, cx, cy = message.p[0], message.p[5], message.p[2], message.p[6]
    elif message.k[0]:
        fx, fy, cx, cy = message.k[0], message.k[4], message.k[2], message.k[5]
    else:
        raise BadCamera("camera_info has P but no K, so it holds for rectified images only")
    region = message.roi
    across, down = max(1, message.binning_x), max(1, message.binning_y)
    size = (region.width or message.width) // across, (region.height or message.height) // down
    if size != (width, height):
        raise BadCamera(f"camera_info is for images of {size[0]}x{size[1]} pixels, and the image has {width}x{height}")
    fisheye = message.distortion_model == "equidistant" and len(message.d) > 0
    distorted = not rectified and (fisheye or any(message.d))
    # A binned pixel's centre is the middle of those that it holds.
    return Pinhole(
        width=width,
        height=height,
        fx=fx / across,
        fy=fy / down,
        cx=(cx - region.x_offset - (across - 1) / 2) / across,
        cy=(cy - region.y_offset - (down - 1) / 2) / down,
        distortion=tuple(message.d) if distorted else (),
        model=message.distortion_model if distorted else "plumb_bob",
    )
