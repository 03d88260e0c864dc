"""This tracker."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sam2_ros.network import Sam2
from sam2_ros.tracking import Prompt, Tracker, Tracks, warm_up

from .candidate import Answer, Box, Candidate, Frame, Setting

_STEP = 33_333_333  # nanoseconds


class Ours(Candidate):
    def __init__(self, network: Sam2, setting: Setting, *, compiled: bool) -> None:
        network = copy.deepcopy(network).to(device=setting.device, dtype=setting.dtype)
        modules = {
            "encoder": network.image_encoder,
            "memory attention": network.memory_attention,
            "decoder": network.sam_mask_decoder,
            "memory encoder": network.memory_encoder,
        }
        if network.config.refined_size:
            modules["mask refiner"] = network.mask_refiner
        if compiled:
            network.compile_parts()
        self.modules = {} if compiled else modules
        self._network = network
        warm_up([Tracker(network, capacity=setting.capacity)])  # as the node does when it is configured
        self._tracker = Tracker(network, capacity=setting.capacity)
        self._stamp = 0

    @contextlib.contextmanager
    def module_by_module(self) -> Iterator[None]:
        self._network.replays = False
        try:
            yield
        finally:
            self._network.replays = True

    def start(self, frame: Frame, boxes: Sequence[Box]) -> Answer:
        self._tracker.track(frame, self._stamp)
        answers = [_answer(self._tracker.prompt(Prompt(box=box))) for box in boxes]
        masks = np.concatenate([answer.masks for answer in answers])
        return Answer(masks, torch.cat([answer.logits for answer in answers]))

    def step(self, frame: Frame) -> Answer:
        self._stamp += _STEP
        return _answer(self._tracker.track(frame, self._stamp))

    def add(self, box: Box) -> NDArray[np.bool_]:
        return self._tracker.prompt(Prompt(box=box)).masks


def _answer(tracks: Tracks) -> Answer:
    return Answer(tracks.masks, torch.from_numpy(tracks.logits))
