"""The command `python -m benchmark`, at the smallest size that there is."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
import torch

from benchmark import __main__ as module
from benchmark.__main__ import main
from benchmark.candidate import NotInstalled
from benchmark.memory import measure
from benchmark.race import Case
from benchmark.registry import Entry

SMALL = ["--frames", "3", "--warm-up", "1", "--adds", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def restore() -> None:
    before = torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_the_embedded_model_alone(tmp_path: Path, capsys) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    arguments = ["--model", "nano", "--image-size", "64", "--objects", "2", "1", "--candidate", "sam2_ros"]
    assert main([*arguments, *SMALL, "--no-memory", "--output", str(tmp_path / "new")]) == 0
    written = json.loads((tmp_path / "new" / "benchmark.json").read_text())
    assert [(case["objects"], list(case["candidates"])) for case in written["cases"]] == [
        (1, ["sam2_ros"]),
        (2, ["sam2_ros"]),
    ]
    assert written["cases"][1]["candidates"]["sam2_ros"]["operations"] > written["cases"][0]["floor"] > 0
    assert cv2.imread(str(tmp_path / "new" / "benchmark.png")) is not None
    assert "nano, 64 pixels, 2 objects" in capsys.readouterr().out


def test_beside_transformers_with_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    arguments = ["--image-size", "64", "--objects", "2", "--candidate", "sam2_ros", "transformers", *SMALL]
    assert main([*arguments, "--no-memory", "--output", str(tmp_path)]) == 0
    both = json.loads((tmp_path / "benchmark.json").read_text())["cases"][0]["candidates"]
    assert 0 < both["transformers"]["difference"] < 1e-4


def test_memory_in_a_process_of_its_own() -> None:
    case = Case("nano", 64, 2, torch.device("cpu"), torch.float32, warm_up=1, frames=1, adds=0)
    memory = measure(case, "sam2_ros")
    assert memory["growth"] == 0
    assert memory["peak"] > memory["held"] > 4 * 4.5  # 4.8 million parameters, and the tracker's own tensors
    with pytest.raises(RuntimeError, match="the memory of nobody could not be measured: KeyError: 'nobody'"):
        measure(case, "nobody")


def test_times_are_kept_where_memory_cannot_be_measured(tmp_path: Path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("the memory of sam2_ros could not be measured: none was left")

    monkeypatch.setattr(module.memory, "measure", full)
    arguments = ["--model", "nano", "--image-size", "64", "--objects", "1", "--candidate", "sam2_ros", *SMALL]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    assert "benchmark: the memory of sam2_ros could not be measured: none was left" in capsys.readouterr().err
    measured = json.loads((tmp_path / "benchmark.json").read_text())["cases"][0]["candidates"]["sam2_ros"]
    assert measured["p50"] > 0
    assert measured["memory"] == {}


def test_a_candidate_that_is_not_here(tmp_path: Path, monkeypatch, capsys) -> None:
    def absent() -> None:
        raise NotInstalled("it cannot be imported: pip install it")

    monkeypatch.setitem(module.CANDIDATES, "original", Entry(lambda *_: None, absent))
    assert main(["--candidate", "original", *SMALL]) == 1
    assert "not measured: original; it cannot be imported: pip install it" in capsys.readouterr().err
    monkeypatch.setattr(module, "EAGER", ("sam2_ros", "original"))
    arguments = ["--model", "nano", "--image-size", "64", "--objects", "1", *SMALL, "--no-memory"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "benchmark.json").read_text())
    assert list(written["not_measured"]) == ["original"]


def test_a_folder_that_cannot_be_is_said_before_anything_is_measured(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(module, "_measure", lambda *_, **named: pytest.fail("it measured"))
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "benchmark.json").mkdir(parents=True)
    for folder, sentence in (
        ("file/new", "/file/new; it must be a folder that can be written to: Not a directory"),
        ("taken", "/benchmark.json is a folder; the figures go to a file of that name"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["--model", "nano", "--candidate", "sam2_ros", *SMALL, "--output", str(tmp_path / folder)])
        assert caught.value.code == 2
        assert sentence in capsys.readouterr().err


def test_what_was_measured_before_ctrl_c_is_kept(tmp_path: Path, monkeypatch, capsys) -> None:
    measure_case = module._measure

    def interrupted(case: Case, *given: object, **named: object) -> object:
        if case.objects > 1:
            raise KeyboardInterrupt
        return measure_case(case, *given, **named)

    monkeypatch.setattr(module, "_measure", interrupted)
    arguments = ["--model", "nano", "--image-size", "64", "--candidate", "sam2_ros", *SMALL, "--no-memory"]
    arguments += ["--output", str(tmp_path)]
    assert main([*arguments, "--objects", "1", "2"]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"benchmark: interrupted; of 2 cases {tmp_path}/benchmark.json has the figures of 1"
    assert len(json.loads((tmp_path / "benchmark.json").read_text())["cases"]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["benchmark.json"]
    assert main([*arguments, "--objects", "2"]) == 130
    assert "benchmark: interrupted; of 1 cases there are no figures" in capsys.readouterr().err


def test_the_help_says_the_size_of_the_embedded_model(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"{module.NAMED['nano'].image_size} for nano" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--model", "mega"], "invalid choice: 'mega'"),
        (["--image-size", "100"], "'100' must be a multiple of 32 from 64"),
        (["--objects", "0"], "'0' must be a whole number from 1"),
        (["--adds", "-1"], "argument --adds: '-1' must be a whole number from 0"),
        (["--device", "gpu"], "--device is 'gpu'; it must be auto, cpu, cuda or cuda:N"),
        (["--device", "cuda:99"], "--device is 'cuda:99', but PyTorch finds "),
        (["--candidate", "nobody"], "invalid choice: 'nobody'"),
        (
            ["--model", "sam2.1_hiera_tiny", "nano", "--candidate", "transformers", "original"],
            "--candidate is transformers original, but nano can only be run by sam2_ros and sam2_ros-compiled",
        ),
    ],
)
def test_wrong_arguments(arguments: list[str], sentence: str, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
