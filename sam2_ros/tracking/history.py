"""The images of the last seconds, as far as a prompt may still land on them: their features; or, for a network that
looks for each object in a region of its own, the images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.histogram import usual_gain
from sam2_ros.geometry.transfer import download
from sam2_ros.network import Features, Sam2

from .errors import NoImage, StampUnavailable

_COARSE = 160
"""Pixels along an image's longer edge that are enough to find colours in."""


@dataclass(frozen=True)
class Frame:
    """One encoded image."""

    number: int
    """Rises by one with each image of the tracker."""
    stamp: int
    """Nanoseconds."""
    height: int
    width: int
    features: Features | None
    """Of the whole image, a batch of one; None for a network with search regions."""
    image: Tensor | None = None
    """(1, h, w, 3) uint8 RGB for such a network, h and w no larger than it can make use of; None for others."""

    @property
    def seen(self) -> tuple[int, int]:
        """Height and width of what regions are cut out of, in pixels."""
        return (self.height, self.width) if self.image is None else (self.image.shape[1], self.image.shape[2])

    @cached_property
    def coarse(self) -> NDArray[np.uint8]:
        """(h, w, 3) RGB, every so many pixels of the image. Raises ValueError where there are no search regions."""
        if self.image is None:
            raise ValueError(f"frame {self.number} has no image to find colours in")
        step = max(1, max(self.seen) // _COARSE)
        (image,) = download(self.image[0, ::step, ::step])
        return np.ascontiguousarray(image)

    @cached_property
    def gain(self) -> float:
        """What makes it as bright as is usual; as `coarse`."""
        return usual_gain(self.coarse)

    def kept(self) -> Frame:
        """The same with tensors of its own, which are there as long as it is."""
        features, image = self.features, self.image
        if features is not None:
            features = Features(features.fine.clone(), features.middle.clone(), features.top.clone())
        return replace(self, features=features, image=None if image is None else image.clone())


class History:
    """Up to `length` of the newest frames of one stream, in tensors that are allocated once.

    An image's features take C * S * S / 64 numbers, for C channels and the network's input size S: 8 MiB for the
    official sizes at 1024 pixels in bfloat16. With search regions it is the image that is kept, 0.9 MiB at 640x480;
    the tensor for them is allocated when a stream's first image shows their size.
    """

    def __init__(self, network: Sam2, *, size: int, length: int, seconds: float) -> None:
        """seconds: how much older than the newest a frame may be to be found; the newest always is."""
        channels = network.config.d_model

        # Of the same kind as the features of a new image: a compiled network tells the kinds apart.
        @torch.inference_mode()
        def ring(width: int, edge: int) -> Tensor:
            return torch.zeros(length, 1, width, edge, edge, dtype=network.dtype, device=network.device)

        self._features: Features | None = None
        if not network.config.search_context:
            self._features = Features(
                ring(channels // 8, size // 4), ring(channels // 4, size // 8), ring(channels, size // 16)
            )
        self._images: Tensor | None = None
        self._length = length
        self._seconds = seconds
        self._frames: dict[int, Frame] = {}
        self._eve: Frame | None = None
        """The newest that can no longer be found; its image is still there."""
        self._next = 0

    @property
    def next_number(self) -> int:
        """Of the frame that comes next."""
        return self._next

    @property
    def empty(self) -> bool:
        return not self._frames

    @property
    def newest(self) -> Frame:
        """Raises NoImage."""
        if not self._frames:
            raise NoImage("there is no image to prompt on yet; wait for the first one")
        return self._frames[self._next - 1]

    @property
    def oldest_number(self) -> int:
        """Of the oldest frame that can be found; of the next frame if there is none."""
        return min(self._frames, default=self._next)

    def add(self, frame: Frame) -> None:
        """Keeps the frame that has the next number, with a copy of its features, and lets go what is too old."""
        too_old = frame.stamp - round(self._seconds * 1e9)
        first = frame.number - self._length + 1
        held = self._frames
        self._frames = {n: one for n, one in held.items() if n >= first and one.stamp >= too_old}
        gone = [n for n in held if n not in self._frames]
        self._eve = held[max(gone)] if gone else self._eve
        features, image = self._kept_features(frame.features, frame.number), self._kept_image(frame.image, frame.number)
        self._frames[frame.number] = replace(frame, features=features, image=image)
        self._next = frame.number + 1

    def _kept_features(self, features: Features | None, number: int) -> Features | None:
        if self._features is None or features is None:
            return None
        slot = number % self._length
        kept = Features(self._features.fine[slot], self._features.middle[slot], self._features.top[slot])
        kept.fine.copy_(features.fine)
        kept.middle.copy_(features.middle)
        kept.top.copy_(features.top)
        return kept

    def _kept_image(self, image: Tensor | None, number: int) -> Tensor | None:
        if image is None:
            return None
        room = self._length + 1  # and the one before the oldest
        if self._images is None or self._images.shape[1:] != image.shape:
            self._images = image.new_empty(room, *image.shape)
        return self._images[number % room].copy_(image)

    def clear(self) -> None:
        """Forgets the frames; their numbers are not used again."""
        self._frames.clear()
        self._eve = None

    def holds(self, number: int) -> bool:
        """Whether the frame of this number can be found."""
        return number in self._frames

    def since(self, number: int) -> list[Frame]:
        """Those from this number on that can be found."""
        return [frame for frame in self._frames.values() if frame.number >= number]

    def at(self, number: int) -> Frame:
        """A frame that can be found."""
        return self._frames[number]

    def before(self, number: int) -> Frame | None:
        """The frame before one that can be found, or before the next; of what was encoded its image alone is sure to be
        there still. None before the first."""
        if self._eve is not None and self._eve.number == number - 1:
            return self._eve
        return self._frames.get(number - 1)

    def nearest(self, stamp: int | None) -> Frame:
        """The frame whose stamp is nearest to this one in nanoseconds; the newest if None.

        A camera's image that was never tracked, because a newer one took its place, so stands for its neighbour.
        Raises NoImage, or StampUnavailable for a stamp that is older than all frames, or far in the future.
        """
        newest = self.newest
        if stamp is None:
            return newest
        oldest = self._frames[self.oldest_number]
        # What gave way to the oldest image, and is nearer to it than to the one before it, is not too old.
        gone = self._eve.stamp if self._eve is not None else oldest.stamp
        if 2 * stamp < oldest.stamp + gone:
            raise StampUnavailable(
                f"the image of stamp {stamp} ns is no longer held, {1e-9 * (newest.stamp - stamp):.2f} s before the "
                f"newest; prompts may be up to {1e-9 * (newest.stamp - oldest.stamp):.2f} s late now, and history is "
                f"{self._seconds:g} s"
            )
        if stamp - newest.stamp > max(1.0, self._seconds) * 1e9:
            raise StampUnavailable(
                f"the stamp {stamp} ns is {1e-9 * (stamp - newest.stamp):.2f} s after the newest image's, "
                f"{newest.stamp} ns; prompts and images must be stamped by the same clock"
            )
        return min(self._frames.values(), key=lambda frame: (abs(frame.stamp - stamp), -frame.number))
