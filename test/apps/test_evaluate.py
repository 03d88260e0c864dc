"""The command `sam2_ros evaluate`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from squares import ColourTracker, labels, write

from sam2_ros.apps import evaluate, follow
from sam2_ros.apps.evaluate import main

FIGURES = {"J", "F", "J&F", "box_iou", "presence"}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A sequence of one object, and one of two of which one is hidden for a while."""
    write(tmp_path / "data" / "one", *[labels(id1=(10 + k, 10, 16)) for k in range(5)])
    both, alone = labels(id1=(10, 10, 16), id2=(40, 20, 20)), labels(id1=(10, 10, 16))
    write(tmp_path / "data" / "two", both, alone, both, both)
    return tmp_path / "data"


@pytest.fixture
def colour_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "Tracker", ColourTracker)


def test_the_embedded_model_from_end_to_end(folders: Path, tmp_path: Path, capsys) -> None:
    target, pictures = tmp_path / "new" / "figures.json", tmp_path / "pictures"
    arguments = [str(folders), "--json", str(target), "--pictures", str(pictures), "--device", "cpu"]
    assert main([*arguments, "--image-size", "128", "--prompt", "box"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"nano, box prompt, 128 pixels, cpu, threads: \d+", lines[0])
    assert [line.split()[:3] for line in lines[2:]] == [["one", "5", "1"], ["two", "4", "2"], ["mean", "9", "3"]]
    content = json.loads(target.read_text())
    assert set(content) == {"mean", "sequences"}
    assert list(content["sequences"]) == ["one", "two"]
    for figures in (content["mean"], *content["sequences"].values()):
        assert set(figures) == FIGURES
        assert all(0 <= value <= 1 for value in figures.values())
        assert figures["J&F"] == pytest.approx((figures["J"] + figures["F"]) / 2)
    for name in FIGURES:
        both = [figures[name] for figures in content["sequences"].values()]
        assert content["mean"][name] == pytest.approx(np.mean(both))
    for name in ("one", "two"):
        assert cv2.imread(str(pictures / f"{name}.png")).shape[1] == 1600


def test_a_perfect_tracker_has_perfect_figures(folders: Path, tmp_path: Path, colour_tracker, capsys) -> None:
    assert main([str(folders / "one"), str(folders / "two"), "--json", str(tmp_path / "figures.json")]) == 0
    content = json.loads((tmp_path / "figures.json").read_text())
    assert set(content["mean"].values()) == {1.0}
    assert capsys.readouterr().out.splitlines()[-1].split()[3:8] == ["1.000"] * 5


def test_a_figure_that_does_not_exist_is_null(tmp_path: Path, colour_tracker) -> None:
    folder = write(tmp_path / "gone", labels(id1=(10, 10, 16)), labels(), labels())
    assert main([str(folder), "--json", str(tmp_path / "figures.json")]) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["mean"]["box_iou"] is None


def test_a_sequence_that_fails_on_the_way_does_not_cost_the_others(
    folders: Path, tmp_path: Path, colour_tracker, capsys
) -> None:
    (folders / "one" / "images" / "00003.png").write_bytes(b"")
    assert main([str(folders), "--json", str(tmp_path / "figures.json")]) == 1
    assert list(json.loads((tmp_path / "figures.json").read_text())["sequences"]) == ["two"]
    output = capsys.readouterr()
    assert "two" in output.out
    assert output.err.splitlines()[-1].endswith("00003.png is not an image that OpenCV can read")


def test_pictures_show_frames_that_have_labels(tmp_path: Path, colour_tracker) -> None:
    folder = write(tmp_path / "long", *[labels(id1=(10, 10, 16))] * 20)
    for number, file in enumerate(sorted((folder / "masks").iterdir())):
        if number not in (1, 2, 4):
            file.unlink()
    assert main([str(folder), "--pictures", str(tmp_path / "seen")]) == 0
    assert (tmp_path / "seen" / "long.png").stat().st_size > 1000


def test_a_picture_that_cannot_be_written_costs_no_figure(
    folders: Path, tmp_path: Path, colour_tracker, monkeypatch, capsys
) -> None:
    def full(*_: object) -> None:
        raise OSError("there is no room for the picture")

    monkeypatch.setattr(evaluate, "draw_sheet", full)
    figures = tmp_path / "figures.json"
    assert main([str(folders), "--json", str(figures), "--pictures", str(tmp_path / "seen")]) == 1
    assert list(json.loads(figures.read_text())["sequences"]) == ["one", "two"]
    assert "one was measured, but there is no room for the picture" in capsys.readouterr().err


def test_an_interrupt_leaves_the_figures_so_far(folders: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    class Interrupted(ColourTracker):
        def track(self, image, stamp):
            if self.options["capacity"] == 2:
                raise KeyboardInterrupt
            return super().track(image, stamp)

    monkeypatch.setattr(follow, "Tracker", Interrupted)
    assert main([str(folders), "--json", str(tmp_path / "figures.json")]) == 1
    assert list(json.loads((tmp_path / "figures.json").read_text())["sequences"]) == ["one"]
    assert "interrupted in two; the figures are those of the sequences before it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["none"], "none is not a folder; a labelled sequence is a folder with images/ and masks/"),
        (["data", "--model", "mega"], "'mega' is neither a file nor the name of a model; the names are"),
        (["data", "--image-size", "100"], "--image-size is 100; it must be a positive multiple of 32"),
        (["data", "--device", "gpu"], "--device is 'gpu'; it must be auto, cpu, cuda or cuda:N"),
        (["data", "--device", "cuda:99"], "--device is 'cuda:99', but PyTorch finds "),
        (["data", "--json", "data"], "--json data is a folder; it must be a file"),
        (["data", "--json", "file/a.json"], "file cannot be written: "),
        (["data", "--json", "/proc/a.json"], "/proc/"),
        (["data", "--frames", "2"], "the 2 frames of one leave nothing to measure"),
        (["data", "data"], "data/one and data/one have the same name; the figures of each sequence stand under"),
    ],
)
def test_one_sentence_for_each_error(
    arguments: list[str], sentence: str, folders: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(arguments) == 1
    assert f"sam2_ros evaluate: {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--prompt", "scribble"], "invalid choice: 'scribble'"),
        (["--frames", "0"], "'0' is not a number of frames; it must be at least 1"),
        (["--frames", "few"], "'few' is not a number of frames; it must be at least 1"),
    ],
)
def test_wrong_arguments(arguments: list[str], sentence: str, folders: Path, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(folders), *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
