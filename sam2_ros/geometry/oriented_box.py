"""Boxes that are turned in space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

UPRIGHT_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""x to the right, y away from the camera and z up, as columns in the optical frame of a camera that is held upright."""


@dataclass(frozen=True)
class OrientedBox:
    """In the optical frame of the camera."""

    centre: Floats
    """(3,) metres."""
    rotation: Floats
    """(3, 3) the box's axes x, y and z as columns; right-handed."""
    size: Floats
    """(3,) metres, edges along its own axes."""

    @property
    def corners(self) -> Floats:
        """(8, 3) metres; corner 4 i + 2 j + k is at the upper end of x, y, z where i, j, k are 1."""
        signs = np.array(list(product((-0.5, 0.5), repeat=3)))
        return self.centre + signs * self.size @ self.rotation.T

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """x y z w of its rotation, w at least 0."""
        return quaternion(self.rotation)


def quaternion(rotation: Floats) -> tuple[float, float, float, float]:
    """x y z w of a rotation (3, 3), w at least 0. By the largest of the four, which loses no digits."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    squares = np.array([1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i])
    largest = int(squares.argmax())
    row = (
        (squares[0], b + d, c + g, h - f),
        (b + d, squares[1], f + h, c - g),
        (c + g, f + h, squares[2], d - b),
        (h - f, c - g, d - b, squares[3]),
    )[largest]
    values = np.array(row) / np.linalg.norm(row)
    values = -values if values[3] < 0 else values
    return float(values[0]), float(values[1]), float(values[2]), float(values[3])


def _turns() -> Floats:
    """(24, 3, 3) rotations that map a box's axes to its axes; the first four leave z as it is."""
    found = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[order, range(3)] = signs
            if np.linalg.det(turn) > 0:
                found.append(turn)
    found.sort(key=lambda turn: -turn[2, 2])
    return np.array(found)


_TURNS = _turns()
_ABOUT_Z = 4


def turned_like(box: OrientedBox, rotation: Floats, *, about_z: bool) -> OrientedBox:
    """The same box with its axes named such that they lie nearest to those of a rotation (3, 3).

    A box looks the same after some quarter turns; from one image to the next its axes should keep their names.
    about_z: z keeps its name, and only x and y may change theirs.
    """
    turns = _TURNS[:_ABOUT_Z] if about_z else _TURNS
    likeness = np.einsum("ij,tjk,ik->t", box.rotation, turns, rotation)
    turn = turns[likeness.argmax()]
    return replace(box, rotation=box.rotation @ turn, size=np.abs(turn.T @ box.size))
