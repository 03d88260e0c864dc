"""Everyday objects for the simulated tabletop: each is made of a few textured meshes and stands on its origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .meshes import BOX_SIDES, Array, Mesh, ball, box, lathe, tube
from .textures import (
    Colour,
    Image,
    disc,
    dots,
    framed,
    hue,
    lettered,
    noise,
    plain,
    segments,
    shade,
    sheet,
    stripes,
    write,
)


@dataclass(frozen=True)
class Part:
    """One mesh with its picture."""

    mesh: Mesh
    texture: Image
    specular: float = 0.3
    """0 matt to 1 strong highlights."""
    shininess: float = 0.5
    """0 wide to 1 narrow highlights."""


@dataclass(frozen=True)
class Thing:
    """An object: its parts in its own frame, x right, y away from the camera, z up; the origin is under its middle."""

    name: str
    parts: tuple[Part, ...]
    rolls: bool = False
    """Turns about y as it moves along x, as a ball does."""

    @property
    def low(self) -> Array:
        """(3,) metres, the smallest coordinates of its vertices."""
        return np.asarray(np.min([part.mesh.vertices.min(0) for part in self.parts], 0))

    @property
    def high(self) -> Array:
        """(3,) metres, the largest coordinates of its vertices."""
        return np.asarray(np.max([part.mesh.vertices.max(0) for part in self.parts], 0))

    @property
    def radius(self) -> float:
        """Metres, of the upright cylinder about the origin that holds it however it is turned."""
        return float(max(np.hypot(part.mesh.vertices[:, 0], part.mesh.vertices[:, 1]).max() for part in self.parts))


@dataclass(frozen=True)
class Paint:
    """The colours of an object."""

    main: Colour
    accent: Colour
    light: Colour = (0.95, 0.93, 0.88)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Paint:
        h = float(rng.random())
        main = hue(h, rng.uniform(0.35, 0.95), rng.uniform(0.35, 0.95))
        accent = hue(h + rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.95), rng.uniform(0.3, 0.95))
        return cls(main, accent, hue(rng.random(), rng.uniform(0.0, 0.15), rng.uniform(0.8, 0.97)))


def _words(rng: np.random.Generator) -> str:
    return str(rng.choice(["MUESLI", "OATS", "CRUNCH", "RICE", "FLAKES", "TEA", "SUGAR", "PASTA"]))


def mug(rng: np.random.Generator, paint: Paint) -> Thing:
    """A cylinder with a wall, an inside and a handle at its right."""
    r, h, wall = rng.uniform(0.038, 0.046), rng.uniform(0.085, 0.11), 0.004
    outside = np.array([(0, 0), (r - 0.004, 0), (r, 0.006), (r, h), (r - wall, h)], float)
    inside = np.array([(r - wall, h), (r - wall, 0.008), (0, 0.008)], float)
    glaze = stripes([paint.main, paint.light, paint.main], [0.22, 0.2, 0.58])
    turn = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 15)
    handle = np.stack([r - 0.002 + 0.031 * np.cos(turn), 0.52 * h + 0.33 * h * np.sin(turn)], 1)
    return Thing(
        "mug",
        (
            Part(lathe(outside), glaze, 0.6, 0.8),
            Part(lathe(inside), plain(paint.light), 0.3, 0.5),
            Part(tube(handle, 0.0065), plain(paint.main), 0.6, 0.8),
        ),
    )


def cereal_box(rng: np.random.Generator, paint: Paint) -> Thing:
    """A printed carton with a name and a bowl on its front."""
    width, depth, height = rng.uniform(0.15, 0.2), rng.uniform(0.05, 0.07), rng.uniform(0.21, 0.26)
    word = _words(rng)
    front = _front(rng, paint, word, int(400 * width / height))
    side = lettered(word, paint.main, paint.light, 120, 400)
    back = lettered(word, paint.main, paint.accent, 300, 400)
    top = plain(paint.main)
    sides = {"front": front, "back": back, "left": side, "right": side, "top": top, "bottom": top}
    return Thing("cereal box", (Part(box(width, depth, height), sheet(sides, BOX_SIDES), 0.15, 0.3),))


def _front(rng: np.random.Generator, paint: Paint, word: str, width: int, height: int = 400) -> Image:
    fade = [shade(paint.main, factor) for factor in np.linspace(1.12, 0.82, 40)]
    picture = stripes([paint.accent, *fade], [3.4] + [1.0] * len(fade), height, width)
    x, y = width // 2, int(height * 0.66)
    disc(picture, (x, y), int(width * 0.36), paint.light)
    for _ in range(70):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.27) * width
        spot = (int(x + reach * np.cos(angle)), int(y + 0.8 * reach * np.sin(angle)))
        disc(picture, spot, width // 26, shade((0.85, 0.6, 0.25), rng.uniform(0.75, 1.05)))
    write(picture, word, (x, int(height * 0.22)), 0.84 * width, 0.13 * height, paint.light)
    return picture


def can(rng: np.random.Generator, paint: Paint) -> Thing:
    """A tin with rims and a printed label."""
    r, h = rng.uniform(0.032, 0.038), rng.uniform(0.1, 0.125)
    metal = plain((0.75, 0.75, 0.77))
    shell = np.array([(r, 0.008), (r, h - 0.008)], float)
    bottom = np.array([(0, 0), (r - 0.004, 0), (r, 0.008)], float)
    top = np.array([(r, h - 0.008), (r - 0.003, h - 0.001), (r - 0.003, h), (r - 0.006, h), (r - 0.006, h - 0.004),
                    (0, h - 0.004)], float)  # fmt: skip
    label = stripes([paint.main, paint.light, paint.accent, paint.light, paint.main], [5, 0.6, 3.2, 0.6, 2.5], 256, 512)
    for x in (128, 384):
        write(label, _words(rng), (x, 64), 190, 60, paint.light)
    return Thing(
        "can",
        (Part(lathe(shell), label, 0.5, 0.6), Part(lathe(bottom), metal, 0.8, 0.7), Part(lathe(top), metal, 0.8, 0.7)),
    )


def bottle(rng: np.random.Generator, paint: Paint) -> Thing:
    """A bottle with shoulders, a label and a cap."""
    r, h = rng.uniform(0.03, 0.038), rng.uniform(0.2, 0.25)
    shoulder, neck = 0.58 * h, 0.012
    bend = np.linspace(0, np.pi / 2, 8)
    slope = np.stack([neck + (r - neck) * np.cos(bend), shoulder + 0.26 * h * np.sin(bend)], 1)
    body = np.concatenate([np.array([(0, 0), (r - 0.004, 0), (r, 0.006)], float), slope, [(neck, 0.93 * h)]])
    cap = np.array([(neck, 0.92 * h), (neck + 0.004, 0.92 * h), (neck + 0.004, h), (0, h)], float)
    label = np.array([(r + 0.0006, 0.2 * h), (r + 0.0006, 0.5 * h)], float)
    print_ = lettered(_words(rng), paint.light, paint.main, 512, 160, 0.3)
    return Thing(
        "bottle",
        (
            Part(lathe(body), plain(paint.main), 0.9, 0.9),
            Part(lathe(cap), plain(paint.accent), 0.4, 0.5),
            Part(lathe(label), print_, 0.1, 0.2),
        ),
    )


def toy_ball(rng: np.random.Generator, paint: Paint) -> Thing:
    r = rng.uniform(0.036, 0.05)
    if rng.random() < 0.7:
        skin = segments([paint.main, paint.light, paint.accent, paint.light], 8)
    else:
        skin = dots(rng, paint.main, paint.accent)
    return Thing("ball", (Part(ball(r).moved(z=r), skin, 0.5, 0.7),), rolls=True)


def toy_block(rng: np.random.Generator, paint: Paint) -> Thing:
    """A wooden cube with a letter on each side."""
    edge = rng.uniform(0.055, 0.075)
    sides = {}
    for name in BOX_SIDES:
        sides[name] = framed(paint.main)
        write(sides[name], str(rng.choice(list("ABCDEFGHKMNPRSTX"))), (64, 64), 70, 70, paint.light)
    return Thing("block", (Part(box(edge, edge, edge), sheet(sides, BOX_SIDES), 0.2, 0.3),))


def bowl(rng: np.random.Generator, paint: Paint) -> Thing:
    r, h, wall = rng.uniform(0.055, 0.07), rng.uniform(0.05, 0.065), 0.004
    bend = np.linspace(0.25, np.pi / 2, 10)
    curve = np.stack([0.45 * r + 0.55 * r * np.sin(bend), h * (1 - np.cos(bend))], 1)
    curve[:, 1] *= h / curve[-1, 1]
    foot = np.array([(0, 0), (0.5 * r, 0)], float)
    inside = (curve - np.array([wall, -wall]))[::-1]
    inside[0, 1] = h
    return Thing(
        "bowl",
        (
            Part(
                lathe(np.concatenate([foot, curve, inside[:1]])),
                stripes([paint.accent, paint.main], [0.3, 0.7]),
                0.6,
                0.8,
            ),
            Part(lathe(np.concatenate([inside, [(0, inside[-1, 1])]])), plain(paint.light), 0.4, 0.6),
        ),
    )


def jar(rng: np.random.Generator, paint: Paint) -> Thing:
    """A jar with mottled contents, a label and a lid."""
    r, h = rng.uniform(0.036, 0.046), rng.uniform(0.09, 0.13)
    body = np.array([(0, 0), (r - 0.006, 0), (r, 0.008), (r, 0.8 * h), (0.85 * r, 0.87 * h)], float)
    lid = np.array([(0.85 * r, 0.86 * h), (0.92 * r, 0.86 * h), (0.92 * r, h - 0.003), (0.9 * r, h), (0, h)], float)
    label = np.array([(r + 0.0006, 0.25 * h), (r + 0.0006, 0.62 * h)], float)
    contents = noise(rng, 128, 256, (10, 20), 3)[..., None] * 0.7 + 0.55
    skin = (np.clip(contents * np.array(paint.main, np.float32), 0, 1) * 255).astype(np.uint8)
    return Thing(
        "jar",
        (
            Part(lathe(body), skin, 0.8, 0.9),
            Part(lathe(lid), plain(paint.accent), 0.5, 0.6),
            Part(lathe(label), lettered(_words(rng), paint.light, paint.accent, 512, 128, 0.3), 0.1, 0.2),
        ),
    )


KINDS: dict[str, Callable[[np.random.Generator, Paint], Thing]] = {
    "mug": mug,
    "cereal box": cereal_box,
    "can": can,
    "bottle": bottle,
    "ball": toy_ball,
    "block": toy_block,
    "bowl": bowl,
    "jar": jar,
}
"""What Tabletop(objects=...) may name."""
