"""Between sensor_msgs/CompressedImage and NumPy, as image_transport's `compressed` has it. Pure functions."""

from __future__ import annotations

import array
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from .images import BadImageMessage

ImageMessage: TypeAlias = Image | CompressedImage

SUFFIX = "/compressed"
"""Of the topics that image_transport names after a raw image's."""
_SUFFIXES = (SUFFIX, "/compressedDepth")

_QUALITY = 85  # of JPEG, 0 to 100
# As the file has it, however a viewer would turn it: camera_info and depth speak of the sensor's own rows.
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def transported(topic: str, transport: str) -> str:
    """The topic of what a transport, raw among them, makes of the images of a topic.

    One that has a transport's suffix stays as it is. As image_transport does, the suffix comes after remapping: who
    remaps the raw topic has remapped this one too.
    """
    return topic if transport == "raw" or topic.endswith(_SUFFIXES) else f"{topic}/{transport}"


def kind_of(topic: str) -> type[ImageMessage]:
    """The type of what comes on a topic of images, by its name."""
    return CompressedImage if topic.endswith(_SUFFIXES) else Image


def decode(message: CompressedImage) -> NDArray[np.uint8]:
    """A JPEG, PNG or other picture that OpenCV reads, as (H, W, 3) uint8 RGB. Raises BadImageMessage."""
    if "compressedDepth" in message.format:
        raise BadImageMessage(f"the format is {message.format!r}; a depth image cannot be taken for a colour image")
    if message.format.startswith("bayer_") and "png" in message.format:
        raise BadImageMessage(
            f"the format is {message.format!r}, a mosaic without its colours; take the raw images, or JPEG"
        )
    data = np.frombuffer(message.data, np.uint8)
    try:
        pixels = cv2.imdecode(data, _AS_STORED) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadImageMessage(
            f"the compressed image of format {message.format!r} and {data.size} bytes cannot be decoded; it must be a "
            "JPEG or PNG that is whole"
        )
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def encode(image: NDArray[np.uint8], header: Header) -> CompressedImage:
    """(H, W, 3) uint8 RGB as a JPEG. The header is the one given, not a copy."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    if not done:
        raise ValueError(f"OpenCV cannot make a JPEG of an image {image.shape}")
    # image_transport reads from the format which colours go in and which lie in the file.
    message = CompressedImage(header=header, format="rgb8; jpeg compressed bgr8")
    message.data = array.array("B", data.tobytes())
    return message
