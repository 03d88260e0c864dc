"""Triangle meshes of simple bodies, with normals and texture coordinates, for everyday objects to be composed of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """V vertices and F triangles; a corner that two faces share with different normals stands twice."""

    vertices: Array
    """(V, 3) metres."""
    normals: Array
    """(V, 3) unit vectors, outwards."""
    texture: Array
    """(V, 2) u to the right and v down in the texture's image, 0 to 1."""
    faces: NDArray[np.int32]
    """(F, 3) indices of vertices, counterclockwise seen from outside."""

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        return Mesh(self.vertices + np.array([x, y, z]), self.normals, self.texture, self.faces)


def lathe(profile: Array, segments: int = 40) -> Mesh:
    """The body that a line turning about the z axis sweeps.

    profile: (P, 2) radius and height of the line's points in metres. Outside is to the right of the line's direction,
    so a line from bottom to top gives a body seen from outside. Edges sharper than 30 degrees stay sharp.
    u goes once round, to the right as seen from outside and from the front (-y) in the middle; v runs along the line,
    from 1 at its first point to 0 at its last.
    """
    start, end, normals, along = _profile_segments(profile)
    angles = np.linspace(0.0, 2 * np.pi, segments + 1)
    # u = 0.5 looks to -y, where the camera is.
    around = np.stack([np.sin(angles), np.cos(angles)], 1) * np.array([-1.0, 1.0])
    rings = np.stack([start, end], 1).reshape(-1, 2)
    ring_normals = normals.reshape(-1, 2)
    count = len(rings)
    vertices = np.empty((count, segments + 1, 3))
    vertices[..., :2] = rings[:, None, :1] * around[None]
    vertices[..., 2] = rings[:, None, 1]
    outward = np.empty_like(vertices)
    outward[..., :2] = ring_normals[:, None, :1] * around[None]
    outward[..., 2] = ring_normals[:, None, 1]
    texture = np.empty((count, segments + 1, 2))
    texture[..., 0] = np.linspace(0.0, 1.0, segments + 1)[None]
    texture[..., 1] = 1.0 - along[:, None]
    faces = []
    for ring in range(0, count, 2):
        low = ring * (segments + 1) + np.arange(segments)
        high = low + segments + 1
        if rings[ring, 0] > 0:
            faces.append(np.stack([low, low + 1, high + 1], 1))
        if rings[ring + 1, 0] > 0:
            faces.append(np.stack([low, high + 1, high], 1))
    return Mesh(
        vertices.reshape(-1, 3), outward.reshape(-1, 3), texture.reshape(-1, 2), np.concatenate(faces).astype(np.int32)
    )


def _profile_segments(profile: Array) -> tuple[Array, Array, Array, Array]:
    """Start, end (S, 2), normals at both (S, 2, 2) and the share of the length at start and end (2 S,)."""
    start, end = profile[:-1], profile[1:]
    step = end - start
    length = np.hypot(step[:, 0], step[:, 1])
    flat = np.stack([step[:, 1], -step[:, 0]], 1) / length[:, None]
    normals = np.stack([flat, flat], 1)
    for i in range(len(flat) - 1):
        if flat[i] @ flat[i + 1] > np.cos(np.deg2rad(30)):
            joint = (flat[i] + flat[i + 1]) / np.linalg.norm(flat[i] + flat[i + 1])
            normals[i, 1] = normals[i + 1, 0] = joint
    reached = np.concatenate([[0.0], np.cumsum(length)]) / length.sum()
    return start, end, normals, np.stack([reached[:-1], reached[1:]], 1).reshape(-1)


def ball(radius: float, segments: int = 40) -> Mesh:
    """A sphere about the origin; u and v are longitude and latitude."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    profile = np.stack([np.cos(latitude), np.sin(latitude)], 1) * radius
    profile[[0, -1], 0] = 0.0
    mesh = lathe(profile, segments)
    return Mesh(mesh.vertices, mesh.vertices / radius, mesh.texture, mesh.faces)


# Where box() finds the picture of each side in its texture: column and row of a grid of three by two.
BOX_SIDES = {"front": (0, 0), "right": (1, 0), "back": (2, 0), "left": (0, 1), "top": (1, 1), "bottom": (2, 1)}


def box(width: float, depth: float, height: float) -> Mesh:
    """A box that stands on the origin: width along x, depth along y, height along z, its front towards -y.

    Its texture is a grid of six pictures, see BOX_SIDES.
    """
    x, y = width / 2, depth / 2
    corners = {  # from outside: bottom left, bottom right, top right, top left
        "front": [(-x, -y, 0), (x, -y, 0), (x, -y, height), (-x, -y, height)],
        "right": [(x, -y, 0), (x, y, 0), (x, y, height), (x, -y, height)],
        "back": [(x, y, 0), (-x, y, 0), (-x, y, height), (x, y, height)],
        "left": [(-x, y, 0), (-x, -y, 0), (-x, -y, height), (-x, y, height)],
        "top": [(-x, -y, height), (x, -y, height), (x, y, height), (-x, y, height)],
        "bottom": [(-x, y, 0), (x, y, 0), (x, -y, 0), (-x, -y, 0)],
    }
    outward = {
        "front": (0, -1, 0), "right": (1, 0, 0), "back": (0, 1, 0), "left": (-1, 0, 0), "top": (0, 0, 1),
        "bottom": (0, 0, -1),
    }  # fmt: skip
    square = np.array([(0.01, 0.99), (0.99, 0.99), (0.99, 0.01), (0.01, 0.01)])
    vertices = np.concatenate([np.array(corners[side], float) for side in BOX_SIDES])
    normals = np.concatenate([np.tile(np.array(outward[side], float), (4, 1)) for side in BOX_SIDES])
    texture = np.concatenate([(square + np.array(cell)) / np.array([3.0, 2.0]) for cell in BOX_SIDES.values()])
    faces = np.array([[k, k + 1, k + 2, k, k + 2, k + 3] for k in range(0, 24, 4)], np.int32).reshape(-1, 3)
    return Mesh(vertices, normals, texture, faces)


def tube(path: Array, radius: float, sides: int = 12) -> Mesh:
    """A round bar along a line in the x-z plane: (P, 2) x and z in metres. A mug's handle. Its ends are open."""
    points = np.stack([path[:, 0], np.zeros(len(path)), path[:, 1]], 1)
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    across = np.array([0.0, 1.0, 0.0])
    upward = np.cross(tangents, across)
    angles = np.linspace(0.0, 2 * np.pi, sides + 1)
    normals = np.cos(angles)[None, :, None] * upward[:, None] + np.sin(angles)[None, :, None] * across
    vertices = points[:, None] + radius * normals
    texture = np.stack(np.meshgrid(np.linspace(0.0, 1.0, sides + 1), np.linspace(0.0, 1.0, len(path))), axis=2)
    rows = np.arange(len(path) - 1)[:, None] * (sides + 1)
    low = (rows + np.arange(sides)[None]).reshape(-1)
    high = low + sides + 1
    faces = np.concatenate([np.stack([low, low + 1, high + 1], 1), np.stack([low, high + 1, high], 1)])
    return Mesh(
        vertices.reshape(-1, 3),
        normals.reshape(-1, 3),
        texture.reshape(-1, 2),
        _outward(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces.astype(np.int32)),
    )


def _outward(vertices: Array, normals: Array, faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turns every triangle round that looks against its corners' normals."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * normals[faces].sum(1)).sum(1) < 0
    return np.where(inward[:, None], faces[:, ::-1], faces)
