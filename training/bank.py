"""Pictures that clips are made of, prepared once and kept in memory: cut-out sprites, photographs, rendered tables.

Sources, all free: Debian's openclipart-png (public domain), the photographs in the scikit-image wheel that are in the
public domain or CC0, and the package's own simulated table.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sam2_ros.simulation.tabletop import Tabletop

CLIP_ART = Path("/usr/share/openclipart/png")
_PHOTOGRAPHS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "camera.png", "coins.png", "moon.png", "clock_motion.png"),
)
_SPRITE = 176
"""Pixels, the longer side of a sprite."""


@dataclass(frozen=True)
class Bank:
    """What a clip is drawn from. All colours are RGB, 0 to 255."""

    sprites: list[NDArray[np.uint8]]
    """(h, w, 4), the last channel opacity."""
    photographs: list[NDArray[np.uint8]]
    """(h, w, 3)"""
    tables: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    """Images (T, 256, 256, 3) and label images (T, 256, 256) of moving scenes."""


def load_bank(folder: Path, *, sprites: int = 1500, tables: int = 300, seed: int = 0) -> Bank:
    """Reads the bank from the folder, or prepares it there. Raises FileNotFoundError where a source is missing."""
    file = folder / f"bank-{sprites}-{tables}-{seed}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(seed)
        bank = Bank(_sprites(sprites, random), _photographs(), _tables(tables, random))
        scenes = [array for pair in bank.tables for array in pair]
        named = {"sprite": bank.sprites, "photograph": bank.photographs, "scene": scenes}
        arrays = {f"{kind}-{i:05}": array for kind, group in named.items() for i, array in enumerate(group)}
        part = file.with_suffix(".part.npz")
        np.savez(part, **arrays)  # type: ignore[arg-type]  # numpy's stub takes only its own flag by name
        part.rename(file)
    with np.load(file) as stored:
        groups = {
            kind: [stored[name] for name in stored.files if name.startswith(kind)]
            for kind in ("sprite", "photograph", "scene")
        }
    tables_of = list(zip(groups["scene"][::2], groups["scene"][1::2], strict=True))
    return Bank(groups["sprite"], groups["photograph"], tables_of)


def _sprites(count: int, random: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Cut-outs that fill their frame neither too little nor as a plain rectangle."""
    files = sorted(CLIP_ART.rglob("*.png"))
    if not files:
        raise FileNotFoundError(f"there are no pictures in {CLIP_ART}; install Debian's package openclipart-png")
    found: list[NDArray[np.uint8]] = []
    progress = tqdm(total=count, desc="sprites")
    for index in random.permutation(len(files)):
        picture = cv2.imread(str(files[index]), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
            continue
        sprite = _trim(picture.astype(np.uint8))
        if sprite is None or not 0.15 < (sprite[..., 3] > 127).mean() < 0.97:
            continue
        found.append(sprite)
        progress.update()
        if len(found) == count:
            break
    progress.close()
    return found


def _trim(picture: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The largest connected part of a BGRA picture, cut to its edges and scaled, as RGBA; None if it is tiny."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((picture[..., 3] > 127).astype(np.uint8))
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, _ = stats[largest]
    if min(w, h) < 24 or max(w, h) > 6 * min(w, h):
        return None
    sprite = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
    sprite[labels != largest, 3] = 0
    scale = _SPRITE / max(w, h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    return np.asarray(cv2.resize(sprite[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA), np.uint8)


def _photographs() -> list[NDArray[np.uint8]]:
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise FileNotFoundError("the photographs are missing; pip install --group train")
    folder = Path(package.origin).parent / "data"
    pictures = [cv2.imread(str(folder / name)) for name in _PHOTOGRAPHS]
    return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in pictures if picture is not None]  # type: ignore[misc]


def _tables(count: int, random: np.random.Generator) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Eight frames each of `count` tables; every scene is another."""
    scenes = []
    for _ in tqdm(range(count), desc="tables"):
        start, step = random.uniform(0, 20), random.uniform(0.1, 0.4)
        table = Tabletop(int(random.integers(1, 2**31)), width=256, height=256, samples=0, shadow_map=512)
        frames = [table.frame(start + step * number, depth=False) for number in range(8)]
        table.close()
        scenes.append((np.stack([frame.image for frame in frames]), np.stack([frame.labels for frame in frames])))
    return scenes
