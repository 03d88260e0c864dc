"""One picture of an evaluated sequence: frames with truth and answer, and the scores over time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.colours import Colour, colour
from sam2_ros.geometry.overlay import Mark, draw_overlay

from .follow import PICTURES, Followed, Shot
from .sequences import LabelledSequence

_WIDTH, _MARGIN = 1600, 12
_PLOT, _TOP, _LEFT = 240, 16, 70  # height of the plot with the room above, and the room for names at its left
_RIBBON = 14
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK, _GRID, _TRUTH, _WRONG = (40, 40, 40), (215, 215, 215), (255, 255, 255), (220, 30, 30)

Picture = NDArray[np.uint8]


def draw_sheet(path: Path, title: str, sequence: LabelledSequence, followed: Followed) -> None:
    """Writes the picture. Raises OSError if it cannot be written.

    Above, evenly spaced frames: each object's answer filled in its colour, the truth outlined in white. Below, J of
    each object; under it a ribbon for each: its colour where it is in view, red where it is wrongly said to be or not
    to be.
    """
    sheet = np.concatenate((_header(title, followed), _gallery(followed.shots), _plot(sequence, followed)))
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise OSError(f"{path} cannot be written")


def _header(title: str, followed: Followed) -> Picture:
    scores = followed.frames.summary()
    header = np.full((44, _WIDTH, 3), 255, np.uint8)
    text = (
        f"{title}: J {scores.j:.3f}  F {scores.f:.3f}  J&F {scores.jf:.3f}  box IoU {scores.box_iou:.3f}  "
        f"presence {scores.presence:.3f}"
    )
    _write(header, text, _MARGIN, 29, scale=0.7)
    return header


def _gallery(shots: list[Shot]) -> Picture:
    columns = PICTURES // 2
    width = (_WIDTH - _MARGIN * (columns + 1)) // columns
    height = round(width * shots[0].image.shape[0] / shots[0].image.shape[1])
    rows = -(-len(shots) // columns)
    gallery = np.full((rows * (height + _MARGIN), _WIDTH, 3), 255, np.uint8)
    for k, shot in enumerate(shots):
        x, y = _MARGIN + k % columns * (width + _MARGIN), k // columns * (height + _MARGIN)
        gallery[y : y + height, x : x + width] = _overlay(shot, width, height)
        cv2.rectangle(gallery, (x, y + height - 24), (x + 100, y + height - 1), _INK, cv2.FILLED)
        _write(gallery, f"frame {shot.frame}", x + 8, y + height - 8, ink=_TRUTH)
    return gallery


def _overlay(shot: Shot, width: int, height: int) -> Picture:
    def fit(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)

    image = np.asarray(cv2.resize(shot.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    canvas = draw_overlay(image, [Mark(id_, str(id_), fit(mask)) for id_, mask in shot.guess.items()])
    for mask in shot.truth.values():
        contours, _ = cv2.findContours(fit(mask).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, contours, -1, _TRUTH, 1, cv2.LINE_AA)
    return canvas


def _plot(sequence: LabelledSequence, followed: Followed) -> Picture:
    plot = np.full((_PLOT + len(sequence.ids) * (_RIBBON + 4) + 34, _WIDTH, 3), 255, np.uint8)
    last = len(sequence) - 1
    step = (_WIDTH - _LEFT - 2 * _MARGIN) / max(1, last)
    _write(plot, "J", _MARGIN, _TOP + 5)
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _height(value)
        cv2.line(plot, (_LEFT, y), (_WIDTH - _MARGIN, y), _GRID, 1)
        _write(plot, f"{value:.2f}", _LEFT - 40, y + 5)
    for row, id_ in enumerate(sequence.ids):
        places = [(_LEFT + k * step, _height(j)) for k, j in enumerate(followed.frames.j[row]) if not np.isnan(j)]
        cv2.polylines(plot, [np.array(places).round().astype(np.int32)], False, colour(id_), 2, cv2.LINE_AA)
        y = _PLOT + row * (_RIBBON + 4)
        _write(plot, f"id {id_}", _MARGIN, y + _RIBBON - 2)
        _ribbon(plot[y : y + _RIBBON], followed.frames.presence[row], followed.frames.in_view[row], colour(id_), step)
    _write(plot, "frame", _MARGIN, len(plot) - 12)
    every = next(one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if last / one <= 20)
    for frame in range(0, last + 1, every):
        _write(plot, str(frame), min(round(_LEFT + frame * step) - 4, _WIDTH - 3 * _MARGIN), len(plot) - 12)
    return plot


def _height(value: float) -> int:
    return round(_PLOT - 16 - value * (_PLOT - 16 - _TOP))


def _ribbon(band: Picture, right: NDArray[np.float64], in_view: NDArray[np.float64], ink: Colour, step: float) -> None:
    """Fills one object's band of the plot; right and in_view are (frames,), NaN where nothing is measured."""
    for frame in np.flatnonzero(~np.isnan(right)).tolist():
        x0, x1 = round(_LEFT + (frame - 0.5) * step), round(_LEFT + (frame + 0.5) * step)
        band[:, x0 : max(x0 + 1, x1 - 1)] = _WRONG if not right[frame] else ink if in_view[frame] else _GRID


def _write(canvas: Picture, text: str, x: int, y: int, *, scale: float = 0.45, ink: Colour = _INK) -> None:
    cv2.putText(canvas, text, (x, y), _FONT, scale, ink, 1, cv2.LINE_AA)
