"""Tracks objects on a camera's images.

ros2 launch sam2_ros track.launch.py image:=/camera/color/image_raw model:=sam2.1_hiera_small
"""

import os

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    config = PathJoinSubstitution([FindPackageShare("sam2_ros"), "config", "sam2.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "image", default_value="/camera/image_raw", description="topic of the camera's images"
            ),
            DeclareLaunchArgument(
                "model", default_value="", description="name of a model, or path of a checkpoint; empty: as in config"
            ),
            DeclareLaunchArgument(
                "device", default_value="", description="auto, cpu, cuda or cuda:N; empty: as in config"
            ),
            DeclareLaunchArgument("config", default_value=config, description="file with the node's parameters"),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
            *_transport(),
            OpaqueFunction(function=_node),
        ]
    )


def _transport() -> list[SetEnvironmentVariable]:
    """Fast DDS loses most best-effort images by its default transports. What the user has set stays as it is."""
    if "FASTDDS_BUILTIN_TRANSPORTS" in os.environ:
        return []
    return [SetEnvironmentVariable("FASTDDS_BUILTIN_TRANSPORTS", "LARGE_DATA")]


def _node(context: LaunchContext) -> list[Node]:
    """The node. Arguments that were given come after the file of parameters, and so win over it."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ("model", "device")}
    node = Node(
        package="sam2_ros",
        executable="node",
        name="sam2",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("config"), {name: value for name, value in given.items() if value}],
        remappings=[("image", LaunchConfiguration("image"))],
        output="screen",
        emulate_tty=True,
    )
    return [node]
