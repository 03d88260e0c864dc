"""The simulated tabletop: its truth must be true, and the same every time."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("mujoco")

from sam2_ros.simulation import rendering
from sam2_ros.simulation.tabletop import Tabletop

CAN, MUG, BALL = 3, 4, 1


@pytest.fixture(scope="module")
def demo() -> Iterator[Tabletop]:
    tabletop = Tabletop.demo(width=320, height=240)
    yield tabletop
    tabletop.close()


def _rays(tabletop: Tabletop) -> np.ndarray:
    """(H, W, 3) in the optical frame, with z = 1."""
    camera = tabletop.camera
    y, x = np.mgrid[: camera.height, : camera.width]
    return np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], 2)


def test_a_frame_has_the_documented_shapes(demo: Tabletop) -> None:
    frame = demo.frame(1.0)
    assert frame.image.shape == (240, 320, 3) and frame.image.dtype == np.uint8
    assert frame.depth.shape == (240, 320) and frame.depth.dtype == np.float32
    assert frame.labels.shape == (240, 320) and frame.labels.dtype == np.uint8
    assert set(np.unique(frame.labels)) <= {0, *demo.names}
    assert frame.view.depth is not None and np.abs(frame.view.depth * 1e-3 - frame.depth).max() < 0.00051


def test_without_depth_image_and_labels_are_the_same(demo: Tabletop) -> None:
    with_depth, without = demo.frame(1.0), demo.frame(1.0, depth=False)
    assert without.depth.size == 0
    np.testing.assert_array_equal(with_depth.image, without.image)
    np.testing.assert_array_equal(with_depth.labels, without.labels)


def test_the_same_moment_gives_the_same_frame_and_a_period_later_again(demo: Tabletop) -> None:
    first = demo.frame(3.3)
    demo.frame(9.0)
    again, later = demo.frame(3.3), demo.frame(3.3 + demo.period)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert (first.labels != later.labels).mean() < 1e-3
    assert np.abs(first.image.astype(int) - later.image).mean() < 0.5


def test_nothing_jumps_between_frames_nor_at_the_end_of_the_period(demo: Tabletop) -> None:
    times = np.arange(0.0, demo.period + 0.1, 0.1)
    for object_id in demo.names:
        positions = np.array([demo.pose(object_id, t).position for t in times])
        assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 0.05


def test_depth_is_measured_along_the_optical_axis(demo: Tabletop) -> None:
    """The table is a plane: its points fit one if depth is taken as z, and none if it is taken as the ray's length."""
    frame = demo.frame(0.0)
    lower = np.zeros(frame.labels.shape, bool)
    lower[150:] = True
    table = lower & (frame.labels == 0)
    rays = _rays(demo)[table]
    depth = frame.depth[table][:, None]
    normal, offset = _plane(rays * depth)
    assert np.abs(rays * depth @ normal - offset).max() < 1e-3
    wrong = rays / np.linalg.norm(rays, axis=1, keepdims=True) * depth
    normal, offset = _plane(wrong)
    assert np.abs(wrong @ normal - offset).max() > 5e-3


def _plane(points: np.ndarray) -> tuple[np.ndarray, float]:
    middle = points.mean(0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    return normal, float(middle @ normal)


@pytest.mark.parametrize("seed", [0, 5])
def test_labelled_points_lie_inside_their_object(seed: int) -> None:
    """Pose, size, depth, labels and intrinsics agree: each labelled pixel's point is within the object's own box."""
    tabletop = Tabletop(seed, width=160, height=120)
    for t in (0.0, 7.0):
        frame = tabletop.frame(t)
        rays = _rays(tabletop)
        for object_id in np.unique(frame.labels[frame.labels > 0]):
            seen = frame.labels == object_id
            pose = tabletop.pose(int(object_id), t)
            own = (rays[seen] * frame.depth[seen][:, None] - pose.position) @ pose.rotation
            low, high = tabletop.bounds(int(object_id))
            assert (own > low - 0.004).all() and (own < high + 0.004).all()
    tabletop.close()


def test_the_box_of_an_object_is_where_its_pixels_are(demo: Tabletop) -> None:
    frame = demo.frame(1.0)
    camera = demo.camera
    for object_id in demo.names:
        corners = demo.box(object_id, 1.0).corners
        pixels = corners[:, :2] / corners[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
        rows, columns = np.nonzero(frame.labels == object_id)
        assert columns.min() > pixels[:, 0].min() - 1 and columns.max() < pixels[:, 0].max() + 1
        assert rows.min() > pixels[:, 1].min() - 1 and rows.max() < pixels[:, 1].max() + 1


def test_the_whole_of_an_object_is_what_is_seen_and_what_others_hide(demo: Tabletop) -> None:
    t = 5.2  # the can is half behind the cereal box
    labels = demo.frame(t).labels
    shares = {}
    for object_id in demo.names:
        whole, seen = demo.whole(object_id, t), labels == object_id
        assert not (seen & ~whole).any()
        shares[object_id] = seen.sum() / whole.sum()
    assert shares[CAN] < 0.9
    assert shares[BALL] == 1.0
    np.testing.assert_array_equal(demo.frame(t).labels, labels)


def test_an_object_is_hidden_for_a_while_and_comes_back() -> None:
    step = 0.25
    tabletop = Tabletop(0, width=160, height=120, samples=0, shadow_map=256)
    labels = [tabletop.frame(t, depth=False).labels for t in np.arange(0, tabletop.period, step)]
    tabletop.close()
    for object_id in (CAN, MUG):
        seen = np.array([(image == object_id).sum() for image in labels])
        assert seen[0] > 100 and seen[-1] > 100
        edges = np.flatnonzero(np.diff(np.concatenate([[False], seen == 0, [False]]).astype(int)))
        spells = (edges[1::2] - edges[::2]) * step
        assert 0.75 <= spells.max() <= 2.5, f"hidden for {spells} s"


def test_another_seed_is_another_scene() -> None:
    images = []
    for seed in (1, 2, 1):
        tabletop = Tabletop(seed, width=64, height=48, samples=0, shadow_map=256)
        images.append(tabletop.frame(0.0).image)
        tabletop.close()
    np.testing.assert_array_equal(images[0], images[2])
    assert np.abs(images[0].astype(int) - images[1]).mean() > 5


def test_objects_can_be_named() -> None:
    tabletop = Tabletop(3, width=64, height=48, objects=["bowl", "jar"])
    assert tabletop.names == {1: "bowl", 2: "jar"}
    tabletop.close()
    with pytest.raises(ValueError, match="no object of kind 'sofa'"):
        Tabletop(3, objects=["sofa"])


def test_a_ball_rolls_without_slipping(demo: Tabletop) -> None:
    """The point that touches the table stands still for a moment."""
    t, step = 3.5, 1e-4
    radius = demo.size(BALL)[2] / 2
    before, after = demo.pose(BALL, t), demo.pose(BALL, t + step)
    up = np.array([0.0, 0.0, radius])
    centre = before.position + before.rotation @ up
    # The ball's own point that is lowest at t: below the centre along the table's normal, which the mug's z gives.
    lowest = before.rotation.T @ (centre - radius * demo.pose(MUG, t).rotation[:, 2] - before.position)
    moved = after.rotation @ lowest + after.position - before.rotation @ lowest - before.position
    travelled = after.position + after.rotation @ up - centre
    assert np.linalg.norm(travelled) > 5 * np.linalg.norm(moved)


def test_one_that_is_let_go_takes_no_picture_from_another(demo: Tabletop) -> None:
    seen = demo.frame(1.0)
    let_go = Tabletop.demo(width=320, height=240)
    let_go.frame(1.0)
    other = Tabletop.demo(width=320, height=240)
    del let_go
    for one in (other, demo):
        assert np.array_equal(one.frame(1.0).image, seen.image)
    other.close()


@pytest.mark.parametrize("raised", [ctypes.ArgumentError, OSError, AttributeError])
def test_a_machine_that_cannot_render_is_told_what_to_install(
    raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_opengl(*_: int) -> None:
        raise raised("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setattr(rendering, "_window", without_opengl)
    with pytest.raises(rendering.RenderingUnavailable, match="apt-get install libegl1 libgl1-mesa-dri libopengl0"):
        Tabletop.demo(width=320, height=240)
