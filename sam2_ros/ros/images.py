"""Between sensor_msgs/Image and NumPy. Pure functions; nothing here needs a node.

cv_bridge is not used, also where it is installed: it gives the same pixels (test/ros/test_cv_bridge.py), and one way
for all machines is one way to test.
"""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from .encodings import COLOURS, ENCODINGS, Encoding

_TO_BYTES = 255 / 65535  # so that the largest number of 16 bits becomes the largest of 8


class BadImageMessage(ValueError):
    """An image message that says one thing and holds another, or whose encoding is not known here."""


def to_rgb(message: Image) -> NDArray[np.uint8]:
    """A colour or grey image as (H, W, 3) uint8 RGB.

    An rgb8 message is not copied: the array looks into the message's data. Raises BadImageMessage.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None or not encoding.is_colour:
        known = ", ".join(COLOURS)
        raise BadImageMessage(f"the image's encoding is {message.encoding!r}; the known ones are {known}")
    pixels = _pixels(message, encoding)
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb)
    if encoding.dtype.itemsize > 1:
        pixels = cv2.convertScaleAbs(np.ascontiguousarray(pixels), alpha=_TO_BYTES)
    return pixels.astype(np.uint8, copy=False)


def to_array(message: Image) -> NDArray[np.generic]:
    """The pixels as they are: (H, W) or (H, W, channels) of the encoding's type, not copied; nv12 has (H * 3 / 2, W).

    Raises BadImageMessage.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        known = ", ".join(ENCODINGS)
        raise BadImageMessage(f"the image's encoding is {message.encoding!r}; the known ones are {known}")
    return _pixels(message, encoding)


def to_message(pixels: NDArray[np.generic], encoding: str, header: Header) -> Image:
    """An image message of an array (H, W) or (H, W, channels) whose type is the encoding's.

    The header is the one given, not a copy. Raises ValueError if the array is not one of that encoding.
    """
    known = ENCODINGS.get(encoding)
    if known is None or known.two_planes:
        names = ", ".join(name for name, encoding in ENCODINGS.items() if not encoding.two_planes)
        raise ValueError(f"the encoding is {encoding!r}; those that are written are {names}")
    shape = pixels.shape[:2] if known.channels == 1 else (*pixels.shape[:2], known.channels)
    if pixels.shape != shape or pixels.ndim < 2 or pixels.dtype != known.dtype:
        raise ValueError(f"an array {pixels.shape} of {pixels.dtype} is not an image of encoding {encoding}")
    message = Image(header=header, encoding=encoding, is_bigendian=sys.byteorder == "big")
    message.height, message.width = pixels.shape[:2]
    message.step = known.row_bytes(message.width)
    # Anything but an array.array is checked by rclpy byte by byte, which takes longer than sending the image.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).data.cast("B") if pixels.size else b"")
    message.data = data
    return message


def _pixels(message: Image, encoding: Encoding) -> NDArray[np.generic]:
    """A view of the message's data, without the padding at the end of each row."""
    height, width, step = message.height, message.width, message.step
    if not height or not width:
        raise BadImageMessage(f"the image is {width}x{height} pixels; it must have at least one")
    if (encoding.even_width and width % 2) or (encoding.two_planes and height % 2):
        edges = "width and height" if encoding.two_planes else "width"
        raise BadImageMessage(f"the image is {width}x{height} pixels; in {message.encoding} its {edges} must be even")
    row, count = encoding.row_bytes(width), encoding.rows(height)
    if step < row:
        raise BadImageMessage(
            f"the image's step is {step} bytes; {width} pixels of {message.encoding} need at least {row}"
        )
    if len(message.data) != count * step:
        raise BadImageMessage(
            f"the image has {len(message.data)} bytes; {count} rows of {step} bytes are {count * step}"
        )
    rows = np.frombuffer(message.data, np.uint8).reshape(count, step)[:, :row]
    if encoding.dtype.itemsize > 1:
        dtype = encoding.dtype.newbyteorder(">" if message.is_bigendian else "<")
        rows = rows.view(dtype).astype(encoding.dtype, copy=False)
    return rows if encoding.channels == 1 else rows.reshape(count, width, encoding.channels)
