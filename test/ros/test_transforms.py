from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.clock import ClockType, ROSClock
from rclpy.time import Time
from std_msgs.msg import Header

from sam2_ros.ros import transforms as module
from sam2_ros.ros.messages import to_time
from sam2_ros.ros.transforms import Motion, NoTransform, TransformBuffer

SECOND = 1_000_000_000
HALF = np.sqrt(0.5)


def transform(
    parent: str,
    child: str,
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0),
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0),
    stamp: int = 0,
) -> TransformStamped:
    x, y, z, w = rotation
    return TransformStamped(
        header=Header(frame_id=parent, stamp=to_time(stamp)),
        child_frame_id=child,
        transform=Transform(
            translation=Vector3(x=translation[0], y=translation[1], z=translation[2]),
            rotation=Quaternion(x=x, y=y, z=z, w=w),
        ),
    )


def _apply(buffer: TransformBuffer, target: str, source: str, point: list[float], stamp: int = 0) -> list[float]:
    return buffer.motion(target, source, stamp).apply(np.array(point)).round(9).tolist()


@pytest.fixture
def buffer() -> TransformBuffer:
    """A robot whose camera stands a metre above its base and looks along x; z of the optical frame is x of the base."""
    buffer = TransformBuffer()
    buffer.put([transform("base", "camera", (0.0, 0.0, 1.0), (-0.5, 0.5, -0.5, 0.5))], fixed=True)
    buffer.put([transform("base", "arm", (0.5, 0.0, 0.0), (0.0, 0.0, HALF, HALF))], fixed=True)
    return buffer


def test_a_frame_in_itself_needs_nothing() -> None:
    assert _apply(TransformBuffer(), "camera", "camera", [1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]


def test_a_point_before_the_robot_is_before_the_camera(buffer: TransformBuffer) -> None:
    # 2 m ahead, 0.3 m to the left, on the floor: 2 m deep, 0.3 m to the left, 1 m down.
    assert _apply(buffer, "camera", "base", [2.0, 0.3, 0.0]) == [-0.3, 1.0, 2.0]
    assert _apply(buffer, "base", "camera", [-0.3, 1.0, 2.0]) == [2.0, 0.3, 0.0]


def test_up_one_branch_and_down_another(buffer: TransformBuffer) -> None:
    # The arm is turned by 90 degrees to the left: its x is the base's y.
    assert _apply(buffer, "base", "arm", [1.0, 0.0, 0.0]) == [0.5, 1.0, 0.0]
    assert _apply(buffer, "camera", "arm", [1.0, 0.0, 0.0]) == [-1.0, 1.0, 0.5]


def test_a_slash_before_a_name_means_nothing(buffer: TransformBuffer) -> None:
    assert _apply(buffer, "/camera", "base", [2.0, 0.3, 0.0]) == [-0.3, 1.0, 2.0]


def test_between_two_transforms_it_moves_evenly() -> None:
    buffer = TransformBuffer()
    turned = (0.0, 0.0, HALF, HALF)
    buffer.put([transform("map", "base", (4.0, 0.0, 0.0), turned, stamp=2 * SECOND)], fixed=False)
    buffer.put([transform("map", "base", (0.0, 0.0, 0.0), stamp=SECOND)], fixed=False)  # they come in any order

    motion = buffer.motion("map", "base", 3 * SECOND // 2)

    assert motion.translation.tolist() == [2.0, 0.0, 0.0]
    assert motion.rotation == pytest.approx([0, 0, np.sin(np.pi / 8), np.cos(np.pi / 8)])


def test_the_shorter_way_round_is_taken() -> None:
    buffer = TransformBuffer()
    buffer.put([transform("map", "base", stamp=0)], fixed=False)
    buffer.put([transform("map", "base", rotation=(0.0, 0.0, -HALF, -HALF), stamp=SECOND)], fixed=False)

    forwards = buffer.motion("map", "base", SECOND // 2).apply(np.array([1.0, 0.0, 0.0]))

    assert forwards == pytest.approx([HALF, HALF, 0])


def test_a_transform_may_be_a_little_older_than_the_image() -> None:
    buffer = TransformBuffer()
    buffer.put([transform("map", "base", (1.0, 0.0, 0.0), stamp=10 * SECOND)], fixed=False)

    assert _apply(buffer, "map", "base", [0.0, 0.0, 0.0], stamp=10 * SECOND + SECOND // 5) == [1.0, 0.0, 0.0]
    with pytest.raises(NoTransform, match=r"'base' lies in 'map' .* the newest transform is 0\.60 s older"):
        buffer.motion("map", "base", 10 * SECOND + 6 * SECOND // 10)
    with pytest.raises(NoTransform, match="the oldest one held is newer"):
        buffer.motion("map", "base", 9 * SECOND)


def test_only_the_last_ten_seconds_are_held() -> None:
    buffer = TransformBuffer()
    for second in range(15):
        buffer.put([transform("map", "base", stamp=second * SECOND)], fixed=False)

    buffer.motion("map", "base", 4 * SECOND)
    with pytest.raises(NoTransform):
        buffer.motion("map", "base", 3 * SECOND)


def test_a_clock_that_is_set_back_begins_anew() -> None:
    buffer = TransformBuffer()
    buffer.put([transform("map", "base", (1.0, 0.0, 0.0), stamp=100 * SECOND)], fixed=False)
    buffer.put([transform("map", "base", (2.0, 0.0, 0.0), stamp=5 * SECOND)], fixed=False)

    assert _apply(buffer, "map", "base", [0.0, 0.0, 0.0], stamp=5 * SECOND) == [2.0, 0.0, 0.0]


def test_frames_that_nothing_connects(buffer: TransformBuffer) -> None:
    with pytest.raises(NoTransform, match="how 'map' lies to 'camera' is not known: of 'map' nothing has come"):
        buffer.motion("camera", "map", 0)
    buffer.put([transform("earth", "map")], fixed=True)
    with pytest.raises(NoTransform, match="how 'map' lies to 'camera' is not known: no transform connects them"):
        buffer.motion("camera", "map", 0)


def test_frames_in_a_circle_have_an_end() -> None:
    buffer = TransformBuffer()
    buffer.put([transform("b", "a"), transform("a", "b")], fixed=True)

    with pytest.raises(NoTransform):
        buffer.motion("c", "a", 0)


@pytest.mark.parametrize("broken", [(float("nan"), 0.0, 0.0), (0.0, float("inf"), 0.0)])
def test_what_is_no_transform_is_let_go(buffer: TransformBuffer, broken: tuple[float, float, float]) -> None:
    buffer.put([transform("base", "camera", broken)], fixed=True)
    buffer.put([transform("base", "camera", rotation=(0.0, 0.0, 0.0, 0.0))], fixed=True)

    assert _apply(buffer, "camera", "base", [2.0, 0.3, 0.0]) == [-0.3, 1.0, 2.0]


def test_a_motion_and_its_inverse_are_nothing() -> None:
    random = np.random.default_rng(1)
    rotation = random.normal(size=4)
    motion = Motion(rotation / np.linalg.norm(rotation), random.normal(size=3))

    back = motion.inverse().after(motion)

    assert back.translation == pytest.approx([0, 0, 0])
    assert np.abs(back.rotation) == pytest.approx([0, 0, 0, 1])


def _time(seconds: int) -> Time:
    return Time(seconds=seconds, clock_type=ClockType.ROS_TIME)


def test_what_tf2_holds_goes_with_the_time_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that begins anew. tf2_ros is stood in for: what counts is the node's clock, which is real."""
    cleared: list[bool] = []
    buffer = SimpleNamespace(clear=lambda: cleared.append(True))
    listener = SimpleNamespace(unregister=lambda: None)
    stand_in = SimpleNamespace(Buffer=lambda: buffer, TransformListener=lambda *_, **__: listener)
    monkeypatch.setattr(module, "tf2_ros", stand_in)
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(_time(100))
    transforms = module._Tf2(SimpleNamespace(get_clock=lambda: clock))
    clock.set_ros_time_override(_time(101))
    assert not cleared
    clock.set_ros_time_override(_time(2))
    assert len(cleared) == 1
    transforms.stop()
    clock.set_ros_time_override(_time(1))
    assert len(cleared) == 1


def test_tf2_gives_the_same() -> None:
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
    theirs, ours = tf2_ros.Buffer(), TransformBuffer()
    chain = [
        transform("map", "base", (1.0, 2.0, 0.0), (0.0, 0.0, HALF, HALF), stamp=SECOND),
        transform("map", "base", (2.0, 2.0, 0.5), (0.0, 0.0, 0.0, 1.0), stamp=2 * SECOND),
        transform("base", "camera", (0.0, 0.0, 1.0), (-0.5, 0.5, -0.5, 0.5), stamp=SECOND),
        transform("base", "camera", (0.1, 0.0, 1.0), (-0.5, 0.5, -0.5, 0.5), stamp=2 * SECOND),
    ]
    for one in chain:
        theirs.set_transform(one, "test")
    ours.put(chain, fixed=False)

    from rclpy.time import Time

    found = theirs.lookup_transform("camera", "map", Time(nanoseconds=3 * SECOND // 2)).transform
    motion = ours.motion("camera", "map", 3 * SECOND // 2)

    assert motion.translation == pytest.approx([found.translation.x, found.translation.y, found.translation.z])
    q = found.rotation
    assert abs(motion.rotation @ [q.x, q.y, q.z, q.w]) == pytest.approx(1)


def test_a_frame_that_gets_another_parent_is_where_that_has_it() -> None:
    buffer = TransformBuffer()
    buffer.put([transform("base", "camera", (1.0, 0.0, 0.0))], fixed=True)
    buffer.put([transform("map", "camera", (0.0, 2.0, 0.0))], fixed=True)
    assert _apply(buffer, "map", "camera", [0.0, 0.0, 0.0]) == [0.0, 2.0, 0.0]
    with pytest.raises(NoTransform):
        buffer.motion("base", "camera", 0)
