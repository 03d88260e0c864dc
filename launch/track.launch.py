"""Tracks objects on the images of one camera or several.

ros2 launch sam2_ros track.launch.py image:=/camera/color/image_raw model:=sam2.1_hiera_small
ros2 launch sam2_ros track.launch.py cameras:=front,wrist image:=/{camera}/color/image_raw

The node configures and activates itself (parameter autostart), so that it does so again when it is started again.
"""

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, SetEnvironmentVariable
from launch.events import matches_action
from launch.events.process import ShutdownProcess
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from sam2_ros.ros.parameters import are_names
from sam2_ros.transport import LARGE_SEGMENT, VARIABLE
from sam2_ros.web.address import ADDRESS, parse

ARGUMENTS = {
    "image": (
        "/camera/image_raw",
        "topic of the camera's images; with several cameras, {camera} in it stands for each one's name",
    ),
    "camera_info": ("", "topic of the images' camera_info; empty: the one beside the images"),
    "depth": (
        "",
        "topic of depth images that are registered to the images, raw or .../compressedDepth; empty: as in config",
    ),
    "cameras": ("", "names of several cameras, with commas between them, also if config has them; empty: one camera"),
    "model": ("", "name of a model, or path of a checkpoint; empty: as in config"),
    "device": ("", "auto, cpu, cuda or cuda:N; empty: as in config"),
    "rate": ("", "images a second to keep up with, by a smaller size of image if need be; empty: as in config"),
    "namespace": ("", "namespace of the node"),
    "respawn": ("false", "true: start the node again when it ends; its objects are gone then"),
    "page": (ADDRESS, "HOST:PORT of the page to click on; 0.0.0.0:8080: for others as well; false: no page"),
    "rviz": ("false", "true: start RViz, with the picture, and a cloud to click on where there is depth"),
    "use_sim_time": ("false", "true: go by /clock, as of a simulation or of a bag that is played with --clock"),
    "frame": ("", "RViz's fixed frame, one of your tf or the images' own; empty: the simulated camera's"),
}


def generate_launch_description() -> LaunchDescription:
    config = PathJoinSubstitution([FindPackageShare("sam2_ros"), "config", "sam2.yaml"])
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            DeclareLaunchArgument("config", default_value=config, description="file with the node's parameters"),
            *_transport(),
            OpaqueFunction(function=_nodes),
        ]
    )


def _transport() -> list[SetEnvironmentVariable]:
    """For what is launched beside the node, a camera's driver before all. What the user has set stays as it is."""
    return [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, LARGE_SEGMENT)]


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context).strip() for name in ARGUMENTS}
    cameras = [name.strip() for name in given["cameras"].split(",") if name.strip()] or [""]
    _check(context, given, cameras)
    topics = {camera: _topics(given, camera) for camera in cameras}
    pages = [_page(given)] if _has_page(given["page"]) else []
    nodes = [_node(given, topics, pages), *pages]
    if _is_true("rviz", given["rviz"]):
        nodes.append(_rviz(given, cameras[0], topics[cameras[0]]))
    return nodes


def _topics(given: dict[str, str], camera: str) -> dict[str, str]:
    """What the node calls a camera's topics, to what they are called here."""
    image = given["image"]
    raw = _raw(image)
    beside = raw[: raw.rfind("/") + 1]
    topics = {"image": image, "camera_info": given["camera_info"] or f"{beside}camera_info", "depth": given["depth"]}
    return {name: topic.replace("{camera}", camera) for name, topic in topics.items() if topic}


def _raw(topic: str) -> str:
    """Without what image_transport adds to it."""
    return topic.removesuffix("/compressed").removesuffix("/compressedDepth")


def _check(context: LaunchContext, given: dict[str, str], cameras: list[str]) -> None:
    """Raises RuntimeError for what would go wrong only when some of the processes run already."""
    _check_names(given, cameras)
    config = LaunchConfiguration("config").perform(context)
    if not Path(config).is_file():
        raise RuntimeError(f"the argument config is {config!r}, where there is no file")
    if _is_true("rviz", given["rviz"]):
        try:
            get_package_prefix("rviz2")
        except PackageNotFoundError:
            raise RuntimeError(
                "rviz:=true needs the package rviz2, which is not installed; rviz:=false goes without"
            ) from None


def _check_names(given: dict[str, str], cameras: list[str]) -> None:
    """Raises RuntimeError for names that cannot be, and where a topic is not each camera's own; the images' must be
    said also of a single name."""
    if cameras == [""]:
        for name in ("image", "camera_info", "depth"):
            if "{camera}" in given[name]:
                raise RuntimeError(
                    f"the argument {name} is {given[name]!r}; {{camera}} needs names in cameras, which is empty"
                )
        return
    if not are_names(cameras):
        raise RuntimeError(
            f"the argument cameras is {given['cameras']!r}; it must be names that differ, of letters, digits and _, "
            "with commas between them"
        )
    for name in ("image", "camera_info", "depth") if len(cameras) > 1 else ("image",):
        if given[name] and "{camera}" not in given[name]:
            raise RuntimeError(
                f"with several cameras the argument {name} must say where each one's name comes, as in "
                f"/{{camera}}/color/image_raw; it is {given[name]!r}"
            )


def _node(given: dict[str, str], topics: dict[str, dict[str, str]], pages: list[Node]) -> Node:
    """The node. Arguments that were given come after the file of parameters, and so win over it.

    pages: end with it, unless it starts again. What else has been launched beside them goes on.
    """
    respawn = _is_true("respawn", given["respawn"])
    ends = [] if respawn else [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(page))) for page in pages]
    wins: dict[str, object] = {name: given[name] for name in ("model", "device") if given[name]}
    if given["rate"]:
        wins["target_rate"] = _number("rate", given["rate"])
    if given["depth"]:
        wins["depth"] = True
    if given["cameras"]:
        wins["cameras"] = list(topics)
    wins.update(_clock(given))
    return Node(
        package="sam2_ros",
        executable="node",
        name="sam2",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("config"), wins],
        remappings=[
            (f"{camera}/{name}" if camera else name, topic)
            for camera, names in topics.items()
            for name, topic in names.items()
        ],
        respawn=respawn,
        respawn_delay=2.0,
        on_exit=ends or None,  # an empty list is an error inside launch, when it is too late
        output="screen",
        emulate_tty=True,
    )


def _has_page(value: str) -> bool:
    if value.lower() in ("", "false"):
        return False
    try:
        parse(value)
    except ValueError:
        raise RuntimeError(f"the argument page is {value!r}; it must be HOST:PORT, as in {ADDRESS}, or false") from None
    return True


def _page(given: dict[str, str]) -> Node:
    return Node(
        package="sam2_ros",
        executable="page",
        namespace=LaunchConfiguration("namespace"),
        arguments=["--address", given["page"], "--node", _name(given)],
        output="screen",
        emulate_tty=True,
    )


def _name(given: dict[str, str]) -> str:
    """The node's, with its namespace."""
    return "/" + "/".join(part for part in (given["namespace"].strip("/"), "sam2") if part)


def _rviz(given: dict[str, str], camera: str, topics: dict[str, str]) -> Node:
    """RViz, with the topics of its layout mapped to those of the node and of its first camera."""
    node = "/".join(part for part in (_name(given), camera) if part)
    layout = PathJoinSubstitution([FindPackageShare("sam2_ros"), "rviz", "track.rviz"])
    mapped = {
        "/camera/image_raw": _raw(topics["image"]),
        "/camera/depth/image_raw": _raw(topics.get("depth", "")),
        "/camera/depth/camera_info": topics["camera_info"],
        **{f"/sam2/{name}": f"{node}/{name}" for name in ("overlay", "points", "markers")},
    }
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", layout, *(["-f", given["frame"]] if given["frame"] else [])],
        parameters=[_clock(given)],
        remappings=[(ours, theirs) for ours, theirs in mapped.items() if theirs],
        output="screen",
    )


def _clock(given: dict[str, str]) -> dict[str, bool]:
    """The parameter, if it was asked for; otherwise the one in config counts."""
    return {"use_sim_time": True} if _is_true("use_sim_time", given["use_sim_time"]) else {}


def _is_true(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise RuntimeError(f"the argument {name} is {value!r}; it must be true or false")
    return value.lower() == "true"


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise RuntimeError(f"the argument {name} is {value!r}; it must be a number") from None
