"""The launch file; `launch` is not on PyPI, so without a ROS installation only its syntax is looked at."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "launch" / "track.launch.py"


def test_it_is_python() -> None:
    compile(FILE.read_text(), str(FILE), "exec")


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The launch description's entities."""
    pytest.importorskip("launch_ros")
    monkeypatch.delenv("FASTDDS_BUILTIN_TRANSPORTS", raising=False)
    return lambda: run_path(str(FILE))["generate_launch_description"]().entities


def test_every_argument_has_a_default_and_a_description(describe: Any) -> None:
    from launch.actions import DeclareLaunchArgument

    arguments = [entity for entity in describe() if isinstance(entity, DeclareLaunchArgument)]

    assert {argument.name for argument in arguments} == {"image", "model", "device", "config", "namespace"}
    assert all(argument.default_value is not None and argument.description for argument in arguments)


def test_the_transport_is_set_unless_it_is_set_already(describe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from launch.actions import SetEnvironmentVariable

    assert [type(entity) for entity in describe()].count(SetEnvironmentVariable) == 1
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    assert [type(entity) for entity in describe()].count(SetEnvironmentVariable) == 0


def test_only_arguments_that_were_given_win_over_the_file(describe: Any) -> None:
    from launch import LaunchContext

    node = run_path(str(FILE))["_node"]
    for given, expected in (("", []), ("sam2.1_hiera_tiny", ["sam2.1_hiera_tiny"])):
        context = LaunchContext()
        context.launch_configurations.update(image="/x", model=given, device="", config="a.yaml", namespace="")

        (action,) = node(context)

        _, arguments = action._Node__parameters  # the file comes first; launch_ros shows it nowhere else
        assert [text.text.splitlines()[0] for (text,) in arguments.values()] == expected
