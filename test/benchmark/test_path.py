"""The benchmark of the node's own path: every image is clocked, every output heard."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.path import __main__ as module
from benchmark.path.__main__ import OUTPUTS, Case, Result, evaluate, main


def _frame(stamp: int, own: float) -> dict[str, object]:
    return {"stamp": stamp, "own": own, "age": own + 0.002, "parts": {"read": own / 2}}


def test_only_what_counts_is_counted() -> None:
    frames = [_frame(0, 9.0), *(_frame(stamp, 0.004) for stamp in range(1, 10))]
    result = evaluate(list(range(1, 13)), frames, {})
    assert result.handled == 9 / 12
    assert result.own == pytest.approx((4.0, 4.0))
    assert result.age == pytest.approx((6.0, 6.0))
    assert result.parts == pytest.approx({"read": 2.0})


def test_nothing_handled_is_no_result() -> None:
    with pytest.raises(RuntimeError, match="none of 2 images"):
        evaluate([5, 6], [_frame(1, 0.004)], {})


def test_over_dds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a device that takes its time."""
    arguments = ["--size", "160x120", "--rate", "10", "--seconds", "2", "--device-ms", "40"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    plain, deep = json.loads((tmp_path / "path.json").read_text())["cases"]
    assert set(plain["heard"]) >= set(OUTPUTS) - {"points", "markers"}
    assert set(deep["heard"]) == set(OUTPUTS)
    assert "places" in deep["parts"]
    beside = {"overlay", "encode"}
    assert beside < set(deep["parts"])
    assert deep["own"][0] > sum(value for part, value in deep["parts"].items() if part not in beside) / 2
    assert all(case["device_ms"] == 40 and case["own"][0] > 40 for case in (plain, deep))
    assert capsys.readouterr().out.count("handled") == 2


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """The processes, of which the node's dies at once."""
    start, processes = subprocess.Popen, []

    def start_instead(command: list[str], **named: object) -> subprocess.Popen:
        if command[0] != sys.executable:  # Python's own, which asks the system for its name
            return start(command, **named)
        dies = "benchmark.path.clocked_node" in command
        processes.append(start([sys.executable, "-c", "raise SystemExit(3)"] if dies else command, **named))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", start_instead)
    return processes


def test_a_node_that_dies_is_noticed_and_leaves_no_camera_behind(
    tmp_path: Path, started: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 200.0)
    began = time.monotonic()
    assert main(["--size", "160x120", "--rate", "10", "--seconds", "1", "--output", str(tmp_path)]) == 1
    assert time.monotonic() - began < 200
    assert "benchmark.path: the node ended with exit status 3 before the camera did" in capsys.readouterr().err
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_camera_that_takes_too_long_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    assert main(["--size", "160x120", "--rate", "10", "--seconds", "1", "--output", str(tmp_path)]) == 1
    assert "benchmark.path: the camera did not end within 3 s" in capsys.readouterr().err


def test_what_was_measured_before_ctrl_c_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(case: Case, _: Path) -> Result:
        if case.depth:
            raise KeyboardInterrupt
        return evaluate([1], [_frame(1, 0.004)], {})

    monkeypatch.setattr(module, "measure", interrupted)
    assert main(["--size", "160x120", "--output", str(tmp_path)]) == 130
    file = tmp_path / "path.json"
    assert capsys.readouterr().err == f"benchmark.path: interrupted; of 2 cases {file} has the figures of 1\n"
    assert len(json.loads(file.read_text())["cases"]) == 1


def test_ctrl_c_while_it_measures_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "benchmark.path", "--size", "160x120", "--output", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "benchmark.path: interrupted; of 2 cases there are no figures"
    assert "Traceback" not in errors, "what the node had logged by then may stand before it, and nothing else"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--rate", "0"], "argument --rate: '0' must be a number above 0"),
        (["--rate", "nan"], "argument --rate: 'nan' must be a number above 0"),
        (["--seconds", "-1"], "argument --seconds: '-1' must be a number above 0"),
        (["--objects", "-1"], "argument --objects: '-1' must be a whole number from 0"),
        (["--objects", "9"], "--objects is 9, but 5 are in the picture"),
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
    monkeypatch.setattr(module, "measure", lambda *_: pytest.fail("it measured"))
    with pytest.raises(SystemExit) as caught:
        main(["--output", str(tmp_path), *arguments])
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("size", ["640", "640x", "1x1", "axb"])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--size", size])
    assert f"'{size}' is not a size" in capsys.readouterr().err
