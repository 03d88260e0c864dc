"""The streaming tracker of one camera.

Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024, one frame at a time and for as long as the camera runs.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.transfer import upload
from sam2_ros.network import Features, Sam2, fingerprint

from .errors import BadImage, BadMemory, BadStamp, LateImage, StampUnavailable
from .history import Frame, History
from .last_prompt import LastPrompt
from .memory import MemoryBank
from .objects import ObjectRecord, Objects, PromptEntry
from .outputs import Outputs
from .prompting import Prompting
from .prompts import check
from .propagation import Propagation
from .saved import Origin, SavedObject, label_of, pack, unpack
from .sight import picture
from .tracing import Tracing
from .tracks import Prompt, Readings, Tracks
from .visibility import Thresholds

_log = logging.getLogger(__name__)

FRAMES_PER_SECOND = 30
"""Of the camera at which the history has room for as many seconds as it is asked for."""

NEW_STREAM = 500_000_000
"""Nanoseconds by which a stamp falls at least where a recording or simulation begins anew. By a driver's jitter or a
clock that is put right it falls by less, and objects should outlive both."""

_fingerprints: WeakKeyDictionary[Sam2, str] = WeakKeyDictionary()
"""Of networks that have trackers; made once, since it reads all weights, which do not change then."""


class Tracker:
    """Follows objects through the images of one camera. Several trackers may share a network.

    Memory is allocated once, some of it with the first image, and never grows; beside it stands what the last prompt is
    taken back by, one image and one object's memory. Not thread-safe: one thread calls it.
    """

    def __init__(
        self,
        network: Sam2,
        *,
        capacity: int = 8,
        image_size: int | None = None,
        history: float = 2.0,
        conditioning_frames: int = 4,
        corrections_condition: bool = True,
        show_above: float = 0.5,
        hide_below: float = 0.4,
        lost_after: float = 5.0,
        non_overlap: bool = False,
        search_every: int = 1,
    ) -> None:
        """Allocates the memory. Raises ValueError for a value that cannot be.

        capacity: objects at a time. image_size: edge of the network's square input in pixels, a multiple of 32; the
        network's own if None. history: seconds, at up to 30 images a second, for which a prompt may come late; 0: only
        the newest image can be prompted. conditioning_frames: prompted frames that an object remembers: its first for
        ever, then its latest corrections. corrections_condition: remember a correction as a prompted frame, as in
        SAM 2's training; False as the original's video predictor. show_above, hide_below: probabilities at which an
        object comes into view and goes out of it; the original has 0.5 for both. lost_after: seconds out of view until
        an object is LOST. non_overlap: give a pixel that several masks claim to the one with the highest logit alone.
        search_every: an object out of view is searched for on every so many frames only, which is less than SAM 2 does.
        """
        for name, value in (
            ("capacity", capacity),
            ("conditioning_frames", conditioning_frames),
            ("search_every", search_every),
        ):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if not 0 <= history <= 60:
            raise ValueError(f"history is {history:g} s; it must be from 0 to 60")
        size = network.config.image_size if image_size is None else image_size
        if size < 32 or size % 32:
            raise ValueError(f"image_size is {size}; it must be a positive multiple of 32")
        self._network = network
        self._size = size
        length = 1 + math.ceil(FRAMES_PER_SECOND * history)
        self._history = History(network, size=size, length=length, seconds=history)
        self._objects = Objects(capacity)
        rows = self._objects.rows
        self._bank = MemoryBank(
            network, rows=rows, conditioning=conditioning_frames, history=length, pixels=(size // 16) ** 2
        )
        self._prompting = Prompting(network, self._bank, size=size)
        self._propagation = Propagation(
            network, self._bank, self._prompting, rows=rows, size=size, corrections_condition=corrections_condition
        )
        self._outputs = Outputs(
            self._propagation,
            Thresholds(show_above, hide_below, lost_after),
            search_context=network.config.search_context,
            non_overlap=non_overlap,
        )
        self._tracing = Tracing(
            self._history, self._bank, self._propagation, self._outputs, self._objects, search_every=search_every
        )
        self._last_prompt: LastPrompt | None = None
        self._torn = False
        """Whether an error of the device has left answers in the rows that are not of the newest image."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects that are tracked, in rising order."""
        return self._objects.ids

    @property
    def capacity(self) -> int:
        return self._objects.capacity

    @property
    def replays(self) -> bool:
        """Whether a GPU records what it does when so many objects are followed for the first time; see `warm_up`."""
        return self._network.replays_here

    def track(self, image: NDArray[np.uint8], stamp: int) -> Tracks:
        """Finds every object on the next image.

        image: (H, W, 3) uint8 RGB. stamp: nanoseconds. Another image size, or a stamp that falls by half a second or
        more, begins a new stream: all objects are forgotten, and a warning is logged. A gap, or a stamp that stays,
        does not: the image is simply the next one. Raises BadImage, LateImage for a stamp that falls by less, or
        BadStamp for one that is no integer.
        """
        return track_together([self], [image], [stamp])[0]

    @torch.inference_mode()
    def prompt(self, prompt: Prompt, *, object_id: int | None = None, stamp: int | None = None) -> Tracks:
        """Starts an object (object_id None), or corrects one, on the image whose stamp is nearest; the newest if None.

        A prompt on an image of the past is carried to the newest one over stored features, and leaves everything as if
        it had been made in time. Returns the object alone as it is on the newest image, with all readings of the
        prompt on the image it was made on. Raises NoImage, BadStamp, StampUnavailable, UnknownObject, CapacityExceeded
        or BadPrompt; nothing has changed then.
        """
        frame = self._frame(stamp)
        record = ObjectRecord(self._objects.spare_row) if object_id is None else self._objects.record(object_id)
        if frame.number < record.since:
            raise StampUnavailable(f"object {object_id} was loaded after the image of stamp {frame.stamp} ns")
        record = record.forked(frame.number)
        begins = record.began is None and (prompt.replace or not record.prompts_on(frame.number))
        prompt = check(prompt, frame.height, frame.width, begins=begins)
        if object_id is None:
            self._objects.check_room()
        record.add(frame.number, prompt, self._objects.in_view(frame.number, but=object_id))
        last = LastPrompt.of(object_id or self._objects.next_id, record, frame, self._bank)
        answer = self._retrace(object_id, record, frame)
        self._last_prompt = last
        return answer

    @torch.inference_mode()
    def choose(self, object_id: int, candidate: int) -> Tracks:
        """Takes another reading of an object's last prompt, which was a single click; otherwise as `prompt`.

        candidate: 0 the best, 1 the next, 2 the last. Raises UnknownObject or BadPrompt, or StampUnavailable if that
        prompt is older than the history and was not the tracker's last one in `TAKEN_BACK` seconds. After the history
        it is as if the camera had sent no image between.
        """
        record, entry, frame, last = self._before_last(object_id)
        prompt = check(replace(entry.prompt, candidate=candidate), frame.height, frame.width, begins=False)
        record.add(entry.frame, prompt, entry.others)
        return self._retrace(object_id, record, frame, last)

    @torch.inference_mode()
    def undo(self, object_id: int) -> Tracks:
        """Leaves everything as if an object's last prompt had not been made. One that had no other is removed.

        Returns the object as it then is on the newest image, or no object. Raises UnknownObject, or, if there were
        other prompts, StampUnavailable as `choose`.
        """
        record = self._objects.record(object_id)
        if record.made == 1 and not record.loaded:
            self.remove(object_id)
            return self.current().none()
        record, _, frame, last = self._before_last(object_id)
        answer = self._retrace(object_id, record, frame, last)
        self._forget_last(object_id)
        return answer

    def _before_last(self, object_id: int) -> tuple[ObjectRecord, PromptEntry, Frame, LastPrompt | None]:
        """An object without its last prompt, that prompt, the image that it lies on, and what it is taken back by if it
        is not the history. Raises UnknownObject or StampUnavailable."""
        record, last = self._objects.record(object_id), self._last_prompt
        if last is None or not last.serves(object_id, self._history):
            frame, last = self._history.at(record.last(object_id).frame), None
        else:
            record, frame = last.record, last.frame
        record = record.forked(frame.number)
        return record, record.take_last(object_id), frame, last

    def _forget_last(self, object_id: int) -> None:
        if self._last_prompt is not None and self._last_prompt.object_id == object_id:
            self._last_prompt = None

    def check_stamp(self, stamp: int | None) -> None:
        """Raises NoImage, BadStamp or StampUnavailable where a prompt with this stamp would find no image to be on."""
        self._frame(stamp)

    def _frame(self, stamp: int | None) -> Frame:
        return self._history.nearest(None if stamp is None else _nanoseconds(stamp))

    @torch.inference_mode()
    def preview(self, prompt: Prompt, *, stamp: int | None = None) -> Readings:
        """All readings of a prompt on one image, as SAM 2 answers on a single picture: nothing is tracked or changed.

        Raises NoImage, BadStamp, StampUnavailable or BadPrompt.
        """
        frame = self._frame(stamp)
        return self._prompting.preview(
            frame, check(prompt, frame.height, frame.width, begins=True), self._objects.in_view(frame.number)
        )

    def set_visibility(self, *, show_above: float, hide_below: float, lost_after: float, non_overlap: bool) -> None:
        """Changes what the constructor was given, from the next answer on, be it on the newest image once more. Raises
        ValueError for what cannot be."""
        self._outputs.thresholds = Thresholds(show_above, hide_below, lost_after)
        self._outputs.non_overlap = non_overlap

    def remove(self, object_id: int) -> None:
        """Forgets an object; its id is not used again. Raises UnknownObject."""
        self._objects.remove(object_id)
        self._forget_last(object_id)

    def reset(self) -> None:
        """Forgets all objects. Ids go on rising, and the images of the history can still be prompted."""
        for object_id in self.ids:
            self.remove(object_id)

    @torch.inference_mode()
    def current(self) -> Tracks:
        """All objects on the newest image, as they are after the latest prompts. Raises NoImage."""
        frame = self._history.newest
        self._make_whole()
        records = self._objects.records()
        return self._outputs.tracks(self.ids, records, frame, self._outputs.look(records, frame))

    @torch.inference_mode()
    def save(self, object_id: int, label: str = "") -> bytes:
        """An object's memory, as the content of a safetensors file, with a name that `label_of` gives. Raises
        UnknownObject."""
        self._objects.record(object_id)
        self._make_whole()
        record, frame = self._objects.record(object_id), self._history.newest
        view = record.views[frame.number]
        remembered = self._bank.export(record.row, frame.number + 1)
        saved = SavedObject(remembered, replace(view, last_seen=view.last_seen - frame.stamp))
        return pack(saved, self._network_origin(), label)

    @staticmethod
    def label_of(data: bytes) -> str:
        """The name that `save` was given. Raises BadMemory."""
        return label_of(data)

    @torch.inference_mode()
    def load(self, data: bytes) -> Tracks:
        """Goes on with an object that `save` gave, here or elsewhere, under a new id, from the newest image on.

        The newest image counts as the one after that on which it was saved. Returns the object alone. Raises BadMemory
        if it is another network's, CapacityExceeded or NoImage.
        """
        frame = self._history.newest
        self._objects.check_room()
        saved = unpack(data, self._network_origin(), self._network.device)
        edge = self._size // 4
        masks = [(edge, edge)] if self._network.config.search_context else []
        given = [] if saved.view.expected is None else [saved.view.expected.shape]
        if not self._bank.fits(saved.remembered) or given != masks:
            raise BadMemory("the memory's tensors have other shapes than this tracker's")
        row, number = self._objects.spare_row, frame.number
        self._bank.restore(row, number, saved.remembered)
        before = replace(saved.view, last_seen=frame.stamp + saved.view.last_seen)
        began = number - max(saved.remembered.ages)
        record = ObjectRecord(row, began, since=number, views={number - 1: before})
        self._tracing.follow([record], frame)
        object_id = self._objects.put(None, record)
        return self.current().only(object_id)

    def _check_order(self, stamp: int) -> None:
        if self._history.empty:
            return
        newest = self._history.newest.stamp
        if newest - NEW_STREAM < stamp < newest:
            raise LateImage(
                f"the image's stamp {stamp} ns is {1e-9 * (newest - stamp):.3f} s before {newest} ns, the newest "
                f"image's; stamps must rise, and only a fall by {1e-9 * NEW_STREAM:g} s or more begins a new stream"
            )

    def _begin_stream_if_new(self, stamp: int, height: int, width: int) -> None:
        if self._history.empty:
            return
        last = self._history.newest
        if stamp < last.stamp:
            reason = f"the stamp fell from {last.stamp} to {stamp} ns"
        elif (height, width) != (last.height, last.width):
            reason = f"the image changed from {last.width}x{last.height} to {width}x{height} pixels"
        else:
            return
        level = logging.WARNING if self.ids else logging.INFO
        _log.log(level, "a new stream begins because %s; objects that are forgotten: %d", reason, len(self.ids))
        self.reset()
        self._history.clear()

    def _advance(self, features: Features | None, image: Tensor, stamp: int) -> Tracks:
        """Takes in an image (1, H, W, 3), encoded unless that is done region by region, and tracks every object onto
        it."""
        height, width = image.shape[1:3]
        self._begin_stream_if_new(stamp, height, width)
        cut_from = picture(image, self._size) if features is None else None
        frame = Frame(self._history.next_number, stamp, height, width, features, cut_from)
        records, self._torn = self._objects.records(), True
        if records:
            self._tracing.follow(records, frame)
        look = self._outputs.look(records, frame)
        # Only now, so that an error of the device on the way leaves no frame on which the objects were not tracked.
        self._history.add(frame)
        self._torn = False
        for record in records:
            record.prune(self._history.oldest_number)
        return self._outputs.tracks(self.ids, records, frame, look)

    def _retrace(
        self, object_id: int | None, record: ObjectRecord, start: Frame, last: LastPrompt | None = None
    ) -> Tracks:
        """As `Tracing.trace`. Returns the object alone, with the readings of the last prompt that was made there."""
        object_id, readings = self._tracing.trace(object_id, record, start, last)
        return replace(self.current().only(object_id), readings=readings)

    def _make_whole(self) -> None:
        """Finds the objects on the newest image once more, if an error of the device has torn what was known of it."""
        if self._torn:
            newest = self._history.newest
            for object_id in self.ids:
                self._tracing.trace(object_id, self._objects.record(object_id).forked(newest.number), newest)
            self._torn = False

    def _network_origin(self) -> Origin:
        """What a saved memory must fit."""
        if self._network not in _fingerprints:
            _fingerprints[self._network] = fingerprint(self._network)
        return Origin(_fingerprints[self._network], self._size)


@torch.inference_mode()
def track_together(
    trackers: Sequence[Tracker], images: Sequence[NDArray[np.uint8]], stamps: Sequence[int]
) -> list[Tracks]:
    """`Tracker.track` for several cameras at once: one image each, encoded in one batch unless it is encoded in
    regions.

    The trackers share a network and an image_size. Raises ValueError if they do not, and what `Tracker.track` raises
    before anything has changed in any of them.
    """
    if not len(trackers) == len(images) == len(stamps) > 0:
        raise ValueError(f"{len(trackers)} trackers, {len(images)} images, {len(stamps)} stamps: they go together")
    network, size = trackers[0]._network, trackers[0]._size
    if any(tracker._network is not network or tracker._size != size for tracker in trackers):
        raise ValueError("the trackers must share one network and one image_size")
    stamps = [_nanoseconds(stamp) for stamp in stamps]
    for tracker, image, stamp in zip(trackers, images, stamps, strict=True):
        _check_image(image)
        tracker._check_order(stamp)
    pixels = [upload(image, network.device).unsqueeze(0) for image in images]
    encoded: list[Features | None] = [None] * len(pixels)
    if not network.config.search_context:
        features = network.encode_image(network.prepare([one[0] for one in pixels], size))
        fine, middle, top = (maps.split(1) for maps in (features.fine, features.middle, features.top))
        encoded = [Features(*own) for own in zip(fine, middle, top, strict=True)]
    together = zip(trackers, encoded, pixels, stamps, strict=True)
    return [tracker._advance(own, image, stamp) for tracker, own, image, stamp in together]


def _nanoseconds(stamp: int) -> int:
    try:
        return operator.index(stamp)
    except TypeError:
        raise BadStamp(f"the stamp is {stamp!r}; it must be an integer, in nanoseconds") from None


def _check_image(image: NDArray[np.uint8]) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        shape = getattr(image, "shape", type(image).__name__)
        raise BadImage(f"the image is {shape} of {getattr(image, 'dtype', 'no dtype')}; it must be (H, W, 3) uint8")
    if not image.size:
        raise BadImage(f"the image of shape {image.shape} has no pixels")
