"""Pictures out of packages and out of Qt resource files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import sources


def photograph(red: int) -> np.ndarray:
    """RGB, 200 x 260, one colour."""
    return np.full((200, 260, 3), (red, 60, 20), np.uint8)


def test_resources_gives_every_webp_and_jpeg_and_nothing_else(tmp_path: Path) -> None:
    parts = [b"qres\x00\x01 and some names"]
    for way, red, size in ((".jpg", 200, (260, 200)), (".webp", 90, (260, 200)), (".jpg", 30, (40, 30))):
        picture = cv2.resize(photograph(red), size)
        parts.append(cv2.imencode(way, picture[..., ::-1], [])[1].tobytes())
    file = tmp_path / "game.rcc"
    file.write_bytes(b"\x00\x00\x01\x02".join(parts))
    found = list(sources.resources(file))
    assert sorted(float(picture[100, 100, 0]) for picture in found) == pytest.approx([90, 200], abs=6), "icons are not"
    assert all(picture.shape == (200, 260, 3) for picture in found)


def test_transparency_is_kept_and_colours_are_turned(tmp_path: Path) -> None:
    picture = np.zeros((20, 20, 4), np.uint8)
    picture[..., 0], picture[5:15, 5:15, 3] = 250, 255  # blue, as OpenCV writes it
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    read = sources.read(tmp_path / "a.png")
    assert read is not None and read[10, 10].tolist() == [0, 0, 250, 255] and read[0, 0, 3] == 0


def test_what_is_no_colour_picture_is_left_out(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((20, 20), np.uint8))
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((20, 20, 3), np.uint16))
    (tmp_path / "text.png").write_text("not a picture")
    assert [sources.read(tmp_path / name) for name in ("grey.png", "deep.png", "text.png")] == [None] * 3


def test_only_missing_packages_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PACKAGES", ("here", "missing"))
    (tmp_path / "here").mkdir()
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        ran.append([str(word) for word in command])
        if command[0] == "apt-get":
            (tmp_path / f"{command[2]}_1_all.deb").touch()
        else:
            Path(command[3]).mkdir()

    monkeypatch.setattr(subprocess, "run", run)
    sources.fetch(tmp_path)
    assert [words[0] for words in ran] == ["apt-get", "dpkg-deb"] and ran[0][-1] == "missing"
    assert (tmp_path / "missing").is_dir() and not list(tmp_path.glob("*.deb")) and not list(tmp_path.glob("*.part"))
