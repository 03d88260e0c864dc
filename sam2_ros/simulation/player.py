"""Plays a video file, or a folder of images with what is known of them, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.label_files import UnreadableLabels, read_labels

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
        """Raises Unplayable for a source that is missing, empty, not images, or may not be read."""
        try:
            if not self.source.exists():
                raise Unplayable(f"{self.source} does not exist: name a video file or a folder of images")
            while True:
                yield from self._folder() if self.source.is_dir() else self._video()
                if not self.loop:
                    return
        except OSError as error:
            raise Unplayable(f"{error.filename} cannot be read: {error.strerror}") from error

    def _video(self) -> Iterator[View]:
        self.source.open("rb").close()  # OpenCV does not say why it cannot read a file
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
            picture = _read(file, cv2.IMREAD_COLOR)
            depth = _read_depth(depths) if root == nested and depths.exists() else None
            labels = _read_ids(masks) if root == nested and masks.exists() else None
            for path, other in ((depths, depth), (masks, labels)):
                if other is not None and other.shape != picture.shape[:2]:
                    raise Unplayable(
                        f"{path} has {other.shape[1]}x{other.shape[0]} pixels and its image "
                        f"{picture.shape[1]}x{picture.shape[0]}; they must be of one size"
                    )
            yield self._frame(picture, depth, labels)

    def _frame(
        self,
        picture: NDArray[Any],
        depth: NDArray[Any] | None = None,
        labels: NDArray[np.uint8] | None = None,
    ) -> View:
        if self.size is not None:
            smaller = self.size[0] < picture.shape[1]
            picture = _resized(picture, self.size, cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
            # Ids and distances must not be mixed with their neighbours'.
            depth = None if depth is None else _resized(depth, self.size, cv2.INTER_NEAREST)
            labels = None if labels is None else np.asarray(_resized(labels, self.size, cv2.INTER_NEAREST), np.uint8)
        return View(
            np.ascontiguousarray(picture[..., ::-1], np.uint8),
            None if depth is None else _millimetres(depth, self.depth_unit),
            labels,
        )


def _read(path: Path, mode: int) -> NDArray[Any]:
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise Unplayable(f"{path} is not an image that OpenCV can read")
    return np.asarray(picture)


def _read_depth(path: Path) -> NDArray[Any]:
    picture = _read(path, cv2.IMREAD_UNCHANGED)
    if picture.ndim != 2:
        raise Unplayable(f"{path} has {picture.shape[2]} channels: a depth image has one")
    return picture


def _read_ids(path: Path) -> NDArray[np.uint8]:
    try:
        labels = read_labels(path)
    except UnreadableLabels as error:
        raise Unplayable(str(error)) from error
    if labels.max() > 255:
        raise Unplayable(f"{path} has an id of {labels.max()}: ids up to 255 can be played")
    return labels.astype(np.uint8)


def _millimetres(depth: NDArray[Any], unit: float) -> NDArray[np.uint16]:
    """0, which is not known, where it is too far for 16 bits."""
    far = np.rint(depth * (1000.0 * unit))
    return np.where(far < 2**16, far, 0).astype(np.uint16)


def _resized(picture: NDArray[Any], size: tuple[int, int], how: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(picture, size, interpolation=how))
