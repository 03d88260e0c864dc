"""Smooth periodic paths of the objects on the table and of the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """A closed path through K waypoints: at rest at each of them, and from one to the next with least jerk."""

    times: Array
    """(K,) seconds, rising, the first one 0."""
    positions: Array
    """(K, 3) metres on the table."""
    yaws: Array
    """(K,) radians about the vertical."""
    period: float
    """Seconds; from the last waypoint it goes back to the first."""
    turns: int = 0
    """Full turns about the vertical in one period, on top of the yaws."""

    def at(self, t: float) -> tuple[Array, float]:
        """Position (3,) in metres and yaw in radians at t seconds."""
        t = t % self.period
        now = int(np.searchsorted(self.times, t, side="right")) - 1
        after = (now + 1) % len(self.times)
        end = self.times[after] if after else self.period
        share = (t - self.times[now]) / (end - self.times[now])
        share = share**3 * (10 - 15 * share + 6 * share**2)
        position = self.positions[now] + share * (self.positions[after] - self.positions[now])
        yaw = self.yaws[now] + share * (self.yaws[after] - self.yaws[now])
        return position, float(yaw + 2 * np.pi * self.turns * t / self.period)

    @classmethod
    def through(cls, waypoints: list[tuple[float, float, float, float]], y: float, period: float) -> Path:
        """From (seconds, x, z, yaw in degrees) along a lane of constant y; z is 0 on the table."""
        table = np.array(waypoints, float)
        positions = np.stack([table[:, 1], np.full(len(table), y), table[:, 2]], 1)
        return cls(table[:, 0], positions, np.deg2rad(table[:, 3]), period)

    @classmethod
    def random(cls, rng: np.random.Generator, y: float, reach: float, period: float) -> Path:
        """Along a lane of constant y, to at most `reach` metres either side, now and then lifted or at rest."""
        count = int(rng.integers(3, 8))
        gaps = rng.uniform(1.0, 2.5, count)
        times = np.concatenate([[0.0], np.cumsum(gaps)[:-1]]) * period / gaps.sum()
        x = rng.uniform(-reach, reach, count)
        for k in range(1, count):
            if rng.random() < 0.2:
                x[k] = x[k - 1]
        z = np.where(rng.random(count) < 0.15, rng.uniform(0.03, 0.15, count), 0.0)
        yaws = np.cumsum(rng.uniform(-0.8, 0.8, count)) + rng.uniform(-np.pi, np.pi)
        return cls(times, np.stack([x, np.full(count, y), z], 1), yaws, period, int(rng.integers(-1, 2)))


@dataclass(frozen=True)
class Sway:
    """The small movements of a camera on a robot's head: sums of sines whose periods divide the scene's."""

    amplitudes: Array
    """(6, S) metres for the position's x y z, then radians for the turns about x y z."""
    cycles: Array
    """(6, S) whole cycles in a period."""
    phases: Array
    """(6, S) radians."""
    period: float

    def at(self, t: float) -> Array:
        """(6,) metres and radians at t seconds."""
        angle = 2 * np.pi * self.cycles * (t / self.period) + self.phases
        result: Array = (self.amplitudes * np.sin(angle)).sum(1)
        return result

    @classmethod
    def random(cls, rng: np.random.Generator, metres: float, radians: float, period: float) -> Sway:
        scale = np.array([metres] * 3 + [radians] * 3)[:, None]
        cycles = rng.integers(1, max(2, int(period / 3)), (6, 3)).astype(float)
        return cls(scale * rng.uniform(0.2, 0.6, (6, 3)), cycles, rng.uniform(0, 2 * np.pi, (6, 3)), period)
