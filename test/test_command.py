"""The command line: every subcommand is there, explains itself and is refused when misspelt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sam2_ros.__main__ import COMMANDS


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


def test_a_command_that_is_none() -> None:
    result = run("trak")
    assert result.returncode == 2
    assert "invalid choice: 'trak'" in result.stderr
