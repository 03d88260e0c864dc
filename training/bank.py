"""Pictures that clips are made of, prepared once and kept in memory: cut-outs, photographs, solid models that turn,
rendered tables, photographs with marked things.

Sources, all free: the Debian packages of `sources.py`, the photographs in the scikit-image wheel that are in the public
domain or CC0, and the package's own simulated table.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sam2_ros.simulation.tabletop import Tabletop

from . import sources
from .marked import Marked, mark
from .models import turning_models

Image = NDArray[np.uint8]

_PHOTOGRAPHS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "camera.png", "coins.png", "clock_motion.png"),
)
_SPRITE = 192
"""Pixels, the longer side of a sprite."""
_PHOTOGRAPH = 400
"""Pixels, the shorter side of a photograph."""
_HELD_OUT = 12
"""One of so many pictures of each kind is kept for validation."""


@dataclass(frozen=True)
class Bank:
    """What a clip is drawn from. All colours are RGB, 0 to 255."""

    drawings: list[Image]
    """(h, w, 4), the last channel opacity."""
    cutouts: list[Image]
    """(h, w, 4), photographed things."""
    photographs: list[Image]
    """(h, w, 3)"""
    models: list[Image]
    """(T, h, w, 4), solid things as they look while they turn."""
    tables: list[tuple[Image, Image]]
    """Images (T, 256, 256, 3) and label images (T, 256, 256) of moving scenes."""
    marked: list[Marked]
    """Of the photographs, those with marked things."""

    def split(self) -> tuple[Bank, Bank]:
        """A bank for training and one for validation that share no picture; of a photograph that is kept, what was cut
        out of it (twenty of the cut-outs) may still be learnt from."""
        groups = (self.drawings, self.cutouts, self.photographs, self.models, self.tables)
        kept = [[one for n, one in enumerate(group) if n % _HELD_OUT] for group in groups]
        held_out = [list(group[::_HELD_OUT]) for group in groups]
        # A marked photograph goes where it goes as a photograph.
        kept.append([one for one in self.marked if one.number % _HELD_OUT])
        held_out.append([one for one in self.marked if not one.number % _HELD_OUT])
        return Bank(*kept), Bank(*held_out)  # type: ignore[arg-type]


def load_bank(folder: Path, *, drawings: int = 1500, tables: int = 300, seed: int = 0) -> Bank:
    """Reads the bank from the folder, or prepares it there. Raises FileNotFoundError where a source is missing."""
    file = folder / f"bank-{drawings}-{tables}-{seed}.npz"
    if not file.exists():
        _write(_prepare(folder / "sources", drawings, tables, seed), file)
    with np.load(file) as stored:
        groups = {
            kind: [stored[name] for name in stored.files if name.startswith(kind)]
            for kind in ("drawing", "cutout", "photograph", "model", "scene")
        }
    scenes = groups["scene"]
    pairs = list(zip(scenes[::2], scenes[1::2], strict=True))
    photographs = groups["photograph"]
    return Bank(groups["drawing"], groups["cutout"], photographs, groups["model"], pairs, mark(photographs))


def _write(bank: Bank, file: Path) -> None:
    scenes = [array for pair in bank.tables for array in pair]
    named = {
        "drawing": bank.drawings,
        "cutout": bank.cutouts,
        "photograph": bank.photographs,
        "model": bank.models,
        "scene": scenes,
    }
    arrays = {f"{kind}-{i:05}": array for kind, group in named.items() for i, array in enumerate(group)}
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]  # numpy's stub takes only its own flag by name
    part.rename(file)


def _prepare(folder: Path, drawings: int, tables: int, seed: int) -> Bank:
    sources.fetch(folder)
    random = np.random.default_rng(seed)
    games = list(_from_games(folder / "gcompris-qt-data"))
    drawn = [picture for picture in games if picture.shape[2] == 4]
    photographs = [picture for picture in games if picture.shape[2] == 3]
    stamps = folder / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    cutouts = [
        *_read_all(file for file in sorted(stamps.rglob("*.png")) if "symbols" not in file.parts),
        *(cut for cut in map(_off_plain_background, photographs) if cut is not None),
    ]
    clip_art = sorted((folder / "openclipart-png/usr/share/openclipart/png").rglob("*.png"))
    clip_art = [clip_art[index] for index in random.permutation(len(clip_art))]
    photographs += [*_of_wheel(), *_read_all(_wallpapers(folder))]
    photographs = [_shrunk(picture[..., :3]) for picture in photographs]
    marked = mark(photographs)  # before what takes minutes, since it refuses other versions of the sources
    return Bank(
        _sprites([*drawn], len(drawn)) + _sprites(_read_all(clip_art), drawings),
        _sprites(cutouts, len(cutouts)),
        photographs,
        turning_models(folder / "supertuxkart-data", seed),
        _tables(tables, seed),
        marked,
    )


def _read_all(files: Iterable[Path]) -> Iterator[Image]:
    return (picture for file in files if (picture := sources.read(file)) is not None)


def _from_games(folder: Path) -> Iterator[Image]:
    for file in sorted(folder.rglob("*.rcc")):
        yield from sources.resources(file)


def _wallpapers(folder: Path) -> Iterator[Path]:
    """The largest version of each wallpaper."""
    for package in ("lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds", "ukui-wallpapers"):
        files = sorted((folder / package).rglob("*.jpg")) + sorted((folder / package).rglob("*.png"))
        yield from (file for file in files if "logo" not in file.name and "MATE" not in file.name)
    for images in sorted((folder / "plasma-workspace-wallpapers").rglob("images")):
        yield max(images.iterdir(), key=lambda file: (file.stat().st_size, file.name))


def _of_wheel() -> list[Image]:
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise FileNotFoundError("the photographs are missing; pip install --group train")
    folder = Path(package.origin).parent / "data"
    pictures = [cv2.imread(str(folder / name)) for name in _PHOTOGRAPHS]
    return [rgb for picture in pictures if picture is not None and (rgb := sources.to_rgb(picture)) is not None]


def _sprites(pictures: Iterable[Image], count: int) -> list[Image]:
    """Up to `count` cut-outs that fill their frame neither too little nor as a plain rectangle."""
    found: list[Image] = []
    with tqdm(total=count, desc="sprites") as progress:
        for picture in pictures:
            sprite = _trim(picture) if picture.shape[2] == 4 else None
            if sprite is None or not 0.12 < (sprite[..., 3] > 127).mean() < 0.97:
                continue
            found.append(sprite)
            progress.update()
            if len(found) == count:
                break
    return found


def _trim(picture: Image) -> Image | None:
    """The largest connected part of an RGBA picture, cut to its edges and scaled; None if it is tiny."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((picture[..., 3] > 127).astype(np.uint8))
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, _ = stats[largest]
    if min(w, h) < 24 or max(w, h) > 8 * min(w, h):
        return None
    sprite = picture.copy()
    sprite[labels != largest, 3] = 0
    scale = _SPRITE / max(w, h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return np.asarray(cv2.resize(sprite[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA), np.uint8)


def _off_plain_background(picture: Image) -> Image | None:
    """What stands on a plain background in a photograph, as RGBA; None where the border is not plain."""
    small = _shrunk(picture)
    border = np.concatenate((small[0], small[-1], small[:, 0], small[:, -1])).astype(np.float32)
    if border.std(axis=0).max() > 9:
        return None
    height, width = small.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    smooth = cv2.GaussianBlur(small, (0, 0), 1)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        cv2.floodFill(smooth, mask, corner, 0, (3,) * 3, (3,) * 3, 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8))
    thing = cv2.morphologyEx((mask[1:-1, 1:-1] == 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    opacity = cv2.GaussianBlur(255 * cv2.erode(thing, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    return np.dstack((small, opacity)) if 0.04 < thing.mean() < 0.7 else None


def _shrunk(picture: Image) -> Image:
    """A picture at the size of the bank's photographs, without its opacity."""
    scale = _PHOTOGRAPH / min(picture.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(picture[..., :3]), None, fx=scale, fy=scale, interpolation=way)
    return np.asarray(small, np.uint8)[: 2 * _PHOTOGRAPH, : 2 * _PHOTOGRAPH]


def _tables(count: int, seed: int) -> list[tuple[Image, Image]]:
    """Eight frames each of `count` tables; every scene is another, none of them the demo's."""
    random = np.random.default_rng(seed)
    scenes = []
    for _ in tqdm(range(count), desc="tables"):
        start, step = random.uniform(0, 20), random.uniform(0.1, 0.4)
        table = Tabletop(int(random.integers(1, 2**31)), width=256, height=256, samples=0, shadow_map=512)
        frames = [table.frame(start + step * number, depth=False) for number in range(8)]
        table.close()
        scenes.append((np.stack([frame.image for frame in frames]), np.stack([frame.labels for frame in frames])))
    return scenes
