"""Thousands of depth images and camera_infos that are nearly right, or of noise: objects are located, or it is said why
not, and nothing else."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from sam2_ros.geometry.camera import COEFFICIENTS
from sam2_ros.geometry.places import Place
from sam2_ros.ros.images import to_message
from sam2_ros.ros.space import Space
from sam2_ros.tracking import State, Tracks

HEIGHT, WIDTH = 48, 64
UINT32 = st.integers(0, 80) | st.integers(0, 2**32 - 1)
REALS = st.floats() | st.floats(-100, 100) | st.sampled_from([0.0, -0.0, 1e-300, 1e-9, 1e9, 1e300])


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Metres and a mask: a block 10 cm high on a table 0.8 m below the camera."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[14:34, 16:48] = True
    return np.where(mask, 0.7, 0.8).astype(np.float32), mask


DEPTH, MASK = _scene()
MASKS = np.stack((MASK, np.zeros_like(MASK)))
TRACKS = Tracks(
    stamp=0,
    ids=(1, 2),
    states=(State.VISIBLE, State.VISIBLE),
    masks=MASKS,
    logits=np.zeros((2, 1, 1), np.float32),
    boxes=np.array([[16, 14, 48, 34], [0, 0, 0, 0]], np.float32),
    centroids=np.zeros((2, 2), np.float32),
    areas=MASKS.sum(axis=(1, 2)),
    scores=np.ones(2, np.float32),
    visibility=np.ones(2, np.float32),
    iou=np.ones(2, np.float32),
    last_seen=(0, 0),
)


def _header() -> Header:
    return Header(frame_id="camera")


def _info(**fields: Any) -> CameraInfo:
    k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    return CameraInfo(**{"header": _header(), "height": HEIGHT, "width": WIDTH, "k": k, **fields})


def _located(info: CameraInfo, depth: Image, *, rectified: bool = False) -> list[Place | str]:
    """Of the block, and of an object without a pixel."""
    space = Space(rectified, "/camera/camera_info", "/camera/depth", 0.02, 0.02)
    space.put_info(info)
    space.put_depth(depth)
    places = space.locate(_header(), TRACKS)
    assert places is not None and len(places) == 2
    for place in places:
        if isinstance(place, str):
            assert place and "\n" not in place
            continue
        box = place.box
        for numbers in (box.centre, box.rotation, box.size, box.quaternion, place.points):
            assert np.isfinite(numbers).all()
        assert (box.size > 0).all()
        np.testing.assert_allclose(box.rotation @ box.rotation.T, np.eye(3), atol=1e-6)
    return places


def test_what_is_not_mutated_is_located() -> None:
    for pixels, encoding in ((DEPTH, "32FC1"), ((1000 * DEPTH).astype(np.uint16), "16UC1")):
        first, second = _located(_info(), to_message(pixels, encoding, _header()))
        assert isinstance(first, Place) and isinstance(second, str)


def _noise(kind: str, seed: int, share: float) -> np.ndarray:
    """The scene, of which a share of pixels is noise of some kind."""
    draw = np.random.default_rng(seed)
    noise = {
        "bits": lambda: draw.integers(0, 2**32, DEPTH.shape, np.uint32).view(np.float32),
        "near": lambda: draw.uniform(0, 2, DEPTH.shape),
        "tiny": lambda: 1e-42 * draw.uniform(0, 2, DEPTH.shape),
        "huge": lambda: draw.uniform(1e37, 3e38, DEPTH.shape),
        "one": lambda: np.full(DEPTH.shape, draw.choice([0.0, -1.0, np.nan, np.inf, 1e-30, 0.5, 1e30])),
        "plane": lambda: np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) * draw.uniform(1e-6, 0.1),
    }[kind]
    with np.errstate(all="ignore"):
        return np.where(draw.random(DEPTH.shape) < share, noise(), DEPTH).astype(np.float32)


@pytest.mark.filterwarnings("error")
@settings(max_examples=1000, deadline=None)
@given(
    kind=st.sampled_from(["bits", "near", "tiny", "huge", "one", "plane"]),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1) | st.just(1.0),
    metres=st.booleans(),
)
def test_depth_of_noise(kind: str, seed: int, share: float, metres: bool) -> None:
    pixels = _noise(kind, seed, share)
    if not metres:
        pixels = (1000 * np.nan_to_num(np.clip(pixels, 0, 65))).astype(np.uint16)
    _located(_info(), to_message(pixels, "32FC1" if metres else "16UC1", _header()))


@settings(max_examples=600, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "encoding": st.sampled_from(["16UC1", "mono16", "32FC1", "rgb8", "8UC1", "nv12"]) | st.text(max_size=9),
            "height": UINT32,
            "width": UINT32,
            "step": UINT32,
            "is_bigendian": st.integers(0, 255),
            "data": st.binary(max_size=300),
        },
    ),
    stamp=st.none() | st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)),
    frame=st.just("camera") | st.text(max_size=5),
)
def test_depth_images(fields: dict[str, Any], stamp: tuple[int, int] | None, frame: str) -> None:
    message = to_message((1000 * DEPTH).astype(np.uint16), "16UC1", Header(frame_id=frame))
    for name, value in fields.items():
        setattr(message, name, array.array("B", value) if name == "data" else value)
    if stamp is not None:
        message.header.stamp.sec, message.header.stamp.nanosec = stamp

    first, _ = _located(_info(), message)

    if frame != "camera" or "data" in fields:
        assert isinstance(first, str)


@pytest.mark.filterwarnings("error")
@settings(max_examples=1000, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "k": st.lists(REALS, min_size=9, max_size=9),
            "p": st.lists(REALS, min_size=12, max_size=12),
            "d": st.lists(REALS, max_size=14),
            "distortion_model": st.sampled_from([*COEFFICIENTS, ""]) | st.text(max_size=9),
            "height": UINT32,
            "width": UINT32,
            "binning_x": UINT32,
            "binning_y": UINT32,
            "roi": st.builds(RegionOfInterest, x_offset=UINT32, y_offset=UINT32, height=UINT32, width=UINT32),
        },
    ),
    rectified=st.booleans(),
)
def test_camera_infos(fields: dict[str, Any], rectified: bool) -> None:
    info = _info(**fields)
    depth = to_message(DEPTH, "32FC1", _header())

    _located(info, depth, rectified=rectified)


@pytest.mark.filterwarnings("error")
@settings(max_examples=300, deadline=None)
@given(
    model=st.sampled_from(list(COEFFICIENTS)),
    data=st.data(),
    focal=st.tuples(REALS, REALS) | st.just((60.0, 60.0)),
)
def test_lenses(model: str, data: st.DataObject, focal: tuple[float, float]) -> None:
    count = data.draw(st.sampled_from(COEFFICIENTS[model]))
    coefficients = data.draw(st.lists(st.floats(-10, 10) | REALS, min_size=count, max_size=count))
    k = [focal[0], 0.0, 31.5, 0.0, focal[1], 23.5, 0.0, 0.0, 1.0]

    _located(_info(k=k, d=coefficients, distortion_model=model), to_message(DEPTH, "32FC1", _header()))
