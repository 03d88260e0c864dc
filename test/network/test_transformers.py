"""The network and the tracker against another implementation of SAM 2.1, on the same random weights."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from sam2_ros.network import NO_OBJECT, Sam2, Sam2Config
from sam2_ros.tracking import Prompt, Tracker

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

SIZE = 512
FRAMES = 10
# Our names (the original's) and those of transformers, applied in this order.
RENAMES = (
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
THREE_LAYERS = r"(output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head|object_pointer_proj)\.layers\."
TWO_LAYERS = r"(mlp)\.layers\."


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of ours under the names of transformers."""
    points = [state.pop(f"sam_prompt_encoder.point_embeddings.{kind}.weight") for kind in range(4)]
    result = {"prompt_encoder.point_embed.weight": torch.cat(points)}
    for key, tensor in state.items():
        for pattern, name in RENAMES:
            key = re.sub(pattern, name, key)
        if match := re.match(r"memory_encoder\.mask_downsampler\.encoder\.(\d+)\.(\w+)", key):
            layer, kind = divmod(int(match[1]), 3)
            key = f"memory_encoder.mask_downsampler.layers.{layer}.{('conv', 'layer_norm')[kind]}.{match[2]}"
        if key.startswith(("mask_decoder.", "memory_attention.")):
            key = key.replace(".out_proj.", ".o_proj.")
        key = re.sub(THREE_LAYERS + "0", r"\1.proj_in", key)
        key = re.sub(THREE_LAYERS + "1", r"\1.layers.0", key)
        key = re.sub(THREE_LAYERS + "2", r"\1.proj_out", key)
        key = re.sub(TWO_LAYERS + "0", r"\1.proj_in", key)
        key = re.sub(TWO_LAYERS + "1", r"\1.proj_out", key)
        result[key] = tensor
    shared = result["shared_image_embedding.positional_embedding"]
    return {**result, "prompt_encoder.shared_embedding.positional_embedding": shared}


@pytest.fixture(scope="module", params=["2.1", "2.0"])
def network(request: pytest.FixtureRequest) -> Sam2:
    torch.manual_seed(3)
    newer = request.param == "2.1"
    config = Sam2Config(image_size=SIZE, no_obj_embed_spatial=newer, add_tpos_enc_to_obj_ptrs=newer)
    network = Sam2(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):  # as initialised, the memory encoder's blocks would do next to nothing
            torch.nn.init.normal_(parameter, std=0.3)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 3.0  # in view, so that there are logits to compare
    return network


@pytest.fixture(scope="module")
def theirs(network: Sam2):
    grids = [[SIZE // stride] * 2 for stride in (4, 8, 16)]
    config = transformers.Sam2VideoConfig(
        image_size=SIZE,
        memory_attention_rope_feat_sizes=grids[2],
        enable_occlusion_spatial_embedding=network.config.no_obj_embed_spatial,
        enable_temporal_pos_encoding_for_object_pointers=network.config.add_tpos_enc_to_obj_ptrs,
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_feature_sizes": grids,
            "backbone_config": {"model_type": "sam2_hiera_det_model", "image_size": [SIZE, SIZE]},
        },
        prompt_encoder_config={"image_size": SIZE},
    )
    model = transformers.Sam2VideoModel(config).eval()
    model.load_state_dict(renamed(dict(network.state_dict())), strict=True)
    return model


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A bright square that drifts over noise."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 80, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    for number in range(FRAMES):
        frames[number, 150 + 8 * number : 300 + 8 * number, 200:330] = (230, 180, 60)
    return frames


@pytest.mark.parametrize(
    "points, labels",
    [pytest.param([[260.0, 220.0]], [1], id="point"), pytest.param([[200.0, 150.0], [330.0, 300.0]], [2, 3], id="box")],
)
def test_low_resolution_logits_equal(network, theirs, frames, points, labels) -> None:
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    session = Sam2VideoInferenceSession(video_height=SIZE, video_width=SIZE, dtype=torch.float32)
    tracker = Tracker(network)
    for number, frame in enumerate(frames):
        tracks = tracker.track(frame, number)
        if number == 0:
            box = np.array(points).ravel() if labels[0] == 2 else None
            prompt = Prompt(box=box) if box is not None else Prompt(points=np.array(points), labels=np.array(labels))
            tracks = tracker.prompt(prompt)
            clicks = {"point_coords": torch.tensor([[points]]), "point_labels": torch.tensor([[labels]])}
            session.add_point_inputs(session.obj_id_to_idx(1), 0, clicks)
            session.obj_with_new_inputs = [1]
        pixels = network.prepare(torch.from_numpy(frame)[None], SIZE)
        expected = theirs(inference_session=session, frame=pixels).pred_masks[0, 0].numpy()
        assert expected.max() > NO_OBJECT, "the object is not in view, so nothing is compared"
        np.testing.assert_allclose(tracks.logits[0], expected, atol=1e-3, err_msg=f"frame {number}")
