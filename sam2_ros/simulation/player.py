"""Plays a video file, or a folder of images with what is known of them, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .views import View

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class Unplayable(ValueError):
    """A source that cannot be played; the message names it and what would be right."""


@dataclass(frozen=True)
class Player:
    """The frames of a video file that OpenCV reads, or of a folder of images in the order of their names.

    A folder either holds the images, or a folder images/ with, beside it, masks/ and depth/ where there are any:
    images/NAME.jpg belongs to masks/NAME.png (pixel = object id) and depth/NAME.png (16 bit). A mask or a depth
    image may be missing for some of the images.
    """

    source: Path
    size: tuple[int, int] | None = None
    """Width and height in pixels to resize to; None leaves the images as they are."""
    depth_unit: float = 0.001
    """Metres that one unit of the depth files stands for."""
    loop: bool = False
    """Begin again after the last frame, for ever."""

    def __iter__(self) -> Iterator[View]:
        """Raises Unplayable for a source that is missing, empty, or not images."""
        if not self.source.exists():
            raise Unplayable(f"{self.source} does not exist: name a video file or a folder of images")
        while True:
            yield from self._folder() if self.source.is_dir() else self._video()
            if not self.loop:
                return

    def _video(self) -> Iterator[View]:
        capture = cv2.VideoCapture(str(self.source))
        try:
            read, picture = capture.read()
            if not read:
                raise Unplayable(f"{self.source} is not a video that OpenCV can read: an .mp4 with H.264 would be")
            while read:
                yield self._frame(np.asarray(picture))
                read, picture = capture.read()
        finally:
            capture.release()

    def _folder(self) -> Iterator[View]:
        nested = self.source / "images"
        root = nested if nested.is_dir() else self.source
        files = sorted(path for path in root.iterdir() if path.suffix.lower() in IMAGE_ENDINGS)
        if not files:
            raise Unplayable(f"{root} holds no images: files that end in {', '.join(IMAGE_ENDINGS)} are played")
        for file in files:
            masks, depths = (self.source / kind / f"{file.stem}.png" for kind in ("masks", "depth"))
            yield self._frame(
                _read(file, cv2.IMREAD_COLOR),
                _read_plain(depths) if root == nested and depths.exists() else None,
                _read_plain(masks) if root == nested and masks.exists() else None,
            )

    def _frame(
        self,
        picture: NDArray[Any],
        depth: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
    ) -> View:
        if self.size is not None:
            smaller = self.size[0] < picture.shape[1]
            picture = _resized(picture, self.size, cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
            # Ids and distances must not be mixed with their neighbours'.
            depth = None if depth is None else _resized(depth, self.size, cv2.INTER_NEAREST)
            labels = None if labels is None else _resized(labels, self.size, cv2.INTER_NEAREST)
        return View(
            np.ascontiguousarray(picture[..., ::-1], np.uint8),
            None if depth is None else np.rint(depth * (1000 * self.depth_unit)).astype(np.uint16),
            None if labels is None else labels.astype(np.uint8),
        )


def _read(path: Path, mode: int) -> NDArray[Any]:
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise Unplayable(f"{path} is not an image that OpenCV can read")
    return np.asarray(picture)


def _read_plain(path: Path) -> NDArray[Any]:
    """A mask or depth image: one channel, or the indices of a PNG with a palette, which OpenCV turns into colours."""
    picture = _read(path, cv2.IMREAD_UNCHANGED)
    if picture.ndim == 2:
        return picture
    palette = _palette(path)
    if palette is None:
        raise Unplayable(f"{path} has {picture.shape[2]} channels: a mask or depth image has one")
    weights = np.array([1, 256, 65536], np.uint32)  # blue, green, red
    index_of = {int(colour): index for index, colour in reversed(list(enumerate(palette[:, ::-1] @ weights)))}
    colours, places = np.unique(picture[..., :3].astype(np.uint32) @ weights, return_inverse=True)
    indices: NDArray[np.uint8] = np.array([index_of[int(colour)] for colour in colours], np.uint8)
    return indices[places].reshape(picture.shape[:2])


def _palette(path: Path) -> NDArray[np.uint32] | None:
    """(N, 3) RGB of a PNG file, or None where it has none. A PNG is a row of chunks: length, name, data, checksum."""
    data = path.read_bytes()
    at = 8
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"PLTE":
            return np.frombuffer(data, np.uint8, length, at + 8).reshape(-1, 3).astype(np.uint32)
        at += length + 12
    return None


def _resized(picture: NDArray[Any], size: tuple[int, int], how: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(picture, size, interpolation=how))
