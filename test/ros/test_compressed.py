from __future__ import annotations

import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from sam2_ros.ros.compressed import decode, encode
from sam2_ros.ros.images import BadImageMessage


def _message(data: bytes, format: str = "jpeg") -> CompressedImage:
    message = CompressedImage(format=format)
    message.data = array.array("B", data)
    return message


def _picture() -> np.ndarray:
    """(48, 64, 3) red, with a soft white middle."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    cv2.circle(image, (32, 24), 12, (255, 255, 255), cv2.FILLED)
    return cv2.GaussianBlur(image, (0, 0), 2)


def test_what_is_compressed_is_nearly_what_is_read() -> None:
    image, header = _picture(), Header(frame_id="camera")

    message = encode(image, header)

    assert message.header is header
    assert message.format == "rgb8; jpeg compressed bgr8"  # what image_transport's own subscriber expects
    assert isinstance(message.data, array.array)
    assert np.abs(decode(message).astype(int) - image).mean() < 2


def test_png_is_read_to_the_last_bit() -> None:
    data = cv2.imencode(".png", _picture()[..., ::-1])[1].tobytes()

    assert np.array_equal(decode(_message(data, "bgr8; png compressed bgr8")), _picture())


def test_a_picture_is_not_turned_as_a_viewer_would_turn_it() -> None:
    """By what a camera says of how it was held, in Exif: camera_info and depth are not turned either."""
    plain = cv2.imencode(".jpg", _picture()[..., ::-1])[1].tobytes()
    a_quarter = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = plain[:2] + b"\xff\xe1" + (2 + len(a_quarter)).to_bytes(2, "big") + a_quarter + plain[2:]

    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (64, 48, 3)
    assert np.array_equal(decode(_message(turned)), decode(_message(plain)))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_of_any_depth_becomes_rgb(depth: type) -> None:
    grey = np.full((4, 6), 77, np.uint8).astype(depth) * (257 if depth is np.uint16 else 1)

    pixels = decode(_message(cv2.imencode(".png", grey)[1].tobytes(), "mono16; png compressed"))

    assert pixels.shape == (4, 6, 3)
    assert (pixels == 77).all()


def test_a_mosaic_is_refused() -> None:
    data = cv2.imencode(".png", np.zeros((4, 6), np.uint8))[1].tobytes()
    with pytest.raises(BadImageMessage, match="the format is 'bayer_rggb8; png compressed ', a mosaic"):
        decode(_message(data, "bayer_rggb8; png compressed "))


@pytest.mark.parametrize("data", [b"", b"\x00", b"no picture at all", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(BadImageMessage, match=f"of format 'jpeg' and {len(data)} bytes cannot be decoded"):
        decode(_message(data))


def test_a_header_that_claims_a_size_beyond_reason() -> None:
    data = bytearray(cv2.imencode(".jpg", _picture())[1].tobytes())
    size = data.index(b"\xff\xc0") + 5
    data[size : size + 4] = (65000).to_bytes(2, "big") * 2

    with pytest.raises(BadImageMessage, match="cannot be decoded"):
        decode(_message(bytes(data)))


def test_depth_is_no_colour_image() -> None:
    with pytest.raises(BadImageMessage, match="a depth image cannot be taken for a colour image"):
        decode(_message(b"", "16UC1; compressedDepth png"))
