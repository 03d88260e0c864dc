"""Solid models as they look while they turn before a camera: what a flat cut-out cannot show.

The models are those of SuperTuxKart's karts, tracks and library, in its format SPM.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sam2_ros.simulation.rendering import Renderer
from sam2_ros.simulation.room import add_material

from . import sources

Image = NDArray[np.uint8]
Indices = NDArray[np.int64]

FRAMES = 48
"""Of a film."""
_EDGE = 160
"""Pixels of a rendered picture."""
_FOVY = 30.0
"""Degrees."""


@dataclass(frozen=True)
class Part:
    """Triangles with one texture."""

    texture: str
    """File name; empty for none."""
    vertices: NDArray[np.float32]
    """(V, 3), y up."""
    coordinates: NDArray[np.float32]
    """(V, 2) in the texture, from its upper left corner."""
    faces: NDArray[np.int32]
    """(F, 3)"""


def read_model(file: Path) -> list[Part]:
    """The parts of an SPM file, without its animation. Raises ValueError for another kind of file."""
    content = file.read_bytes()
    if content[:2] != b"SP":
        raise ValueError(f"{file} is not an SPM file: it begins with {content[:2]!r}, not b'SP'")
    layout = _Layout(animated=content[2] & 7 == 1, flags=content[3])
    at = 28  # behind the box around it
    count, at = _number(content, at)
    materials: list[list[str]] = []
    for _ in range(count):
        names = []
        for _ in range(2):
            end = at + 1 + content[at]
            names.append(content[at + 1 : end].decode("utf-8", "replace"))
            at = end
        materials.append(names)
    parts: list[Part] = []
    sectors, at = _number(content, at)
    for _ in range(sectors):
        buffers, at = _number(content, at)
        for _ in range(buffers):
            part, at = _read_part(content, at, materials, layout)
            parts.append(part)
    return [part for part in parts if len(part.faces)]


@dataclass(frozen=True)
class _Layout:
    """Of a vertex: position, normal, colour, up to two coordinates, tangent, joints."""

    animated: bool
    flags: int

    def before_colour(self) -> int:
        return 12 + (4 if self.flags & 1 else 0)

    def after_colour(self, textures: int) -> int:
        tangent = 4 if textures and self.flags & 4 else 0
        return 4 * textures + tangent + (16 if self.animated else 0)

    def starts(self, content: bytes, at: int, count: int, textures: int) -> tuple[Indices, Indices, int]:
        """Where each vertex begins, how long its colour is, and where the last one ends."""
        before, after = self.before_colour(), self.after_colour(textures)
        starts, colours = np.empty(count, np.int64), np.zeros(count, np.int64)
        for index in range(count):
            starts[index] = at
            if self.flags & 2:  # one byte, and three more unless it says white
                colours[index] = 1 if content[at + before] == 128 else 4
            at += before + int(colours[index]) + after
        return starts, colours, at


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of two bytes, and where it ends."""
    return int.from_bytes(content[at : at + 2], "little"), at + 2


def _read_part(content: bytes, at: int, materials: list[list[str]], layout: _Layout) -> tuple[Part, int]:
    """A part, and where it ends."""
    count, indices, material = struct.unpack_from("<IIH", content, at)
    textures = [name for name in materials[material] if name]
    starts, colours, at = layout.starts(content, at + 10, count, len(textures))
    raw = np.frombuffer(content, np.uint8)
    vertices = raw[starts[:, None] + np.arange(12)].view("<f4")
    coordinates = np.zeros((count, 2), np.float32)
    if textures and count:
        coordinates[:] = raw[(starts + layout.before_colour() + colours)[:, None] + np.arange(4)].view("<f2")
    kind = np.dtype("<u2" if count > 255 else "u1")
    faces = np.frombuffer(content, kind, indices, at).astype(np.int32).reshape(-1, 3)
    return Part(textures[0] if textures else "", vertices, coordinates, faces), at + indices * kind.itemsize


def turning_models(folder: Path, seed: int) -> list[Image]:
    """Of each model that shows enough of itself (T, h, w, 4) as it turns on its way, RGB and opacity.

    folder: of the package supertuxkart-data.
    """
    data = folder / "usr/share/games/supertuxkart/data"
    pictures = {file.name: file for file in sorted(data.rglob("*")) if file.suffix in (".png", ".jpg")}
    found: list[Image] = []
    for number, file in enumerate(tqdm(sorted(data.rglob("*.spm")), desc="models")):
        parts = read_model(file)
        near = {name: file.parent / name for name in {part.texture for part in parts}}
        textures = {name: _texture(place if place.exists() else pictures.get(name)) for name, place in near.items()}
        opaque = {name: texture for name, texture in textures.items() if texture is not None}
        if len(opaque) < len(textures) or sum(len(part.faces) for part in parts) < 40:
            continue
        frames = _film(parts, opaque, np.random.default_rng((seed, number)))
        if frames is not None:
            found.append(frames)
    return found


def _texture(file: Path | None) -> Image | None:
    """A texture (h, w, 3), grey where there is none; None where much of it is transparent, as leaves on a card."""
    picture = None if file is None else sources.read(file)
    if picture is None:
        return np.full((4, 4, 3), 160, np.uint8)
    if picture.shape[2] == 4 and (picture[..., 3] < 128).mean() > 0.03:
        return None
    scale = min(1.0, 256 / max(picture.shape[:2]))
    small = cv2.resize(np.ascontiguousarray(picture[..., :3]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _film(parts: list[Part], textures: dict[str, Image], random: np.random.Generator) -> Image | None:
    """(T, h, w, 4); None for what is as good as flat, or too thin to be seen."""
    points = np.concatenate([part.vertices[np.unique(part.faces)] for part in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    edges = np.sort(high - low)
    if not np.isfinite(edges).all() or edges[1] < 0.2 * edges[2] or edges[0] < 0.04 * edges[2]:
        return None
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low) / 2)
    spec = mujoco.MjSpec()
    for index, part in enumerate(parts):
        _add(spec, str(index), part, textures[part.texture], middle, radius, random)
    eye = spec.worldbody.add_body(name="eye", mocap=True)
    eye.add_camera(name="camera", fovy=_FOVY)
    _light(spec, eye, random)
    spec.visual.global_.offwidth = spec.visual.global_.offheight = _EDGE
    spec.visual.quality.offsamples = 4
    spec.visual.map.znear, spec.visual.map.zfar = 0.1, 50.0
    spec.stat.extent, spec.stat.center = 1.0, np.zeros(3)
    try:
        model = spec.compile()
    except ValueError:  # MuJoCo refuses degenerate meshes
        return None
    data = mujoco.MjData(model)
    renderer = Renderer(model, np.ones(model.ngeom, np.uint8), _EDGE, _EDGE)
    try:
        frames = np.stack([_view(renderer, model, data, *way) for way in _way(random)])
    finally:
        renderer.close()
    shown = frames[..., 3] > 127
    if (shown.mean(axis=(1, 2)) < 0.06).any():
        return None
    rows, columns = np.flatnonzero(shown.any(axis=(0, 2))), np.flatnonzero(shown.any(axis=(0, 1)))
    return np.ascontiguousarray(frames[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _light(spec: mujoco.MjSpec, eye: mujoco.MjsBody, random: np.random.Generator) -> None:
    """A sun, and some light from all sides. It stands with the model, round which the camera goes, or with the camera,
    before which the model turns."""
    above, beside = random.uniform(0, 2 * np.pi), random.uniform(0.2, 1.2)
    sun = -np.array([np.cos(above) * beside, np.sin(above) * beside, 1.0])
    lit = spec.worldbody if random.random() < 0.5 else eye
    lit.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        dir=sun if lit is not eye else [sun[0], sun[2], sun[1]],
        diffuse=[random.uniform(0.3, 0.8)] * 3,
        ambient=[0.0] * 3,
        specular=[random.uniform(0, 0.6)] * 3,
        castshadow=False,
    )
    spec.visual.headlight.ambient = [random.uniform(0.25, 0.5)] * 3
    spec.visual.headlight.diffuse = [random.uniform(0.0, 0.3)] * 3
    spec.visual.headlight.specular = [0.0] * 3


def _add(
    spec: mujoco.MjSpec,
    name: str,
    part: Part,
    texture: Image,
    middle: NDArray[np.float32],
    radius: float,
    random: np.random.Generator,
) -> None:
    """The part with its middle at the origin and a radius of one, z up."""
    vertices = (part.vertices - middle) / radius
    vertices = np.column_stack((vertices[:, 0], -vertices[:, 2], vertices[:, 1]))
    spec.add_mesh(
        name=name,
        uservert=vertices.ravel(),
        usertexcoord=(part.coordinates * [1.0, -1.0] + [0.0, 1.0]).ravel(),
        userface=part.faces.ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    specular, shininess = random.uniform((0, 0.1), (0.5, 0.8)).tolist()
    add_material(spec, name, texture, specular=specular, shininess=shininess)
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name, contype=0, conaffinity=0, mass=0
    )


def _way(random: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Of each frame the camera's azimuth, elevation and roll in radians: round the model, slowly or fast."""
    speed = np.deg2rad(random.normal(0, 7))
    azimuth, elevation = random.uniform(0, 2 * np.pi), np.deg2rad(random.uniform(-5, 50))
    rise, roll = np.deg2rad(random.normal(0, 0.8)), np.deg2rad(random.normal(0, 6))
    for _ in range(FRAMES):
        yield azimuth, elevation, roll
        speed = speed + np.deg2rad(random.normal(0, 1.0))
        azimuth, roll = azimuth + speed, roll + np.deg2rad(random.normal(0, 0.7))
        elevation = float(np.clip(elevation + rise, -0.2, 1.2))


def _view(
    renderer: Renderer, model: mujoco.MjModel, data: mujoco.MjData, azimuth: float, elevation: float, roll: float
) -> Image:
    """(E, E, 4)"""
    back = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    up = np.cross(back, right)
    axes = np.column_stack((np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right, back))
    data.mocap_pos[0] = back / np.sin(np.deg2rad(_FOVY / 2))
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, axes.ravel())
    data.mocap_quat[0] = quaternion
    mujoco.mj_forward(model, data)
    image, _, labels = renderer.render(data, depth=False)
    # What is drawn by identity has hard edges; those of a thing seen by a camera are a pixel wide.
    opacity = cv2.GaussianBlur((labels > 0).astype(np.uint8) * 255, (0, 0), 0.6)
    return np.dstack((image, opacity))
