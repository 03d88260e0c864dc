"""Sam2VideoModel of transformers, fed frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sam2_ros.network import Sam2, Sam2Config

from .candidate import Answer, Box, Candidate, Frame, NotInstalled, Setting, to_answer, to_input
from .names import for_transformers

_MODULE = "transformers.models.sam2_video.modeling_sam2_video"


def require() -> None:
    """Raises NotInstalled where this cannot be measured."""
    try:
        import_module(_MODULE)
    except ImportError as error:
        raise NotInstalled(f"transformers cannot be imported ({error}): pip install 'transformers>=5,<6'") from error


class Transformers(Candidate):
    def __init__(self, network: Sam2, setting: Setting) -> None:
        library: Any = import_module(_MODULE)
        self._setting = setting
        self._model = library.Sam2VideoModel(_config(network.config))
        self._model.eval().requires_grad_(False)
        self._model.load_state_dict(for_transformers(dict(network.state_dict())), strict=True)
        self._model.to(device=setting.device, dtype=setting.dtype)
        self.modules = {
            "encoder": self._model.vision_encoder,
            "memory attention": self._model.memory_attention,
            "decoder": self._model.mask_decoder,
            "memory encoder": self._model.memory_encoder,
        }
        self._session = library.Sam2VideoInferenceSession(
            video_height=setting.size,
            video_width=setting.size,
            inference_device=setting.device,
            inference_state_device=setting.device,
            video_storage_device=setting.device,
            dtype=setting.dtype,
        )
        self._number = 0
        self._objects = 0

    def start(self, frame: Frame, boxes: Sequence[Box]) -> Answer:
        self._session.obj_with_new_inputs = [self._show(box) for box in boxes]
        return self._run(frame)

    def step(self, frame: Frame) -> Answer:
        self._number += 1
        return self._run(frame)

    def add(self, box: Box) -> NDArray[np.bool_]:
        self._session.obj_with_new_inputs = [self._show(box)]
        low = self._model(inference_session=self._session, frame_idx=self._number).pred_masks
        return to_answer(low, self._setting.size).masks

    def _run(self, frame: Frame) -> Answer:
        pixels = to_input(frame, self._setting, self._setting.dtype)
        return to_answer(self._model(inference_session=self._session, frame=pixels).pred_masks, self._setting.size)

    def _show(self, box: Box) -> int:
        """Puts the box of a new object in for the newest frame; returns its id."""
        self._objects += 1
        corners = torch.from_numpy(box).view(1, 1, 2, 2)
        inputs = {"point_coords": corners, "point_labels": torch.tensor([[[2, 3]]])}
        self._session.add_point_inputs(self._session.obj_id_to_idx(self._objects), self._number, inputs)
        return self._objects


def _config(config: Sam2Config) -> Any:
    from transformers import Sam2VideoConfig

    grids = [[config.image_size // stride] * 2 for stride in (4, 8, 16)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [config.image_size] * 2,
        "hidden_size": config.embed_dim,
        "num_attention_heads": config.num_heads,
        "window_positional_embedding_background_size": list(config.window_pos_embed_bkg_spatial_size),
        "blocks_per_stage": list(config.stages),
        "embed_dim_per_stage": list(config.channels),
        "num_attention_heads_per_stage": [config.num_heads * 2**stage for stage in range(len(config.stages))],
        "window_size_per_stage": list(config.window_spec),
        "global_attention_blocks": list(config.global_att_blocks),
    }
    return Sam2VideoConfig(
        image_size=config.image_size,
        memory_attention_rope_feat_sizes=grids[2],
        enable_occlusion_spatial_embedding=config.no_obj_embed_spatial,
        enable_temporal_pos_encoding_for_object_pointers=config.add_tpos_enc_to_obj_ptrs,
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_feature_sizes": grids,
            "backbone_channel_list": list(reversed(config.channels)),
            "backbone_config": backbone,
        },
        prompt_encoder_config={"image_size": config.image_size},
    )
