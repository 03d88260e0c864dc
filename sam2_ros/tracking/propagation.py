"""The steps that SAM 2 takes for objects on one frame: follow them, answer prompts, remember. Rows in, tensors kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.histogram import Colours
from sam2_ros.geometry.masks import OUTSIDE
from sam2_ros.geometry.motion import Earlier
from sam2_ros.geometry.search_region import WHOLE, SearchRegion, main_pieces
from sam2_ros.geometry.transfer import download, index, upload
from sam2_ros.network import NO_OBJECT, Choice, Features, Sam2, enlarge

from .close_ups import CloseUps, Target
from .history import Frame
from .memory import MemoryBank
from .prompting import Prompting
from .sight import Looks, paste, place, see
from .tracks import Prompt, Readings
from .visibility import View

_ANOTHER = -5.0
"""Object score logit where something else was found."""


@dataclass(frozen=True)
class Sight:
    """What of a frame the answer in a row was found in."""

    region: SearchRegion = WHOLE
    """Of the image, to which the logits belong; of an object that was not searched for, where it would be."""
    searched: bool = True
    drawn: bool = False
    """Whether somebody drew the mask, all of which is meant."""
    colours: Colours | None = None
    """Of what was found, where that was looked at from close by."""


class Propagation:
    """The answers on the newest frame that each row was given, and the memory behind them."""

    def __init__(
        self,
        network: Sam2,
        bank: MemoryBank,
        prompting: Prompting,
        *,
        rows: int,
        size: int,
        corrections_condition: bool,
    ) -> None:
        """size: edge of the network's input in pixels."""
        self._network = network
        self._bank = bank
        self._prompting = prompting
        self._size = size
        self._corrections_condition = corrections_condition
        self.logits = torch.zeros(rows, 1, size // 4, size // 4, device=network.device)
        """(rows, 1, S / 4, S / 4) as if every object were in view."""
        self.scores = torch.zeros(rows, device=network.device)
        """(rows,) object score logits."""
        self.iou = torch.zeros(rows, device=network.device)
        """(rows,)"""
        self.sights = [Sight()] * rows
        self.close_ups = CloseUps(network, rows)
        """Of the answers that were looked at once more; of those, the logits above are a coarse picture."""

    def follow(
        self,
        rows: Sequence[int],
        frame: Frame,
        views: Sequence[View],
        wary: Sequence[bool],
        needed: Sequence[float],
        before: Frame | None,
    ) -> None:
        """Tracks the objects of these rows onto a frame and remembers the answers.

        views: of each on the frame before; wary: of which objects a mask of all of it is not believed; needed: object
        score logits up to which they are not shown; before: that frame, its image alone.
        """
        regions = [view.region for view in views]
        features = see(self._network, frame, regions, self._size)
        choice, memory = self._network.follow(
            features,
            self._bank.read(rows, frame.number),
            upload(np.array(wary), self._network.device),
            self._expected(views),
        )
        self._store(rows, choice, regions)
        if choice.embedding is not None:
            masks, scores = self._found(rows)
            targets = {
                n: target
                for n, (row, mask, view) in enumerate(zip(rows, masks, views, strict=True))
                # Unless it is neither shown nor remembered.
                if scores[n] > min(needed[n], 0) and (target := self._target(row, mask, frame, view)) is not None
            }
            self._refine(targets, choice.embedding, frame, before)
            choice = self._recognise(rows, choice, scores, frame, views, needed)
        if memory is None:
            memory = self._remember(rows, features, choice, frame)
        self._bank.write(rows, frame.number, memory, choice.pointer, conditioning=False)

    def rest(self, rows: Sequence[int], views: Sequence[View]) -> None:
        """Leaves objects out of view that are not searched for on a frame, which they do not remember then.

        views: of each on the frame before.
        """
        at = index(rows, self.logits.device)
        self.logits[at] = NO_OBJECT
        for row, view in zip(rows, views, strict=True):
            self.sights[row] = Sight(view.region, searched=False)
        self.close_ups.forget(rows)
        self.scores[at] = upload(np.array([view.score for view in views], np.float32), self.scores.device)
        self.iou[at] = 0

    def prompt(
        self,
        row: int,
        frame: Frame,
        prompts: Sequence[Prompt],
        view: View | None,
        others: Sequence[View],
        *,
        wary: bool,
    ) -> Readings:
        """Answers all prompts of one object on a frame in their order, from the last on that forgets those before it,
        and remembers the last answer.

        view: of it on the frame before; None for an object that has no memory before this frame. others: of other
        objects in view on this frame. wary: as in `follow`. Returns the readings of the last prompt.
        """
        begins = view is None
        forgotten = [n for n, prompt in enumerate(prompts) if prompt.replace or prompt.mask is not None]
        prompts = prompts[forgotten[-1] if forgotten else 0 :]
        looks = Looks(self._network, frame, self._size)
        region = self._prompting.region(looks, prompts, view, others)
        expected = None
        if view is not None and view.expected is not None:
            expected = view.region.mask_in(region, view.expected)
        choice, readings = self._prompting.answer(None if begins else row, looks, region, prompts, expected, wary=wary)
        drawn = prompts[-1].mask
        self._store([row], choice, [region], drawn=drawn is not None)
        if drawn is not None:
            self.close_ups.take(row, drawn, frame)
        elif choice.embedding is not None:
            (mask,), _ = self._found([row])
            # What was there a frame ago is what the prompt may be meant to change.
            target = self._target(row, mask, frame, None)
            self._refine({} if target is None else {0: target}, choice.embedding, frame, None)
        (colours,) = self.close_ups.colours([row], frame)
        self.sights[row] = replace(self.sights[row], colours=colours)
        memory = self._remember([row], looks.at(region), choice, frame)
        conditioning = begins or self._corrections_condition
        self._bank.write([row], frame.number, memory, choice.pointer, conditioning=conditioning)
        return readings

    def place(self, rows: Sequence[int], frame: Frame) -> Tensor:
        """(N, H, W) logits of the answers in these rows, where they lie in the frame; of search regions, without what
        strays and with refined edges, unless somebody drew them."""
        device = self.logits.device
        if frame.image is None:
            return place(self.logits[index(rows, device)], frame, [self.sights[row].region for row in rows])
        crops = self.close_ups.crops(rows)
        if rows and len(crops) == len(rows):
            return place(self.close_ups.shown(rows), frame, list(crops.values()))
        placed = torch.empty(len(rows), frame.height, frame.width, device=device)
        if crops:
            shown = self.close_ups.shown([rows[n] for n in crops])
            placed[index(crops, device)] = place(shown, frame, list(crops.values()))
        if others := {n: row for n, row in enumerate(rows) if n not in crops}:
            kept = list(others.values())
            logits = _without_strays(self.logits[index(kept, device)], [self.sights[row].drawn for row in kept])
            placed[index(others, device)] = place(logits, frame, [self.sights[row].region for row in kept])
        return placed

    def _expected(self, views: Sequence[View]) -> Tensor | None:
        """The masks of N objects as in `View`, stacked; None unless there is one of each."""
        known = [view.expected for view in views if view.expected is not None]
        return upload(np.stack(known), self._network.device) if len(known) == len(views) else None

    def _store(
        self, rows: Sequence[int], choice: Choice, regions: Sequence[SearchRegion], *, drawn: bool = False
    ) -> None:
        for row, region in zip(rows, regions, strict=True):
            self.sights[row] = Sight(region, drawn=drawn)
        self.close_ups.forget(rows)
        at = index(rows, self.logits.device)
        self.logits[at] = choice.raw.float()
        self.scores[at] = choice.score.float()
        self.iou[at] = choice.iou.float()

    def _found(self, rows: Sequence[int]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks (N, S / 4, S / 4) and object score logits (N,) in these rows, on the host."""
        at = index(rows, self.logits.device)
        masks, scores = download(self.logits[at, 0] > 0, self.scores[at])
        return masks, scores

    def _target(self, row: int, mask: NDArray[np.bool_], frame: Frame, view: View | None) -> Target | None:
        """What of the frame shows the mask (S / 4, S / 4) in a row from close by; None where it is empty. view: of the
        object on the frame before, if what was there is of account."""
        region = self.sights[row].region
        box = region.box_of(mask, *frame.seen)
        return None if box is None else Target(row, region, box, None if view is None else _earlier(view, mask))

    def _refine(self, targets: Mapping[int, Target], embedding: Tensor, frame: Frame, before: Frame | None) -> None:
        """Looks at masks once more, from close by.

        targets: by their number among N objects; embedding: (N, C / 8, S / 4, S / 4) of those.
        """
        if not targets:
            return
        device, found = self.logits.device, list(targets.values())
        at = index([target.row for target in found], device)
        embedding = embedding[index(targets, device)]
        # From these follows also where the object is looked for next, and what is expected there.
        self.logits[at] = self.close_ups.refine(found, self.logits[at], embedding, frame, before)

    def _recognise(
        self,
        rows: Sequence[int],
        choice: Choice,
        scores: NDArray[np.float32],
        frame: Frame,
        views: Sequence[View],
        needed: Sequence[float],
    ) -> Choice:
        """The choice of which what does not look like the object is not in view.

        scores: (N,) of the choice, on the host; the others as in `follow`.
        """
        others = np.zeros(len(rows), bool)
        seen = self.close_ups.colours(rows, frame)
        for n, (row, view, colours) in enumerate(zip(rows, views, seen, strict=True)):
            self.sights[row] = replace(self.sights[row], colours=colours)
            if colours is not None and view.appearance is not None and scores[n] > needed[n]:
                others[n] = not view.appearance.is_of(colours, in_view=view.in_view)
        if not others.any():
            return choice
        score = choice.score.masked_fill(upload(others, choice.score.device), _ANOTHER)
        self.scores[index(rows, self.logits.device)] = score.float()
        return replace(choice, score=score)

    def _remember(self, rows: Sequence[int], features: Features, choice: Choice, frame: Frame) -> Tensor:
        """Memories (N, h * w, mem_dim) of the choices that are stored in these rows: of their masks, with refined edges
        if there are any, not of how sure each pixel is."""
        seen = enlarge(choice.raw)
        if crops := {n: crop for n, crop in self.close_ups.crops(rows).items() if not self.sights[rows[n]].drawn}:
            refined = self.close_ups.refined([rows[n] for n in crops])
            regions = [self.sights[rows[n]].region for n in crops]
            finer = paste(refined, frame, list(crops.values()), regions, self._size)
            seen[index(crops, self.logits.device)] = finer.to(seen.dtype)
        masks = (seen > 0) & (choice.score.view(-1, 1, 1, 1) > 0)
        return self._network.encode_memory(features.top, masks.to(self._network.dtype), choice.score)


def _without_strays(logits: Tensor, drawn: Sequence[bool]) -> Tensor:
    """(N, 1, h, w) logits of which, unless somebody drew them, only the main pieces are masks."""
    (masks,) = download(logits.squeeze(1) > 0)
    strays = np.zeros_like(masks)
    for stray, mask, whole in zip(strays, masks, drawn, strict=True):
        stray[:] = mask & ~main_pieces(mask) & (not whole)
    return logits.masked_fill(upload(strays, logits.device).unsqueeze(1), OUTSIDE)


def _earlier(view: View, found: NDArray[np.bool_]) -> Earlier | None:
    """The mask of an object on the frame before, of which this is its view; found: what is its mask now, before it is
    looked at from close by."""
    if view.close_up is None or view.expected is None:
        return None
    return Earlier.of(view.close_up, view.region, view.expected, found)
