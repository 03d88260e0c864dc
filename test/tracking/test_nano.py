"""The embedded model with the weights that it was trained to."""

from __future__ import annotations

import cv2
import numpy as np

from sam2_ros.network import load_network
from sam2_ros.tracking import Prompt, Tracker


def scene(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, a red mug that has gone so many steps to the right, and its handle, four pixels wide."""
    random = np.random.default_rng(0)
    ground = 2 * cv2.GaussianBlur(random.integers(0, 256, (240, 320, 3)).astype(np.float32), (0, 0), 4) - 136
    x, y = 120 + 6 * number, 110 + 2 * number
    body, ring = np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8)
    cv2.rectangle(body, (x, y), (x + 50, y + 60), 1, cv2.FILLED)
    cv2.circle(ring, (x + 58, y + 30), 18, 1, 4)
    mug, handle = (body | ring) > 0, (ring > 0) & (body == 0)
    return np.where(mug[..., None], (200, 60, 40), ground.clip(0, 255)).astype(np.uint8), mug, handle


def test_a_mug_is_followed_with_its_handle() -> None:
    tracker = Tracker(load_network("nano"), capacity=1)
    picture, mug, _ = scene(0)
    tracker.track(picture, 0)
    y, x = np.nonzero(mug)
    tracker.prompt(Prompt(box=np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])))
    for number in range(1, 6):
        picture, mug, handle = scene(number)
        (mask,) = tracker.track(picture, 33_000_000 * number).masks
        assert np.count_nonzero(mask & mug) > 0.75 * np.count_nonzero(mask | mug)
        assert np.count_nonzero(mask & handle) > 0.95 * np.count_nonzero(handle)
