"""What a click means: an object that it starts, corrects, selects or forgets. Runs in the worker's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.camera import BadCamera
from sam2_ros.geometry.depth import DepthImage
from sam2_ros.srv import ClickMode
from sam2_ros.tracking import NoImage, Prompt, UnknownObject

from .depth import NoDepth
from .messages import PromptCall, to_nanoseconds
from .transforms import NoTransform, TransformBuffer

if TYPE_CHECKING:
    from .stream import Stream

_AROUND = 2  # pixels around a clicked one in which depth is looked for
_HIDING = 0.05  # metres by which something must be nearer than a point to hide it
_HIDING_SHARE = 0.02  # and of the point's distance, with which a depth camera's error grows
_NO_IMAGE = "there is no image to click on yet; wait for the first one"


class ClickRefused(ValueError):
    """A click that cannot be followed; the message says why."""


class Mode(IntEnum):
    """What the next clicks mean, by the numbers of ~/click_mode."""

    NEW_OBJECT = ClickMode.Request.NEW_OBJECT
    ADD = ClickMode.Request.ADD
    SUBTRACT = ClickMode.Request.SUBTRACT
    REMOVE = ClickMode.Request.REMOVE


class Deed(Enum):
    """What is done with a click."""

    START = "start"
    ADD = "add"
    SUBTRACT = "subtract"
    SELECT = "select"
    REMOVE = "remove"


class Decision(NamedTuple):
    deed: Deed
    object_id: int | None
    """None: a new object."""


@dataclass(frozen=True)
class PixelClick:
    """A click on an image."""

    x: float
    y: float
    """Pixels."""
    stamp: int | None
    """Nanoseconds, of the image; None: the newest."""


@dataclass(frozen=True)
class PointClick:
    """A click on a thing in space."""

    point: NDArray[np.float64]
    """(3,) metres."""
    frame: str
    """In which the point is."""
    stamp: int | None
    """Nanoseconds, of the moment that is meant; None: the newest image's."""


def decide(mode: Mode, here: Sequence[int], selected: int | None, *, pinned: bool = False) -> Decision:
    """What a click does.

    here: the objects under it, the one that is most likely meant first. selected: the object that ADD and SUBTRACT
    correct. pinned: it was named, and no click selects another. Raises ClickRefused.
    """
    if mode == Mode.NEW_OBJECT:
        return Decision(Deed.START, None)
    if mode == Mode.REMOVE:
        if not here:
            raise ClickRefused("there is no object at that place to remove")
        return Decision(Deed.REMOVE, here[0])
    if here and selected not in here and not pinned:
        return Decision(Deed.SELECT, here[0])
    if selected is None:
        raise ClickRefused("no object is selected to correct; click on one first, or name it in ~/click_mode")
    return Decision(Deed.ADD if mode == Mode.ADD else Deed.SUBTRACT, selected)


class Clicks:
    """Carries out the clicks on one stream, and keeps their mode and the selected object."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._mode = Mode.NEW_OBJECT
        self._selected: int | None = None
        self._pinned = False

    def set_mode(self, mode: int, object_id: int = 0) -> str:
        """Says what the next clicks mean, and returns that in a sentence.

        mode, object_id: as in ~/click_mode. Raises ClickRefused or UnknownObject.
        """
        if mode not in list(Mode):
            known = ", ".join(f"{one.value} ({one.name})" for one in Mode)
            raise ClickRefused(f"the mode is {mode}; it must be one of {known}")
        if object_id and object_id not in self._stream.masks.ids:
            raise UnknownObject(object_id, self._stream.masks.ids)
        self._mode, self._pinned = Mode(mode), bool(object_id)
        self._selected = object_id or self._selected
        if self._mode == Mode.NEW_OBJECT:
            return "each click starts an object"
        if self._mode == Mode.REMOVE:
            return "a click on an object forgets it"
        sign = "positive" if self._mode == Mode.ADD else "negative"
        return f"clicks are {sign} ones on " + (f"object {object_id}" if object_id else "the selected object")

    def select(self, object_id: int) -> None:
        """Has the next clicks correct this object, unless one was named in ~/click_mode."""
        _, pinned = self._selection()
        if not pinned:
            self._selected, self._pinned = object_id, False

    def _selection(self) -> tuple[int | None, bool]:
        """The selected object and whether ~/click_mode named it; none if it is gone meanwhile."""
        return (self._selected, self._pinned) if self._selected in self._stream.masks.ids else (None, False)

    def click(self, click: PixelClick) -> str:
        """Does what a click means, and returns in a sentence what that was. Raises ClickRefused or TrackerError."""
        stream = self._stream
        if stream.size is None:
            raise NoImage(_NO_IMAGE)
        height, width = stream.size
        if not (-0.5 <= click.x < width - 0.5 and -0.5 <= click.y < height - 0.5):
            raise ClickRefused(f"the pixel is ({click.x:g}, {click.y:g}), and the image has {width}x{height}")
        here = stream.masks.at(click.x, click.y, click.stamp)
        selected, pinned = self._selection()
        deed, object_id = decide(self._mode, here, selected, pinned=pinned)
        stream.check_stamp(click.stamp)
        place = f"the click at ({click.x:g}, {click.y:g})"
        if deed == Deed.SELECT and object_id is not None:
            self._selected, self._pinned = object_id, False
            return f"{place} selected object {object_id}"
        if deed == Deed.REMOVE and object_id is not None:
            stream.remove(object_id)
            return f"{place} removed object {object_id}"
        prompt = Prompt(
            points=np.array([[click.x, click.y]], np.float32),
            labels=np.array([deed != Deed.SUBTRACT], np.int32),
        )
        (prompted_id,) = stream.prompt(PromptCall(prompt, object_id, click.stamp, "")).tracks.ids
        return (
            f"{place} "
            + {
                Deed.START: f"started object {prompted_id}",
                Deed.ADD: f"added to object {prompted_id}",
                Deed.SUBTRACT: f"took away from object {prompted_id}",
            }[deed]
        )

    def click_point(self, click: PointClick, transforms: TransformBuffer) -> str:
        """As `click`, on the pixel that shows a point in space."""
        return self.click(self._to_pixel(click, transforms))

    def _to_pixel(self, click: PointClick, transforms: TransformBuffer) -> PixelClick:
        stream = self._stream
        stamp, size = stream.masks.nearest(click.stamp), stream.size
        if stamp is None or size is None:
            raise NoImage(_NO_IMAGE)
        if not click.frame:
            raise ClickRefused("the point has no frame_id, so it is not known where it is")
        if not np.isfinite(click.point).all():
            raise ClickRefused(f"the point is {_numbers(click.point)}; all three numbers must be finite")
        header = stream.header
        try:
            point = transforms.motion(header.frame_id, click.frame, stamp).apply(click.point)
            camera = stream.space.camera(header, *size)
        except (BadCamera, NoTransform) as error:
            raise ClickRefused(
                f"a point in the frame {click.frame!r} cannot be brought to the image: {error}"
            ) from error
        if point[2] <= 0:
            raise ClickRefused(f"the point lies behind the camera, at {_numbers(point)} m in {header.frame_id!r}")
        pixel = camera.project(point)
        if not camera.holds(pixel)[0]:
            if not np.isfinite(pixel).all():
                raise ClickRefused("the camera does not see the point: it lies far outside the lens's view")
            raise ClickRefused(
                f"the camera does not see the point: it would be at the pixel {_numbers(pixel[0], 0)} of an image of "
                f"{size[1]}x{size[0]}"
            )
        if stamp == to_nanoseconds(header.stamp):
            self._check_seen(pixel[0], point[2])
        # What was clicked on after the newest image, as while tracking is paused, is seen on that.
        meant = click.stamp if click.stamp is None else min(click.stamp, to_nanoseconds(header.stamp))
        return PixelClick(float(pixel[0, 0]), float(pixel[0, 1]), meant)

    def _check_seen(self, pixel: NDArray[np.float64], distance: float) -> None:
        """Raises ClickRefused if the newest depth image shows something before a point at that distance, in metres."""
        stream = self._stream
        if stream.size is None:
            return
        try:
            depth = stream.space.depth(stream.header, *stream.size)
        except NoDepth:
            return  # not asked for, or not there: then nothing is known to hide the point
        nearest = _depth_at(depth, pixel)
        if nearest is not None and nearest < distance - _HIDING - _HIDING_SHARE * distance:
            raise ClickRefused(
                f"the point is hidden from the camera: it is {distance:.2f} m away, and there is something at "
                f"{nearest:.2f} m before it"
            )


def _depth_at(depth: DepthImage, pixel: NDArray[np.float64]) -> float | None:
    """Metres, the largest around a pixel: beside an edge the farther side may be meant. None where it is not known."""
    x, y = (round(value) for value in pixel)
    rows = slice(max(0, y - _AROUND), y + _AROUND + 1)
    columns = slice(max(0, x - _AROUND), x + _AROUND + 1)
    farthest = float(depth.metres(rows, columns).max(initial=0.0))
    return farthest or None


def _numbers(values: NDArray[np.float64], digits: int = 2) -> str:
    return "(" + ", ".join(f"{value:.{digits}f}" for value in values) + ")"
