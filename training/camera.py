"""What a camera does to a picture: light, colour, haze, blur, noise, compression, too few pixels."""

from __future__ import annotations

import cv2
import numpy as np

from .bank import Image


def photographed(images: Image, random: np.random.Generator) -> Image:
    """The clip (T, S, S, 3) as a camera would give it; what changes over time changes slowly."""
    frames = len(images)
    gain = random.uniform(0.55, 1.3) * (1 + np.cumsum(random.normal(0, 0.02, frames)))
    tint = random.uniform(0.85, 1.15, 3)
    saturation = random.uniform(0.1, 1.2) if random.random() < 0.4 else 1.0
    gamma = random.uniform(0.7, 1.4) if random.random() < 0.4 else 1.0
    veil, clear = random.uniform(90, 255) * random.uniform(0.9, 1.1, 3), 1.0
    if random.random() < 0.2:  # haze, dust or smoke before everything
        clear = random.uniform(0.3, 0.9)
    coarse = random.uniform(1.5, 3.5) if random.random() < 0.25 else 1.0  # as what is small looks when it is enlarged
    blur = random.uniform(0.4, 1.4) if random.random() < 0.4 else 0.0
    noise = random.uniform(2, 12) if random.random() < 0.5 else 0.0
    quality = int(random.integers(30, 90)) if random.random() < 0.5 else 0
    out = np.empty_like(images)
    grain = random.normal(0, noise, images.shape[1:]).astype(np.float32) if noise else None
    levels = np.arange(256, dtype=np.float32) / 255
    for t in range(frames):
        curve = 255 * gain[t] * levels[:, None] ** gamma * tint
        curve = (clear * curve + (1 - clear) * veil).clip(0, 255).astype(np.uint8)
        frame = cv2.LUT(images[t], curve[None])
        if saturation != 1.0:
            grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            frame = cv2.addWeighted(frame, saturation, grey, 1 - saturation, 0)
        if blur:
            frame = cv2.GaussianBlur(frame, (0, 0), blur)
        if coarse > 1:
            edge = len(frame)
            few = max(8, int(edge / coarse))
            frame = cv2.resize(frame, (few, few), interpolation=cv2.INTER_AREA)
            frame = cv2.resize(frame, (edge, edge), interpolation=cv2.INTER_LINEAR)
        if grain is not None:
            shift = random.integers(0, images.shape[1], 2)
            frame = (frame + np.roll(grain, shift, axis=(0, 1))).clip(0, 255).astype(np.uint8)
        if quality:
            _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
            frame = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        out[t] = frame
    return out
