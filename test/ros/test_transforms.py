from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from sam2_ros.ros import transforms as module
from sam2_ros.ros.messages import to_time
from sam2_ros.ros.transforms import WAITING, Motion, NoTransform, TransformBuffer

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
    """As in a simulator that is reset after eight seconds: nothing of its first run is left in the second."""
    buffer = TransformBuffer()
    for second in range(9):
        buffer.put([transform("map", "base", (1.0, 0.0, 0.0), stamp=second * SECOND)], fixed=False)
    for second in (1, 3):
        buffer.put([transform("map", "base", (2.0, 0.0, 0.0), stamp=second * SECOND)], fixed=False)

    assert _apply(buffer, "map", "base", [0.0, 0.0, 0.0], stamp=2 * SECOND) == [2.0, 0.0, 0.0]
    with pytest.raises(NoTransform, match=r"the newest transform is 1\.00 s older"):
        buffer.motion("map", "base", 4 * SECOND)


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


@pytest.fixture
def robot(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A buffer that listens, in a node that spins, and what sends on /tf and /tf_static; of one transform a message,
    which stands in for tf2_msgs where that is not installed."""
    monkeypatch.setattr(TransformStamped, "transforms", property(lambda one: [one]), raising=False)
    monkeypatch.setattr(module, "TFMessage", TransformStamped)
    listener, sender = Node("listener", context=context), Node("sender", context=context)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    fixed = sender.create_publisher(TransformStamped, "/tf_static", latched)
    moving = sender.create_publisher(TransformStamped, "/tf", QoSProfile(depth=100))
    buffer = TransformBuffer(listener)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    while not (fixed.get_subscription_count() and moving.get_subscription_count()):
        time.sleep(0.01)
    yield SimpleNamespace(buffer=buffer, fixed=fixed, moving=moving, listener=listener)
    executor.shutdown()
    thread.join()
    listener.destroy_node()
    sender.destroy_node()


def _wait_until_known(buffer: TransformBuffer, target: str, source: str, stamp: int = 0) -> Motion:
    """Fails with why it is not, after ten seconds."""
    end = time.monotonic() + 10
    while True:
        try:
            return buffer.motion(target, source, stamp)
        except NoTransform:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def test_what_came_waits_until_somebody_asks(robot: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    put = TransformBuffer.put

    def watched(buffer: TransformBuffer, transforms: Sequence[TransformStamped], *, fixed: bool) -> None:
        taken.append("fixed" if fixed else "moving")
        put(buffer, transforms, fixed=fixed)

    monkeypatch.setattr(TransformBuffer, "put", watched)
    robot.fixed.publish(transform("base", "camera", (0.0, 0.0, 1.0)))
    _wait_until_known(robot.buffer, "base", "camera")
    for second in (1, 2, 3):
        robot.moving.publish(transform("map", "base", (float(second), 0.0, 0.0), stamp=second * SECOND))
    time.sleep(0.3)
    assert taken == ["fixed"]

    motion = _wait_until_known(robot.buffer, "map", "camera", 3 * SECOND)

    assert motion.translation.tolist() == [3.0, 0.0, 1.0]
    assert robot.buffer.motion("map", "camera", 3 * SECOND // 2).translation.tolist() == [1.5, 0.0, 1.0]
    assert taken == ["fixed"] + ["moving"] * 3


def test_of_more_than_can_wait_the_newest_are_there(robot: SimpleNamespace) -> None:
    last = WAITING + 200
    for number in range(1, last + 1):
        robot.moving.publish(transform("map", "base", (float(number), 0.0, 0.0), stamp=number * SECOND // 500))
        time.sleep(0.0005)

    assert _wait_until_known(robot.buffer, "map", "base", last * SECOND // 500).translation[0] == last
    robot.buffer.motion("map", "base", (last - WAITING + 10) * SECOND // 500)
    with pytest.raises(NoTransform, match="the oldest one held is newer"):
        robot.buffer.motion("map", "base", (last - WAITING - 10) * SECOND // 500)


def test_a_buffer_that_stopped_knows_what_it_knew(robot: SimpleNamespace) -> None:
    robot.fixed.publish(transform("base", "camera", (0.0, 0.0, 1.0)))
    _wait_until_known(robot.buffer, "base", "camera")

    robot.buffer.stop()

    assert robot.buffer.motion("base", "camera", 0).translation.tolist() == [0.0, 0.0, 1.0]
    assert not {one.topic_name for one in robot.listener.subscriptions} & {"/tf", "/tf_static"}


def test_what_holds_at_all_times_is_known_also_to_who_comes_later(robot: SimpleNamespace) -> None:
    robot.fixed.publish(transform("base", "camera", (0.0, 0.0, 1.0)))
    _wait_until_known(robot.buffer, "base", "camera")

    late = TransformBuffer(robot.listener)

    assert _wait_until_known(late, "base", "camera").translation.tolist() == [0.0, 0.0, 1.0]


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
