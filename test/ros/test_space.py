from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.geometry.camera import BadCamera
from sam2_ros.geometry.places import Place
from sam2_ros.ros.depth import NoDepth
from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_time
from sam2_ros.ros.space import Space, Unlocated
from sam2_ros.tracking import State, Tracks

HEIGHT, WIDTH, FOCAL = 120, 160, 150.0
FRAME = "camera_optical_frame"


def _header(stamp: int = 1, frame_id: str = FRAME) -> Header:
    return Header(stamp=to_time(stamp * 1_000_000_000), frame_id=frame_id)


def _info(**fields: object) -> CameraInfo:
    k = [FOCAL, 0.0, WIDTH / 2 - 0.5, 0.0, FOCAL, HEIGHT / 2 - 0.5, 0.0, 0.0, 1.0]
    return CameraInfo(**{"header": _header(), "width": WIDTH, "height": HEIGHT, "k": k, **fields})


def _table_and_box(yaw: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres and mask: the camera looks straight down on a table 0.8 m away and a block of 20 x 10 x 10 cm."""
    depth = np.full((HEIGHT, WIDTH), 800, np.uint16)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    across = np.stack((x - (WIDTH / 2 - 0.5), y - (HEIGHT / 2 - 0.5)), axis=2) * 0.7 / FOCAL
    along = np.array([np.cos(yaw), np.sin(yaw)])
    own = np.stack((across @ along, across @ [-along[1], along[0]]), axis=2)
    mask = (np.abs(own) < (0.1, 0.05)).all(axis=2)
    depth[mask] = 700
    return depth, mask


def _depth(stamp: int = 1, pixels: np.ndarray | None = None) -> Image:
    return to_message(_table_and_box()[0] if pixels is None else pixels, "16UC1", _header(stamp))


def _tracks(*masks: np.ndarray, ids: tuple[int, ...] | None = None) -> Tracks:
    count = len(masks)
    boxes = []
    for mask in masks:
        y, x = np.nonzero(mask)
        boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else (0, 0, 0, 0))
    some = np.ones(count, np.float32)
    return Tracks(
        stamp=0,
        ids=ids or tuple(range(1, count + 1)),
        states=(State.VISIBLE,) * count,
        masks=np.stack(masks) if count else np.zeros((0, HEIGHT, WIDTH), bool),
        logits=np.zeros((count, 1, 1), np.float32),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        centroids=np.zeros((count, 2), np.float32),
        areas=np.array([mask.sum() for mask in masks], np.int64),
        scores=some,
        visibility=some,
        iou=some,
        last_seen=(0,) * count,
    )


@pytest.fixture
def reasons() -> list[str]:
    return []


@pytest.fixture
def space(reasons: list[str]) -> Space:
    space = Space(False, "/camera/camera_info", "/camera/depth", 0.02, 0.02, reasons.append)
    space.put_info(_info())
    return space


def test_an_object_is_located(space: Space, reasons: list[str]) -> None:
    space.put_depth(_depth())

    (place,) = space.locate(_header(), _tracks(_table_and_box()[1]))

    assert isinstance(place, Place)
    np.testing.assert_allclose(place.box.centre, [0.0, 0.0, 0.75], atol=0.003)
    np.testing.assert_allclose(place.box.size, [0.2, 0.1, 0.1], atol=0.01)
    assert reasons == []


@pytest.mark.parametrize(
    ("info", "depth", "words"),
    [
        (None, _depth(), "no camera_info has come on /camera/camera_info"),
        (_info(header=_header(frame_id="other")), _depth(), "camera_info is of the frame 'other' and the image of"),
        (
            _info(width=640, height=480),
            _depth(),
            "camera_info is for images of 640x480 pixels, and the image has",
        ),
        (_info(k=[0.0] * 9), _depth(), "the camera is not calibrated"),
        (_info(), None, "no depth image has come on /camera/depth"),
        (_info(), _depth(stamp=3), "the nearest depth image is 2.000 s newer than the image"),
        (
            _info(),
            _depth(pixels=np.zeros((60, 80), np.uint16)),
            "the depth image has 80x60 pixels and the image",
        ),
        (_info(), _depth(pixels=np.zeros((HEIGHT, WIDTH), np.uint16)), "depth is known for 0 of the object's"),
    ],
)
def test_it_is_refused_and_why(info: CameraInfo | None, depth: Image | None, words: str) -> None:
    reasons: list[str] = []
    space = Space(False, "/camera/camera_info", "/camera/depth", 0.02, 0.02, reasons.append)
    if info is not None:
        space.put_info(info)
    if depth is not None:
        space.put_depth(depth)

    (reason,) = space.locate(_header(), _tracks(_table_and_box()[1]))

    assert isinstance(reason, str) and words in reason
    # What concerns the camera and not one object is also to be logged.
    assert reasons == ([] if "object's" in words else [reason])


def test_an_object_that_is_not_in_view_has_no_place(space: Space) -> None:
    """Its mask may still hold some pixels."""
    space.put_depth(_depth())

    (reason,) = space.locate(_header(), replace(_tracks(_table_and_box()[1]), states=(State.OCCLUDED,)))

    assert reason == "the object is not in view"


def test_images_whose_objects_are_not_located_are_counted_once_each(space: Space) -> None:
    """Of the same image the objects are located again after each prompt."""
    tracks, first = _tracks(_table_and_box()[1]), _header(1)
    assert space.unlocated == Unlocated(0, "")
    for header in (first, first, _header(2)):
        space.locate(header, tracks)
    space.put_depth(_depth(3))
    space.locate(_header(3), tracks)

    assert space.unlocated == Unlocated(2, "no depth image has come on /camera/depth")


def test_where_no_depth_is_asked_for_there_are_no_places() -> None:
    space = Space(False, "camera_info", None, 0.02, 0.02)
    space.put_info(_info())
    space.put_depth(_depth())
    space.expect(_header())

    assert not space.depth_asked
    assert space.locate(_header(), _tracks(_table_and_box()[1])) is None
    assert space.camera(_header(), HEIGHT, WIDTH).fx == FOCAL
    with pytest.raises(NoDepth, match="no depth is asked for"):
        space.depth(_header(), HEIGHT, WIDTH)


def test_without_objects_nothing_is_said(reasons: list[str]) -> None:
    space = Space(False, "/camera/camera_info", "/camera/depth", 0.02, 0.02, reasons.append)

    assert space.locate(_header(), _tracks()) == []
    assert reasons == []


def test_depth_that_came_while_the_image_was_tracked(space: Space) -> None:
    space.expect(_header(1))
    space.put_depth(_depth(1))
    for stamp in range(2, 40):
        space.put_depth(_depth(stamp))

    (place,) = space.locate(_header(1), _tracks(_table_and_box()[1]))

    assert isinstance(place, Place)


def test_an_image_can_be_asked_about_again(space: Space) -> None:
    """A prompt's answer is about the newest image, whose depth has been taken."""
    space.put_depth(_depth(1))
    header = _header(1)
    space.locate(header, _tracks(_table_and_box()[1]))
    for stamp in range(2, 40):
        space.put_depth(_depth(stamp))

    (place,) = space.locate(header, _tracks(_table_and_box()[1]))

    assert isinstance(place, Place)


def test_a_camera_whose_stamps_stay(space: Space) -> None:
    """The place is by the depth of each image, not for ever by the first one's."""
    depth, mask = _table_and_box()
    heights = []
    for height in (100, 200):
        depth[mask] = 800 - height
        header = _header(0)
        space.expect(header)
        space.put_depth(_depth(0, depth))
        (place,) = space.locate(header, _tracks(mask))
        assert isinstance(place, Place)
        heights.append(place.box.size[2])

    np.testing.assert_allclose(heights, (0.1, 0.2), atol=0.01)


def test_the_axes_keep_their_names_while_an_object_turns(space: Space) -> None:
    """Past 45 degrees x would be along the other edge, had it not been followed there."""
    sizes = []
    for stamp, degrees in enumerate(range(0, 90, 10), 1):
        depth, mask = _table_and_box(np.deg2rad(degrees))
        space.put_depth(_depth(stamp, depth))
        (place,) = space.locate(_header(stamp), _tracks(mask))
        assert isinstance(place, Place)
        sizes.append(place.box.size)
    np.testing.assert_allclose(np.array(sizes)[:, 0], 0.2, atol=0.03)

    space.keep(())
    (place,) = space.locate(_header(stamp), _tracks(mask))

    assert isinstance(place, Place)
    np.testing.assert_allclose(place.box.size[1], 0.2, atol=0.03)


def test_a_rectified_image_has_p() -> None:
    p = [2 * FOCAL, 0.0, 80.0, 0.0, 0.0, 2 * FOCAL, 60.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    raw, rectified = (Space(rectified, "i", "d", 0.02, 0.02) for rectified in (False, True))
    for space in (raw, rectified):
        space.put_info(_info(p=p))

    assert raw.camera(_header(), HEIGHT, WIDTH).fx == FOCAL
    assert rectified.camera(_header(), HEIGHT, WIDTH).fx == 2 * FOCAL


def test_a_camera_info_that_changes_is_followed(space: Space) -> None:
    space.put_depth(_depth(1))
    space.put_depth(_depth(2))
    (before,) = space.locate(_header(1), _tracks(_table_and_box()[1]))
    info = _info()
    info.k[0] = info.k[4] = 2 * FOCAL
    space.put_info(info)
    (after,) = space.locate(_header(2), _tracks(_table_and_box()[1]))

    assert isinstance(before, Place) and isinstance(after, Place)
    np.testing.assert_allclose(after.box.size[0], before.box.size[0] / 2, rtol=0.05)


def test_no_camera_is_an_error_of_its_own() -> None:
    with pytest.raises(BadCamera, match="no camera_info has come"):
        Space(False, "camera_info", "depth", 0.02, 0.02).camera(_header(), HEIGHT, WIDTH)


def test_several_objects(space: Space) -> None:
    space.put_depth(_depth())
    mask = _table_and_box()[1]
    tracks = replace(_tracks(mask, np.zeros_like(mask)), ids=(4, 9))

    place, reason = space.locate(_header(), tracks)

    assert isinstance(place, Place) and reason == "the object is not in view"
