"""Child processes: their lines, their death, their end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2_ros.simulation.processes import Process, ProcessDied


def _until(condition: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def test_a_death_is_reported_with_the_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    process = Process("camera", ["camera", "no-such-clip.mp4"])
    _until(lambda: process.ended)
    with pytest.raises(ProcessDied, match="the camera ended with exit status 1") as caught:
        process.check()
    assert "no-such-clip.mp4 does not exist" in str(caught.value)
    assert "  camera: sam2_ros camera: no-such-clip.mp4 does not exist" in capsys.readouterr().out


def test_to_wait_for_one_ends_when_another_has_died() -> None:
    """As the page does whose port is taken, while the camera renders for long."""
    waiting, dead = Process("waiting", ["camera", "--simulated"]), Process("page", ["camera", "no-such-clip.mp4"])
    try:
        with pytest.raises(ProcessDied, match="the page ended with exit status 1"):
            waiting.wait_for("nothing that it says", beside=[dead])
        assert not waiting.ended
    finally:
        waiting.stop()


def test_a_running_process_passes_the_check_and_stops_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20, 3), np.uint8))
    process = Process("camera", ["camera", str(tmp_path), "--loop"])
    said: list[str] = []

    def playing() -> bool:
        said.append(capsys.readouterr().out)
        return "playing at" in "".join(said)

    _until(playing)
    process.check()
    assert not process.ended
    process.stop()
    assert process.ended
