"""The steps that SAM 2 takes for objects on one frame: follow them, answer prompts, remember. Rows in, tensors kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.masks import resize_logits
from sam2_ros.network import NO_OBJECT, Choice, Sam2

from .errors import BadPrompt
from .history import Frame
from .memory import MemoryBank
from .tracks import Prompt, Readings

_WHOLE_IMAGE = 0.9
"""Share of the image from which a mask counts as one of the whole image."""

_Click = tuple[float, float, int]
"""x, y in pixels of the image, and label; 2 and 3 are the corners of a box."""


class Propagation:
    """The answers on the newest frame that each row was given, and the memory behind them."""

    def __init__(self, network: Sam2, bank: MemoryBank, *, rows: int, size: int, corrections_condition: bool) -> None:
        """size: edge of the network's input in pixels."""
        self._network = network
        self._bank = bank
        self._size = size
        self._corrections_condition = corrections_condition
        self.logits = torch.zeros(rows, 1, size // 4, size // 4, device=network.device)
        """(rows, 1, S / 4, S / 4) as if every object were in view."""
        self.scores = torch.zeros(rows, device=network.device)
        """(rows,) object score logits."""
        self.iou = torch.zeros(rows, device=network.device)
        """(rows,)"""

    def follow(self, rows: Sequence[int], frame: Frame, wary: Sequence[bool]) -> None:
        """Tracks the objects of these rows onto a frame and remembers the answers.

        wary: of which objects a mask of the whole image is not believed.
        """
        choice = self._tracked(rows, frame)
        if any(wary):
            whole = (choice.logits > 0).float().mean(dim=(1, 2, 3)) > _WHOLE_IMAGE
            choice = self._network.hide(choice, whole & torch.tensor(list(wary), device=whole.device))
        masks = self._upsample(choice.logits).sigmoid()
        memory = self._network.encode_memory(frame.features.top, masks, choice.score)
        self._bank.write(rows, frame.number, memory, choice.pointer, conditioning=False)
        self._store(rows, choice)

    def rest(self, rows: Sequence[int], scores: Sequence[float]) -> None:
        """Leaves objects out of view that are not searched for on a frame, which they do not remember then.

        scores: their object score logits when they last were.
        """
        index = torch.as_tensor(list(rows), device=self.logits.device)
        self.logits[index] = NO_OBJECT
        self.scores[index] = torch.tensor(list(scores), device=self.scores.device)
        self.iou[index] = 0

    def prompt(self, row: int, frame: Frame, prompts: Sequence[Prompt], *, begins: bool) -> Readings:
        """Answers all prompts of one object on a frame in their order, and remembers the last answer.

        begins: whether the object has no memory before this frame. Returns the readings of the last prompt.
        """
        tracked = None if begins else self._tracked([row], frame)
        choice, readings = self._answer([row], frame, prompts, tracked)
        self._store([row], choice)
        masks = (self._upsample(choice.logits) > 0).to(self._network.dtype)
        memory = self._network.encode_memory(frame.features.top, masks, choice.score)
        conditioning = begins or self._corrections_condition
        self._bank.write([row], frame.number, memory, choice.pointer, conditioning=conditioning)
        return readings

    def preview(self, frame: Frame, prompt: Prompt) -> Readings:
        """The answer to a prompt that starts nothing."""
        return self._answer([], frame, [prompt], None)[1]

    def _tracked(self, rows: Sequence[int], frame: Frame) -> Choice:
        """Where the objects are on a frame by what they remember."""
        network = self._network
        conditioned = network.attend(frame.features.top, self._bank.read(rows, frame.number))
        answer = network.decode(frame.features, conditioned, *network.no_points(len(rows)))
        return network.choose(answer, multimask=True)

    def _answer(
        self, row: Sequence[int], frame: Frame, prompts: Sequence[Prompt], tracked: Choice | None
    ) -> tuple[Choice, Readings]:
        """Prompts of one object on one frame, at least one; each goes on from the answer to those before it.

        row: of the object, empty if it has no memory; tracked: the frame's answer before any prompt, if it has.
        """
        top = frame.features.top
        memory = None if tracked is None else self._bank.read(row, frame.number)
        conditioned = self._network.without_memory(top) if memory is None else self._network.attend(top, memory)
        answered, clicks = tracked, list[_Click]()
        for prompt in prompts:
            if prompt.mask is not None:
                clicks = []
                choice, readings = self._answer_mask(frame, prompt.mask)
            else:
                clicks = _merged([] if prompt.replace else clicks, prompt)
                earlier = tracked if prompt.replace else answered
                choice, readings = self._answer_clicks(frame, conditioned, clicks, earlier, prompt.candidate)
            answered = choice
        return choice, readings

    def _answer_mask(self, frame: Frame, mask: NDArray[np.bool_]) -> tuple[Choice, Readings]:
        choice = self._network.take_mask(frame.features, self._mask_input(mask))
        return choice, self._readings(choice.raw, choice.iou, frame)

    def _answer_clicks(
        self, frame: Frame, conditioned: Tensor, clicks: list[_Click], earlier: Choice | None, candidate: int
    ) -> tuple[Choice, Readings]:
        ambiguous = len(clicks) == 1
        if candidate and not ambiguous:
            raise BadPrompt(f"there is no candidate {candidate}: only a single click has more than one reading")
        # The original clamps here to keep the prompt encoder within what it was trained on.
        dense = None if earlier is None else earlier.logits.clamp(-32, 32)
        answer = self._network.decode(frame.features, conditioned, *self._point_input(clicks, frame), dense)
        choice = self._network.choose(answer, multimask=ambiguous, rank=candidate)
        if not ambiguous:
            return choice, self._readings(choice.raw, choice.iou, frame)
        order = answer.iou[0, 1:].argsort(descending=True, stable=True) + 1
        return choice, self._readings(answer.logits[0, order].unsqueeze(1), answer.iou[0, order], frame)

    def _store(self, rows: Sequence[int], choice: Choice) -> None:
        index = torch.as_tensor(list(rows), device=self.logits.device)
        self.logits[index] = choice.raw.float()
        self.scores[index] = choice.score.float()
        self.iou[index] = choice.iou.float()

    def _upsample(self, logits: Tensor) -> Tensor:
        return F.interpolate(logits, size=(self._size, self._size), mode="bilinear", align_corners=False)

    def _point_input(self, clicks: list[_Click], frame: Frame) -> tuple[Tensor, Tensor]:
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

    def _readings(self, logits: Tensor, iou: Tensor, frame: Frame) -> Readings:
        masks = resize_logits(logits, frame.height, frame.width) > 0
        return Readings(masks.cpu().numpy(), iou.float().cpu().numpy(), frame.stamp)


def _merged(clicks: list[_Click], prompt: Prompt) -> list[_Click]:
    """The clicks of a frame and those of one prompt more."""
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box.tolist()
        # A new box takes the place of the old one; a box comes before the clicks, as in SAM 2's training.
        clicks = [(x0, y0, 2), (x1, y1, 3)] + [click for click in clicks if click[2] < 2]
    return clicks + [(x, y, int(n)) for (x, y), n in zip(prompt.points.tolist(), prompt.labels, strict=True)]
