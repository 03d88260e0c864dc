"""Thousands of image messages that are nearly right: each is read whole or refused with a reason, and nothing else."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from sam2_ros.ros.compressed import decode
from sam2_ros.ros.encodings import COLOURS, ENCODINGS
from sam2_ros.ros.images import BadImageMessage, to_array, to_rgb

_UINT32 = st.integers(0, 20) | st.integers(0, 2**32 - 1)
_MUTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "encoding": st.sampled_from([*ENCODINGS, "rgb8 ", "8UC4", "yuv444"]) | st.text(max_size=9),
        "height": _UINT32,
        "width": _UINT32,
        "step": _UINT32,
        "is_bigendian": st.integers(0, 255),
        "data": st.binary(max_size=300),
    },
)


def _valid(encoding: str) -> Image:
    """6x4 pixels."""
    known = ENCODINGS[encoding]
    message = Image(encoding=encoding, height=4, width=6, step=known.row_bytes(6))
    message.data = array.array("B", bytes(range(known.rows(4) * message.step)))
    return message


def _picture(extension: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    return bytes(cv2.imencode(extension, cv2.GaussianBlur(pixels, (0, 0), 3))[1])


_PICTURES = [_picture(".jpg"), _picture(".png")]


@settings(max_examples=3000, deadline=None)
@given(encoding=st.sampled_from(COLOURS), mutations=_MUTATIONS)
def test_images(encoding: str, mutations: dict[str, Any]) -> None:
    message = _valid(encoding)
    for field, value in mutations.items():
        setattr(message, field, array.array("B", value) if field == "data" else value)

    try:
        pixels = to_rgb(message)
    except BadImageMessage as reason:
        assert mutations and str(reason)
    else:
        assert pixels.shape == (message.height, message.width, 3)
        assert pixels.dtype == np.uint8
        to_array(message)  # what can be seen can be read


@settings(max_examples=2000, deadline=None)
@given(
    picture=st.sampled_from(_PICTURES),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    kept=st.floats(0, 1) | st.just(1.0),
    appended=st.binary(max_size=5),
    form=st.sampled_from(["jpeg", "png", "rgb8; jpeg compressed bgr8", ""]) | st.text(max_size=9),
)
def test_compressed_images(
    picture: bytes, changes: list[tuple[float, int]], kept: float, appended: bytes, form: str
) -> None:
    data = bytearray(picture)
    for place, value in changes:
        data[int(place * len(data))] = value
    message = CompressedImage(format=form)
    message.data = array.array("B", bytes(data[: int(kept * len(data))]) + appended)

    try:
        pixels = decode(message)
    except BadImageMessage as reason:
        assert changes or kept < 1
        assert str(reason)
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
