"""The points around an object."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.geometry.window import points_around


@pytest.mark.parametrize("size", [0.04, 0.1, 0.3])
def test_what_is_around_an_object_is_not_at_its_edge(scene: Any, camera: Pinhole, size: float) -> None:
    """There depth cameras mix the object with what is behind it. The larger it is, the fewer pixels are looked at."""
    scene = scene()
    scene.box((0.0, 0.0, size / 4), (size, size, size / 2))
    masks, boxes, depth = scene.view()

    points = points_around(tuple(boxes[0].tolist()), masks[0], depth, camera)

    assert len(points) > 300
    beside = cv2.dilate(masks[0].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    x, y = np.rint(camera.project(points)).astype(int).T
    assert not beside[y, x].any()
