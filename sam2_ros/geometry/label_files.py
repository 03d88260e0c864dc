"""Reads label images from PNG files."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


class UnreadableLabels(ValueError):
    """A file that holds no label image; the message names it."""


def read_labels(path: Path) -> NDArray[np.uint8 | np.uint16]:
    """(H, W) of a PNG file: the values of its one channel, or the indices of its palette.

    Raises UnreadableLabels for a file that is no image or has several channels, and OSError if it cannot be opened.
    """
    data = path.read_bytes()
    plain = _with_plain_palette(data)
    picture = cv2.imdecode(np.frombuffer(plain or data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None:
        raise UnreadableLabels(f"{path} is not an image that OpenCV can read")
    if picture.ndim == 3 and plain is None:
        raise UnreadableLabels(f"{path} has {picture.shape[2]} channels; a label image has one, or a palette")
    return np.asarray(picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., 0]))


def _with_plain_palette(data: bytes) -> bytes | None:
    """A PNG file with the grey (k, k, k) as colour k of its palette; None if it has none.

    OpenCV gives colours instead of indices, and different indices may have the same colour. A PNG is a row of chunks:
    length of the content, name, content, checksum of name and content.
    """
    if data[25:26] != b"\3":  # not one that shows its palette's colours; another may suggest some
        return None
    at = 8
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"PLTE":
            chunk = b"PLTE" + bytes(k for k in range((end - at - 8) // 3) for _ in range(3))
            return data[: at + 4] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[end + 4 :]
        at = end + 4
    return None
