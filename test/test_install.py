"""What CMakeLists.txt installs of the modules, by a project of that one command."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PROJECT = """cmake_minimum_required(VERSION 3.20)
project(modules NONE)
set(PYTHON_INSTALL_DIR python)
{command}
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_what_another_build_left_in_the_sources_is_not_installed(tmp_path: Path) -> None:
    command = re.search(r"^install\(DIRECTORY sam2_ros/.*?\)$", (ROOT / "CMakeLists.txt").read_text(), re.M | re.S)
    assert command is not None
    (tmp_path / "CMakeLists.txt").write_text(_PROJECT.format(command=command[0]))
    modules = ["__init__.py", "ros/node.py", "checkpoints/nano.safetensors"]
    left = ["sam2_ros_s__rosidl_typesupport_c.so", "msg/_prompt_point.py", "srv/_prompt.py", "ros/__pycache__/node.pyc"]
    for name in modules + left:
        file = tmp_path / "sam2_ros" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    build, installed = tmp_path / "build", tmp_path / "installed"
    for arguments in (
        ["-S", tmp_path, "-B", build, f"-DCMAKE_INSTALL_PREFIX={installed}"],
        ["--install", build],
    ):
        subprocess.run(["cmake", *map(str, arguments)], check=True, capture_output=True)

    package = installed / "python" / "sam2_ros"
    assert {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()} == set(modules)
