"""Where the pictures come from: Debian packages with free licences, fetched and unpacked without being installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PACKAGES = (
    "openclipart-png",
    "tuxpaint-stamps-default",
    "gcompris-qt-data",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "supertuxkart-data",
    "ukui-wallpapers",
)
"""Of Debian 12; training/README.md names their licences."""


def fetch(folder: Path) -> Path:
    """Unpacks the packages that are not there yet into the folder and returns it.

    Raises FileNotFoundError on a system without apt-get, CalledProcessError where a package cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        target = folder / package
        if target.is_dir():
            continue
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        archive = next(folder.glob(f"{package}_*.deb"))
        part = folder / f"{package}.part"
        subprocess.run(["dpkg-deb", "--extract", archive, part], check=True)
        archive.unlink()
        part.rename(target)
    return folder


def read(file: Path) -> NDArray[np.uint8] | None:
    """A picture as RGB or RGBA, 8 bits; None for what is neither."""
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    return None if picture is None else to_rgb(picture)


def to_rgb(picture: NDArray[np.generic]) -> NDArray[np.uint8] | None:
    """OpenCV's order of colours to ours; None for a picture of another kind."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        return None
    code = cv2.COLOR_BGR2RGB if picture.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(picture.astype(np.uint8), code), np.uint8)


def resources(file: Path) -> Iterator[NDArray[np.uint8]]:
    """The WebP and JPEG pictures inside a Qt resource file, which holds them as they are, one after the other."""
    content = file.read_bytes()
    for start in re.finditer(rb"RIFF....WEBPVP8|\xff\xd8\xff[\xe0\xe1\xdb]", content, re.DOTALL):
        begin = start.start()
        webp = content[begin : begin + 4] == b"RIFF"
        end = begin + 8 + int.from_bytes(content[begin + 4 : begin + 8], "little") if webp else begin + 2**21
        picture = cv2.imdecode(np.frombuffer(content[begin:end], np.uint8), cv2.IMREAD_UNCHANGED)
        rgb = None if picture is None else to_rgb(picture)
        if rgb is not None and min(rgb.shape[:2]) > 150:
            yield rgb
