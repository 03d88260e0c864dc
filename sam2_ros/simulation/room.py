"""The surroundings of the simulated tabletop: table, wall, floor, things that stand still, light and camera."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from .meshes import BOX_SIDES, ball, box, lathe
from .textures import Colour, Image, hue, lettered, plain, plaster, sheet, wood
from .things import Part, Thing

TABLE_FRONT, TABLE_BACK, TABLE_HALF_WIDTH = -0.5, 0.8, 0.85  # metres; its top is at z = 0
FLOOR, WALL = -0.75, 1.5  # metres: z of the floor, y of the wall


@dataclass(frozen=True)
class Room:
    """How the surroundings look."""

    wood: Colour
    planks: int
    wall: Colour
    floor: Colour
    light: tuple[float, float, float]
    """Direction that the light with the shadow shines in."""
    light_strength: float
    fill_strength: float
    """Of a second light, from the other side, without a shadow."""
    ambient: float
    camera: tuple[float, float, float]
    """Metres, where the camera is when it does not sway."""
    target: tuple[float, float, float]
    """Metres, what the camera looks at."""
    fovy: float
    """Degrees, vertical field of view."""
    props: bool = True
    """Books and a plant at the back of the table."""

    @classmethod
    def demo(cls) -> Room:
        return cls(
            wood=(0.80, 0.60, 0.40), planks=9, wall=(0.88, 0.88, 0.84), floor=(0.45, 0.38, 0.34),
            light=(0.45, 0.35, -1.0), light_strength=0.68, fill_strength=0.24, ambient=0.38,
            camera=(0.0, -0.88, 0.50), target=(0.0, 0.06, 0.075), fovy=37.0,
        )  # fmt: skip

    @classmethod
    def random(cls, rng: np.random.Generator) -> Room:
        strength = rng.uniform(0.4, 0.75)
        target = (rng.uniform(-0.08, 0.08), rng.uniform(-0.02, 0.12), rng.uniform(0.03, 0.1))
        pitch, turn = np.deg2rad(rng.uniform(16, 55)), np.deg2rad(rng.uniform(-25, 25))
        distance = rng.uniform(0.75, 1.3)
        flat = distance * np.cos(pitch)
        position = np.array(target) + [flat * np.sin(turn), -flat * np.cos(turn), distance * np.sin(pitch)]
        tint = rng.uniform(0.0, 1.0) if rng.random() < 0.4 else 0.08
        return cls(
            wood=hue(tint, rng.uniform(0.05, 0.6), rng.uniform(0.3, 0.95)),
            planks=int(rng.integers(1, 12)),
            wall=hue(rng.random(), rng.uniform(0.0, 0.4), rng.uniform(0.3, 0.95)),
            floor=hue(rng.random(), rng.uniform(0.0, 0.5), rng.uniform(0.15, 0.8)),
            light=(rng.uniform(-0.8, 0.8), rng.uniform(-0.3, 0.7), -1.0),
            light_strength=strength, fill_strength=rng.uniform(0.1, 0.35), ambient=rng.uniform(0.2, 0.45),
            camera=(float(position[0]), float(position[1]), float(position[2])), target=target,
            fovy=rng.uniform(32, 48), props=bool(rng.random() < 0.7),
        )  # fmt: skip


def add_material(spec: mujoco.MjSpec, name: str, texture: Image, *, specular: float, shininess: float) -> None:
    """A material of that name with a picture (h, w, 3) RGB on it, whose first row is at texture coordinate v = 1."""
    height, width = texture.shape[:2]
    picture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3, height=height, width=width)
    picture.data = np.ascontiguousarray(texture[::-1]).tobytes()
    material = spec.add_material(name=name, specular=specular, shininess=shininess)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


class Builder:
    """Puts a room and things into a MuJoCo model. Thing k (from 0) becomes mocap body k; the camera comes last."""

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        self._spec = mujoco.MjSpec()
        self._count = 0
        self._room = room
        self._rng = rng

    def build(self, things: list[Thing], width: int, height: int, samples: int, shadow_map: int) -> mujoco.MjModel:
        for k, thing in enumerate(things):
            body = self._spec.worldbody.add_body(name=f"thing_{k + 1}", mocap=True)
            for part in thing.parts:
                self._part(body, part)
        self._table()
        if self._room.props:
            self._props()
        self._lights()
        eye = self._spec.worldbody.add_body(name="eye", mocap=True)
        eye.add_camera(name="camera", fovy=self._room.fovy)
        visual = self._spec.visual
        visual.global_.offwidth, visual.global_.offheight = width, height
        visual.quality.shadowsize, visual.quality.offsamples = shadow_map, samples
        visual.map.znear, visual.map.zfar = 0.1, 8.0
        visual.map.shadowclip = 1.25
        self._spec.stat.extent, self._spec.stat.center = 1.0, np.array([0.0, 0.1, 0.0])
        return self._spec.compile()

    def _name(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _material(self, texture: Image, specular: float, shininess: float) -> str:
        name = self._name()
        add_material(self._spec, name, texture, specular=specular, shininess=shininess)
        return name

    def _part(self, body: mujoco.MjsBody, part: Part) -> None:
        name = self._name()
        texture = part.mesh.texture * [1.0, -1.0] + [0.0, 1.0]
        self._spec.add_mesh(
            name=name, uservert=part.mesh.vertices.ravel(), usernormal=part.mesh.normals.ravel(),
            usertexcoord=texture.ravel(), userface=part.mesh.faces.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )  # fmt: skip
        material = self._material(part.texture, part.specular, part.shininess)
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=material, contype=0, conaffinity=0, mass=0
        )

    def _plane(self, texture: Image, size: tuple[float, float], position: list[float], quaternion: list[float]) -> None:
        material = self._material(texture, 0.12, 0.3)
        self._spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_PLANE, size=[*size, 0.1], pos=position, quat=quaternion, material=material,
            contype=0, conaffinity=0,
        )  # fmt: skip

    def _table(self) -> None:
        room = self._room
        depth, middle = (TABLE_BACK - TABLE_FRONT) / 2, (TABLE_BACK + TABLE_FRONT) / 2
        self._plane(wood(self._rng, room.wood, room.planks), (TABLE_HALF_WIDTH, depth), [0, middle, 0], [1, 0, 0, 0])
        edge = self._material(plain((room.wood[0] * 0.75, room.wood[1] * 0.75, room.wood[2] * 0.75)), 0.1, 0.3)
        self._spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, size=[TABLE_HALF_WIDTH, depth, 0.018], pos=[0, middle, -0.022],
            material=edge, contype=0, conaffinity=0,
        )  # fmt: skip
        self._plane(plaster(self._rng, room.floor), (3.0, 3.0), [0, 0, FLOOR], [1, 0, 0, 0])
        # Turned a quarter about x: the plane's front looks to -y.
        self._plane(plaster(self._rng, room.wall), (3.0, 2.0), [0, WALL, 0.8], [np.sqrt(0.5), np.sqrt(0.5), 0, 0])

    def _props(self) -> None:
        """Books and a plant, behind the lanes of the moving objects."""
        rng = self._rng
        side = 1.0 if rng.random() < 0.5 else -1.0
        x = -0.42 * side
        for _ in range(int(rng.integers(4, 8))):
            colour = hue(rng.random(), rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.6))
            width, height = rng.uniform(0.025, 0.045), rng.uniform(0.17, 0.25)
            spine = lettered(
                str(rng.choice(["ATLAS", "MAPS", "BIRDS", "RIVERS", "STARS"])), colour, (0.9, 0.87, 0.8), 256, 64
            )
            sides = dict.fromkeys(BOX_SIDES, plain(colour)) | {"front": np.rot90(spine), "top": plain((0.9, 0.88, 0.8))}
            x += side * (width / 2)
            self._part(
                self._place(x, 0.66, rng.uniform(-0.05, 0.05)), Part(box(width, 0.14, height), sheet(sides, BOX_SIDES))
            )
            x += side * (width / 2 + 0.001)
        self._plant(0.45 * side, 0.64)

    def _plant(self, x: float, y: float) -> None:
        rng = self._rng
        pot = np.array(
            [(0, 0), (0.045, 0), (0.065, 0.095), (0.07, 0.1), (0.07, 0.12), (0.06, 0.12), (0.055, 0.1), (0, 0.1)]
        )
        body = self._place(x, y, 0.0)
        self._part(body, Part(lathe(pot), plain((0.66, 0.36, 0.24)), 0.1, 0.2))
        for k in range(12):
            turn, lean, size = 2.4 * k, rng.uniform(0.2, 0.85), rng.uniform(0.09, 0.15)
            green = plain(hue(rng.uniform(0.27, 0.36), 0.65, rng.uniform(0.3, 0.55)))
            leaf = ball(1.0, 16)
            stretched = leaf.vertices * [0.022, 0.006, size] + [0, 0, size]
            cos, sin = np.cos(lean), np.sin(lean)
            tilt = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
            spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
            vertices = stretched @ (spin @ tilt).T * 0.75 + [0, 0, 0.09]
            self._part(
                body,
                Part(type(leaf)(vertices, leaf.normals @ (spin @ tilt).T, leaf.texture, leaf.faces), green, 0.2, 0.3),
            )

    def _place(self, x: float, y: float, yaw: float) -> mujoco.MjsBody:
        return self._spec.worldbody.add_body(pos=[x, y, 0], quat=[np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])

    def _lights(self) -> None:
        room, world = self._room, self._spec.worldbody
        headlight = self._spec.visual.headlight
        headlight.ambient, headlight.diffuse, headlight.specular = [room.ambient] * 3, [0.08] * 3, [0.0] * 3
        direction = np.array(room.light) / np.linalg.norm(room.light)
        sun = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
        key = np.array([1.0, 0.97, 0.92]) * room.light_strength
        world.add_light(
            type=sun, dir=direction, pos=-1.5 * direction, diffuse=key, specular=[0.4] * 3, ambient=[0.0] * 3,
            castshadow=True,
        )  # fmt: skip
        fill = np.array([0.9, 0.95, 1.0]) * room.fill_strength
        world.add_light(
            type=sun, dir=[-direction[0], 0.6, -0.6], pos=[0, -1, 1], diffuse=fill, specular=[0.1] * 3,
            ambient=[0.0] * 3, castshadow=False,
        )  # fmt: skip
