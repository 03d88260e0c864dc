"""Labelled sequences: folders of images and of label images, read frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.label_files import UnreadableLabels, read_labels

_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

Labels = NDArray[np.uint8 | np.uint16]


class BadSequence(ValueError):
    """A folder that is no labelled sequence; the message names what was wrong and what would be right."""


@dataclass(frozen=True)
class LabelledFrame:
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    labels: Labels | None
    """(H, W) id of the object that each pixel shows, 0 for none; None where the frame has no label image."""


@dataclass(frozen=True)
class LabelledSequence:
    """images/NAME.jpg (or .png, ...) in the order of their names, each with masks/NAME.png where there is one."""

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    """As many as images."""
    ids: tuple[int, ...]
    """Of the objects that are in any of the label images, rising."""

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[LabelledFrame]:
        """Raises BadSequence for a file that cannot be read, or another size than that of the first image."""
        first = None
        for image_path, mask_path in zip(self.images, self.masks, strict=True):
            image = _read_image(image_path)
            first = first or image.shape[:2]
            if image.shape[:2] != first:
                raise BadSequence(f"{image_path} is {_size(image)} pixels, but {self.images[0].name} is {_size(first)}")
            labels = None if mask_path is None else _read_mask(mask_path)
            if labels is not None and labels.shape != first:
                raise BadSequence(f"{mask_path} is {_size(labels)} pixels, but its image is {_size(first)}")
            yield LabelledFrame(image, labels)


@contextmanager
def _reading() -> Iterator[None]:
    """What the system does not let be read becomes a BadSequence."""
    try:
        yield
    except OSError as error:
        raise BadSequence(f"{error.filename} cannot be read: {error.strerror}") from error


def find_sequences(paths: Iterable[Path]) -> list[Path]:
    """The folders themselves, or, where one holds no images/ but folders that do, those in the order of their names.

    Raises BadSequence.
    """
    found: list[Path] = []
    for path in paths:
        with _reading():
            if not path.is_dir():
                raise BadSequence(f"{path} is not a folder; a labelled sequence is a folder with images/ and masks/")
            own = (path / "images").is_dir()
            inner = [path] if own else sorted(f.parent for f in path.glob("*/images") if f.is_dir())
        if not inner:
            raise BadSequence(f"{path} holds no images/; a labelled sequence is a folder with images/ and masks/")
        found += inner
    return found


def open_sequence(folder: Path, frames: int | None = None) -> LabelledSequence:
    """Looks through a folder, and at all label images for the ids in them.

    frames: how many to take from the beginning; all if None. Raises BadSequence.
    """
    with _reading():
        images = sorted(path for path in (folder / "images").iterdir() if path.suffix.lower() in _ENDINGS)
    if not images:
        raise BadSequence(f"{folder / 'images'} holds no images: files that end in {', '.join(_ENDINGS)}")
    images = images[:frames]
    masks = [folder / "masks" / f"{path.stem}.png" for path in images]
    present = [path if path.exists() else None for path in masks]
    if not any(present):
        raise BadSequence(
            f"{folder / 'masks'} holds no label image of these frames; the first would be {masks[0].name}"
        )
    size = _read_image(images[0]).shape[:2]
    ids: set[int] = set()
    for path in present:
        if path is not None:
            labels = _read_mask(path)
            if labels.shape != size:
                raise BadSequence(f"{path} is {_size(labels)} pixels, but {images[0]} is {_size(size)}")
            ids.update(np.unique(labels).tolist())
    ids.discard(0)
    if not ids:
        raise BadSequence(f"the label images in {folder / 'masks'} show no object: all their pixels are 0")
    return LabelledSequence(folder.resolve().name, tuple(images), tuple(present), tuple(sorted(ids)))


def _read_image(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadSequence(f"{path} is not an image that OpenCV can read")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def _read_mask(path: Path) -> Labels:
    try:
        with _reading():
            return read_labels(path)
    except UnreadableLabels as error:
        raise BadSequence(str(error)) from error


def _size(of: NDArray[np.generic] | tuple[int, ...]) -> str:
    height, width = (of if isinstance(of, tuple) else of.shape)[:2]
    return f"{width}x{height}"
