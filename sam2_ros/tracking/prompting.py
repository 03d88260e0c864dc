"""Answers prompts of one object on one frame: where it is looked for, and what is found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.search_region import WHOLE, SearchRegion
from sam2_ros.geometry.transfer import download, upload
from sam2_ros.network import Choice, Features, Sam2

from .errors import BadPrompt
from .history import Frame
from .memory import MemoryBank
from .sight import Looks, mask_input, place, point_input
from .tracks import Prompt, Readings
from .visibility import View

_TRIED = (1.0, 0.57, 0.33, 0.2, 0.12)
"""Sizes of the regions around a click that are tried to find how large an object it means."""

_LARGER = 0.05
"""How much more the larger of two answers promises: 1.12 times for ten times the area."""

_TAKEN = 0.3
"""How much less an answer promises that is just what another object is already. More finds nothing better, and whoever
marks a thing once more would get a part of it."""

_UNSURE = SearchRegion(scale=0.5)
"""Size of the region around a click that was answered by nothing."""

_Click = tuple[float, float, int]
"""x, y in pixels of the image, and label; 2 and 3 are the corners of a box."""


class Prompting:
    """Reads the memories of one tracker's bank, and changes nothing."""

    def __init__(self, network: Sam2, bank: MemoryBank, *, size: int) -> None:
        """size: edge of the network's input in pixels."""
        self._network = network
        self._bank = bank
        self._size = size

    def preview(self, frame: Frame, prompt: Prompt, others: Sequence[View]) -> Readings:
        """The answer to a prompt that starts nothing; others: of the objects in view on this frame."""
        looks = Looks(self._network, frame, self._size)
        return self.answer(None, looks, self.region(looks, [prompt], None, others), [prompt])[1]

    def region(
        self, looks: Looks, prompts: Sequence[Prompt], view: View | None, others: Sequence[View]
    ) -> SearchRegion:
        """Where prompts of one object are to be answered; view: of it on the frame before; others: of other objects in
        view on this one."""
        frame = looks.frame
        if frame.image is None:
            return WHOLE
        size, context = (frame.height, frame.width), self._network.config.search_context
        given = [prompt.box for prompt in prompts if prompt.box is not None][-1:]  # the others no longer count
        given += [np.array(box_around(prompt.mask)) for prompt in prompts if prompt.mask is not None]
        boxes = [tuple(box.tolist()) for box in given]
        clicks = [(x, y) for prompt in prompts for x, y in prompt.points[prompt.labels == 1].tolist()]
        if boxes:
            # All of what was said on this frame and still counts.
            x0, y0, x1, y1 = zip(*boxes, *((x, y, x + 1, y + 1) for x, y in clicks), strict=True)
            return SearchRegion.around((min(x0), min(y0), max(x1), max(y1)), *size, context)
        # The region of an object out of view is where it is searched for, and says nothing of its size.
        if view is not None and (view.in_view or not clicks):
            region = view.region
        else:
            # Where another took an object's place, a click for the object means just that place.
            region = self._glance(looks, prompts, clicks, others if view is None else [])
        return region.around_points(clicks, *size)

    def answer(
        self,
        row: int | None,
        looks: Looks,
        region: SearchRegion,
        prompts: Sequence[Prompt],
        expected: NDArray[np.bool_] | None = None,
        *,
        wary: bool = False,
    ) -> tuple[Choice, Readings]:
        """Prompts of one object on one frame, at least one; each goes on from the answer to those before it.

        row: of the object, None if it has no memory of earlier frames; region: where it is looked for; expected: in
        that, as in `View`; wary: as in `follow`.
        """
        network, frame, features = self._network, looks.frame, looks.at(region)
        # A mask is an answer by itself; it can only be the first.
        drawn = prompts[0].mask is not None
        if row is not None and not (drawn and len(prompts) == 1):
            conditioned = network.attend(features.top, self._bank.read([row], frame.number))
        else:
            conditioned = network.without_memory(features.top)
        answered = None
        if row is not None and not drawn:
            known = None if expected is None else upload(expected[None], network.device)
            answered = network.find(features, conditioned, known, upload(np.array([wary]), network.device))
        clicks: list[_Click] = []
        for prompt in prompts:
            if prompt.mask is not None:
                order = None
                choice = network.take_mask(features, mask_input(prompt.mask, frame, region, self._size, network))
            else:
                clicks = _merged(clicks, prompt)
                points = self._point_input(clicks, frame, region)
                choice, order = self._answer_clicks(features, conditioned, points, answered, prompt.candidate)
            answered = choice
        masks, iou = (choice.raw, choice.iou) if order is None else order
        placed = place(masks, frame, [region] * len(masks)) > 0
        return choice, Readings(placed.cpu().numpy(), iou.float().cpu().numpy(), frame.stamp)

    def _glance(
        self,
        looks: Looks,
        prompts: Sequence[Prompt],
        clicks: Sequence[tuple[float, float]],
        others: Sequence[View],
    ) -> SearchRegion:
        """The region of what was clicked on, of which nobody has said how large it is: several sizes are tried, and
        what each finds is looked at once more in its own region.

        Taken is the answer that promises most. clicks: the positive ones; others: of other objects in view.
        """
        first = [replace(prompt, candidate=0) for prompt in prompts]
        best, most = _UNSURE, 0.0
        for scale in _TRIED:
            region = SearchRegion(scale=scale)
            for _ in range(2):
                region = region.around_points(clicks, looks.frame.height, looks.frame.width)
                found, promise = self._promise(looks, first, region, others)
                if found is None:
                    break
                seen, region = region, found
                if region == seen:
                    break
            if promise > most:
                best, most = region, promise
        return best

    def _promise(
        self, looks: Looks, prompts: Sequence[Prompt], region: SearchRegion, others: Sequence[View]
    ) -> tuple[SearchRegion | None, float]:
        """The region of what prompts of a new object find in this one, None for nothing, and how good that is: its
        predicted IoU, the less the more its object differs from what is usual in a region of this size or is what
        another object is already, and a little more for what is larger, because who clicks means a whole more often
        than a part.
        """
        frame = looks.frame
        choice, _ = self.answer(None, looks, region, prompts)
        mask = (place(choice.logits, frame, [region])[0] > 0).cpu().numpy()
        box = box_around(mask)
        if box is None:
            return None, 0.0
        found = SearchRegion.around(box, frame.height, frame.width, self._network.config.search_context)
        fit = min(found.scale / region.scale, region.scale / found.scale)
        (answer,) = download(choice.logits[0, 0] > 0)
        masks = [(other.region, other.expected) for other in others if other.expected is not None]
        taken = max((region.overlap(answer, *mask) for mask in masks), default=0.0)
        return found, float(choice.iou[0]) * fit**0.5 * float(mask.mean()) ** _LARGER * (1 - _TAKEN * taken)

    def _answer_clicks(
        self,
        features: Features,
        conditioned: Tensor,
        points: tuple[Tensor, Tensor],
        earlier: Choice | None,
        candidate: int,
    ) -> tuple[Choice, tuple[Tensor, Tensor] | None]:
        """The choice; of a single click also all readings, masks (3, 1, S / 4, S / 4) and predicted IoU (3,)."""
        ambiguous = points[1].shape[1] == 1
        if candidate and not ambiguous:
            raise BadPrompt(f"there is no candidate {candidate}: only a single click has more than one reading")
        # The original clamps here to keep the prompt encoder within what it was trained on.
        dense = None if earlier is None else earlier.logits.clamp(-32, 32)
        answer = self._network.decode(features, conditioned, *points, dense)
        choice = self._network.choose(answer, multimask=ambiguous, rank=candidate)
        if not ambiguous:
            return choice, None
        order = answer.iou[0, 1:].argsort(descending=True, stable=True) + 1
        return choice, (answer.logits[0, order].unsqueeze(1), answer.iou[0, order])

    def _point_input(self, clicks: list[_Click], frame: Frame, region: SearchRegion) -> tuple[Tensor, Tensor]:
        points = point_input([click[:2] for click in clicks], frame, region, self._size)
        labels = torch.tensor([[click[2] for click in clicks]])
        return points.to(self._network.device), labels.to(self._network.device)


def _merged(clicks: list[_Click], prompt: Prompt) -> list[_Click]:
    """The clicks of a frame and those of one prompt more."""
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box.tolist()
        # A new box takes the place of the old one; a box comes before the clicks, as in SAM 2's training.
        clicks = [(x0, y0, 2), (x1, y1, 3)] + [click for click in clicks if click[2] < 2]
    return clicks + [(x, y, int(n)) for (x, y), n in zip(prompt.points.tolist(), prompt.labels, strict=True)]
