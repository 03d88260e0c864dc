from __future__ import annotations

import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros.ros.encodings import COLOURS, ENCODINGS
from sam2_ros.ros.images import BadImageMessage, to_array, to_message, to_rgb


def _image(encoding: str, rows: list[list[int]], width: int, **fields: int) -> Image:
    """A message with these bytes."""
    message = Image(encoding=encoding, height=len(rows), width=width, step=len(rows[0]) if rows else 0)
    message.data = array.array("B", [byte for row in rows for byte in row])
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("encoding", "row"),
    [
        ("rgb8", [1, 2, 3, 4, 5, 6]),
        ("bgr8", [3, 2, 1, 6, 5, 4]),
        ("8UC3", [3, 2, 1, 6, 5, 4]),
        ("rgba8", [1, 2, 3, 99, 4, 5, 6, 99]),
        ("bgra8", [3, 2, 1, 99, 6, 5, 4, 99]),
    ],
)
def test_colours_become_rgb(encoding: str, row: list[int]) -> None:
    pixels = to_rgb(_image(encoding, [row], width=2))

    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]]


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_rgb(encoding: str) -> None:
    assert to_rgb(_image(encoding, [[7, 9]], width=2)).tolist() == [[[7, 7, 7], [9, 9, 9]]]


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_the_padding_at_the_end_of_rows_is_left_out(encoding: str) -> None:
    pixels = to_rgb(_image(encoding, [[5, 5, 5, 66, 66], [7, 7, 7, 66, 66]], width=1))

    assert pixels.tolist() == [[[5, 5, 5]], [[7, 7, 7]]]


def test_rgb8_is_not_copied() -> None:
    message = _image("rgb8", [[1, 2, 3]], width=1)

    message.data[0] = 42

    pixels = to_rgb(message)
    message.data[1] = 43
    assert pixels.tolist() == [[[42, 43, 3]]]


_RED, _GREEN, _BLUE = 10, 100, 200


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_pattern_of_one_colour_has_it_everywhere(pattern: str, bits: int) -> None:
    first, second, third, fourth = ({"r": _RED, "g": _GREEN, "b": _BLUE}[letter] for letter in pattern)
    tile = np.array([[first, second], [third, fourth]])
    mosaic = np.tile(tile, (3, 4)).astype(np.uint8) if bits == 8 else np.tile(tile * 257, (3, 4)).astype(np.uint16)

    pixels = to_rgb(to_message(mosaic, f"bayer_{pattern}{bits}", Header()))

    assert pixels.shape == (6, 8, 3)
    assert (pixels == (_RED, _GREEN, _BLUE)).all()


@pytest.mark.parametrize(
    ("encoding", "row"),
    [
        ("yuv422", [128, 16, 128, 235]),
        ("uyvy", [128, 16, 128, 235]),
        ("yuv422_yuy2", [16, 128, 235, 128]),
        ("yuyv", [16, 128, 235, 128]),
    ],
)
def test_brightness_and_colour_that_two_pixels_share(encoding: str, row: list[int]) -> None:
    assert to_rgb(_image(encoding, [row], width=2)).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(("encoding", "colour"), [("nv12", [90, 240]), ("nv21", [240, 90])])
def test_two_planes(encoding: str, colour: list[int]) -> None:
    rows = [[82, 82, 99], [82, 82, 99], [*colour, 99]]

    pixels = to_rgb(_image(encoding, rows, width=2, height=2))

    # ITU-R BT.601: Y 82, U 90, V 240 is red.
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize(("encoding", "size"), [("yuyv", (3, 2)), ("nv12", (3, 2)), ("nv12", (2, 3))])
def test_colours_that_are_shared_need_an_even_number_of_pixels(encoding: str, size: tuple[int, int]) -> None:
    width, height = size
    with pytest.raises(BadImageMessage, match=f"is {width}x{height} pixels; in {encoding} its width.* must be even"):
        to_rgb(_image(encoding, [[0] * 6] * 4, width=width, height=height))


@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "mono16"])
def test_of_sixteen_bits_the_upper_ones_count(encoding: str) -> None:
    values = np.array([0, 128, 129, 257, 0x7FFF, 65535], np.uint16)
    pixels = values[None] if encoding == "mono16" else np.repeat(values[None, :, None], 3, axis=2)

    read = to_rgb(to_message(pixels, encoding, Header()))

    assert read.dtype == np.uint8
    # 65535 / 255 = 257
    assert read[0, :, 0].tolist() == [0, 0, 1, 1, 127, 255]


@pytest.mark.parametrize("encoding", ["rgba16", "bgra16"])
def test_sixteen_bits_with_transparency(encoding: str) -> None:
    pixel = [257, 514, 771, 9] if encoding == "rgba16" else [771, 514, 257, 9]

    read = to_rgb(to_message(np.array([[pixel]], np.uint16), encoding, Header()))

    assert read.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("encoding", ["", "RGB8", "nv24", "16UC1", "32FC1"])
def test_an_encoding_that_is_no_known_colour(encoding: str) -> None:
    with pytest.raises(BadImageMessage, match=f"the image's encoding is '{encoding}'; the known ones are rgb8, bgr8"):
        to_rgb(_image(encoding, [[1, 2, 3]], width=1))


def test_an_encoding_that_is_not_known_at_all() -> None:
    with pytest.raises(BadImageMessage, match=r"encoding is 'yuv444'; the known ones are rgb8, .*32FC1"):
        to_array(_image("yuv444", [[1, 2, 3]], width=1))


def test_a_step_that_is_too_small() -> None:
    with pytest.raises(BadImageMessage, match="step is 5 bytes; 2 pixels of rgb8 need at least 6"):
        to_rgb(_image("rgb8", [[1, 2, 3, 4, 5]], width=2))


@pytest.mark.parametrize("length", [0, 5, 7])
def test_data_of_another_length_than_the_rows(length: int) -> None:
    with pytest.raises(BadImageMessage, match=f"has {length} bytes; 2 rows of 3 bytes are 6"):
        to_rgb(_image("rgb8", [[0] * length], width=1, height=2, step=3))


@pytest.mark.parametrize(("height", "width"), [(0, 0), (0, 2), (2, 0)])
def test_an_image_without_pixels(height: int, width: int) -> None:
    with pytest.raises(BadImageMessage, match=f"is {width}x{height} pixels"):
        to_rgb(Image(encoding="rgb8", height=height, width=width))


def test_sixteen_bits_of_either_byte_order() -> None:
    for is_bigendian, row in ((0, [1, 2, 99]), (1, [2, 1, 99])):
        pixels = to_array(_image("16UC1", [row], width=1, is_bigendian=is_bigendian))
        assert pixels.dtype == np.uint16
        assert pixels.tolist() == [[0x0201]]


def test_an_image_is_sent_as_it_is() -> None:
    header = Header(frame_id="camera")
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

    message = to_message(pixels, "rgb8", header)

    assert message.header is header
    assert (message.height, message.width, message.step, message.encoding) == (2, 2, 6, "rgb8")
    assert isinstance(message.data, array.array)
    assert list(message.data) == list(range(12))


def test_an_image_without_pixels_can_be_sent() -> None:
    message = to_message(np.zeros((0, 0), np.uint8), "mono8", Header())

    assert (message.height, message.width, message.step, len(message.data)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("pixels", "encoding"),
    [
        (np.zeros((2, 2), np.uint8), "rgb8"),
        (np.zeros((2, 2, 3), np.uint8), "mono8"),
        (np.zeros((2, 2, 3), np.float32), "rgb8"),
        (np.zeros(4, np.uint8), "mono8"),
        (np.zeros((2, 2), np.uint8), "mono9"),
        (np.zeros((3, 2), np.uint8), "nv12"),
    ],
)
def test_an_array_that_is_not_of_the_encoding(pixels: np.ndarray, encoding: str) -> None:
    with pytest.raises(ValueError, match=encoding):
        to_message(pixels, encoding, Header())


_WRITTEN = sorted(name for name, encoding in ENCODINGS.items() if not encoding.two_planes)


@given(encoding=st.sampled_from(_WRITTEN), height=st.integers(1, 9), width=st.integers(1, 9), skip=st.integers(1, 3))
def test_what_is_sent_is_what_is_read(encoding: str, height: int, width: int, skip: int) -> None:
    known = ENCODINGS[encoding]
    width *= 1 + known.even_width
    shape = (height, width * skip, *([known.channels] if known.channels > 1 else []))
    pixels = np.random.default_rng(height).integers(0, 255, shape).astype(known.dtype)[:, ::skip]

    read = to_array(to_message(pixels, encoding, Header()))

    assert read.dtype == pixels.dtype
    assert np.array_equal(read, pixels)


@given(
    encoding=st.sampled_from(COLOURS),
    height=st.integers(0, 6),
    width=st.integers(0, 6),
    step=st.integers(0, 60),
    length=st.integers(0, 360) | st.none(),
)
def test_any_message_is_read_whole_or_refused(
    encoding: str, height: int, width: int, step: int, length: int | None
) -> None:
    known = ENCODINGS[encoding]
    rows = height * 3 // 2 if known.two_planes else height
    length = rows * step if length is None else length
    message = Image(encoding=encoding, height=height, width=width, step=step)
    message.data = array.array("B", bytes(length))
    fits = height > 0 and width > 0 and step >= known.row_bytes(width) and length == rows * step
    fits &= not (known.even_width and width % 2) and not (known.two_planes and height % 2)

    if fits:
        assert to_rgb(message).shape == (height, width, 3)
    else:
        with pytest.raises(BadImageMessage):
            to_rgb(message)


@given(padding=st.integers(0, 5), height=st.integers(1, 5), width=st.integers(1, 5))
def test_padding_never_changes_the_pixels(padding: int, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=255)
    message = _image("rgb8", rows.tolist(), width=width)

    assert np.array_equal(to_rgb(message), pixels)
