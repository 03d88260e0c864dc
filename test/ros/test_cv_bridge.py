"""Conversions equal those of cv_bridge, where that is installed."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import Image

from sam2_ros.ros.encodings import COLOURS, ENCODINGS
from sam2_ros.ros.images import to_rgb

cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")

# OpenCV's own names have no colours for cv_bridge, and it does not know the newer names.
KNOWN = [name for name in COLOURS if name not in ("8UC1", "8UC3", "uyvy", "yuyv", "nv12", "nv21")]


# cv_bridge takes rows that are filled up for rows of more pixels, so that it must be by whole ones, of any encoding.
@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize("encoding", KNOWN)
def test_the_pixels_are_the_same(encoding: str, padding: int) -> None:
    known = ENCODINGS[encoding]
    message = Image(encoding=encoding, height=30, width=40, step=known.row_bytes(40) + padding)
    message.data = np.random.default_rng(1).integers(0, 256, 30 * message.step, np.uint8).tobytes()

    theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, "rgb8")

    assert np.array_equal(to_rgb(message), theirs)
