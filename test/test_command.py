"""The command line: every subcommand is there, explains itself and is refused when misspelt."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sam2_ros.__main__ import COMMANDS, main

_TINY = """
import sys
import threading

import torch

from sam2_ros import __main__
from sam2_ros.apps import soak

def look():
    seen.append(int((torch.full((1_000_000,), 1e-30) * 1e-10).count_nonzero()))

def main(_):
    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    print(*seen)
    return 0

seen = []
if sys.argv[1] == "as a command":
    soak.main = main
    __main__.main(["soak"])
else:
    main([])
"""
"""Prints how many of a million products near 1e-40 are not zero, in the main thread and in another."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sam2_ros", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0, result.stderr
    assert f"usage: sam2_ros {command}" in result.stdout


def test_the_command_itself() -> None:
    result = run("--help")
    assert result.returncode == 0
    for command, (_, summary) in COMMANDS.items():
        assert command in result.stdout
        assert summary.split()[0] in result.stdout


def test_the_version_is_that_of_the_package() -> None:
    package = ET.parse(Path(__file__).parents[1] / "package.xml")
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"sam2_ros {package.findtext('version')}\n")


def test_a_command_that_is_none() -> None:
    result = run("trak")
    assert result.returncode == 2
    assert "invalid choice: 'trak'" in result.stderr


@pytest.mark.parametrize(("how", "left"), [("as a command", 0), ("as a library", 1_000_000)])
def test_denormals_are_zero_in_commands_alone(how: str, left: int) -> None:
    result = subprocess.run([sys.executable, "-c", _TINY, how], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(left)] * 2


@pytest.mark.parametrize(("command", "status"), [("node", 0), ("page", 0), ("camera", 0), ("soak", 130)])
def test_a_node_that_is_told_to_stop_has_not_failed(command: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it is still being imported."""

    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sam2_ros.__main__.import_module", interrupted)
    assert main([command]) == status
