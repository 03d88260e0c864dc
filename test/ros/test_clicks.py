from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from std_msgs.msg import Header

from sam2_ros.geometry.camera import BadCamera, Pinhole
from sam2_ros.geometry.depth import DepthImage
from sam2_ros.ros.clicks import ClickRefused, Clicks, Decision, Deed, Mode, PixelClick, PointClick, decide
from sam2_ros.ros.depth import NoDepth
from sam2_ros.ros.messages import PromptCall, to_time
from sam2_ros.ros.transforms import Motion, NoTransform
from sam2_ros.tracking import NoImage, StampUnavailable

SIZE = 48, 64
STAMP = 5_000_000_000


class Masks:
    """Objects as rectangles x0 y0 x1 y1."""

    def __init__(self) -> None:
        self.boxes: dict[int, tuple[int, int, int, int]] = {}
        self.asked: list[int | None] = []
        self.stamp: int | None = STAMP

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self.boxes)

    def at(self, x: float, y: float, stamp: int | None) -> list[int]:
        self.asked.append(stamp)
        return [number for number, (x0, y0, x1, y1) in self.boxes.items() if x0 <= x < x1 and y0 <= y < y1]

    def nearest(self, stamp: int | None) -> int | None:
        return self.stamp


class Space:
    """A camera of 64x48 pixels with a focal length of 100, and a depth image."""

    def __init__(self) -> None:
        self.depths: np.ndarray | None = None
        self.pinhole: Pinhole | None = Pinhole(64, 48, 100.0, 100.0, 32.0, 24.0)

    def camera(self, header: Header, height: int, width: int) -> Pinhole:
        if self.pinhole is None:
            raise BadCamera("no camera_info has come on /camera/camera_info")
        return self.pinhole

    def depth(self, header: Header, height: int, width: int) -> DepthImage:
        if self.depths is None:
            raise NoDepth("no depth is asked for")
        return DepthImage(self.depths, 1.0)


class Stream:
    """Records what clicks make it do."""

    def __init__(self) -> None:
        self.masks, self.space = Masks(), Space()
        self.header = Header(frame_id="camera", stamp=to_time(STAMP))
        self.size: tuple[int, int] | None = SIZE
        self.calls: list[tuple[int | None, list[float], int, int | None]] = []
        self.removed: list[int] = []
        self.clicks = Clicks(self)

    def prompt(self, call: PromptCall) -> SimpleNamespace:
        (point,), (label,) = call.prompt.points.tolist(), call.prompt.labels.tolist()
        self.calls.append((call.object_id, point, label, call.stamp))
        number = call.object_id or max(self.masks.boxes, default=0) + 1
        x, y = (round(value) for value in point)
        self.masks.boxes.setdefault(number, (x - 5, y - 5, x + 5, y + 5))
        self.clicks.select(number)
        return SimpleNamespace(tracks=SimpleNamespace(ids=(number,)))

    def check_stamp(self, stamp: int | None) -> None:
        if stamp is not None and stamp < 0:
            raise StampUnavailable(f"the image of stamp {stamp} ns is no longer held")

    def remove(self, object_id: int) -> None:
        del self.masks.boxes[object_id]
        self.removed.append(object_id)


class Frames:
    """`base` lies a metre to the left of the camera; of other frames nothing is known."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def motion(self, target: str, source: str, stamp: int) -> Motion:
        self.asked.append(stamp)
        if source not in ("camera", "base"):
            raise NoTransform(f"how {source!r} lies to {target!r} is not known")
        return Motion(np.array([0.0, 0, 0, 1]), np.array([1.0, 0, 0]) if source == "base" else np.zeros(3))


@pytest.fixture
def stream() -> Stream:
    return Stream()


def click(stream: Stream, x: float, y: float, stamp: int | None = None) -> str:
    return stream.clicks.click(PixelClick(x, y, stamp))


def point(stream: Stream, *xyz: float, frame: str = "camera", stamp: int | None = None) -> str:
    return stream.clicks.click_point(PointClick(np.array(xyz), frame, stamp), Frames())


@pytest.mark.parametrize("mode", list(Mode))
def test_a_click_on_an_image_that_is_no_longer_held_does_nothing(stream: Stream, mode: Mode) -> None:
    """It would select or remove what is there on another image."""
    click(stream, 10, 20)
    click(stream, 40, 20)
    stream.clicks.set_mode(mode)
    with pytest.raises(StampUnavailable, match="no longer held"):
        click(stream, 10, 20, stamp=-1)
    assert not stream.removed
    assert len(stream.calls) == 2
    stream.clicks.set_mode(Mode.ADD)
    click(stream, 25, 20)
    assert stream.calls[-1][0] == 2, "still the selected one"


@pytest.mark.parametrize(
    ("mode", "here", "selected", "pinned", "expected"),
    [
        (Mode.NEW_OBJECT, [], None, False, Decision(Deed.START, None)),
        (Mode.NEW_OBJECT, [3], 3, False, Decision(Deed.START, None)),  # a part of it, say
        (Mode.REMOVE, [3, 4], 4, False, Decision(Deed.REMOVE, 3)),
        (Mode.ADD, [], 4, False, Decision(Deed.ADD, 4)),
        (Mode.ADD, [4], 4, False, Decision(Deed.ADD, 4)),
        (Mode.ADD, [3, 4], 4, False, Decision(Deed.ADD, 4)),
        (Mode.ADD, [3, 5], 4, False, Decision(Deed.SELECT, 3)),
        (Mode.ADD, [3], None, False, Decision(Deed.SELECT, 3)),
        (Mode.ADD, [3], 4, True, Decision(Deed.ADD, 4)),
        (Mode.SUBTRACT, [4], 4, False, Decision(Deed.SUBTRACT, 4)),
        (Mode.SUBTRACT, [3], 4, False, Decision(Deed.SELECT, 3)),
    ],
)
def test_what_a_click_does(mode: Mode, here: list[int], selected: int | None, pinned: bool, expected: Decision) -> None:
    assert decide(mode, here, selected, pinned=pinned) == expected


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (Mode.REMOVE, "there is no object at that place to remove"),
        (Mode.ADD, "no object is selected to correct; click on one first"),
        (Mode.SUBTRACT, "no object is selected to correct"),
    ],
)
def test_a_click_on_nothing_that_needs_something(mode: Mode, reason: str) -> None:
    with pytest.raises(ClickRefused, match=reason):
        decide(mode, [], None)


def test_a_click_starts_an_object_on_the_image_of_its_stamp(stream: Stream) -> None:
    assert click(stream, 10, 20, stamp=7) == "the click at (10, 20) started object 1"
    assert stream.calls == [(None, [10, 20], 1, 7)]
    assert stream.masks.asked == [7]


def test_the_object_clicked_last_is_corrected(stream: Stream) -> None:
    click(stream, 10, 20)
    click(stream, 40, 20)
    assert stream.clicks.set_mode(Mode.ADD) == "clicks are positive ones on the selected object"
    assert click(stream, 48, 20) == "the click at (48, 20) added to object 2"
    assert click(stream, 10, 20) == "the click at (10, 20) selected object 1"
    assert stream.clicks.set_mode(Mode.SUBTRACT) == "clicks are negative ones on the selected object"
    assert click(stream, 11, 21) == "the click at (11, 21) took away from object 1"
    assert stream.calls[2:] == [(2, [48, 20], 1, None), (1, [11, 21], 0, None)]


def test_a_named_object_is_corrected_whatever_is_clicked_or_prompted(stream: Stream) -> None:
    click(stream, 10, 20)
    click(stream, 40, 20)
    assert stream.clicks.set_mode(Mode.ADD, 1) == "clicks are positive ones on object 1"
    stream.clicks.select(2)
    click(stream, 40, 20)
    assert stream.calls[-1] == (1, [40, 20], 1, None)
    stream.clicks.set_mode(Mode.ADD)
    assert click(stream, 40, 20) == "the click at (40, 20) selected object 2"


def test_a_click_on_an_object_removes_it_and_then_it_is_selected_no_more(stream: Stream) -> None:
    click(stream, 10, 20)
    assert stream.clicks.set_mode(Mode.REMOVE) == "a click on an object forgets it"
    assert click(stream, 11, 20) == "the click at (11, 20) removed object 1"
    stream.clicks.set_mode(Mode.ADD)
    with pytest.raises(ClickRefused, match="no object is selected"):
        click(stream, 11, 20)


def test_an_object_that_is_gone_is_no_longer_the_one_that_was_named(stream: Stream) -> None:
    click(stream, 10, 20)
    stream.clicks.set_mode(Mode.ADD, 1)
    stream.remove(1)
    before = vars(stream.clicks).copy()
    with pytest.raises(ClickRefused, match="no object is selected"):
        click(stream, 40, 40)
    assert vars(stream.clicks) == before  # refused, so nothing has changed
    stream.masks.boxes[2] = (35, 35, 45, 45)
    assert click(stream, 40, 40) == "the click at (40, 40) selected object 2"
    stream.masks.boxes[3] = (5, 5, 15, 15)
    assert click(stream, 10, 10) == "the click at (10, 10) selected object 3"


@pytest.mark.parametrize(
    ("mode", "object_id", "reason"),
    [
        (4, 0, r"the mode is 4; it must be one of 0 \(NEW_OBJECT\), 1 \(ADD\), 2 \(SUBTRACT\), 3 \(REMOVE\)"),
        (1, 9, "there is no object 9; the objects are: 1"),
    ],
)
def test_a_mode_that_cannot_be(stream: Stream, mode: int, object_id: int, reason: str) -> None:
    click(stream, 10, 20)
    with pytest.raises(ValueError, match=reason):
        stream.clicks.set_mode(mode, object_id)
    click(stream, 40, 20)
    assert stream.calls[-1][0] is None  # as before


def test_a_point_lands_on_the_pixel_that_shows_it(stream: Stream) -> None:
    point(stream, 0.1, -0.05, 1.0, stamp=STAMP - 3)
    point(stream, -0.9, -0.05, 1.0, frame="base")

    assert stream.calls == [(None, [42, 19], 1, STAMP - 3), (None, [42, 19], 1, None)]


def test_a_point_clicked_on_long_after_the_newest_image_lands_on_that(stream: Stream) -> None:
    """As while tracking is paused: RViz stamps a click with the time at which it was made."""
    point(stream, 0.1, -0.05, 1.0, stamp=STAMP + 60 * 10**9)

    assert stream.calls == [(None, [42, 19], 1, STAMP)]


def test_the_transform_is_that_of_the_image(stream: Stream) -> None:
    frames = Frames()
    stream.clicks.click_point(PointClick(np.array([-1.0, 0, 1]), "base", STAMP + 70), frames)
    assert frames.asked == [STAMP]


@pytest.mark.parametrize(
    ("xyz", "frame", "reason"),
    [
        ((0.0, 0.0, -1.0), "camera", "the point lies behind the camera, at (0.00, 0.00, -1.00) m in 'camera'"),
        ((0.0, 0.0, 0.0), "camera", "behind the camera"),
        ((1.0, 0.0, 1.0), "camera", "does not see the point: it would be at the pixel (132, 24) of an image of 64x48"),
        ((0.0, 0.0, 1.0), "", "the point has no frame_id"),
        ((0.0, 0.0, 1.0), "map", "in the frame 'map' cannot be brought to the image: how 'map' lies to 'camera'"),
        ((0.0, float("nan"), 1.0), "camera", "(0.00, nan, 1.00); all three numbers must be finite"),
    ],
)
def test_a_point_that_cannot_be_clicked(
    stream: Stream, xyz: tuple[float, float, float], frame: str, reason: str
) -> None:
    with pytest.raises(ClickRefused) as refusal:
        point(stream, *xyz, frame=frame)
    assert reason in str(refusal.value)
    assert stream.calls == []


def test_a_point_needs_camera_info_and_an_image(stream: Stream) -> None:
    stream.space.pinhole = None
    with pytest.raises(ClickRefused, match="no camera_info has come on /camera/camera_info"):
        point(stream, 0.0, 0.0, 1.0)
    stream.masks.stamp = stream.size = None
    with pytest.raises(NoImage, match="wait for the first one"):
        point(stream, 0.0, 0.0, 1.0)
    with pytest.raises(NoImage, match="wait for the first one"):
        click(stream, 1, 1)


@pytest.mark.parametrize(
    ("before", "hidden"),
    [(1.0, False), (0.94, False), (0.92, True), (0.2, True), (3.0, False), (0.0, False), (float("nan"), False)],
)
def test_a_point_behind_what_depth_shows_is_hidden(stream: Stream, before: float, hidden: bool) -> None:
    stream.space.depths = np.full(SIZE, before, np.float32)
    if hidden:
        with pytest.raises(ClickRefused, match=rf"hidden .* it is 1\.00 m away, .* something at {before:.2f} m"):
            point(stream, 0.0, 0.0, 1.0)
    else:
        point(stream, 0.0, 0.0, 1.0)


def test_beside_an_edge_the_farther_side_may_be_meant(stream: Stream) -> None:
    stream.space.depths = np.full(SIZE, 0.5, np.float32)
    stream.space.depths[:, 33:] = 1.0
    point(stream, 0.0, 0.0, 1.0)
    assert stream.calls


def test_depth_of_now_says_nothing_of_an_image_of_the_past(stream: Stream) -> None:
    stream.space.depths = np.full(SIZE, 0.1, np.float32)
    stream.masks.stamp = STAMP - 1
    point(stream, 0.0, 0.0, 1.0, stamp=STAMP - 1)
    assert stream.calls


_ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(xyz=st.tuples(_ANY, _ANY, _ANY), frame=st.sampled_from(["", "camera", "base", "x"]), mode=st.sampled_from(Mode))
def test_any_point_is_followed_or_refused(xyz: tuple[float, float, float], frame: str, mode: Mode) -> None:
    stream = Stream()
    stream.clicks.set_mode(mode)
    try:
        point(stream, *xyz, frame=frame)
    except ClickRefused as refusal:
        assert str(refusal)
    else:
        assert all(0 <= round(value) <= limit for value, limit in zip(stream.calls[0][1], (64, 48), strict=True))


@given(x=_ANY, y=_ANY)
@example(x=0.0, y=47.5)
@example(x=63.5, y=0.0)
def test_a_pixel_outside_the_image_is_refused(x: float, y: float) -> None:
    stream = Stream()
    if -0.5 <= x < 63.5 and -0.5 <= y < 47.5:
        click(stream, x, y)
    else:
        with pytest.raises(ClickRefused, match="the pixel is .*, and the image has 64x48"):
            click(stream, x, y)
