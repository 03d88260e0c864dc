"""A simulated table with a depth camera, the node, and RViz to click in.

ros2 launch sam2_ros demo.launch.py

In RViz: Publish Point (key c), then a click on a thing of the cloud. Needs MuJoCo: pip install mujoco
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ARGUMENTS = {
    "model": ("nano", "name of a model, or path of a checkpoint"),
    "device": ("auto", "auto, cpu, cuda or cuda:N"),
    "rviz": ("true", "true: start RViz, to look and to click"),
}


def generate_launch_description() -> LaunchDescription:
    track = PathJoinSubstitution([FindPackageShare("sam2_ros"), "launch", "track.launch.py"])
    given = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    topics = {
        "image": "/camera/image_raw",
        "camera_info": "/camera/camera_info",
        "depth": "/camera/depth/image_raw",
    }
    camera = Node(
        package="sam2_ros",
        executable="camera",
        arguments=["--simulated", "--wait"],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="the simulated camera has ended"),
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            # First, because it sets the transport for the camera as well.
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(track), launch_arguments=[*topics.items(), *given.items()]
            ),
            camera,
        ]
    )
