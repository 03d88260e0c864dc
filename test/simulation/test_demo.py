"""The demo's command line and its way of failing. `make demo` runs the whole of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("matplotlib")

from sam2_ros.simulation.demo import main


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A red square that moves to the right, for two seconds."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for k in range(20):
        image = np.full((120, 160, 3), 90, np.uint8)
        image[40:80, 20 + 2 * k : 60 + 2 * k] = (30, 30, 220)
        cv2.imwrite(str(folder / f"{k:02}.png"), image)
    return folder


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_what_it_started(clip: Path, tmp_path: Path, sign: signal.Signals) -> None:
    command = [sys.executable, "-m", "sam2_ros", "demo", "--video", str(clip), "--box", "1,2,3,4", "--output"]
    demo = subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("starting the camera and the tracker")
    while not demo.stdout.readline().startswith("  node: "):  # which is started last
        assert demo.poll() is None
    children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
    demo.send_signal(sign)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert output.splitlines()[-1] == "not tracked: it was interrupted"
    assert len(children) == 2
    assert not any(Path(f"/proc/{child}").exists() for child in children)


@pytest.mark.parametrize("arguments, sentence", [
    (["--video", "clip.mp4"], "--video and --box go together"),
    (["--video", "clip.mp4", "--box", "1,2,3"], "--box 1,2,3: four numbers"),
    (["--video", "clip.mp4", "--box", "5,1,4,3"], "x0 must be below x1"),
    (["--video", "clip.mp4", "--box", "1,2,3,4"], "clip.mp4 does not exist"),
    (["--page", "--box", "1,2,3,4"], "--page and --box do not go together: on the page you draw the box"),
    (["--page", "--output", "x"], "--page and --output do not go together: the page is there until Ctrl-C"),
    (["--page", "--seconds", "5"], "--page and --seconds do not go together"),
    (["--seconds", "0"], "must be above 0"),
    (["--output", __file__], f"--output {__file__} cannot be written to: File exists"),
])  # fmt: skip
def test_wrong_arguments_get_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_a_tracker_that_cannot_start_ends_it_with_the_reason(
    capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path
) -> None:
    model = str(tmp_path / "missing.safetensors")
    assert main(["--video", str(clip), "--box", "20,40,60,80", "--model", model, "--output", str(tmp_path)]) == 1
    verdict = capsys.readouterr().out.partition("not tracked: ")[2]
    assert verdict.startswith("the node ended with exit status 1") and "missing.safetensors" in verdict


def test_a_box_outside_the_video_is_refused(capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path) -> None:
    assert main(["--video", str(clip), "--box", "500,40,600,80", "--output", str(tmp_path)]) == 1
    verdict = capsys.readouterr().out.partition("not tracked: ")[2]
    assert verdict.startswith("the tracker refused to track the object") and "500" in verdict


def test_a_video_is_tracked_from_its_first_image_and_its_film_written(
    capsys: pytest.CaptureFixture[str], clip: Path, tmp_path: Path
) -> None:
    # A rate that a busy machine keeps as well.
    arguments = ["--video", str(clip), "--box", "20,40,60,80", "--rate", "3", "--output", str(tmp_path / "out")]
    status = main(arguments)
    output = capsys.readouterr().out
    assert "prompted the object by box 20 40 60 80: object 1" in output
    assert "the source has ended" in output
    assert status == 0 and output.splitlines()[-1].startswith("tracked: "), output
    assert f"whether it was the right thing, {tmp_path / 'out' / 'overlay.mp4'} shows" in output
    film = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) >= 5 and film.get(cv2.CAP_PROP_FRAME_WIDTH) == 160
    assert cv2.imread(str(tmp_path / "out" / "summary.png")).shape[1] == 1950
