"""The network and the tracker against another implementation of SAM 2.1, on the same random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.names import for_transformers
from sam2_ros.network import NO_OBJECT, Sam2, Sam2Config
from sam2_ros.tracking import Prompt, Tracker

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

SIZE = 512
FRAMES = 10


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
    model.load_state_dict(for_transformers(dict(network.state_dict())), strict=True)
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
