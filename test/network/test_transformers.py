"""The network and the tracker against another implementation of SAM 2.1, on the same random weights.

Where transformers departs from the original, `Reference` leads it back: the answers expected are the original's.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from sam2_ros.network import NO_OBJECT, Sam2, Sam2Config
from sam2_ros.tracking import Prompt, Tracker

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
for_transformers = pytest.importorskip("benchmark.names", reason="benchmark/ is not installed").for_transformers

SIZE = 256
FRAMES = 10

CLICK = Prompt(points=np.array([[130.0, 110.0]]), labels=np.array([1]))
NOT_HERE = Prompt(points=np.array([[60.0, 200.0]]), labels=np.array([0]))
BOX = Prompt(box=np.array([100.0, 75.0, 165.0, 150.0]))
# The original remembers a mask shrunk to a quarter and enlarged again, transformers the mask itself; for a stripe
# between multiples of four both are the same.
STRIPE = Prompt(mask=np.tile((np.arange(SIZE) >= 100) & (np.arange(SIZE) < 164), (SIZE, 1)))


@pytest.fixture(scope="module", params=["2.1", "2.0"])
def network(request: pytest.FixtureRequest) -> Sam2:
    torch.manual_seed(3)
    newer = request.param == "2.1"
    config = Sam2Config(image_size=SIZE, no_obj_embed_spatial=newer, add_tpos_enc_to_obj_ptrs=newer)
    network = Sam2(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        # As initialised, what is remembered would hardly count, and pointers and ages next to nothing.
        if name.endswith("gamma") or name.startswith("obj_ptr_tpos_"):
            torch.nn.init.normal_(parameter, std=0.3)
        elif name.startswith(("maskmem_", "no_")):
            torch.nn.init.normal_(parameter)
        elif parameter.dim() > 1 and not name.startswith("image_encoder."):
            parameter *= 2.3
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
    model = transformers.Sam2VideoModel(config).eval().requires_grad_(False)
    model.load_state_dict(for_transformers(dict(network.state_dict())), strict=True)
    return model


@pytest.fixture(scope="module")
def encoded(theirs):
    """Where transformers keeps the frames that it has encoded, for all sessions."""
    return transformers.Sam2VideoInferenceSession(max_vision_features_cache_size=FRAMES).cache


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A bright square that drifts over noise."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 80, (FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    for number in range(FRAMES):
        frames[number, 75 + 4 * number : 150 + 4 * number, 100:165] = (230, 180, 60)
    return frames


class Reference:
    """One object as transformers follows it, in a session of its own: with others in it, a prompt for one of them makes
    all remember that frame as if they had been prompted."""

    def __init__(self, model: Any, encoded: Any, *, corrections_condition: bool) -> None:
        self._model = model
        self._corrections_condition = corrections_condition
        self._session = transformers.Sam2VideoInferenceSession(video_height=SIZE, video_width=SIZE, dtype=torch.float32)
        self._session.cache = encoded
        self._session.obj_id_to_idx(1)
        outputs = self._session.output_dict_per_obj[0]
        self._conditioning, self._others = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]

    def answer(self, pixels: torch.Tensor, number: int, prompt: Prompt | None) -> Any:
        """On a frame: the object is tracked, unless it begins here, and then prompted if there is a prompt."""
        run = partial(self._model, inference_session=self._session, frame=pixels, frame_idx=number)
        tracked = run() if self._conditioning else None
        if prompt is None:
            return tracked
        self._put_in(prompt, number)
        # Like the original, a correction begins from the mask as it was, and a mask's pointer is the single mask's.
        earlier = None if tracked is None else tracked.pred_masks.clamp(-32, 32)
        infer = partial(self._model._run_single_frame_inference, prev_sam_mask_logits=earlier)
        decode = partial(self._model._single_frame_forward, multimask_output=False)  # where it is not said otherwise
        with patch.multiple(self._model, _run_single_frame_inference=infer, _single_frame_forward=decode):
            answer = run()
        if tracked is not None and self._corrections_condition:
            self._conditioning[number] = self._others.pop(number)
        return answer

    def _put_in(self, prompt: Prompt, number: int) -> None:
        if prompt.mask is not None:
            self._session.add_mask_inputs(0, number, torch.from_numpy(prompt.mask)[None, None])
        else:
            corners = prompt.box is not None
            points = torch.tensor(prompt.box if corners else prompt.points, dtype=torch.float32).view(1, 1, -1, 2)
            labels = torch.tensor([2, 3] if corners else prompt.labels).view(1, 1, -1)
            self._session.add_point_inputs(0, number, {"point_coords": points, "point_labels": labels})
        self._session.obj_with_new_inputs = [1]


@pytest.mark.parametrize(
    "objects, hidden, lasting",
    [
        pytest.param([{0: CLICK}], (), False, id="point"),
        pytest.param([{0: BOX}], (), False, id="box"),
        pytest.param([{0: STRIPE}], (), False, id="mask"),
        pytest.param([{0: CLICK, 4: NOT_HERE}], (), False, id="correction"),
        pytest.param([{0: CLICK, 4: NOT_HERE}], (), True, id="lasting correction"),
        pytest.param([{0: CLICK}, {3: BOX}], (), False, id="second object"),
        pytest.param([{0: CLICK}], (0, 4, 5), False, id="out of view"),
        pytest.param([{0: CLICK, 4: NOT_HERE}], (4, 5), False, id="correction out of view"),
    ],
)
def test_low_resolution_logits_and_scores_equal(network, theirs, encoded, frames, objects, hidden, lasting) -> None:
    """objects: the prompts of each by frame; hidden: frames on which nothing is in view; lasting: corrections
    condition."""
    heads = network.sam_mask_decoder.pred_obj_score_head.layers[-1], theirs.mask_decoder.pred_obj_score_head.proj_out
    tracker = Tracker(network, corrections_condition=lasting, hide_below=0.5)
    references = [Reference(theirs, encoded, corrections_condition=lasting) for _ in objects]
    for number, frame in enumerate(frames):
        for head in heads:
            head.bias.fill_(-5.0 if number in hidden else 5.0)
        tracker.track(frame, number)
        for object_id, prompts in enumerate(objects, start=1):
            if number in prompts:
                tracker.prompt(prompts[number], object_id=object_id if object_id in tracker.ids else None)
        tracks = tracker.current()
        pixels = network.prepare(torch.from_numpy(frame)[None], SIZE)
        for row in range(len(tracks.ids)):
            expected = references[row].answer(pixels, number, objects[row].get(number))
            logits, where = expected.pred_masks[0, 0].numpy(), f"object {row + 1}, frame {number}"
            assert (logits.max() > NO_OBJECT) == (number not in hidden), f"{where} is not as the case has it"
            np.testing.assert_allclose(tracks.logits[row], logits, atol=5e-3, rtol=0, err_msg=where)
            score = expected.object_score_logits.item()
            np.testing.assert_allclose(tracks.scores[row], score, atol=5e-4, rtol=0, err_msg=where)
