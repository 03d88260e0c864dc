"""Labelled sequences of coloured squares, and a tracker that follows colours."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from sam2_ros.tracking import BadPrompt, Prompt, State, Tracks

HEIGHT, WIDTH = 60, 80
COLOURS = {1: (200, 40, 40), 2: (40, 200, 40), 3: (40, 40, 200), 7: (200, 200, 40)}


def labels(**squares: tuple[int, int, int]) -> np.ndarray:
    """A label image with squares: id1=(x, y, edge)."""
    result = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, (x, y, edge) in squares.items():
        result[y : y + edge, x : x + edge] = int(name.removeprefix("id"))
    return result


def write(folder: Path, *frames: np.ndarray | None) -> Path:
    """Writes a sequence of label images and what they show; None is a frame without a label image, on which is 1."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number, frame in enumerate(frames):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for id_, colour in COLOURS.items():
            image[(labels(id1=(10, 10, 8)) if frame is None else frame) == id_] = colour
        cv2.imwrite(str(folder / "images" / f"{number:05}.png"), image[..., ::-1])
        if frame is not None:
            cv2.imwrite(str(folder / "masks" / f"{number:05}.png"), frame)
    return folder


class ColourTracker:
    """Finds all pixels of the colour that was prompted; in view if there is one. Keeps the prompts that it was given.

    Refuses masks of less than four pixels.
    """

    made: ClassVar[list[ColourTracker]] = []

    def __init__(self, network: object, **options: object) -> None:
        self.options = options
        self.prompts: list[tuple[int, Prompt]] = []
        self.stamps: list[int] = []
        self._colours: dict[int, np.ndarray] = {}
        self.made.append(self)

    def track(self, image: np.ndarray, stamp: int) -> Tracks:
        self.stamps.append(stamp)
        self._image = image
        return self._tracks()

    def prompt(self, prompt: Prompt) -> Tracks:
        if prompt.mask is not None and prompt.mask.sum() < 4:
            raise BadPrompt(f"the mask of {prompt.mask.sum()} pixels is too small")
        self.prompts.append((len(self.stamps) - 1, prompt))
        if prompt.mask is not None:
            y, x = np.argwhere(prompt.mask)[0]
        else:
            x, y = prompt.points[0] if prompt.box is None else (prompt.box[:2] + prompt.box[2:]) / 2
        object_id = 10 + len(self.prompts)
        self._colours[object_id] = self._image[int(y), int(x)]
        return self._tracks().only(object_id)

    def _tracks(self) -> Tracks:
        count = len(self._colours)
        masks = np.array([(self._image == colour).all(axis=2) for colour in self._colours.values()], bool)
        masks = masks.reshape(-1, HEIGHT, WIDTH)
        areas = masks.sum(axis=(1, 2))
        none = np.zeros(count, np.float32)
        return Tracks(
            stamp=self.stamps[-1],
            ids=tuple(self._colours),
            states=tuple(State.VISIBLE if area else State.OCCLUDED for area in areas),
            masks=masks,
            logits=np.zeros((count, 4, 4), np.float32),
            boxes=np.zeros((count, 4), np.float32),
            centroids=np.zeros((count, 2), np.float32),
            areas=areas,
            scores=none,
            visibility=none,
            iou=none,
            last_seen=(0,) * count,
        )
