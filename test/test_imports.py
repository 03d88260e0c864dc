"""Who may import whom: the tree is the dependency graph."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sam2_ros"

# Of our own packages; the leaves are imported by nobody but the command line, which names them as text.
OURS = {
    "network": set(),
    "tracking": {"network", "geometry"},
    "geometry": set(),
    "apps": {"network", "tracking", "geometry"},
    "ros": {"network", "tracking", "geometry", "transport", "msg", "srv"},
    # A ROS client like any other, which shares the conversion of images with the node.
    "simulation": {"geometry", "ros.arguments", "ros.images", "ros.log", "transport", "msg", "srv"},
    "web": {"geometry", "ros.arguments", "transport", "msg", "srv"},
}
ROS = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "geometry_msgs", "builtin_interfaces", "lifecycle_msgs",
    "rcl_interfaces", "diagnostic_msgs", "visualization_msgs", "vision_msgs", "tf2_msgs", "cv_bridge",
    "launch", "launch_ros",
}  # fmt: skip
OTHERS = {
    "network": {"torch", "safetensors", "triton"},
    "tracking": {"torch", "numpy", "safetensors"},
    "geometry": {"torch", "numpy", "cv2"},
    "apps": {"torch", "numpy", "cv2", "tqdm"},
    "ros": {"torch", "numpy", "cv2", *ROS},
    "simulation": {"numpy", "cv2", "mujoco", "av", "matplotlib", *ROS},
    "web": {"aiohttp", "numpy", *ROS},
}


def imported(file: Path) -> set[str]:
    """Absolute names of all modules that a file imports."""
    package = [PACKAGE.name, *file.relative_to(PACKAGE).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names |= {f"{module}.{alias.name}" for alias in node.names} if node.level and not node.module else {module}
    return names


def faults(file: Path, room: str) -> list[str]:
    found = []
    for name in sorted(imported(file)):
        top, _, rest = name.partition(".")
        if top == PACKAGE.name:
            part = rest.partition(".")[0]
            if part != room and not any(rest == may or rest.startswith(f"{may}.") for may in OURS[room]):
                found.append(name)
        elif top not in sys.stdlib_module_names and top not in OTHERS[room]:
            found.append(name)
    return found


@pytest.mark.parametrize("room", OURS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = sorted((PACKAGE / room).glob("**/*.py"))
    assert files, f"there is no room {room}"
    assert {str(file.relative_to(PACKAGE)): faults(file, room) for file in files if faults(file, room)} == {}


def test_every_room_has_a_rule() -> None:
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert rooms - {"msg", "srv"} == set(OURS)


def test_the_package_itself_is_empty_and_the_command_line_imports_nothing() -> None:
    assert (PACKAGE / "__init__.py").read_text().strip() == ""
    assert not [name for name in imported(PACKAGE / "__main__.py") if name.startswith(PACKAGE.name)]


def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "sam2_ros")
    file = tmp_path / "sam2_ros" / "network" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text("import rclpy\nfrom sam2_ros.tracking import Tracker\nfrom ..geometry import masks\nimport torch\n")
    assert faults(file, "network") == ["rclpy", "sam2_ros.geometry", "sam2_ros.tracking"]


def test_what_the_launch_file_imports_changes_no_environment() -> None:
    """All that is launched beside the node would have it."""
    launched = ast.parse((PACKAGE.parent / "launch" / "track.launch.py").read_text())
    names = [node.module or "" for node in ast.walk(launched) if isinstance(node, ast.ImportFrom)]
    modules = [name for name in names if name.startswith("sam2_ros")]
    assert modules
    code = f"import os; before = dict(os.environ); import {', '.join(modules)}; print(dict(os.environ) == before)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"
