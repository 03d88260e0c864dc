"""The launch files and RViz's layout.

`launch` is not on PyPI, so without a ROS installation only what needs none of it is looked at.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TRACK, DEMO = (ROOT / "launch" / f"{name}.launch.py" for name in ("track", "demo"))
LAYOUT = ROOT / "rviz" / "track.rviz"

RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(word.split(":=")) for word in sys.argv[2:]]
file = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(file, launch_arguments=arguments)]))
raise SystemExit(service.run())
"""


@pytest.mark.parametrize("file", [TRACK, DEMO])
def test_a_launch_file_is_python(file: Path) -> None:
    compile(file.read_text(), str(file), "exec")


def _layout() -> dict[str, Any]:
    return yaml.safe_load(LAYOUT.read_text())["Visualization Manager"]


def _topics(display: dict[str, Any]) -> list[str]:
    """Those that a display or tool of the layout names."""
    named = [value for key, value in display.items() if key.endswith("Topic")]
    return [one["Value"] if isinstance(one, dict) else one for one in named]


def test_the_layout_has_what_is_needed_to_look_and_to_click() -> None:
    layout = _layout()
    displays = {one["Name"]: one for one in layout["Displays"]}
    tools = {one["Class"]: one for one in layout["Tools"]}

    assert {name: one["Class"].removeprefix("rviz_default_plugins/") for name, one in displays.items()} == {
        "Overlay": "Image",
        "Image": "Image",
        "Scene": "DepthCloud",
        "Objects": "PointCloud2",
        "Boxes": "MarkerArray",
        "Frames": "TF",
    }
    assert all(one["Enabled"] == one["Value"] for name, one in displays.items())
    assert _topics(tools["rviz_default_plugins/PublishPoint"]) == ["/clicked_point"]
    # The first tool is the one in hand, and clicking must be meant.
    assert layout["Tools"][0]["Class"] == "rviz_default_plugins/MoveCamera"
    # What the node publishes and the simulated camera's frame.
    assert layout["Global Options"]["Fixed Frame"] == "camera_optical_frame"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], dict[str, Any]]:
    """What a launch file defines."""
    pytest.importorskip("launch_ros")
    monkeypatch.delenv("FASTDDS_BUILTIN_TRANSPORTS", raising=False)
    return lambda file: run_path(str(file))


@pytest.fixture
def nodes(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """The nodes that track.launch.py starts with such arguments, and the context to read them in. The page only if it
    is asked for."""
    from launch import LaunchContext

    module = load(TRACK)
    config = tmp_path / "a.yaml"
    config.touch()
    packages = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    packages.mkdir(parents=True)
    (packages / "rviz2").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))

    def make(**given: str) -> list[Any]:
        context = LaunchContext()
        defaults = {name: default for name, (default, _) in module["ARGUMENTS"].items()}
        context.launch_configurations.update({**defaults, "config": str(config), "page": "false", **given})
        return [context, *module["_nodes"](context)]

    return make


def _remaps(context: Any, node: Any) -> dict[str, str]:
    from launch.utilities import perform_substitutions

    # launch_ros shows these and the parameters nowhere else.
    pairs = node._Node__remappings
    return {perform_substitutions(context, a): perform_substitutions(context, b) for a, b in pairs}


def _given_parameters(context: Any, node: Any) -> dict[str, Any]:
    """Those that come after the file, and so win over it."""
    from launch_ros.utilities import evaluate_parameters

    file, given = evaluate_parameters(context, node._Node__parameters)
    assert Path(file).name == "a.yaml"
    return given


@pytest.mark.parametrize(
    ("file", "names"),
    [
        (
            TRACK,
            "image camera_info depth cameras model device rate namespace respawn page rviz use_sim_time frame config",
        ),
        (DEMO, "model device rviz"),
    ],
)
def test_every_argument_has_a_default_and_a_description(load: Any, file: Path, names: str) -> None:
    from launch.actions import DeclareLaunchArgument

    entities = load(file)["generate_launch_description"]().entities
    arguments = [one for one in entities if isinstance(one, DeclareLaunchArgument)]

    assert [argument.name for argument in arguments] == names.split()
    assert all(argument.default_value is not None and argument.description for argument in arguments)


def test_the_transport_is_set_unless_it_is_set_already(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from launch.actions import SetEnvironmentVariable

    describe = load(TRACK)["generate_launch_description"]
    assert [type(entity) for entity in describe().entities].count(SetEnvironmentVariable) == 1
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    assert [type(entity) for entity in describe().entities].count(SetEnvironmentVariable) == 0


def test_without_arguments_the_file_of_parameters_says_all(nodes: Any) -> None:
    context, node = nodes()

    assert _given_parameters(context, node) == {}
    assert _remaps(context, node) == {"image": "/camera/image_raw", "camera_info": "/camera/camera_info"}
    assert node._ExecuteLocal__respawn is False


def test_arguments_win_over_the_file_of_parameters(nodes: Any) -> None:
    context, node = nodes(
        image="/front/color/image_raw",
        camera_info="/front/calibration",
        depth="/front/aligned_depth_to_color/image_raw",
        model="sam2.1_hiera_tiny",
        device="cuda",
        rate="15",
        respawn="true",
        use_sim_time="true",
    )

    assert _given_parameters(context, node) == {
        "model": "sam2.1_hiera_tiny",
        "device": "cuda",
        "target_rate": 15.0,
        "depth": True,
        "use_sim_time": True,
    }
    assert _remaps(context, node) == {
        "image": "/front/color/image_raw",
        "camera_info": "/front/calibration",
        "depth": "/front/aligned_depth_to_color/image_raw",
    }
    assert node._ExecuteLocal__respawn is True


def test_several_cameras(nodes: Any) -> None:
    context, node = nodes(cameras="front, wrist", image="/{camera}/color/image_raw/compressed", depth="/{camera}/depth")

    assert list(_given_parameters(context, node)["cameras"]) == ["front", "wrist"]
    assert _remaps(context, node) == {
        "front/image": "/front/color/image_raw/compressed",
        "front/camera_info": "/front/color/camera_info",
        "front/depth": "/front/depth",
        "wrist/image": "/wrist/color/image_raw/compressed",
        "wrist/camera_info": "/wrist/color/camera_info",
        "wrist/depth": "/wrist/depth",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cameras": "front,wrist"}, "with several cameras the argument image must say where each one's name comes"),
        (
            {"cameras": "front,wrist", "image": "/{camera}/image", "depth": "/depth"},
            "with several cameras the argument depth must say where each one's name comes",
        ),
        (
            {"cameras": "front wrist", "image": "/{camera}/image"},
            "the argument cameras is 'front wrist'; it must be names",
        ),
        (
            {"cameras": "front,front", "image": "/{camera}/image"},
            "the argument cameras is 'front,front'; it must be names",
        ),
        ({"image": "/{camera}/image"}, "{camera} needs names in cameras, which is empty"),
        ({"rviz": "yes"}, "the argument rviz is 'yes'; it must be true or false"),
        ({"rate": "fast"}, "the argument rate is 'fast'; it must be a number"),
        ({"config": "/no/such.yaml"}, "the argument config is '/no/such.yaml', where there is no file"),
        ({"page": "true"}, "the argument page is 'true'; it must be HOST:PORT, as in localhost:8080, or false"),
    ],
)
def test_an_argument_that_cannot_be(nodes: Any, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(RuntimeError, match=sentence):
        nodes(**given)


def test_nothing_is_started_where_rviz_is_missing(nodes: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "elsewhere"))
    with pytest.raises(RuntimeError, match="rviz:=true needs the package rviz2, which is not installed"):
        nodes(rviz="true")


def test_the_page_is_of_this_node(load: Any, nodes: Any) -> None:
    from launch.utilities import perform_substitutions

    assert load(TRACK)["ARGUMENTS"]["page"][0] == "localhost:8080"
    context, _, page = nodes(page="0.0.0.0:9000", namespace="/robot/")
    arguments = [perform_substitutions(context, word) for word in page.cmd[1:5]]
    assert arguments == ["--address", "0.0.0.0:9000", "--node", "/robot/sam2"]


def test_every_topic_of_the_layout_is_mapped_to_one_that_there_is(nodes: Any) -> None:
    image, depth = "/{camera}/image/compressed", "/d/compressedDepth"  # of which RViz shows the raw ones
    context, _, rviz = nodes(rviz="true", namespace="robot", cameras="front", image=image, depth=depth)

    remaps = _remaps(context, rviz)
    assert set(remaps) == {topic for display in _layout()["Displays"] for topic in _topics(display)}
    assert remaps == {
        "/camera/image_raw": "/front/image",
        "/camera/depth/image_raw": "/d",
        "/camera/depth/camera_info": "/front/camera_info",
        "/sam2/overlay": "/robot/sam2/front/overlay",
        "/sam2/points": "/robot/sam2/front/points",
        "/sam2/markers": "/robot/sam2/front/markers",
    }


@pytest.fixture
def launch(load: Any, run: Any, tmp_path: Path) -> Callable[..., Any]:
    """Launches track.launch.py with such arguments, in a process of its own."""
    packages = pytest.importorskip("ament_index_python.packages")
    try:
        packages.get_package_prefix("sam2_ros")
    except (packages.PackageNotFoundError, OSError):  # the latter where there is no AMENT_PREFIX_PATH
        pytest.skip("the package sam2_ros is not installed where launch looks for it")
    program = tmp_path / "run.py"
    program.write_text(RUN)
    return lambda *arguments: run(str(program), str(TRACK), *arguments)


@pytest.mark.parametrize("page", ["localhost:0", "false"])
def test_all_ends_with_the_node(launch: Any, page: str) -> None:
    launched = launch(f"page:={page}", "model:=no_such_model")

    launched.wait()
    assert "'no_such_model' is neither a file nor the name of a model" in launched.output
    assert ("[page-2]: process has finished cleanly" in launched.output) == (page != "false")
    assert "Caught exception" not in launched.output


def test_it_runs_again_after_it_was_killed_and_ends_in_order(launch: Any, until: Any) -> None:
    launched = launch("image:=/other/image", "namespace:=robot", "respawn:=true")

    ready = "[robot.sam2]: waiting for images on /other/image"
    launched.wait_for(ready)
    started = launched.wait_for("[node-1]: process started with pid [")
    os.kill(int(started.rpartition("[")[2].rstrip("]")), signal.SIGKILL)
    until(lambda: launched.output.count(ready) == 2, check=launched.check)
    launched.send_signal(signal.SIGINT)
    assert launched.wait() == 0
    assert "process has finished cleanly" in launched.output
