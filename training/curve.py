"""The losses of a training run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

_COLOURS = {"total": (60, 60, 60), "dice": (200, 110, 30), "iou": (40, 140, 40), "presence": (40, 60, 200)}


def draw_curve(log: list[dict[str, Any]], file: Path, *, width: int = 1200, height: int = 500) -> None:
    """Writes running means of the losses over all steps, on a logarithmic scale; nothing for an empty log."""
    if not log:
        return
    picture = np.full((height, width, 3), 255, np.uint8)
    left, top, right, bottom = 60, 20, width - 20, height - 40
    low, high = np.log10(0.01), np.log10(10)

    def place(step: float, value: float) -> tuple[int, int]:
        y = (np.log10(max(value, 0.01)) - low) / (high - low)
        return int(left + step / len(log) * (right - left)), int(bottom - min(y, 1) * (bottom - top))

    for value in (0.01, 0.1, 1.0, 10.0):
        _, y = place(0, value)
        cv2.line(picture, (left, y), (right, y), (225, 225, 225), 1)
        cv2.putText(picture, f"{value:g}", (8, y + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (90, 90, 90), 1, cv2.LINE_AA)
    for number in range(1, len(log)):
        if log[number]["stage"] != log[number - 1]["stage"]:
            x, _ = place(number, 1)
            cv2.line(picture, (x, top), (x, bottom), (190, 190, 190), 1)
    window = max(1, len(log) // 150)
    for index, (key, colour) in enumerate(_COLOURS.items()):
        values = np.convolve([entry[key] for entry in log], np.ones(window) / window, mode="valid")
        points = np.array([place(step + window / 2, value) for step, value in enumerate(values)], np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
        where = (left + 10 + 120 * index, bottom + 28)
        cv2.putText(picture, key, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    cv2.imwrite(str(file), picture)
