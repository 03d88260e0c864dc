"""Has a tracker follow the objects of a labelled sequence, and measures it on every frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.boxes import box_around
from sam2_ros.network import Sam2
from sam2_ros.tracking import BadPrompt, Prompt, State, Tracker, Tracks

from .scores import FrameScores, Mask
from .sequences import BadSequence, LabelledFrame, LabelledSequence

PROMPTS = ("mask", "box", "click")
PICTURES = 8
_STEP = 33_333_333
"""Nanoseconds from one frame to the next, as the tracker is told."""


@dataclass(frozen=True)
class Shot:
    """One frame for the eye."""

    frame: int
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    truth: dict[int, Mask]
    """(H, W) of each object by its id."""
    guess: dict[int, Mask]
    """(H, W) of each object that has been prompted, by its id in the truth."""


@dataclass
class Followed:
    """What was measured on a sequence."""

    frames: FrameScores
    seconds: list[float] = field(default_factory=list)
    """That network and tracker took on each frame with objects to follow."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the figures should know."""
    shots: list[Shot] = field(default_factory=list)
    """Evenly spaced over the frames that have labels; none unless asked for."""

    @property
    def steady(self) -> list[float]:
        """The seconds without those of the first two frames, on which PyTorch chooses kernels and allocates."""
        return self.seconds[2:]


def make_prompt(mask: Mask, kind: str) -> Prompt:
    """What a person would have said of an object with this mask (H, W). kind: one of PROMPTS."""
    if kind == "mask":
        return Prompt(mask=mask)
    if kind == "box":
        return Prompt(box=np.array(box_around(mask), np.float32))
    # Beyond the image there is no object either, so its border counts as an edge.
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Prompt(points=np.array([[x, y]], np.float32), labels=np.array([1], np.int32))


def follow(
    network: Sam2,
    sequence: LabelledSequence,
    *,
    prompt: str,
    size: int | None = None,
    pictures: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Followed:
    """Prompts each object on the first frame that shows it, and tracks all of them together.

    size: edge of the network's input in pixels; its own if None. progress is told of each frame. Raises BadSequence
    where a file of the sequence is wrong, or no frame is left to measure.
    """
    run = _Run(network, sequence, prompt, size, pictures)
    for number, frame in enumerate(sequence):
        run.take(number, frame)
        progress(1)
    if np.isnan(run.result.frames.j).all():
        raise BadSequence(
            f"the {len(sequence)} frames of {sequence.name} leave nothing to measure; an object needs a label image "
            "between the frame it is prompted on and the last"
        )
    run.note_unmeasured()
    return run.result


class _Run:
    """A tracker on its way through one sequence."""

    def __init__(self, network: Sam2, sequence: LabelledSequence, prompt: str, size: int | None, pictures: bool):
        # As in DAVIS, where a result is a label image, each pixel belongs to one object. No prompt comes late.
        self._tracker = Tracker(
            network, capacity=len(sequence.ids), image_size=size, history=0, non_overlap=len(sequence.ids) > 1
        )
        self._sequence, self._prompt = sequence, prompt
        self._known: dict[int, int] = {}
        self._refused: dict[int, str] = {}
        labelled = [number for number, mask in enumerate(sequence.masks) if mask is not None]
        shown = np.linspace(0, len(labelled) - 1, PICTURES if pictures else 0)
        self._shown = {labelled[round(k)] for k in shown}
        self.result = Followed(FrameScores(len(sequence.ids), len(sequence)))

    def take(self, number: int, frame: LabelledFrame) -> None:
        began = time.perf_counter()
        tracks = self._tracker.track(frame.image, number * _STEP)
        if self._known:
            self.result.seconds.append(time.perf_counter() - began)
        guess = {known: _mask_of(tracks, own) for known, own in self._known.items()}
        if frame.labels is None:
            return
        truth = {id_: frame.labels == id_ for id_ in self._sequence.ids}
        if number < len(self._sequence) - 1:
            for id_, own in self._known.items():
                in_view = tracks.states[tracks.ids.index(own)] == State.VISIBLE
                row = self._sequence.ids.index(id_)
                self.result.frames.add(row, number, guess[id_], truth[id_], in_view=in_view)
        for id_, mask in truth.items():
            if id_ not in self._known and mask.any():
                answer = self._start(id_, mask, number)
                guess.update({} if answer is None else {id_: _mask_of(answer, self._known[id_])})
        if number in self._shown:
            self.result.shots.append(Shot(number, frame.image, truth, guess))

    def _start(self, id_: int, mask: Mask, number: int) -> Tracks | None:
        """Prompts an object; None where the tracker refuses, as it does a mask of a few pixels: then the next frame."""
        try:
            answer = self._tracker.prompt(make_prompt(mask, self._prompt))
        except BadPrompt as error:
            self._refused.setdefault(id_, f"frame {number}, {error}")
            return None
        self._known[id_] = answer.ids[0]
        if id_ in self._refused:
            self.result.notes.append(f"object {id_} was prompted on frame {number} only ({self._refused[id_]})")
        return answer

    def note_unmeasured(self) -> None:
        for row, id_ in enumerate(self._sequence.ids):
            if np.isnan(self.result.frames.j[row]).all():
                why = self._refused.get(id_, "no frame is left after its prompt")
                self.result.notes.append(f"object {id_} is not measured ({why})")


def _mask_of(tracks: Tracks, object_id: int) -> Mask:
    return tracks.masks[tracks.ids.index(object_id)]
