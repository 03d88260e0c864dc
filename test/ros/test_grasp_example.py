"""examples/grasp.py: what it plans, and that it finds its way from the topics to a printed grasp."""

from __future__ import annotations

import importlib.util
import signal
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from sam2_ros.geometry.oriented_box import UPRIGHT_CAMERA, OrientedBox
from sam2_ros.msg import TrackedObject, TrackedObjects
from sam2_ros.ros.messages import to_pose, to_size, to_time
from sam2_ros.ros.point_cloud import object_points, to_point_cloud

PROGRAM = Path(__file__).parents[2] / "examples" / "grasp.py"


@pytest.fixture(scope="module")
def grasp() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grasp", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["grasp"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _tracked(size: tuple[float, float, float], upright: bool = True, **fields: Any) -> TrackedObject:
    box = OrientedBox(np.array([0.1, 0.2, 0.9]), UPRIGHT_CAMERA, np.array(size))
    known = {"id": 3, "label": "mug", "has_pose": True, "upright": upright, "pose": to_pose(box), "size": to_size(box)}
    return TrackedObject(**{**known, **fields})


def _turned(size: tuple[float, float, float], degrees: float) -> TrackedObject:
    """What `_tracked` gives, turned about its own upright axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    box = OrientedBox(np.array([0.1, 0.2, 0.9]), UPRIGHT_CAMERA @ turn, np.array(size))
    return _tracked(size, pose=to_pose(box))


def _points(size: tuple[float, float, float]) -> np.ndarray:
    """Of all sides of the box that _tracked has."""
    rng = np.random.default_rng(0)
    own = rng.uniform(-0.5, 0.5, (2000, 3))
    side = rng.integers(0, 3, 2000)
    own[np.arange(2000), side] = np.sign(own[np.arange(2000), side]) / 2
    return np.array([0.1, 0.2, 0.9]) + (own * size) @ UPRIGHT_CAMERA.T


def test_what_stands_is_taken_from_above_across_its_narrow_side(grasp: ModuleType) -> None:
    size = (0.15, 0.05, 0.2)

    found = grasp.plan(_tracked(size), _points(size), opening=0.08, finger=0.04)

    np.testing.assert_allclose(found.rotation[:, 2], [0, 1, 0], atol=1e-6)  # down, in the optical frame
    np.testing.assert_allclose(np.abs(found.rotation[:, 1]), [0, 0, 1], atol=1e-6)  # closes along the box's y
    assert found.width == pytest.approx(0.05)
    # The tips are a finger's length below the top.
    np.testing.assert_allclose(found.position, [0.1, 0.2 - 0.1 + 0.04, 0.9], atol=0.002)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_a_low_thing_is_taken_at_its_middle(grasp: ModuleType) -> None:
    size = (0.06, 0.04, 0.03)

    found = grasp.plan(_tracked(size), _points(size), opening=0.08, finger=0.04)

    np.testing.assert_allclose(found.position, [0.1, 0.2, 0.9], atol=1e-6)


def test_what_hangs_is_taken_along_the_view(grasp: ModuleType) -> None:
    size = (0.04, 0.06, 0.3)

    found = grasp.plan(_tracked(size, upright=False), _points(size), opening=0.08, finger=0.02)

    assert found.rotation[:, 2] @ [0.1, 0.2, 0.9] > 0
    np.testing.assert_allclose(np.abs(found.rotation[:, 2]), [0, 0, 1], atol=1e-6)
    assert found.width == pytest.approx(0.04)


def test_without_points_the_box_says_where_the_top_is(grasp: ModuleType) -> None:
    found = grasp.plan(_tracked((0.15, 0.05, 0.2)), np.zeros((0, 3)), opening=0.08, finger=0.04)

    np.testing.assert_allclose(found.position, [0.1, 0.14, 0.9], atol=1e-6)


def test_what_is_too_wide_is_refused(grasp: ModuleType) -> None:
    with pytest.raises(
        grasp.NoGrasp,
        match=r"object 3 is 7.5 cm wide .* the jaws must open 8.5 cm, and they open 8.0 cm",
    ):
        grasp.plan(_tracked((0.2, 0.075, 0.1)), np.zeros((0, 3)), opening=0.08, finger=0.04)


@pytest.mark.parametrize("seed", range(5))
def test_a_pose_turns_as_its_rotation(grasp: ModuleType, seed: int) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    if not seed:
        rotation = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])  # a half turn, as of a grasp from above

    pose = grasp.to_pose(grasp.Grasp(np.zeros(3), rotation, 0.0))

    _, axes, _ = grasp.box_of(TrackedObject(pose=pose))
    np.testing.assert_allclose(axes, rotation, atol=1e-9)


@pytest.fixture
def publish(client: Any) -> Any:
    """Publishes an object and its points as the node would."""
    quality = QoSProfile(depth=10)
    objects = client.node.create_publisher(TrackedObjects, "/sam2/objects", quality)
    clouds = client.node.create_publisher(PointCloud2, "/sam2/points", quality)

    def publish(stamp: int, tracked: TrackedObject, points: np.ndarray) -> None:
        header = Header(stamp=to_time(stamp * 100_000_000), frame_id="camera_optical_frame")
        rows = object_points([points.astype(np.float32)], [np.zeros(points.shape, np.uint8)], [tracked.id])
        clouds.publish(to_point_cloud(header, rows))
        objects.publish(TrackedObjects(header=header, objects=[tracked]))

    yield publish
    client.node.destroy_publisher(objects)
    client.node.destroy_publisher(clouds)


@pytest.fixture
def grasped(client: Any) -> Any:
    received: list[PoseStamped] = []
    subscription = client.node.create_subscription(PoseStamped, "/grasp", received.append, 1)
    yield received
    client.node.destroy_subscription(subscription)


def test_it_waits_until_the_object_can_be_grasped(run: Any, publish: Any, grasped: Any, until: Any) -> None:
    size = (0.15, 0.05, 0.2)
    points = _points(size)
    program = run(str(PROGRAM), "--object", "mug", "--timeout", "110")
    steps = [
        (
            {"has_pose": False, "no_pose": "no depth image has come on /camera/depth"},
            "not yet: no depth image has come",
        ),
        ({"partly_hidden": True}, "not yet: something hides a part of object 3"),
        ("turns", "not yet: object 3 has not stood still for 5 images"),
        ({"label": "other"}, "not yet: there is no object 'mug'; the objects are: 3 other"),
        ({}, "object 3 mug"),
    ]
    stamp = 0
    for fields, line in steps:
        end = time.monotonic() + 60
        while time.monotonic() < end and line not in program.output:
            stamp += 1
            publish(stamp, _turned(size, 10 * stamp) if fields == "turns" else _tracked(size, **fields), points)
            time.sleep(0.1)
        assert line in program.output
    assert program.wait() == 0
    assert "frame       camera_optical_frame" in program.output
    assert "position    0.1000 0.1" in program.output
    assert "approach    0.000 1.000 0.000" in program.output
    assert "width       0.050" in program.output
    until(lambda: grasped, patience=10)
    assert grasped[0].header.frame_id == "camera_optical_frame"


def test_without_an_object_it_ends_with_a_sentence(run: Any) -> None:
    program = run(str(PROGRAM), "--timeout", "1")

    assert program.wait() == 1
    assert "no grasp within 1 s: nothing has come on /sam2/objects; it needs the node" in program.output


def test_the_end_says_what_was_lacking(run: Any, publish: Any, client: Any) -> None:
    program = run(str(PROGRAM), "--object", "cup", "--timeout", "10")
    stamp = 0
    while not program.ended:
        stamp += 1
        publish(stamp, _tracked((0.15, 0.05, 0.2)), np.zeros((1, 3)))
        time.sleep(0.1)

    assert program.wait() == 1
    assert "no grasp within 10 s: there is no object 'cup'; the objects are: 3 mug" in program.output


def test_its_time_is_not_that_of_a_clock_that_stands_still(run: Any) -> None:
    program = run(str(PROGRAM), "--timeout", "1", "--ros-args", "-p", "use_sim_time:=true")

    assert program.wait() == 1
    assert "no grasp within 1 s" in program.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_traceback(run: Any, client: Any, until: Any, number: int) -> None:
    name = f"grasp_{number}"  # the one before may still be on the graph
    program = run(str(PROGRAM), "--ros-args", "-r", f"__node:={name}")
    until(lambda: name in client.node.get_node_names(), check=program.check)
    time.sleep(0.5)
    program.send_signal(number)

    assert program.wait() == 1
    assert "Traceback" not in program.output


@pytest.mark.parametrize("option", ["--opening=-1", "--finger=nan", "--timeout=0"])
def test_lengths_and_times_are_above_0(grasp: ModuleType, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        grasp.main([option])
    assert caught.value.code == 2
    name, value = option.split("=")
    assert f"argument {name}: '{value}' must be a number above 0" in capsys.readouterr().err
