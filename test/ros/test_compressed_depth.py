"""Depth as image_transport compresses it, against messages laid out here by its description."""

from __future__ import annotations

import array
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from sensor_msgs.msg import CompressedImage

from sam2_ros.ros.compressed_depth import decode
from sam2_ros.ros.images import BadImageMessage

NOTHING = struct.pack("<iff", 0, 0.0, 0.0)
DEPTH = np.array([[0, 0, 850, 851], [849, 65535, 0, 1]], np.uint16)


def _message(data: bytes, format: str = "16UC1; compressedDepth png") -> CompressedImage:
    message = CompressedImage(format=format)
    message.data = array.array("B", data)
    return message


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _rvl(pixels: np.ndarray) -> bytes:
    """One pixel after the other, as the paper describes it."""
    nibbles: list[int] = []

    def put(number: int) -> None:
        while number > 7:
            nibbles.append(number & 7 | 8)
            number >>= 3
        nibbles.append(number)

    flat, at, before = pixels.ravel().tolist(), 0, 0
    while at < len(flat):
        for run_of_zeros in (True, False):
            start = at
            while at < len(flat) and (flat[at] == 0) is run_of_zeros:
                at += 1
            put(at - start)
        for value in flat[start:at]:
            step = value - before
            put(2 * step if step >= 0 else -2 * step - 1)
            before = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{nibble:x}" for nibble in nibbles[k : k + 8]), 16) for k in range(0, len(nibbles), 8)]
    return struct.pack(f"<II{len(words)}I", pixels.shape[1], pixels.shape[0], *words)


def _quantized(metres: np.ndarray, step: float = 100.0, furthest: float = 10.0) -> tuple[bytes, np.ndarray]:
    """The head of a message and the whole numbers that stand for distances in metres, nearer ones finer."""
    scale = step * (step + 1)
    offset = 1 - scale / furthest
    with np.errstate(all="ignore"):
        numbers = np.where(metres < furthest, scale / metres + offset, 0).astype(np.uint16)
    return struct.pack("<iff", 0, scale, offset), numbers


@pytest.mark.parametrize(
    "message",
    [
        _message(NOTHING + _png(DEPTH)),
        _message(NOTHING + _png(DEPTH), "16UC1; compressedDepth"),
        _message(NOTHING + _png(DEPTH), "16UC1"),
        _message(NOTHING + _rvl(DEPTH), "16UC1; compressedDepth rvl"),
        _message(_png(DEPTH), "16UC1; png compressed "),
    ],
)
def test_whole_millimetres_are_read_to_the_last_bit(message: CompressedImage) -> None:
    pixels = decode(message)

    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, DEPTH)


@settings(max_examples=300, deadline=None)
@given(st_numpy.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 65535)))
def test_rvl_is_read_to_the_last_bit(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(decode(_message(NOTHING + _rvl(pixels), "16UC1; compressedDepth rvl")), pixels)


@pytest.mark.parametrize("kind", ["png", "rvl"])
def test_metres_are_read_as_finely_as_they_were_written(kind: str) -> None:
    metres = np.linspace(0.4, 9.9, 600, dtype=np.float32).reshape(20, 30)
    metres[0, :3] = np.nan, 10.5, np.inf
    head, numbers = _quantized(metres)

    read = decode(_message(head + (_png if kind == "png" else _rvl)(numbers), f"32FC1; compressedDepth {kind}"))

    assert read.dtype == np.float32
    assert (read[0, :3] == 0).all()
    known = np.isfinite(metres) & (metres < 10)
    # A whole number further is so much further away: as d(scale / z) = -scale / z**2 dz has it.
    assert (np.abs(read - metres)[known] <= metres[known] ** 2 / 10100 * 1.1).all()
    assert np.abs(read - metres)[known].max() < 0.011


@pytest.mark.parametrize(
    ("data", "format", "words"),
    [
        (b"", "16UC1; compressedDepth png", "its 0 bytes are no whole PNG of 16 bits"),
        (NOTHING + _png(DEPTH)[:60], "16UC1; compressedDepth png", "are no whole PNG of 16 bits"),
        (NOTHING + _png(DEPTH.astype(np.uint8)), "16UC1; compressedDepth png", "are no whole PNG of 16 bits"),
        (NOTHING + _png(np.dstack([DEPTH] * 3)), "16UC1; compressedDepth png", "are no whole PNG of 16 bits"),
        (
            cv2.imencode(".jpg", DEPTH.astype(np.uint8))[1].tobytes(),
            "16UC1; jpeg compressed ",
            "the camera must send depth as compressedDepth or raw",
        ),
        (_png(DEPTH), "32FC1; png compressed ", "a PNG has no distances of 32 bits"),
        (NOTHING, "16UC1; compressedDepth rvl", "0 bytes of RVL that say they are 0x0 pixels"),
        (NOTHING + struct.pack("<II", 2**31, 2**31) + bytes(8), "16UC1; compressedDepth rvl", "2147483648x2147483648"),
        (NOTHING + _rvl(DEPTH)[:-4], "16UC1; compressedDepth rvl", "of RVL are not those of 4x2 pixels"),
        (NOTHING + _rvl(DEPTH)[:8], "16UC1; compressedDepth rvl", "0 bytes are no RVL"),
        (NOTHING + _rvl(DEPTH)[:8] + b"\xff" * 8, "16UC1; compressedDepth rvl", "8 bytes are no RVL"),
        (NOTHING + struct.pack("<II", 5, 2) + _rvl(DEPTH)[8:], "16UC1; compressedDepth rvl", "not those of 5x2"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, format: str, words: str) -> None:
    with pytest.raises(BadImageMessage, match=words):
        decode(_message(data, format))


@pytest.mark.filterwarnings("error")
@settings(max_examples=1000, deadline=None)
@given(
    kind=st.sampled_from(["png", "rvl"]),
    encoding=st.sampled_from(["16UC1", "32FC1"]),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    length=st.none() | st.integers(0, 200),
)
def test_a_message_with_other_bytes_is_read_or_refused(
    kind: str, encoding: str, changes: list[tuple[int, int]], length: int | None
) -> None:
    data = bytearray(NOTHING + (_png(DEPTH) if kind == "png" else _rvl(DEPTH)))
    for at, byte in changes:
        data[at % len(data)] = byte
    try:
        pixels = decode(_message(bytes(data[:length]), f"{encoding}; compressedDepth {kind}"))
    except BadImageMessage as error:
        assert "bytes" in str(error) and "\n" not in str(error)
    else:
        assert pixels.ndim == 2 and pixels.dtype == (np.uint16 if encoding == "16UC1" else np.float32)
