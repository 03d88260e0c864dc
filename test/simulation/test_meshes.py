"""The meshes: closed, turned outwards, of the size asked for."""

from __future__ import annotations

import numpy as np
import pytest

from sam2_ros.simulation.meshes import Mesh, ball, box, lathe, tube


def _volume(mesh: Mesh) -> float:
    """By the divergence theorem; positive if the faces look outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


ARC = np.array([(np.cos(turn), np.sin(turn)) for turn in np.linspace(0, 3, 12)])
CYLINDER = lathe(np.array([(0, 0), (0.5, 0), (0.5, 2), (0, 2)], float), 200)


@pytest.mark.parametrize("mesh, volume", [
    (box(1, 2, 3), 6.0), (CYLINDER, np.pi / 2), (ball(1, 100), 4 / 3 * np.pi),
])  # fmt: skip
def test_volume_is_that_of_the_body(mesh: Mesh, volume: float) -> None:
    assert _volume(mesh) == pytest.approx(volume, rel=0.005)


@pytest.mark.parametrize("mesh", [box(1, 2, 3), CYLINDER, ball(1), tube(ARC, 0.1)])
def test_normals_are_unit_and_agree_with_the_faces(mesh: Mesh) -> None:
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-6)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    assert ((np.cross(b - a, c - a) * mesh.normals[mesh.faces].sum(1)).sum(1) > 0).all()
    assert mesh.texture.min() >= 0 and mesh.texture.max() <= 1 and len(mesh.texture) == len(mesh.vertices)


def test_an_edge_stays_sharp_and_a_bend_is_smooth() -> None:
    sharp = lathe(np.array([(1, 0), (1, 1), (0, 1)], float), 8)
    assert set(np.round(sharp.normals[:, 2], 6)) == {0.0, 1.0}
    bent = lathe(np.array([(1, 0), (1.0, 1), (0.9, 2)], float), 8)
    at_bend = bent.normals[np.isclose(bent.vertices[:, 2], 1)]
    assert np.ptp(at_bend[:, 2]) < 1e-9 and at_bend[0, 2] > 0


def test_moved_moves_only_places() -> None:
    mesh = ball(0.1)
    moved = mesh.moved(1, 2, 3)
    np.testing.assert_allclose(moved.vertices - mesh.vertices, np.tile([1, 2, 3], (len(mesh.vertices), 1)))
    assert moved.normals is mesh.normals
