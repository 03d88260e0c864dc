"""The encodings of sensor_msgs/Image: how their pixels lie in memory, and what brings them to RGB."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Encoding:
    """One way in which an image message may hold its pixels."""

    dtype: np.dtype
    channels: int
    to_rgb: int | None = None
    """OpenCV's colour conversion code; None: it is RGB."""
    is_colour: bool = True
    """Whether it can be brought to RGB at all; depths and labels cannot."""
    even_width: bool = False
    """Neighbouring columns share their colour."""
    two_planes: bool = False
    """Below the rows of brightness are half as many of colour; neighbouring rows share theirs."""

    def row_bytes(self, width: int) -> int:
        """That a row of so many pixels takes, without padding."""
        return width * self.channels * self.dtype.itemsize

    def rows(self, height: int) -> int:
        """Of data, for so many rows of pixels."""
        return height * 3 // 2 if self.two_planes else height


_BYTE, _SHORT = np.dtype(np.uint8), np.dtype(np.uint16)
_UYVY = Encoding(_BYTE, 2, cv2.COLOR_YUV2RGB_UYVY, even_width=True)
_YUYV = Encoding(_BYTE, 2, cv2.COLOR_YUV2RGB_YUY2, even_width=True)

ENCODINGS = {
    "rgb8": Encoding(_BYTE, 3),
    "bgr8": Encoding(_BYTE, 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(_BYTE, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(_BYTE, 4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(_BYTE, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": Encoding(_SHORT, 3),
    "bgr16": Encoding(_SHORT, 3, cv2.COLOR_BGR2RGB),
    "rgba16": Encoding(_SHORT, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": Encoding(_SHORT, 4, cv2.COLOR_BGRA2RGB),
    "mono16": Encoding(_SHORT, 1, cv2.COLOR_GRAY2RGB),
    # Four colours name the first two pixels of the first two rows.
    "bayer_rggb8": Encoding(_BYTE, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": Encoding(_BYTE, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": Encoding(_BYTE, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": Encoding(_BYTE, 1, cv2.COLOR_BayerGRBG2RGB),
    "bayer_rggb16": Encoding(_SHORT, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr16": Encoding(_SHORT, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg16": Encoding(_SHORT, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg16": Encoding(_SHORT, 1, cv2.COLOR_BayerGRBG2RGB),
    # Each of the two orders has an older and a newer name.
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Encoding(_BYTE, 1, cv2.COLOR_YUV2RGB_NV12, even_width=True, two_planes=True),
    "nv21": Encoding(_BYTE, 1, cv2.COLOR_YUV2RGB_NV21, even_width=True, two_planes=True),
    # OpenCV's own names say nothing of colours; one channel is taken as grey and three as OpenCV's order, BGR.
    "8UC1": Encoding(_BYTE, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding(_BYTE, 3, cv2.COLOR_BGR2RGB),
    "16UC1": Encoding(_SHORT, 1, is_colour=False),
    "32SC1": Encoding(np.dtype(np.int32), 1, is_colour=False),
    "32FC1": Encoding(np.dtype(np.float32), 1, is_colour=False),
}
"""By the names of sensor_msgs/image_encodings.hpp."""

COLOURS = tuple(name for name, encoding in ENCODINGS.items() if encoding.is_colour)
"""The encodings that can be brought to RGB."""
