"""The streaming tracker of one camera.

Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024, one frame at a time and for as long as the camera runs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.masks import measure, resize_logits
from sam2_ros.network import Choice, Features, Sam2

from .errors import BadImage, BadPrompt, CapacityExceeded, NoImage, StampUnavailable, UnknownObject
from .memory import MemoryBank
from .prompts import check
from .tracks import Prompt, Readings, State, Tracks

_log = logging.getLogger(__name__)


@dataclass
class _Object:
    """What the host knows of an object; the device knows it by its row."""

    row: int
    first_frame: int
    last_seen: int
    prompted_frame: int = -1
    clicks: list[tuple[float, float, int]] = field(default_factory=list)
    """x, y in pixels of the image and label, of the prompts on the prompted frame; labels 2 and 3 are a box's."""


@dataclass(frozen=True)
class _Frame:
    """The newest image."""

    number: int
    stamp: int
    height: int
    width: int
    features: Features


class Tracker:
    """Follows objects through the images of one camera. Several trackers may share a network.

    Memory is allocated here once and never grows. Not thread-safe: one thread calls it.
    """

    def __init__(
        self,
        network: Sam2,
        *,
        capacity: int = 8,
        image_size: int | None = None,
        conditioning_frames: int = 4,
        corrections_condition: bool = True,
        lost_after: float = 5.0,
    ) -> None:
        """Allocates the memory.

        capacity: objects at a time. image_size: edge of the network's square input in pixels, a multiple of 32; the
        network's own if None. conditioning_frames: prompted frames that an object remembers: its first for ever,
        then its latest corrections. corrections_condition: remember a correction as a prompted frame, as in SAM 2's
        training; False as the original's video predictor. lost_after: seconds out of view until an object is LOST.
        """
        if capacity < 1 or conditioning_frames < 1:
            raise ValueError(f"capacity {capacity} and conditioning_frames {conditioning_frames} must be at least 1")
        size = image_size or network.config.image_size
        if size < 32 or size % 32:
            raise ValueError(f"image_size is {size}; it must be a positive multiple of 32")
        self._network = network
        self._size = size
        self._corrections_condition = corrections_condition
        self._lost_after = lost_after
        self._bank = MemoryBank(network, capacity=capacity, conditioning=conditioning_frames, pixels=(size // 16) ** 2)
        # Of each row, on the newest frame: the answer as it stands, and as it was before any prompt on that frame.
        shape = (capacity, 1, size // 4, size // 4)
        self._logits = torch.zeros(shape, device=network.device)
        self._tracked_logits = torch.zeros(shape, device=network.device)
        self._scores = torch.zeros(capacity, device=network.device)
        self._iou = torch.zeros(capacity, device=network.device)
        self._objects: dict[int, _Object] = {}
        self._free_rows = list(range(capacity))
        self._next_id = 1
        self._frame: _Frame | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects that are tracked, in rising order."""
        return tuple(sorted(self._objects))

    @property
    def capacity(self) -> int:
        return len(self._logits)

    @torch.inference_mode()
    def track(self, image: NDArray[np.uint8], stamp: int) -> Tracks:
        """Finds every object on the next image.

        image: (H, W, 3) uint8 RGB. stamp: nanoseconds. A stamp that falls or another image size begins a new stream:
        all objects are forgotten, and a warning is logged. Raises BadImage.
        """
        _check_image(image)
        height, width = image.shape[:2]
        self._begin_stream_if_new(stamp, height, width)
        pixels = torch.from_numpy(np.ascontiguousarray(image)).unsqueeze(0)
        features = self._network.encode_image(self._network.prepare(pixels, self._size))
        number = 0 if self._frame is None else self._frame.number + 1
        frame = _Frame(number, stamp, height, width, features)
        if self._objects:
            self._follow(frame)
        self._frame = frame
        return self._tracks(frame, self.ids)

    @torch.inference_mode()
    def prompt(self, prompt: Prompt, *, object_id: int | None = None, stamp: int | None = None) -> Tracks:
        """Starts an object (object_id None), or corrects one, on the image with this stamp, the newest if None.

        Returns the object alone, with all readings of the prompt. Raises NoImage, StampUnavailable, UnknownObject,
        CapacityExceeded or BadPrompt; nothing has changed then.
        """
        frame = self._prompted_frame(stamp)
        prompt = check(prompt, frame.height, frame.width)
        if object_id is None:
            if not self._free_rows:
                raise CapacityExceeded(f"there are {self.capacity} objects already; remove one, or raise capacity")
            known = _Object(row=self._free_rows[0], first_frame=frame.number, last_seen=frame.stamp)
        else:
            known = self._known(object_id)
        choice, readings, clicks = self._answer(prompt, known, frame)
        if object_id is None:
            object_id = self._next_id
            self._next_id += 1
            self._free_rows.remove(known.row)
            self._objects[object_id] = known
        known.prompted_frame, known.clicks = frame.number, clicks
        self._remember_prompt(known, frame, choice)
        return replace(self._tracks(frame, (object_id,)), readings=readings)

    def remove(self, object_id: int) -> None:
        """Forgets an object; its id is not used again. Raises UnknownObject."""
        known = self._known(object_id)
        self._bank.clear(known.row)
        self._free_rows.append(known.row)
        del self._objects[object_id]

    def reset(self) -> None:
        """Forgets all objects and the newest image. Ids go on rising."""
        for object_id in self.ids:
            self.remove(object_id)
        self._frame = None

    def _known(self, object_id: int) -> _Object:
        if object_id not in self._objects:
            known = ", ".join(map(str, self.ids)) or "none"
            raise UnknownObject(f"there is no object {object_id}; the objects are: {known}")
        return self._objects[object_id]

    def _prompted_frame(self, stamp: int | None) -> _Frame:
        if self._frame is None:
            raise NoImage("there is no image to prompt on yet; wait for the first one")
        if stamp is not None and stamp != self._frame.stamp:
            raise StampUnavailable(
                f"the image of stamp {stamp} ns is not held; only the newest is, of stamp {self._frame.stamp} ns"
            )
        return self._frame

    def _begin_stream_if_new(self, stamp: int, height: int, width: int) -> None:
        last = self._frame
        if last is None:
            return
        if stamp < last.stamp:
            reason = f"the stamp fell from {last.stamp} to {stamp} ns"
        elif (height, width) != (last.height, last.width):
            reason = f"the image changed from {last.width}x{last.height} to {width}x{height} pixels"
        else:
            return
        _log.warning("a new stream begins because %s; %d objects are forgotten", reason, len(self._objects))
        self.reset()

    def _follow(self, frame: _Frame) -> None:
        """Tracks every object onto a frame and remembers the answers."""
        network = self._network
        rows = [self._objects[object_id].row for object_id in self.ids]
        conditioned = network.attend(frame.features.top, self._bank.read(rows, frame.number))
        answer = network.decode(frame.features, conditioned, *network.no_points(len(rows)))
        choice = network.choose(answer, multimask=True)
        self._store(rows, choice)
        self._tracked_logits[rows] = choice.logits.float()
        masks = self._upsample(choice.logits).sigmoid()
        memory = network.encode_memory(frame.features.top, masks, choice.score)
        self._bank.write_recent(rows, frame.number, memory, choice.pointer)

    def _answer(
        self, prompt: Prompt, known: _Object, frame: _Frame
    ) -> tuple[Choice, Readings, list[tuple[float, float, int]]]:
        """The network's answer to a prompt, all its readings, and the clicks that count on this frame from now on."""
        network, features = self._network, frame.features
        if prompt.mask is not None:
            choice = network.take_mask(features, self._mask_input(prompt.mask))
            return choice, self._readings(choice.logits, choice.iou, frame), []
        again = known.prompted_frame == frame.number
        clicks = [] if prompt.replace or not again else known.clicks
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box.tolist()
            # A new box takes the place of the old one; a box comes before the clicks, as in SAM 2's training.
            clicks = [(x0, y0, 2), (x1, y1, 3)] + [click for click in clicks if click[2] < 2]
        clicks = clicks + [(x, y, int(n)) for (x, y), n in zip(prompt.points.tolist(), prompt.labels, strict=True)]
        multimask = len(clicks) == 1
        if prompt.candidate and not multimask:
            raise BadPrompt(f"there is no candidate {prompt.candidate}: only a single click has more than one reading")
        first = known.first_frame == frame.number
        conditioned = (
            network.without_memory(features.top)
            if first
            else network.attend(features.top, self._bank.read([known.row], frame.number))
        )
        points, labels = self._point_input(clicks, frame)
        answer = network.decode(features, conditioned, points, labels, self._earlier(prompt, known, first, again))
        choice = network.choose(answer, multimask=multimask, rank=prompt.candidate)
        if not multimask:
            return choice, self._readings(choice.logits, choice.iou, frame), clicks
        order = answer.iou[0, 1:].argsort(descending=True, stable=True) + 1
        return choice, self._readings(answer.logits[0, order].unsqueeze(1), answer.iou[0, order], frame), clicks

    def _earlier(self, prompt: Prompt, known: _Object, first: bool, again: bool) -> Tensor | None:
        """The mask that a prompt corrects: (1, 1, S / 4, S / 4) logits, None for the first prompt of an object."""
        if first and (prompt.replace or not again):
            return None
        source = self._tracked_logits if prompt.replace else self._logits
        # The original clamps here to keep the prompt encoder within what it was trained on.
        return source[known.row].unsqueeze(0).clamp(-32, 32).to(self._network.dtype)

    def _remember_prompt(self, known: _Object, frame: _Frame, choice: Choice) -> None:
        self._store([known.row], choice)
        masks = (self._upsample(choice.logits) > 0).to(self._network.dtype)
        memory = self._network.encode_memory(frame.features.top, masks, choice.score)
        if known.first_frame == frame.number or self._corrections_condition:
            self._bank.write_conditioning(known.row, frame.number, memory, choice.pointer)
        else:
            self._bank.write_recent([known.row], frame.number, memory, choice.pointer)

    def _store(self, rows: list[int], choice: Choice) -> None:
        self._logits[rows] = choice.logits.float()
        self._scores[rows] = choice.score.float()
        self._iou[rows] = choice.iou.float()

    def _upsample(self, logits: Tensor) -> Tensor:
        return F.interpolate(logits, size=(self._size, self._size), mode="bilinear", align_corners=False)

    def _point_input(self, clicks: list[tuple[float, float, int]], frame: _Frame) -> tuple[Tensor, Tensor]:
        scale = torch.tensor([self._size / frame.width, self._size / frame.height])
        points = torch.tensor([click[:2] for click in clicks]) * scale
        labels = torch.tensor([click[2] for click in clicks])
        return points.unsqueeze(0).to(self._network.device), labels.unsqueeze(0).to(self._network.device)

    def _mask_input(self, mask: NDArray[np.bool_]) -> Tensor:
        """(H, W) to (1, 1, S, S) of 0 and 1."""
        image = torch.from_numpy(mask)[None, None].to(self._network.device).float()
        if image.shape[-2:] != (self._size, self._size):
            image = F.interpolate(image, size=(self._size, self._size), mode="bilinear", antialias=True)
        image = (image >= 0.5).to(self._network.dtype)
        if not image.any():
            raise BadPrompt(f"the mask of {mask.sum()} pixels is too small for the network's input of {self._size}")
        return image

    def _readings(self, logits: Tensor, iou: Tensor, frame: _Frame) -> Readings:
        masks = resize_logits(logits, frame.height, frame.width) > 0
        return Readings(masks.cpu().numpy(), iou.float().cpu().numpy())

    def _tracks(self, frame: _Frame, ids: tuple[int, ...]) -> Tracks:
        """The state of some objects on the newest frame, brought back to the host."""
        known = [self._objects[object_id] for object_id in ids]
        rows = [one.row for one in known]
        logits, scores = self._logits[rows], self._scores[rows]
        masks = resize_logits(logits, frame.height, frame.width) > 0
        measures = measure(masks)
        in_view = ((scores > 0) & (measures.areas > 0)).tolist()
        for one, seen in zip(known, in_view, strict=True):
            one.last_seen = frame.stamp if seen else one.last_seen
        return Tracks(
            stamp=frame.stamp,
            ids=ids,
            states=tuple(self._state(frame, one, seen) for one, seen in zip(known, in_view, strict=True)),
            masks=masks.cpu().numpy(),
            logits=logits.squeeze(1).cpu().numpy(),
            boxes=measures.boxes.float().cpu().numpy(),
            centroids=measures.centroids.cpu().numpy(),
            areas=measures.areas.cpu().numpy(),
            scores=scores.cpu().numpy(),
            visibility=scores.sigmoid().cpu().numpy(),
            iou=self._iou[rows].cpu().numpy(),
            last_seen=tuple(one.last_seen for one in known),
        )

    def _state(self, frame: _Frame, known: _Object, in_view: bool) -> State:
        if in_view:
            return State.VISIBLE
        return State.LOST if frame.stamp - known.last_seen > self._lost_after * 1e9 else State.OCCLUDED


def _check_image(image: NDArray[np.uint8]) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        shape = getattr(image, "shape", type(image).__name__)
        raise BadImage(f"the image is {shape} of {getattr(image, 'dtype', 'no dtype')}; it must be (H, W, 3) uint8")
    if not image.size:
        raise BadImage(f"the image of shape {image.shape} has no pixels")
