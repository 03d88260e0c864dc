"""Things that move through a collage: what they look like and where they are on each frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from .bank import Bank, Image

Array = NDArray[np.float64]


@dataclass
class Skin:
    """The surface of a thing that turns or shines: another picture slides over it, and the light goes round it."""

    picture: Image
    """(2h, 2w, 3) for a sprite of (h, w)."""
    opacity: float
    slide: Array
    """(T, 2) x y of the part that is seen, in sprite edges, 0 to 1."""
    light: Array
    """(T, 2) how much brighter the right and the lower edge are than the middle."""

    def over(self, sprite: Image, t: int) -> Image:
        """The sprite as it looks at frame t."""
        height, width = sprite.shape[:2]
        x, y = (self.slide[t] * (width, height)).astype(int)
        seen = self.picture[y : y + height, x : x + width]
        colours = cv2.addWeighted(sprite[..., :3], 1 - self.opacity, seen, self.opacity, 0)
        across, down = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
        light = (1 + self.light[t, 0] * across + self.light[t, 1] * down).astype(np.float32)
        out = sprite.copy()
        out[..., :3] = (colours * light[..., None]).clip(0, 255)
        return out


@dataclass
class Thing:
    """A sprite and its way. Lengths are in edges of the picture, angles in radians; T frames."""

    sprite: Image
    """(h, w, 4) RGB and opacity; of a solid thing, on the first frame."""
    place: Array
    """(T, 2) of the middle."""
    angle: Array
    """(T,)"""
    scale: Array
    """(T, 2) edges of the picture for one edge of a sprite pixel."""
    tilt: Array
    """(T, 2) how the far side shrinks, as seen in perspective; 0 for none."""
    wave: Array | None = None
    """(T, 2, 3) amplitude in sprite edges, cycles and phase of a bend along x and along y; None for a stiff thing."""
    skin: Skin | None = None
    """What changes on its surface as it turns; None where the sprite stays as it is."""
    film: Image | None = None
    """(T, h, w, 4) what a solid thing looks like on each frame; None for what is flat."""
    label: int = 0
    followed: bool = True
    parts: list[Thing] = field(default_factory=list)
    """What is fixed to it, drawn over it, and belongs to the whole."""
    joined: bool = False
    """Whether it was made of two things, so that it is one without its part, too."""

    def members(self) -> list[Thing]:
        """Itself and all of its parts, and their parts, in the order in which they are drawn."""
        return [self, *(member for part in self.parts for member in part.members())]


def wander(random: np.random.Generator, frames: int, speed: float, dims: int) -> Array:
    """(T, dims) a smooth way from zero: a steady speed and one that changes, in units a frame."""
    steady = random.normal(0, speed, dims)
    change = random.normal(0, speed, (frames, dims))
    for t in range(1, frames):
        change[t] = 0.75 * change[t - 1] + 0.66 * change[t]
    way = np.cumsum(steady + 0.7 * change, axis=0)
    return way - way[0]


def random_thing(
    bank: Bank, random: np.random.Generator, frames: int, *, sprite: Image | None = None, calm: bool = False
) -> Thing:
    """Anything anywhere, on its way with a speed between none and most of a tenth of the picture a frame, or where
    calm between none and a tenth of itself."""
    film = None
    if sprite is None and bank.models and random.random() < 0.35:
        film = filmed(bank, random, frames)
        sprite = film[0]
    sprite = dressed(bank, random) if sprite is None else sprite
    pace = float(random.choice((0.0, 0.3, 1.0, 2.5), p=(0.15, 0.3, 0.35, 0.2)))
    size = float(np.exp(random.uniform(np.log(0.04), np.log(0.85))))
    if calm:
        pace *= min(1.0, 1.6 * size)
    thing = Thing(
        sprite,
        place=random.uniform(0.08, 0.92, 2) + wander(random, frames, 0.018 * pace, 2),
        angle=np.deg2rad(random.normal(0, 20) + wander(random, frames, 3.5 * pace, 1)[:, 0]),
        scale=size / max(sprite.shape[:2]) * random.uniform(0.8, 1.25, 2) * np.exp(wander(random, frames, 0.02, 2)),
        tilt=random.normal(0, 0.1, 2) + wander(random, frames, 0.03 * pace, 2),
        film=film,
    )
    if random.random() < (0.35 if film is None else 0.1):
        thing.wave = np.empty((frames, 2, 3))
        thing.wave[..., 0] = random.uniform(0.02, 0.09, 2)
        thing.wave[..., 1] = random.uniform(0.5, 1.8, 2)
        thing.wave[..., 2] = random.uniform(0, 2 * np.pi, 2) + np.arange(frames)[:, None] * random.normal(0, 0.6, 2)
    if random.random() < 0.3 and frames > 1 and film is None:
        _turn(bank, thing, random)
    if random.random() < 0.12 and frames > 3:
        _leave_and_return(thing, random)
    return thing


def _turn(bank: Bank, thing: Thing, random: np.random.Generator) -> None:
    """Lets it turn or shine: its outline becomes wider or narrower while its surface moves past."""
    frames = len(thing.place)
    height, width = thing.sprite.shape[:2]
    picture = cv2.resize(crop(bank, random, 2 * max(height, width)), (2 * width, 2 * height))
    slide = random.uniform(0.2, 0.8, 2) + wander(random, frames, 0.06, 2)
    angle = random.uniform(0, 2 * np.pi) + wander(random, frames, 0.25, 1)[:, 0]
    light = random.uniform(0, 0.5) * np.column_stack((np.cos(angle), np.sin(angle)))
    thing.skin = Skin(np.asarray(picture, np.uint8), float(random.uniform(0.15, 0.9)), slide.clip(0, 1), light)
    thing.scale = thing.scale * np.exp(wander(random, frames, 0.05, 2))


def blend_in(thing: Thing, surroundings: Image, random: np.random.Generator) -> None:
    """Gives it colours much like those around it, as in haze, dust or smoke.

    surroundings: (h, w, 3)
    """
    solid = thing.sprite[thing.sprite[..., 3] > 127, :3]
    if not len(solid) or not surroundings.size:
        return
    nearness, contrast = random.uniform(0.4, 0.95), random.uniform(0.35, 1.0)
    mean = solid.mean(axis=0)
    aim = mean + nearness * (surroundings.reshape(-1, 3).mean(axis=0) - mean)

    def blended(picture: Image) -> Image:
        colours = ((picture[..., :3].astype(np.float32) - mean) * contrast + aim).clip(0, 255)
        return np.concatenate((colours.astype(np.uint8), picture[..., 3:]), axis=-1)

    thing.sprite = blended(thing.sprite)
    if thing.film is not None:
        thing.film = blended(thing.film)


def _leave_and_return(thing: Thing, random: np.random.Generator) -> None:
    """Out over the nearest edge in the middle of the clip, and back."""
    frames = len(thing.place)
    begin = int(random.integers(0, 2))
    swing = np.zeros(frames)
    swing[begin:] = np.sin(np.linspace(0, np.pi, frames - begin))
    axis = int(np.argmax(np.abs(thing.place[0] - 0.5)))
    outward = 1.0 if thing.place[0, axis] > 0.5 else -1.0
    half = 0.5 * max(thing.sprite.shape[:2]) * float(thing.scale[0].max())
    distance = (1 - thing.place[0, axis] if outward > 0 else thing.place[0, axis]) + half
    thing.place[:, axis] += outward * swing * distance * random.uniform(1.05, 1.5)


def beside(random: np.random.Generator, thing: Thing, other: Thing) -> None:
    """Puts a thing beside or half behind another, with which it goes, more or less."""
    reach = 0.5 * max(other.sprite.shape[:2]) * float(other.scale[0].mean())
    direction = random.uniform(0, 2 * np.pi)
    offset = random.uniform(0.3, 1.2) * reach * np.array([np.cos(direction), np.sin(direction)])
    own = thing.place - thing.place[0]
    thing.place = other.place + offset + random.choice((0.0, 0.2, 1.0)) * own
    thing.scale *= random.uniform(0.4, 1.0) * 2 * reach / (max(thing.sprite.shape[:2]) * float(thing.scale[0].mean()))


def passer(bank: Bank, random: np.random.Generator, target: Thing) -> Thing:
    """Something as large as the target, or larger, that crosses its way and hides it for a frame or two."""
    frames = len(target.place)
    thing = random_thing(bank, random, frames)
    t = int(random.integers(1, frames))
    velocity = random.normal(0, 1, 2)
    velocity *= random.uniform(0.05, 0.25) / max(1e-6, float(np.hypot(*velocity)))
    thing.place = target.place[t] + velocity * (np.arange(frames) - t)[:, None]
    largest = max(target.sprite.shape[:2]) * float(target.scale[t].max())
    thing.scale *= min(1.0, largest * random.uniform(1.0, 1.7)) / (
        min(thing.sprite.shape[:2]) * float(thing.scale[t].min())
    )
    return thing


def joined(bank: Bank, random: np.random.Generator, thing: Thing) -> None:
    """Fixes a second sprite to a thing, which wobbles a little: a rider, a handle, a lid."""
    frames = len(thing.place)
    part = random_thing(bank, random, frames)
    reach = 0.4 * max(thing.sprite.shape[:2]) * thing.scale.mean(axis=1)
    direction = random.uniform(0, 2 * np.pi) + thing.angle
    part.place = thing.place + reach[:, None] * np.column_stack((np.cos(direction), np.sin(direction)))
    part.place += wander(random, frames, 0.006, 2)
    share = random.uniform(0.35, 0.9) * max(thing.sprite.shape[:2]) / max(part.sprite.shape[:2])
    part.scale = thing.scale * share
    part.angle = thing.angle + random.normal(0, 0.5) + wander(random, frames, 0.08, 1)[:, 0]
    thing.parts.append(part)
    thing.joined = True


def filmed(bank: Bank, random: np.random.Generator, frames: int) -> Image:
    """(T, h, w, 4) a solid model that turns: forwards or backwards, slowly or fast, to and fro if its film is short;
    in its own colours or in others."""
    film = bank.models[random.integers(len(bank.models))]
    there_and_back = np.concatenate((np.arange(len(film)), np.arange(len(film) - 2, 0, -1)))
    pace = float(random.choice((0.0, 0.5, 1.0, 2.0), p=(0.1, 0.25, 0.4, 0.25))) * float(random.choice((-1, 1)))
    order = (random.integers(len(there_and_back)) + pace * np.arange(frames)).astype(int) % len(there_and_back)
    film = film[there_and_back[order]]
    if random.random() < 0.4:
        _turn_hue(film.reshape(frames, -1, 4), int(random.integers(0, 180)))
    return np.ascontiguousarray(film[:, :, ::-1] if random.random() < 0.5 else film)


def dressed(bank: Bank, random: np.random.Generator) -> Image:
    """A sprite: a photographed thing, a drawing, or a shape of one's own; as it is, recoloured, or textured."""
    kind = random.random()
    if kind < 0.45:
        sprite = cutout(bank, random)
    elif kind < 0.82:
        sprite = bank.drawings[random.integers(len(bank.drawings))].copy()
    else:
        sprite = _shape(random)
    if kind >= 0.82 or random.random() < (0.15 if kind < 0.45 else 0.5):
        texture = crop(bank, random, 192)[: sprite.shape[0], : sprite.shape[1]]
        shade = sprite[..., :3].mean(axis=2, keepdims=True) / 255 if random.random() < 0.5 else 1.0
        sprite[..., :3] = texture * (0.35 + 0.65 * shade)
    if random.random() < (0.25 if kind < 0.45 else 0.6):
        _turn_hue(sprite, int(random.integers(0, 180)))
    if random.random() < 0.5:
        _shade(sprite, random)
    if random.random() < 0.4:
        sprite[..., 3] = cv2.GaussianBlur(sprite[..., 3], (0, 0), random.uniform(0.6, 1.6))
    return np.ascontiguousarray(sprite[:, ::-1] if random.random() < 0.5 else sprite)


def cutout(bank: Bank, random: np.random.Generator) -> Image:
    """A photographed thing, cut out: of those that came so, or of a photograph in which it is marked."""
    index = int(random.integers(len(bank.cutouts) + len(bank.marked)))
    if index < len(bank.cutouts):
        return bank.cutouts[index].copy()
    marked = bank.marked[index - len(bank.cutouts)]
    sprite, _, _ = marked.cutout(int(random.integers(len(marked.masks))))
    scale = 192 / max(sprite.shape[:2])
    return np.asarray(cv2.resize(sprite, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _turn_hue(picture: Image, turn: int) -> None:
    """Gives a picture (h, w, 4) other colours, in place; turn: half degrees round the circle of hues."""
    hsv = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + turn) % 180
    picture[..., :3] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _shade(sprite: Image, random: np.random.Generator) -> None:
    """Light from one side."""
    height, width = sprite.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, depth = random.uniform(0, 2 * np.pi), random.uniform(0, 0.5)
    light = random.uniform(0.6, 1.1) + depth * (x * np.cos(angle) + y * np.sin(angle))
    sprite[..., :3] = (sprite[..., :3] * light[..., None]).clip(0, 255)


def _shape(random: np.random.Generator) -> Image:
    """A blob, a polygon, a rectangle or an ellipse, sometimes thin; its grey is the shading of a round body."""
    height, width = (192, int(random.integers(30, 193)))
    canvas = np.zeros((192, 192), np.uint8)
    kind = random.integers(4)
    turns = np.linspace(0, 2 * np.pi, 64 if kind < 2 else int(random.integers(3, 9)), endpoint=False)
    if kind == 0:
        orders = np.arange(1, 6)[:, None]
        waves = random.normal(0, 0.25 / orders) * np.cos(orders * turns + random.uniform(0, 2 * np.pi, (5, 1)))
        radius = (0.75 + waves.sum(axis=0)).clip(0.15, 1)
    else:
        radius = np.ones(len(turns)) if kind == 1 else random.uniform(0.5, 1, len(turns))
    points = 96 + 94 * radius[:, None] * np.column_stack((np.cos(turns), np.sin(turns)))
    if kind == 3:
        canvas[2:190, 2:190] = 255
    else:
        cv2.fillPoly(canvas, [points.astype(np.int32)], 255, cv2.LINE_AA)
    sprite = np.full((height, width, 4), 255, np.uint8)
    sprite[..., 3] = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    sprite[..., :3] = (255 * (0.45 + 0.55 * np.sin(np.linspace(0.2, 2.6, width))))[None, :, None]
    return sprite


def crop(bank: Bank, random: np.random.Generator, edge: int) -> Image:
    """A square of a photograph, of its shorter side or of less."""
    photograph = bank.photographs[random.integers(len(bank.photographs))]
    limit = min(photograph.shape[:2])
    side = int(limit * random.uniform(0.4, 1))
    x, y = random.integers(0, photograph.shape[1] - side + 1), random.integers(0, photograph.shape[0] - side + 1)
    way = cv2.INTER_AREA if edge < side else cv2.INTER_LINEAR
    square = cv2.resize(photograph[y : y + side, x : x + side], (edge, edge), interpolation=way)
    return np.asarray(square[:, ::-1] if random.random() < 0.5 else square, np.uint8)
