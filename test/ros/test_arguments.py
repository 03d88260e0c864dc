"""What the programs say of a command line that ROS cannot read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.parameter import Parameter

from sam2_ros.ros import main as node
from sam2_ros.ros.arguments import BadRosArgument, parameters_named, without_ros
from sam2_ros.simulation import camera


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-r", "image"], "the ROS argument '-r image' cannot be read; it must be -r FROM:=TO with"),
        (["-p", "model"], "the ROS argument '-p model' cannot be read; it must be -p NAME:=VALUE with"),
        (["-p", "cameras:=[a,1]"], r"'-p cameras:=\[a,1\]' cannot be read \(Sequence should be of same type"),
        (
            ["--params-file", "/nonexist.yaml"],
            r"'--params-file /nonexist.yaml' cannot be read \(Error opening YAML file\); it must be --params-file FILE",
        ),
        (["--log-level", "loud"], "'--log-level loud' cannot be read .*; it must be --log-level LEVEL or"),
        (
            ["-p"],
            "the ROS arguments cannot be read: Couldn't parse trailing -p flag. No parameter override rule found$",
        ),
        (["--parameter", "a"], r"the ROS arguments \['--parameter', 'a'\] are unknown; --params-file, -p, -r and"),
    ],
)
def test_what_ros_cannot_read_is_named(arguments: list[str], sentence: str) -> None:
    with pytest.raises(BadRosArgument, match=sentence):
        without_ros(["clip.mp4", "--ros-args", *arguments])


def test_a_programs_own_arguments_are_left() -> None:
    assert without_ros(["clip.mp4", "--ros-args", "-p", "model:=nano", "--", "--loop"]) == ["clip.mp4", "--loop"]
    assert without_ros(["--ros-args", "-r", "image:=/camera/image_raw"]) == []


@pytest.mark.parametrize("main", [node.main, camera.main])
def test_the_programs_end_with_2_and_one_sentence(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--ros-args", "-r", "image"])

    assert end.value.code == 2
    assert "error: the ROS argument '-r image' cannot be read; it must be" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("domain", ["abc", "-1", "233", "1.5"])
def test_a_domain_that_cannot_be_is_named(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    with pytest.raises(BadRosArgument, match=f"ROS_DOMAIN_ID is '{domain}'; it must be a number from 0 to 232"):
        without_ros([])


def test_a_parameter_of_the_wrong_type_is_named() -> None:
    wrong = InvalidParameterTypeException(Parameter("use_sim_time", value="foo"), "BOOL")
    with pytest.raises(BadRosArgument, match="'use_sim_time' to 'foo' of type 'STRING', expecting type"), \
            parameters_named():  # fmt: skip
        raise wrong
