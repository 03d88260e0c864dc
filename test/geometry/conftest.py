"""Depth images of simple bodies on a table, computed ray by ray, so that what is right is known exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.geometry.depth import DepthImage

CAMERA = Pinhole(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
FAR = 4.0  # metres, to the wall behind everything


@dataclass
class Scene:
    """A table at z = 0 of the world, x to the right, y away from the camera, z up, and bodies on it.

    elevation: degrees that the camera looks down. distance: metres from the camera to the origin.
    """

    elevation: float = 35.0
    distance: float = 0.8
    table: bool = True
    noise: float = 0.0
    depths: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        down = np.deg2rad(self.elevation)
        self.eye = self.distance * np.array([0.0, -np.cos(down), np.sin(down)])
        forward = -self.eye / self.distance
        self.axes = np.stack((np.array([1.0, 0.0, 0.0]), np.cross(forward, [1.0, 0.0, 0.0]), forward), axis=1)
        x, y = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
        rays = np.stack(((x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, np.ones(x.shape)), axis=2)
        self._rays = rays @ self.axes.T

    @property
    def rotation(self) -> np.ndarray:
        """The world's axes in the optical frame, as columns."""
        return self.axes.T

    def seen(self, point: tuple[float, float, float]) -> np.ndarray:
        """A point of the world in the optical frame."""
        return self.axes.T @ (np.array(point) - self.eye)

    def box(self, centre: tuple[float, float, float], size: tuple[float, float, float], yaw: float = 0.0) -> None:
        """yaw: degrees about z."""
        turn = np.deg2rad(yaw)
        own = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
        eye, rays = (self.eye - np.array(centre)) @ own, self._rays @ own
        half = np.array(size) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (-half - eye) / rays, (half - eye) / rays
        near, far = np.minimum(first, second).max(axis=2), np.maximum(first, second).min(axis=2)
        self.depths.append(np.where((near < far) & (near > 0), near, np.inf))

    def can(self, foot: tuple[float, float, float], radius: float, height: float) -> None:
        """Upright; foot: the middle of its bottom."""
        eye = self.eye - np.array(foot)
        a = (self._rays[..., :2] ** 2).sum(axis=2)
        b = (self._rays[..., :2] * eye[:2]).sum(axis=2)
        c = (eye[:2] ** 2).sum() - radius**2
        root = np.sqrt(np.maximum(b * b - a * c, 0.0))
        side = np.where(b * b > a * c, (-b - root) / a, np.inf)
        z = eye[2] + side * self._rays[..., 2]
        side = np.where((z > 0) & (z < height), side, np.inf)
        lid = (height - eye[2]) / self._rays[..., 2]
        at = eye[:2] + lid[..., None] * self._rays[..., :2]
        lid = np.where((lid > 0) & ((at**2).sum(axis=2) < radius**2), lid, np.inf)
        self.depths.append(np.minimum(side, lid))

    def ball(self, centre: tuple[float, float, float], radius: float) -> None:
        eye = self.eye - np.array(centre)
        a, b = (self._rays**2).sum(axis=2), (self._rays * eye).sum(axis=2)
        c = (eye**2).sum() - radius**2
        root = np.sqrt(np.maximum(b * b - a * c, 0.0))
        self.depths.append(np.where(b * b > a * c, (-b - root) / a, np.inf))

    def render(self) -> tuple[np.ndarray, np.ndarray]:
        """(H, W) metres and (H, W) which body is seen, counted from 1; 0 the table or the wall."""
        ground = np.full(self._rays.shape[:2], FAR)
        if self.table:
            with np.errstate(divide="ignore"):
                t = -self.eye[2] / self._rays[..., 2]
            ground = np.where((t > 0) & (t < FAR), t, FAR)
        layers = np.stack((ground, *self.depths))
        depth = layers.min(axis=0)
        return depth + np.random.default_rng(0).normal(0.0, 1.0, depth.shape) * self.noise, layers.argmin(axis=0)

    def view(self) -> tuple[np.ndarray, np.ndarray, DepthImage]:
        """(N, H, W) masks, (N, 4) boxes, and depth in whole millimetres, as of a camera."""
        depth, labels = self.render()
        masks = np.stack([labels == k + 1 for k in range(len(self.depths))])
        return masks, boxes(masks), DepthImage(np.rint(1000 * depth).astype(np.uint16), 0.001)


def boxes(masks: np.ndarray) -> np.ndarray:
    """(N, 4) x0 y0 x1 y1 of (N, H, W); x1 and y1 one past the last pixel; zero where a mask is empty."""
    found = []
    for mask in masks:
        y, x = np.nonzero(mask)
        found.append([x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0, 0, 0, 0])
    return np.array(found)


@pytest.fixture
def scene() -> type[Scene]:
    return Scene


@pytest.fixture
def camera() -> Pinhole:
    return CAMERA


@pytest.fixture(name="boxes")
def boxes_fixture() -> object:
    return boxes
