"""A robot's table with moving objects that hide one another, seen by the camera on its head, with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.geometry.oriented_box import OrientedBox

from .paths import Path, Sway
from .rendering import Renderer
from .room import Builder, Room
from .things import KINDS, Paint, Thing
from .views import View

Array = NDArray[np.float64]
_AWAY = (0.0, 0.0, -50.0)


@dataclass(frozen=True)
class Frame:
    """What the camera sees at one moment."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    depth: NDArray[np.float32]
    """(H, W) metres along the optical axis; (0, 0) where it was not asked for."""
    labels: NDArray[np.uint8]
    """(H, W) id of the object that the pixel shows, 0 for none."""
    stamp: float
    """Seconds since the scene's start."""

    @property
    def view(self) -> View:
        """With depth as a camera gives it: whole millimetres."""
        return View(self.image, np.rint(self.depth * 1000).astype(np.uint16), self.labels)


@dataclass(frozen=True)
class Pose:
    """Of an object in the camera's optical frame: x right, y down, z forward, metres."""

    position: Array
    """(3,) the object's origin, under its middle."""
    rotation: Array
    """(3, 3) from the object's axes (z up) to the optical frame."""


class Tabletop:
    """A scene that is a function of time alone: the same t gives the same frame, and t + period gives it again.

    seed: another seed is another scene in everything: objects, colours, paths, light, camera. Seed 0 is the scene of
    the demo. objects: kinds by name (see things.KINDS), in the order of their ids from 1, from the front of the table
    to its back; by default five or so of them at random. period: seconds.

    Use an instance in one thread only: its OpenGL context belongs to the thread that made it.
    Raises RenderingUnavailable where the machine cannot render off screen, ValueError for an unknown kind.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        width: int = 640,
        height: int = 480,
        objects: Sequence[str] | None = None,
        period: float = 20.0,
        samples: int = 4,
        shadow_map: int = 2048,
    ) -> None:
        self.period = period
        rng = np.random.default_rng(seed)
        if seed == 0 and objects is None:
            self._room, self._things, self._paths = Room.demo(), *_demo_objects(period)
        else:
            self._room = Room.random(rng)
            self._things, self._paths = _random_objects(rng, objects, period)
        self._sway = Sway.random(rng, 0.008, np.deg2rad(0.5), period)
        self._model = Builder(self._room, rng).build(self._things, width, height, samples, shadow_map)
        self._data = mujoco.MjData(self._model)
        body_labels = np.zeros(self._model.nbody, np.uint8)
        for k in range(len(self._things)):
            body_labels[self._model.body(f"thing_{k + 1}").id] = k + 1
        self._renderer = Renderer(self._model, body_labels[self._model.geom_bodyid], width, height)
        focal = 0.5 * height / np.tan(0.5 * np.deg2rad(self._room.fovy))
        self.camera = Pinhole(width, height, focal, focal, 0.5 * (width - 1), 0.5 * (height - 1))

    @classmethod
    def demo(cls, *, width: int = 640, height: int = 480) -> Tabletop:
        """The fixed scene of the demo: a mug, a can and four more; the can is hidden for a while behind a box."""
        return cls(0, width=width, height=height)

    @property
    def names(self) -> dict[int, str]:
        """Id of each object to its kind."""
        return {k + 1: thing.name for k, thing in enumerate(self._things)}

    def size(self, object_id: int) -> Array:
        """(3,) metres along the object's own axes."""
        low, high = self.bounds(object_id)
        return high - low

    def bounds(self, object_id: int) -> tuple[Array, Array]:
        """(3,) the smallest and (3,) the largest coordinates of an object, metres in its own frame."""
        thing = self._things[object_id - 1]
        return thing.low, thing.high

    def pose(self, object_id: int, t: float) -> Pose:
        """Where an object is at t seconds."""
        position, quaternion = self._placed(object_id - 1, t)
        rotation = _matrix(quaternion)
        eye, axes = self._eye(t)
        return Pose(axes.T @ (position - eye), axes.T @ rotation)

    def box(self, object_id: int, t: float) -> OrientedBox:
        """The smallest box that holds an object at t seconds, along the object's own axes, in the optical frame."""
        pose = self.pose(object_id, t)
        low, high = self.bounds(object_id)
        return OrientedBox(pose.position + pose.rotation @ ((low + high) / 2), pose.rotation, high - low)

    def whole(self, object_id: int, t: float) -> NDArray[np.bool_]:
        """(H, W) where an object would be seen at t seconds if no other stood before it."""
        return self._render(t, {object_id - 1}, depth=False).labels == object_id

    def frame(self, t: float, *, depth: bool = True) -> Frame:
        """The scene at t seconds; without depth it is a little faster."""
        return self._render(t, set(range(len(self._things))), depth)

    def _render(self, t: float, shown: set[int], depth: bool) -> Frame:
        """shown: indices of the objects that are on the table; the others are far below it."""
        for k in range(len(self._things)):
            self._data.mocap_pos[k], self._data.mocap_quat[k] = self._placed(k, t)
            if k not in shown:
                self._data.mocap_pos[k] = _AWAY
        eye, axes = self._eye(t)
        self._data.mocap_pos[-1] = eye
        # MuJoCo's cameras look along -z with y up.
        mujoco.mju_mat2Quat(self._data.mocap_quat[-1], (axes * np.array([1.0, -1.0, -1.0])).ravel())
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        image, metres, labels = self._renderer.render(self._data, depth=depth)
        return Frame(image, metres, labels, t)

    def close(self) -> None:
        """Frees what OpenGL holds."""
        self._renderer.close()

    def _placed(self, index: int, t: float) -> tuple[Array, Array]:
        """Position (3,) and quaternion (4,) w x y z of an object on the table."""
        thing = self._things[index]
        position, yaw = self._paths[index].at(t)
        half = 0.5 * yaw
        if not thing.rolls:
            return position, np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
        # Rolls about y without slipping. Its origin is under it, and the turn is about its centre.
        radius = 0.5 * float(thing.high[2])
        quaternion = np.array([np.cos(0.5 * position[0] / radius), 0.0, np.sin(0.5 * position[0] / radius), 0.0])
        centre = np.array([0.0, 0.0, radius])
        return position + centre - _matrix(quaternion) @ centre, quaternion

    def _eye(self, t: float) -> tuple[Array, Array]:
        """Position of the camera (3,) and its optical axes as columns (3, 3), both on the table."""
        sway = self._sway.at(t)
        eye = np.array(self._room.camera) + sway[:3]
        forward = np.array(self._room.target) - np.array(self._room.camera)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(forward, right), forward], 1)
        quaternion = np.empty(4)
        mujoco.mju_euler2Quat(quaternion, sway[3:], "xyz")
        return eye, axes @ _matrix(quaternion)


def _matrix(quaternion: Array) -> Array:
    flat = np.empty(9)
    mujoco.mju_quat2Mat(flat, quaternion)
    return flat.reshape(3, 3)


def _demo_objects(period: float) -> tuple[list[Thing], list[Path]]:
    """The script of the demo, in times of 20 s: seconds, x, z, yaw."""
    rng = np.random.default_rng(4)
    red, white, blue = (0.78, 0.14, 0.12), (0.96, 0.94, 0.88), (0.10, 0.33, 0.62)
    yellow, green, teal = (0.95, 0.72, 0.12), (0.16, 0.50, 0.27), (0.06, 0.50, 0.52)
    orange, navy = (0.93, 0.45, 0.10), (0.09, 0.15, 0.35)
    script: list[tuple[str, Paint, float, list[tuple[float, float, float, float]]]] = [
        ("ball", Paint(orange, blue, white), -0.25,
         [(0, -0.26, 0, 0), (7, 0.26, 0, 0), (9, 0.26, 0, 0), (18, -0.26, 0, 0)]),
        ("cereal box", Paint(yellow, red, white), -0.09,
         [(0, 0.02, 0, -8), (10, 0.02, 0, -8), (13, 0.07, 0, 12), (17, 0.07, 0, 12)]),
        ("can", Paint(red, navy, white), 0.05,
         [(0, -0.22, 0, 0), (3, -0.22, 0, 10), (5, 0.02, 0, 60), (5.3, 0.02, 0, 60), (7.5, 0.23, 0, 90),
          (13, 0.23, 0, 90), (16.5, -0.22, 0, 0)]),
        ("mug", Paint(teal, white, white), 0.19,
         [(0, 0.24, 0, -20), (4, 0.30, 0, 30), (8, 0.26, 0, 60), (13, -0.16, 0, 0), (16, -0.18, 0, -40)]),
        ("bottle", Paint(green, navy, white), 0.32,
         [(0, -0.13, 0, 0), (6, -0.13, 0, 30), (10, -0.32, 0, 30), (15, -0.32, 0, 30)]),
        ("block", Paint(blue, red, white), 0.45,
         [(0, 0.49, 0, 20), (6, 0.43, 0, 20), (12, 0.49, 0, 110), (17, 0.49, 0, 110)]),
    ]  # fmt: skip
    things = [KINDS[kind](rng, paint) for kind, paint, _, _ in script]
    scale = np.array([period / 20.0, 1.0, 1.0, 1.0])
    paths = [Path.through([tuple(np.array(p) * scale) for p in points], y, period) for _, _, y, points in script]
    return things, paths


def _random_objects(
    rng: np.random.Generator, kinds: Sequence[str] | None, period: float
) -> tuple[list[Thing], list[Path]]:
    """Every object moves on a lane of its own across the table, as wide as it is, so that none runs into another."""
    if kinds is None:
        kinds = [str(kind) for kind in rng.choice(list(KINDS), int(rng.integers(4, 7)))]
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"no object of kind {kind!r}: there are {', '.join(KINDS)}")
    things = [KINDS[kind](rng, Paint.random(rng)) for kind in kinds]
    widths = np.array([2 * thing.radius for thing in things])
    gap = max(0.003, min(0.06, (0.85 - widths.sum()) / len(things)))
    centres = -0.35 + np.cumsum(widths + gap) - widths / 2
    return things, [Path.random(rng, float(y), 0.3 + 0.15 * rng.random(), period) for y in centres]
