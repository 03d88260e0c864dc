"""The training loop: it learns, it goes on where it stopped, and what it writes can be loaded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bank import small_bank

from sam2_ros.network import Sam2, Sam2Config, load_network
from sam2_ros.network.efficientnet import EfficientNetLite0
from training import train
from training.clips import Clip
from training.rollout import PROMPTS, roll
from training.train import Stage, Training

CLIP = Clip(np.zeros((2, 64, 64, 3), np.uint8), np.ones((2, 2, 64, 64), bool))
STAGE = Stage("small", 4, size=64, frames=2, clips=1, objects=2, rate=1e-3, frozen=5, dice=1, trusted=0.5)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Begins or resumes a run in a folder, from a random trunk."""
    torch.manual_seed(0)
    trunk = EfficientNetLite0().state_dict()
    monkeypatch.setattr(train, "imagenet_weights", lambda: trunk)
    monkeypatch.setattr(train, "validate", lambda *_, **__: {})
    bank = small_bank()

    def begin(name: str, **more) -> Training:
        (tmp_path / name).mkdir(exist_ok=True)
        return Training(tmp_path / name, bank, **{"seed": 3, "device": "cpu", **more})

    return begin


@pytest.mark.parametrize("glances", [False, True])
def test_the_number_decides_a_clip_that_is_cut_out_and_its_glances(glances: bool) -> None:
    stage = replace(STAGE, clips=1, regions=True, glances=glances)
    clips = train.Clips(small_bank(), stage, context=3.0, seed=1, first=0)
    first, again, other = clips[5], clips[5], clips[6]
    assert first[0].shape == (2, 2, 64, 64, 3) and first[1].shape == (2, 2, 1, 64, 64)
    assert first[2].shape == (2 * glances, 64, 64, 3) and first[3].shape == (2 * glances, 64, 64)
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_fixed_batch_is_learned(prompt: str) -> None:
    torch.manual_seed(0)
    config = Sam2Config(
        image_size=64, trunk="efficientnet_lite0", d_model=32, mem_dim=8, num_layers=1, dim_feedforward=32
    )
    network = Sam2(replace(config, decoder_mlp_dim=32))
    images = torch.full((1, 3, 64, 64, 3), 60, dtype=torch.uint8)
    masks = torch.zeros(1, 3, 1, 64, 64, dtype=torch.bool)
    masks[..., 16:48, 20:44] = True
    images[masks[:, :, 0]] = torch.tensor([220, 120, 30], dtype=torch.uint8)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    totals = []
    for _ in range(40):
        total = roll(network, images, masks, np.random.default_rng(1), prompt=prompt, trusted=1.0).losses.total()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.6 * totals[0]


def test_a_run_that_was_interrupted_ends_like_one_that_was_not(begin) -> None:
    whole = begin("whole")
    whole.run((STAGE,))
    interrupted = begin("interrupted")
    optimiser = interrupted._optimiser(STAGE)
    for number, batch in enumerate(interrupted._batches(STAGE)):
        if number == 2:
            break
        interrupted.log.append(interrupted._step(STAGE, optimiser, *batch))
        interrupted.step += 1
        interrupted.average.update(interrupted.network)
    interrupted._write(optimiser)
    resumed = begin("interrupted")
    assert resumed.step == 2
    resumed.run((STAGE,))
    assert [entry["total"] for entry in resumed.log] == pytest.approx([entry["total"] for entry in whole.log], rel=1e-4)
    for key, tensor in whole.average.state.items():
        torch.testing.assert_close(resumed.average.state[key], tensor, rtol=1e-3, atol=1e-4, msg=key)


def test_a_stage_may_keep_a_share_of_what_was_before_it(begin) -> None:
    results = {}
    for share in (0.0, 0.5, 1.0):
        run = begin(f"share {share}")
        run.run((STAGE, replace(STAGE, name="mixed", earlier=share)))
        results[share] = run.average.state["obj_ptr_proj.layers.0.weight"]
    alone = begin("alone")
    alone.run((STAGE,))
    assert torch.equal(results[1.0], alone.average.state["obj_ptr_proj.layers.0.weight"])
    assert not torch.equal(results[0.0], results[1.0])
    torch.testing.assert_close(results[0.5], (results[0.0] + results[1.0]) / 2)


def test_what_is_written_can_be_loaded_and_seen(begin, tmp_path: Path) -> None:
    training = begin("run")
    training.run((STAGE,))
    network = load_network(tmp_path / "run" / "nano.safetensors")
    assert network.config == Sam2Config.named("nano")
    expected = training.average.state["no_obj_ptr"]
    torch.testing.assert_close(network.no_obj_ptr.data, expected, rtol=1e-3, atol=1e-4)
    assert (tmp_path / "run" / "curve.png").stat().st_size > 1000


def test_one_that_stopped_on_a_stages_last_step_begins_the_next_afresh(begin) -> None:
    """What the optimiser knew of the stage that has ended is nothing to the next one, which may learn other layers."""
    following = replace(STAGE, name="next", frozen=16, steps=1)
    stopped = begin("stopped")
    optimiser = stopped._optimiser(STAGE)
    stopped.step = STAGE.steps
    stopped._write(optimiser)
    resumed = begin("stopped")
    resumed.run((STAGE, following))
    assert [entry["stage"] for entry in resumed.log] == ["next"]


def test_another_seed_in_the_same_folder_is_refused(begin) -> None:
    begin("run").run((replace(STAGE, steps=1),))
    with pytest.raises(ValueError, match="was begun with seed 3, not 4"):
        begin("run", seed=4)


def test_two_processes_share_a_step_and_miss_no_clip(begin, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(train, "make_clip", lambda bank, number, **_: seen.append(number) or CLIP)
    monkeypatch.setattr(train, "DataLoader", lambda clips, batch, sampler, **_: [clips[index] for index in sampler])
    for rank in range(2):
        list(begin("run", rank=rank, ranks=2)._batches(replace(STAGE, clips=2)))
    assert sorted(seen) == list(range(8)) and seen[:4] == [0, 2, 4, 6]


def test_a_rehearsal_goes_through_all_stages_and_leaves_a_run_alone(
    begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin("run").run((STAGE,))
    kept = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    monkeypatch.setattr(train, "load_bank", lambda _: small_bank())
    monkeypatch.setattr(torch, "set_flush_denormal", lambda _: True)  # it would stay so for the tests that follow
    monkeypatch.setattr(train, "STAGES", (replace(STAGE, steps=400), replace(STAGE, name="next", steps=100)))
    shorter = tuple(replace(part, steps=400, rods=False) for part in train.refining.PARTS)
    monkeypatch.setattr(train.refining, "PARTS", shorter)
    begun: list[str] = []
    run_stage = Training._run_stage
    monkeypatch.setattr(Training, "_run_stage", lambda self, stage: (begun.append(stage.name), run_stage(self, stage)))
    target = tmp_path / "nano.safetensors"
    monkeypatch.setattr("sys.argv", ["train", "--folder", str(tmp_path / "run"), "--target", str(target), "--rehearse"])
    train.main()
    train.main()  # a second one goes the whole way as well
    rehearsal = tmp_path / "run" / "rehearsal"
    assert [entry["stage"] for entry in json.loads((rehearsal / "log.json").read_text())] == ["small"] * 2 + ["next"]
    for part in ("edges", "lead"):
        assert torch.load(rehearsal / f"{part}.pt")["step"] <= 2, "and refines"
    assert begun == ["small", "next"] * 2
    assert load_network(rehearsal / "nano.safetensors").config == Sam2Config.named("nano")
    assert not target.exists() and (tmp_path / "run" / "checkpoint.pt").read_bytes() == kept
