"""What a camera does to a clip."""

from __future__ import annotations

import numpy as np

from training.camera import photographed


def test_pictures_change_but_stay_recognisable() -> None:
    y, x = np.mgrid[:64, :64]
    images = np.repeat(np.stack((x * 4, y * 4, 255 - x * 4), axis=2)[None], 4, axis=0).astype(np.uint8)
    for seed in range(30):
        out = photographed(images, np.random.default_rng(seed))
        assert out.shape == images.shape and out.dtype == np.uint8
        for before, after in zip(images[..., 1], out[..., 1], strict=True):
            assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.85


def test_the_input_is_left_alone() -> None:
    images = np.full((2, 32, 32, 3), 120, np.uint8)
    photographed(images, np.random.default_rng(1))
    assert (images == 120).all()
