"""Made-up frames and weights."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.scene import Scene, random_network


def test_every_object_is_in_its_box_on_every_frame() -> None:
    scene = Scene(size=128, objects=5)
    for number in (0, 7, 40):
        frame = scene.frame(number)
        assert frame.shape == (128, 128, 3)
        colours = set()
        for index in range(5):
            x0, y0, x1, y1 = scene.box(index, number).astype(int)
            assert 0 <= x0 < x1 <= 128
            assert 0 <= y0 < y1 <= 128
            inside = frame[y0:y1, x0:x1].reshape(-1, 3)
            assert (inside == inside[0]).all()
            colours.add(tuple(inside[0]))
        assert len(colours) == 5
    assert (scene.frame(3) == scene.frame(3)).all()
    assert np.abs(scene.box(0, 0) - scene.box(0, 5)).max() > 1


def test_weights_are_the_same_each_time_and_show_the_objects() -> None:
    network, again = random_network("nano", 64), random_network("nano", 64)
    assert network.config.image_size == 64
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key])
    bias = network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias
    assert bias.item() > 2.5
