"""The names that transformers gives to the tensors of SAM 2."""

from __future__ import annotations

import re

import torch
from torch import Tensor

# The original's names, which are ours, and those of transformers, applied in this order.
_RENAMES = (
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"^sam_prompt_encoder\.pe_layer\.\w+_gaussian_matrix$", "shared_image_embedding.positional_embedding"),
    (r"^sam_prompt_encoder\.mask_downscaling\.0\.", "prompt_encoder.mask_embed.conv1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.1\.", "prompt_encoder.mask_embed.layer_norm1."),
    (r"^sam_prompt_encoder\.mask_downscaling\.3\.", "prompt_encoder.mask_embed.conv2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.4\.", "prompt_encoder.mask_embed.layer_norm2."),
    (r"^sam_prompt_encoder\.mask_downscaling\.6\.", "prompt_encoder.mask_embed.conv3."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"memory_encoder\.mask_downsampler\.encoder\.12\.", "memory_encoder.mask_downsampler.final_conv."),
    (r"memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"fuser\.layers\.(\d)\.dwconv\.", r"fuser.layers.\1.depthwise_conv."),
    (r"fuser\.layers\.(\d)\.norm\.", r"fuser.layers.\1.layer_norm."),
    (r"fuser\.layers\.(\d)\.pwconv", r"fuser.layers.\1.pointwise_conv"),
    (r"fuser\.layers\.(\d)\.gamma$", r"fuser.layers.\1.scale"),
    (r"memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"norm_final_attn\.", "layer_norm_final_attn."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"^memory_attention\.norm\.", "memory_attention.layer_norm."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
)
_THREE_LAYERS = r"(output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head|object_pointer_proj)\.layers\."
_TWO_LAYERS = r"(mlp)\.layers\."


def for_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the original or of ours under the names of transformers' Sam2VideoModel."""
    points = [state[f"sam_prompt_encoder.point_embeddings.{kind}.weight"] for kind in range(4)]
    result = {_renamed(key): tensor for key, tensor in state.items() if ".point_embeddings." not in key}
    result["prompt_encoder.point_embed.weight"] = torch.cat(points)
    shared = result["shared_image_embedding.positional_embedding"]
    return {**result, "prompt_encoder.shared_embedding.positional_embedding": shared}


def _renamed(key: str) -> str:
    for pattern, name in _RENAMES:
        key = re.sub(pattern, name, key)
    if match := re.match(r"memory_encoder\.mask_downsampler\.encoder\.(\d+)\.(\w+)", key):
        layer, kind = divmod(int(match[1]), 3)
        key = f"memory_encoder.mask_downsampler.layers.{layer}.{('conv', 'layer_norm')[kind]}.{match[2]}"
    if key.startswith(("mask_decoder.", "memory_attention.")):
        key = key.replace(".out_proj.", ".o_proj.")
    for layers, places in (
        (_THREE_LAYERS, ("proj_in", "layers.0", "proj_out")),
        (_TWO_LAYERS, ("proj_in", "proj_out")),
    ):
        for number, place in enumerate(places):
            key = re.sub(f"{layers}{number}", rf"\1.{place}", key)
    return key
