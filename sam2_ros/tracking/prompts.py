"""Checks a prompt against the image, before anything is computed or changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import BadPrompt
from .tracks import Prompt

_MOST_POINTS = 1000


def check(prompt: Prompt, height: int, width: int, *, begins: bool) -> Prompt:
    """The prompt with its arrays as the tracker computes with them, and its own: it may be answered again later.

    begins: whether nothing before it says what the object is. Raises BadPrompt.
    """
    points = _array(prompt.points, "points", (-1, 2))
    labels = _array(prompt.labels, "labels", (-1,))
    if len(points) > _MOST_POINTS:
        raise BadPrompt(f"the prompt has {len(points)} points; it may have {_MOST_POINTS}, each of which takes time")
    if len(points) != len(labels):
        raise BadPrompt(f"of points there are {len(points)}, of labels {len(labels)}; each point needs one")
    if not np.isin(labels, (0, 1)).all():
        given = ", ".join(f"{label:g}" for label in labels.tolist())
        raise BadPrompt(f"the labels are {given}; each must be 1, the object is here, or 0, it is not")
    for x, y in points.tolist():
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise BadPrompt(f"the point ({x:g}, {y:g}) is outside the image of {width}x{height} pixels")
    box = None if prompt.box is None else _box(prompt.box, height, width)
    mask = None if prompt.mask is None else _mask(prompt.mask, height, width)
    if mask is not None and (len(points) or box is not None):
        raise BadPrompt("a mask cannot be combined with points or a box; send the mask first, then correct it")
    if mask is None and box is None and not len(points):
        raise BadPrompt("the prompt is empty; give points, a box or a mask")
    if begins and mask is None and box is None and not (labels == 1).any():
        raise BadPrompt("an object begins with a point of label 1, a box or a mask; these points say where it is not")
    if isinstance(prompt.candidate, bool) or prompt.candidate not in (0, 1, 2):
        raise BadPrompt(f"the candidate is {prompt.candidate}; it must be 0, 1 or 2")
    if prompt.candidate and (mask is not None or box is not None):
        raise BadPrompt(f"there is no candidate {prompt.candidate} of a mask or a box: it has only one reading, 0")
    return Prompt(points, labels.astype(np.int32), box, mask, prompt.replace, int(prompt.candidate))


def _array(values: object, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        array = np.array(values, np.float32).reshape(shape)
    except (TypeError, ValueError) as error:
        raise BadPrompt(f"the {name} cannot be read as numbers of shape {shape}: {error}") from error
    if not np.isfinite(array).all():
        raise BadPrompt(f"the {name} are {array.tolist()}; they must be finite")
    return array


def _box(values: object, height: int, width: int) -> NDArray[np.float32]:
    box = _array(values, "box's corners", (-1,))
    if len(box) != 4:
        raise BadPrompt(f"the box has {len(box)} numbers; it needs x0 y0 x1 y1")
    x0, y0, x1, y1 = box.tolist()
    if not (x0 < x1 and y0 < y1):
        raise BadPrompt(f"the box {x0:g} {y0:g} {x1:g} {y1:g} is empty; x0 must be below x1 and y0 below y1")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise BadPrompt(f"the box {x0:g} {y0:g} {x1:g} {y1:g} is outside the image of {width}x{height} pixels")
    # A detector's box may reach a little over the edge.
    return box.clip(0, (width, height, width, height)).astype(np.float32)


def _mask(values: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    try:
        mask = np.array(values)
        if not np.isfinite(mask).all():
            raise ValueError("it has numbers that are not finite")
    except (TypeError, ValueError) as error:
        raise BadPrompt(f"the mask cannot be read as {height} rows of {width} pixels: {error}") from error
    mask = mask.astype(bool)
    if mask.shape != (height, width):
        raise BadPrompt(f"the mask's shape is {mask.shape}; it must be the image's, {(height, width)}")
    if not mask.any():
        raise BadPrompt("the mask is empty; it must have at least one pixel")
    return mask
