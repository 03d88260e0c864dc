"""Which model, at which size of its input, keeps up with a rate: found by trying them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


class Trial(NamedTuple):
    model: str
    size: int
    """Edge of the network's input in pixels."""
    seconds: float
    """That an image takes; infinite where memory is not enough."""

    def __str__(self) -> str:
        if math.isinf(self.seconds):
            return f"{self.model} at {self.size} pixels needs more memory than there is"
        return f"{self.model} at {self.size} pixels takes {1000 * self.seconds:.0f} ms an image"


def sizes(own: int) -> list[int]:
    """The sizes to try for a model, from the one that it was trained at down to half of that."""
    step = max(32, own // 8 // 32 * 32)
    return list(range(own, own // 2 - 1, -step))


def choose(
    candidates: Iterable[tuple[str, Sequence[int]]],
    limit: float,
    measure: Callable[[str, int], float],
    say: Callable[[str], None],
) -> Trial:
    """The first model that takes at most `limit` seconds an image, at the largest of its sizes that does.

    candidates: the best model first, each with its sizes, the largest first. If none is quick enough, it is the last
    model at its smallest size. measure: seconds an image of a model at a size, infinite if it needs more
    memory than there is. say: told of each trial.
    """
    trial = None
    for model, model_sizes in candidates:
        trial = None
        for size in model_sizes:
            # At best, when all is attention, the time falls with the fourth power of the size: then there is no need
            # to try.
            if trial is not None and math.inf > trial.seconds * (size / trial.size) ** 4 > limit:
                continue
            trial = Trial(model, size, measure(model, size))
            say(f"{trial}; {1000 * limit:.0f} ms may be taken")
            if trial.seconds <= limit:
                return trial
    if trial is None:
        raise ValueError("there is no model to choose from")
    smallest = min(model_sizes)
    return trial if trial.size == smallest else Trial(model, smallest, measure(model, smallest))
