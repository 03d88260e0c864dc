"""Between sensor_msgs/Image and NumPy. Pure functions; nothing here needs a node."""

from __future__ import annotations

import array
import sys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header


class BadImageMessage(ValueError):
    """An image message that says one thing and holds another, or whose encoding is not known here."""


@dataclass(frozen=True)
class _Encoding:
    """How the pixels of an encoding lie in memory, and what brings them to RGB."""

    dtype: np.dtype
    channels: int
    to_rgb: int | None = None
    """OpenCV's colour conversion code; None: it is RGB."""
    is_colour: bool = True
    """Whether it can be brought to RGB at all; depths and labels cannot."""


_BYTE, _SHORT = np.dtype(np.uint8), np.dtype(np.uint16)
_ENCODINGS = {
    "rgb8": _Encoding(_BYTE, 3),
    "bgr8": _Encoding(_BYTE, 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(_BYTE, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(_BYTE, 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Encoding(_BYTE, 1, cv2.COLOR_GRAY2RGB),
    # OpenCV's own names say nothing of colours; one channel is taken as grey and three as OpenCV's order, BGR.
    "8UC1": _Encoding(_BYTE, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": _Encoding(_BYTE, 3, cv2.COLOR_BGR2RGB),
    "mono16": _Encoding(_SHORT, 1, is_colour=False),
    "16UC1": _Encoding(_SHORT, 1, is_colour=False),
    "32SC1": _Encoding(np.dtype(np.int32), 1, is_colour=False),
    "32FC1": _Encoding(np.dtype(np.float32), 1, is_colour=False),
}


def to_rgb(message: Image) -> NDArray[np.uint8]:
    """A colour or grey image as (H, W, 3) uint8 RGB.

    An rgb8 message is not copied: the array looks into the message's data. Raises BadImageMessage.
    """
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None or not encoding.is_colour:
        known = ", ".join(name for name, encoding in _ENCODINGS.items() if encoding.is_colour)
        raise BadImageMessage(f"the image's encoding is {message.encoding!r}; the known ones are {known}")
    pixels = _pixels(message, encoding)
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb)
    return pixels.astype(np.uint8, copy=False)


def to_array(message: Image) -> NDArray[np.generic]:
    """The pixels as they are: (H, W) or (H, W, channels) of the encoding's type, not copied. Raises BadImageMessage."""
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None:
        raise BadImageMessage(
            f"the image's encoding is {message.encoding!r}; the known ones are {', '.join(_ENCODINGS)}"
        )
    return _pixels(message, encoding)


def to_message(pixels: NDArray[np.generic], encoding: str, header: Header) -> Image:
    """An image message of an array (H, W) or (H, W, channels) whose type is the encoding's.

    The header is the one given, not a copy. Raises ValueError if the array is not one of that encoding.
    """
    known = _ENCODINGS.get(encoding)
    if known is None:
        raise ValueError(f"the encoding is {encoding!r}; the known ones are {', '.join(_ENCODINGS)}")
    shape = pixels.shape[:2] if known.channels == 1 else (*pixels.shape[:2], known.channels)
    if pixels.shape != shape or pixels.ndim < 2 or pixels.dtype != known.dtype:
        raise ValueError(f"an array {pixels.shape} of {pixels.dtype} is not an image of encoding {encoding}")
    message = Image(header=header, encoding=encoding, is_bigendian=sys.byteorder == "big")
    message.height, message.width = pixels.shape[:2]
    message.step = message.width * known.channels * known.dtype.itemsize
    # Anything but an array.array is checked by rclpy byte by byte, which takes longer than sending the image.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).data.cast("B") if pixels.size else b"")
    message.data = data
    return message


def _pixels(message: Image, encoding: _Encoding) -> NDArray[np.generic]:
    """A view of the message's data, without the padding at the end of each row."""
    height, width, step = message.height, message.width, message.step
    if not height or not width:
        raise BadImageMessage(f"the image is {width}x{height} pixels; it must have at least one")
    row = width * encoding.channels * encoding.dtype.itemsize
    if step < row:
        raise BadImageMessage(
            f"the image's step is {step} bytes; {width} pixels of {message.encoding} need at least {row}"
        )
    if len(message.data) != height * step:
        raise BadImageMessage(
            f"the image has {len(message.data)} bytes; {height} rows of {step} bytes are {height * step}"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, :row]
    if encoding.dtype.itemsize > 1:
        dtype = encoding.dtype.newbyteorder(">" if message.is_bigendian else "<")
        rows = rows.view(dtype).astype(encoding.dtype, copy=False)
    return rows if encoding.channels == 1 else rows.reshape(height, width, encoding.channels)
