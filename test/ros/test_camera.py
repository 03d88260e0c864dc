"""What one camera of a node has of its own."""

from __future__ import annotations

import pytest

from sam2_ros.ros.camera import frame_prefix


@pytest.mark.parametrize(
    ("node", "camera", "prefix"),
    [
        ("/sam2", "", "object_"),
        ("/sam2", "wrist", "wrist_object_"),
        ("/left/sam2", "", "left_object_"),
        ("/robot/left/sam2", "wrist", "robot_left_wrist_object_"),
        ("/sam2_left", "", "sam2_left_object_"),
        ("/robot/tracker", "wrist", "robot_tracker_wrist_object_"),
    ],
)
def test_frames_of_two_nodes_have_two_names(node: str, camera: str, prefix: str) -> None:
    assert frame_prefix(node, camera) == prefix
