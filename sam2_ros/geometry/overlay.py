"""Objects drawn on an image, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .boxes import box_around
from .colours import Colour, colour

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Colour = (24, 24, 24)
_LIGHT: Colour = (245, 245, 245)
_NOTHING = 0.1
"""Share of a caption that another may cover: its rim."""


@dataclass(frozen=True)
class Mark:
    """One object to draw."""

    id: int
    """Chooses the colour."""
    caption: str
    mask: NDArray[np.bool_]
    """(H, W), as the image. An object without a pixel is listed in the image's top left corner."""


def draw_overlay(image: NDArray[np.uint8], marks: Sequence[Mark], *, opacity: float = 0.4) -> NDArray[np.uint8]:
    """A copy of an image (H, W, 3) uint8 RGB with each object's fill, contour and caption.

    opacity: of the fills, 0 to 1. Lines and letters grow with the image, so that they read alike at any size.
    """
    canvas = np.ascontiguousarray(image).copy()
    pen = _Pen.of(canvas)
    seen = [(mark, box) for mark in marks if (box := box_around(mark.mask)) is not None]
    # Larger objects first: a small one in front of them stays whole.
    seen.sort(key=lambda entry: -np.count_nonzero(entry[0].mask))
    for mark, box in seen:
        _fill(canvas, mark, box, opacity)
    for mark, box in seen:
        _outline(canvas, mark, box, pen)
    tags: list[_Tag] = []
    top = pen.margin
    for mark in marks:
        if not mark.mask.any():
            tags.append(_Tag.at(mark, pen.margin, top, pen, canvas))
            top = tags[-1].y1 + pen.margin
    # Always in the same order, whichever is larger now, or captions would jump from image to image.
    for mark, box in sorted(seen, key=lambda entry: entry[0].id):
        tags.append(_beside(mark, box, tags, pen, canvas))
    for tag in reversed(tags):
        tag.draw(canvas, pen)
    return canvas


@dataclass(frozen=True)
class _Pen:
    """Sizes in pixels that suit an image."""

    line: int
    margin: int
    scale: float
    weight: int

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _Pen:
        unit = max(0.75, min(image.shape[:2]) / 480)
        return cls(line=round(2 * unit), margin=round(5 * unit), scale=0.45 * unit, weight=max(1, round(unit)))

    def tag_size(self, caption: str) -> tuple[int, int]:
        """Width and height of a caption with its ground."""
        (width, height), below = cv2.getTextSize(caption, _FONT, self.scale, self.weight)
        return width + 2 * self.margin, height + below + self.margin


def _fill(canvas: NDArray[np.uint8], mark: Mark, box: tuple[int, int, int, int], opacity: float) -> None:
    x0, y0, x1, y1 = box
    part, mask = canvas[y0:y1, x0:x1], mark.mask[y0:y1, x0:x1]
    ground = np.full_like(part, colour(mark.id))
    cv2.copyTo(cv2.addWeighted(part, 1 - opacity, ground, opacity, 0), mask.astype(np.uint8), part)


def _outline(canvas: NDArray[np.uint8], mark: Mark, box: tuple[int, int, int, int], pen: _Pen) -> None:
    x0, y0, x1, y1 = box
    part = np.ascontiguousarray(mark.mask[y0:y1, x0:x1], dtype=np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))
    # A dark rim sets the line off from a ground of its own colour.
    cv2.drawContours(canvas, contours, -1, _DARK, pen.line + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour(mark.id), pen.line, cv2.LINE_AA)


@dataclass(frozen=True)
class _Tag:
    """A caption and where it stands, in pixels; x1 and y1 are one past its last."""

    mark: Mark
    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def at(cls, mark: Mark, x: int, y: int, pen: _Pen, canvas: NDArray[np.uint8]) -> _Tag:
        """With its top left corner at x y or as near as the image allows."""
        width, height = pen.tag_size(mark.caption)
        x = max(0, min(x, canvas.shape[1] - width))
        y = max(0, min(y, canvas.shape[0] - height))
        return cls(mark, x, y, x + width, y + height)

    def common(self, other: _Tag) -> int:
        """How many pixels both cover."""
        wide = min(self.x1, other.x1) - max(self.x0, other.x0)
        high = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(0, wide) * max(0, high)

    def draw(self, canvas: NDArray[np.uint8], pen: _Pen) -> None:
        """On a ground of the object's colour; of one that is not in view, on a dark one with a border of it."""
        corners = (self.x0, self.y0), (self.x1 - 1, self.y1 - 1)
        hollow, ground = not self.mark.mask.any(), colour(self.mark.id)
        cv2.rectangle(canvas, *corners, _DARK if hollow else ground, cv2.FILLED)
        if hollow:
            cv2.rectangle(canvas, *corners, ground, max(1, pen.line // 2))
        letters = _LIGHT if hollow else _readable_on(ground)
        _, below = cv2.getTextSize(self.mark.caption, _FONT, pen.scale, pen.weight)
        origin = (self.x0 + pen.margin, self.y1 - below - pen.margin // 2)
        cv2.putText(canvas, self.mark.caption, origin, _FONT, pen.scale, letters, pen.weight, cv2.LINE_AA)


def _beside(
    mark: Mark, box: tuple[int, int, int, int], taken: Sequence[_Tag], pen: _Pen, canvas: NDArray[np.uint8]
) -> _Tag:
    """The caption above its object or inside it, at the first place where it covers next to nothing of the others."""
    x0, y0, x1, y1 = box
    width, height = pen.tag_size(mark.caption)
    above, below, right = y0 - height - pen.line, y1 + pen.line, x1 - width
    places = [(x0, y0), (right, y0), (x0, below), (right, below), (x0, y1 - height), (right, y1 - height)]
    if above >= 0:
        places = [(x0, above), (right, above), *places]
    tags = [_Tag.at(mark, x, y, pen, canvas) for x, y in places]
    covered = [sum(tag.common(other) for other in taken) for tag in tags]
    room = [tag for tag, pixels in zip(tags, covered, strict=True) if pixels <= _NOTHING * width * height]
    return room[0] if room else tags[int(np.argmin(covered))]


def _readable_on(ground: Colour) -> Colour:
    red, green, blue = ground
    return _DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else _LIGHT
