"""Builds the messages for `pip install`, by the same CMakeLists.txt that colcon uses.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildMessages(build_py):
    """Copies the Python modules, then generates, compiles and adds the messages."""

    def run(self) -> None:
        super().run()
        installed = self._cmake()
        site = next(installed.glob("l*/**/*-packages/sam2_ros"))
        self._add_python(site)
        files = [
            (str(file.parent.relative_to(installed)), [os.path.relpath(file)])
            for top in ("lib", "share")
            for file in sorted((installed / top).rglob("*"))
            if file.is_file() and site.parent not in file.parents
        ]
        self.distribution.data_files = files
        # An editable installation has made this command already, from the distribution as it was before.
        self.distribution.get_command_obj("install_data").data_files = files

    def _add_python(self, site: Path) -> None:
        # An editable installation uses the modules of the working tree, so the messages go there too.
        target = ROOT / "sam2_ros" if self.editable_mode else Path(self.build_lib) / "sam2_ros"
        for folder in ("msg", "srv"):
            shutil.rmtree(target / folder, ignore_errors=True)
            shutil.copytree(site / folder, target / folder)
        for library in site.glob("*.so"):
            shutil.copy2(library, target / library.name)

    def _cmake(self) -> Path:
        """Configures, builds and installs into a folder of its own, which is returned."""
        build = (ROOT / "build" / f"cmake-{sys.implementation.cache_tag}").resolve()
        shutil.rmtree(build, ignore_errors=True)
        source, installed = build / "source", build / "installed"
        # A copy, because CMake refuses to export a path inside its source folder, and .venv usually is inside.
        for name in ("msg", "srv", "sam2_ros", "launch", "config", "rviz"):
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        for name in ("CMakeLists.txt", "package.xml"):
            shutil.copy2(ROOT / name, source / name)
        prefixes = os.pathsep.join(dict.fromkeys([*map(str, _prefixes()), sys.prefix]))
        environment = {**os.environ, "AMENT_PREFIX_PATH": prefixes, "CMAKE_PREFIX_PATH": prefixes}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        for arguments in (
            ["-S", source, "-B", build / "build", f"-DCMAKE_INSTALL_PREFIX={installed}",
             "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}", f"-DPYTHON_EXECUTABLE={sys.executable}"],
            ["--build", build / "build", "--parallel"],
            ["--install", build / "build"],
        ):  # fmt: skip
            result = subprocess.run(["cmake", *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
            if result.returncode:
                raise SystemExit(f"{result.stdout[-6000:]}\nCMake could not build the messages; its output is above")
        return installed


def _prefixes() -> list[Path]:
    """Where ROS 2 from PyPI is: the environment that pip builds in, seen from its lib/python3.X/site-packages."""
    candidates = [prefix for path in sys.path for prefix in list(Path(path).parents)[2:3]]
    return [prefix for prefix in candidates if (prefix / "share" / "ament_cmake_core").is_dir()]


class BinaryDistribution(Distribution):
    """The messages are compiled, so a wheel is for one Python and one machine."""

    def has_ext_modules(self) -> bool:
        return True

    def has_data(self) -> bool:
        """Asked by editable installations, by a name that setuptools itself does not define."""
        return bool(self.data_files)


setup(cmdclass={"build_py": BuildMessages}, distclass=BinaryDistribution)
