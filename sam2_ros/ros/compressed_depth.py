"""Depth images from sensor_msgs/CompressedImage, as image_transport's `compressedDepth` and `compressed` have them.

Pure functions. The layout is that of the package compressed_depth_image_transport: 12 bytes that say how distances in
metres were made whole numbers, then a PNG of 16 bits, or RVL after the image's width and height.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from .images import BadImageMessage

_HEAD = struct.Struct("<iff")
"""A number for the kind of quantization, of which there is one, and its two parameters."""
_SIZE = struct.Struct("<II")
_LARGEST = 8192
"""Pixels of a side of an image in RVL, in which a few bytes could claim any size."""
_PNG = b"\x89PNG"


def encoding_of(message: CompressedImage) -> str:
    """Of the image before it was compressed."""
    return str(message.format.partition(";")[0].strip())


def decode(message: CompressedImage) -> NDArray[np.uint16] | NDArray[np.float32]:
    """The distances (H, W): of a 16UC1 image uint16 as they are, of a 32FC1 image float32, 0 where it is not known.

    Raises BadImageMessage.
    """
    data = bytes(message.data)
    numbers = _from_rvl(data[_HEAD.size :]) if "rvl" in message.format else _from_png(data, message.format)
    if encoding_of(message) != "32FC1":
        return numbers
    if data.startswith(_PNG):
        raise BadImageMessage(f"the format is {message.format!r}, and a PNG has no distances of 32 bits")
    _, scale, offset = _HEAD.unpack_from(data)
    with np.errstate(all="ignore"):
        return np.where(numbers > 0, np.float32(scale) / (numbers - np.float32(offset)), np.float32(0))


def _from_png(data: bytes, format: str) -> NDArray[np.uint16]:
    """format: to name. The transport `compressed` sends nothing before the PNG."""
    png = data if data.startswith(_PNG) else data[_HEAD.size :]
    try:
        pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) if png.startswith(_PNG) else None
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise BadImageMessage(
            f"the format is {format!r}, and its {len(data)} bytes are no whole PNG of 16 bits, nor said to be RVL; the "
            "camera must send depth as compressedDepth or raw"
        )
    return np.asarray(pixels, np.uint16)


def _from_rvl(data: bytes) -> NDArray[np.uint16]:
    """Wilson, "Fast Lossless Depth Image Compression" (2017): how many pixels are 0, how many are not, and what each of
    those is more than the one before, in turn; numbers of 3 bits a nibble, of which the fourth says that more come.
    """
    width, height = _SIZE.unpack_from(data) if len(data) >= _SIZE.size else (0, 0)
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise BadImageMessage(f"{len(data)} bytes of RVL that say they are {width}x{height} pixels")
    numbers = _numbers(data[_SIZE.size :])
    runs: list[int] = []
    at = filled = 0
    is_step = np.ones(len(numbers), bool)
    while filled < width * height and at + 1 < len(numbers):
        unknown, known = numbers[at : at + 2].tolist()
        runs += (unknown, known)
        is_step[at : at + 2] = False
        at += 2 + known
        filled += unknown + known
    if filled != width * height or at > len(numbers):
        raise BadImageMessage(f"{len(data)} bytes of RVL are not those of {width}x{height} pixels")
    steps = numbers[:at][is_step[:at]]
    pixels = np.zeros(filled, np.uint16)
    # The sign is the lowest bit.
    pixels[np.repeat(np.arange(len(runs)) % 2 > 0, runs)] = np.cumsum((steps >> 1) ^ -(steps & 1))
    return pixels.reshape(height, width)


def _numbers(data: bytes) -> NDArray[np.int32]:
    """All of them; some more than there are come from what fills up the last word."""
    words = np.frombuffer(data, np.uint8)[: len(data) // 4 * 4].reshape(-1, 4)[:, ::-1].ravel()
    nibbles = np.stack((words >> 4, words & 15), axis=1).ravel().astype(np.int32)
    ends = np.flatnonzero(nibbles < 8)
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]
    lengths = ends - starts + 1
    if not len(ends) or lengths.max() > 9:
        raise BadImageMessage(f"{len(data)} bytes are no RVL")
    shifts = 3 * (np.arange(lengths.sum()) - np.repeat(starts, lengths))
    return np.add.reduceat((nibbles[: len(shifts)] & 7) << shifts, starts).astype(np.int32)
