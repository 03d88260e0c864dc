"""Paths: smooth, closed, and where they were told to pass."""

from __future__ import annotations

import numpy as np
import pytest

from sam2_ros.simulation.paths import Path, Sway


def test_a_path_passes_its_waypoints_at_rest() -> None:
    path = Path.through([(0, 0.1, 0, 0), (4, 0.5, 0.2, 90), (6, 0.5, 0.2, 90)], y=0.3, period=10)
    position, yaw = path.at(4)
    np.testing.assert_allclose(position, [0.5, 0.3, 0.2])
    assert yaw == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(path.at(5)[0], position)
    np.testing.assert_allclose(path.at(2)[0], [0.3, 0.3, 0.1])
    assert np.abs(path.at(4 - 1e-3)[0] - position).max() < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_random_paths_close_without_a_jump_and_stay_in_reach(seed: int) -> None:
    path = Path.random(np.random.default_rng(seed), y=0.2, reach=0.4, period=12)
    np.testing.assert_allclose(path.at(12.3)[0], path.at(0.3)[0])
    times = np.linspace(0, 12, 2400)
    positions, yaws = (np.array(column) for column in zip(*(path.at(t) for t in times), strict=True))
    assert np.abs(positions[:, 0]).max() <= 0.4 and (positions[:, 1] == 0.2).all() and positions[:, 2].min() >= 0
    closed = np.concatenate([positions, positions[:1]])
    assert np.abs(np.diff(closed, axis=0)).max() < 0.02
    heading = np.exp(1j * np.concatenate([yaws, yaws[:1]]))
    assert np.abs(np.diff(heading)).max() < 0.1


def test_sway_is_small_and_periodic() -> None:
    sway = Sway.random(np.random.default_rng(1), metres=0.01, radians=0.02, period=20)
    moves = np.array([sway.at(t) for t in np.linspace(0, 20, 500)])
    assert 0.002 < np.abs(moves[:, :3]).max() < 0.02 and 0.004 < np.abs(moves[:, 3:]).max() < 0.04
    np.testing.assert_allclose(sway.at(3.0), sway.at(23.0), atol=1e-12)
