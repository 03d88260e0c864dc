"""The benchmark of precision: what it compares, and that it can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark import drift
from benchmark.drift import Stretch, loss, main, run
from sam2_ros.network import load_network
from sam2_ros.tracking import Tracker


def _scene() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A bright square that moves over grey; a second one is not there at first."""
    images, truth = [], []
    for number in range(4):
        masks = np.zeros((2, 96, 128), bool)
        masks[0, 20:60, 20 + 5 * number : 60 + 5 * number] = True
        masks[1, 70:90, 70:90] = number > 1
        image = np.full((96, 128, 3), 90, np.uint8)
        image[masks[0]] = (250, 200, 30)
        images.append(image)
        truth.append(masks)
    return images, truth


def test_precisions_are_compared_loop_by_loop() -> None:
    networks = [load_network("nano", device="cpu", dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    first, second = run([Tracker(network, image_size=128) for network in networks], *_scene(), frames=5)
    assert (first.frames, second.frames) == (4, 8)
    assert first.float32 > 0.6
    assert 0.9 < first.alike < 1  # another precision, but not another answer
    assert first.disagree == 0


def test_the_same_precision_does_not_drift() -> None:
    network = load_network("nano", device="cpu")
    (stretch,) = run([Tracker(network, image_size=128) for _ in range(2)], *_scene(), frames=4)
    assert stretch.alike == 1
    assert stretch.float32 == stretch.bfloat16


def test_only_the_last_quarter_counts() -> None:
    good, bad = Stretch(200, 0.8, 0.8, 1, 0), Stretch(200, 0.8, 0.5, 1, 0)
    assert loss([bad] * 6 + [good] * 2) == 0
    assert loss([good] * 6 + [bad] * 2) == pytest.approx(0.3)
    assert loss([bad]) == pytest.approx(0.3)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(drift, "_scene", _scene)
    arguments = ["--frames", "4", "--image-size", "128", "--device", "cpu", "--output", str(tmp_path)]
    assert main([*arguments, "--allowed", "0.2"]) == 0
    assert main([*arguments, "--allowed", "-1"]) == 1
    assert len(json.loads((tmp_path / "drift.json").read_text())["stretches"]) == 1
    assert "in the last quarter bfloat16 has" in capsys.readouterr().out


def test_what_was_measured_before_ctrl_c_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> Iterator[Stretch]:
        yield Stretch(200, 0.8, 0.8, 1, 0)
        raise KeyboardInterrupt

    monkeypatch.setattr(drift, "_scene", _scene)
    monkeypatch.setattr(drift, "run", interrupted)
    assert main(["--device", "cpu", "--output", str(tmp_path)]) == 130
    file = tmp_path / "drift.json"
    assert capsys.readouterr().err == f"benchmark.drift: interrupted; {file} has the figures up to frame 200\n"
    assert len(json.loads(file.read_text())["stretches"]) == 1


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--model", "nothing"], "'nothing' is neither a file nor the name of a model"),
        (["--frames", "0"], "argument --frames: '0' must be a whole number from 1"),
        (["--image-size", "0"], "argument --image-size: '0' must be a whole number from 1"),
        (["--image-size", "100"], "image_size is 100; it must be a positive multiple of 32"),
        (["--output", "/proc/none"], "--output is /proc/none; it must be a folder that can be written to"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(drift, "_scene", lambda: pytest.fail("it rendered"))
    with pytest.raises(SystemExit) as caught:
        main(["--device", "cpu", "--output", str(tmp_path), *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
