"""The video predictor of the original (PyPI sam2), fed frame by frame."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.network import Sam2

from .candidate import Answer, Box, Candidate, Frame, NotInstalled, Setting, to_input

_SIZES: dict[tuple[int, ...], str] = {(1, 2, 7, 2): "t", (1, 2, 11, 2): "s", (2, 3, 16, 3): "b+", (2, 6, 36, 4): "l"}
_ENDLESS = 1 << 30


def require() -> None:
    """Raises NotInstalled where this cannot be measured."""
    try:
        import_module("sam2.build_sam")
        import_module("sam2.sam2_video_predictor")
    except ImportError as error:
        raise NotInstalled(f"the original cannot be imported ({error}): pip install sam2") from error


class Original(Candidate):
    """It was made for files that are there as a whole: here the video is one frame longer at each step, and only the
    newest image is kept. In bfloat16 it runs under autocast, as its documentation has it."""

    def __init__(self, network: Sam2, setting: Setting, *, compiled: bool) -> None:
        """compiled: its VOS variant."""
        self._setting = setting
        config = network.config
        newer = "sam2.1/sam2.1" if config.no_obj_embed_spatial else "sam2/sam2"
        edge = setting.size // 16
        kinds = ("self_attention", "cross_attention")
        self._predictor = import_module("sam2.build_sam").build_sam2_video_predictor(
            f"configs/{newer}_hiera_{_SIZES[config.stages]}.yaml",
            device=setting.device,
            vos_optimized=compiled,
            hydra_overrides_extra=[
                f"++model.image_size={setting.size}",
                *(f"++model.memory_attention.layer.{kind}.feat_sizes=[{edge},{edge}]" for kind in kinds),
            ],
        )
        self._predictor.load_state_dict(network.state_dict(), strict=True)
        self._predictor.fill_hole_area = 0  # its CUDA extension, which few have
        self.modules = {} if compiled else {
            "encoder": self._predictor.image_encoder,
            "memory attention": self._predictor.memory_attention,
            "decoder": self._predictor.sam_mask_decoder,
            "memory encoder": self._predictor.memory_encoder,
        }  # fmt: skip
        self._module: Any = import_module("sam2.sam2_video_predictor")
        self._images: dict[int, Tensor] = {}
        self._state: dict[str, Any] = {}
        self._number = 0
        self._objects = 0

    def start(self, frame: Frame, boxes: Sequence[Box]) -> Answer:
        self._receive(frame)
        self._module.load_video_frames = lambda **_: (self._images, *frame.shape[:2])
        self._module.tqdm = _silent
        with self._autocast():
            self._state = self._predictor.init_state("")
        self._state["num_frames"] = _ENDLESS
        for box in boxes:
            self.add(box)
        with self._autocast():
            self._predictor.propagate_in_video_preflight(self._state)
        return self._answer("cond_frame_outputs", None)

    def step(self, frame: Frame) -> Answer:
        self._number += 1
        self._receive(frame)
        with self._autocast():
            steps = self._predictor.propagate_in_video(self._state, self._number, max_frame_num_to_track=0)
            _, _, logits = next(iter(list(steps)))
        return self._answer("non_cond_frame_outputs", (logits > 0).squeeze(1).cpu().numpy())

    def add(self, box: Box) -> NDArray[np.bool_]:
        self._objects += 1
        with self._autocast():
            _, _, logits = self._predictor.add_new_points_or_box(self._state, self._number, self._objects, box=box)
        masks: NDArray[np.bool_] = (logits > 0).squeeze(1).cpu().numpy()
        return masks

    def _receive(self, frame: Frame) -> None:
        self._images.clear()
        self._images[self._number] = to_input(frame, self._setting, torch.float32)[0]

    def _autocast(self) -> contextlib.AbstractContextManager[None]:
        half = self._setting.dtype == torch.bfloat16
        return torch.autocast(self._setting.device.type, torch.bfloat16) if half else contextlib.nullcontext()

    def _answer(self, kind: str, masks: NDArray[np.bool_] | None) -> Answer:
        outputs = [out[kind][self._number]["pred_masks"] for out in self._state["output_dict_per_obj"].values()]
        low = torch.cat(outputs).squeeze(1)
        return Answer(np.zeros((0, 1, 1), bool) if masks is None else masks, low)


def _silent(steps: Iterable[int], **_: object) -> Iterable[int]:
    return steps
