"""The steps that SAM 2 takes for objects on one frame: follow them, answer prompts, remember. Rows in, tensors kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.masks import OUTSIDE
from sam2_ros.geometry.motion import CloseUp, Earlier
from sam2_ros.geometry.search_region import WHOLE, SearchRegion, main_pieces
from sam2_ros.geometry.transfer import download, upload
from sam2_ros.network import NO_OBJECT, Choice, Features, Sam2, enlarge, overlap

from .errors import BadPrompt
from .history import Frame
from .memory import MemoryBank
from .sight import Looks, mask_input, paste, pictures, place, point_input, resample, see
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

_CLOSE = 1.5
"""Edge of the picture in which a mask is refined, in the longer edge of its box."""

_ALIKE = 0.3
"""IoU with what is found, below which a mask that was led here does not count: the object has gone elsewhere."""

_CERTAIN = 8.0
"""Logit of a pixel that somebody drew."""

_Click = tuple[float, float, int]
"""x, y in pixels of the image, and label; 2 and 3 are the corners of a box."""


@dataclass(frozen=True)
class Sight:
    """What of a frame the answer in a row was found in."""

    region: SearchRegion = WHOLE
    """Of the image, to which the logits belong; of an object that was not searched for, where it would be."""
    searched: bool = True
    drawn: bool = False
    """Whether somebody drew the mask, all of which is meant."""
    crop: SearchRegion | None = None
    """Where the mask is known from close by, if it is."""


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
        self.sights = [Sight()] * rows
        edge = network.config.refined_size
        self._refined = torch.zeros(rows, 1, edge // 2, edge // 2, device=network.device)
        """(rows, 1, R / 2, R / 2), R for refined_size: logits with finer edges, of the crops; the others are a coarse
        picture of them then."""
        self._shown = torch.zeros(rows, 1, edge, edge, device=network.device)
        """(rows, 1, R, R) the same with what is known from the frame before. Nothing but the next frame's follows from
        it: what it has wrong must not be remembered."""

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
            self._expected([view.expected for view in views]),
        )
        self._store(rows, choice, regions, frame)
        if choice.embedding is not None:
            self._refine(rows, choice.embedding, frame, views, needed, before)
        if memory is None:
            memory = self._remember(rows, features, choice, frame)
        self._bank.write(rows, frame.number, memory, choice.pointer, conditioning=False)

    def rest(self, rows: Sequence[int], views: Sequence[View]) -> None:
        """Leaves objects out of view that are not searched for on a frame, which they do not remember then.

        views: of each on the frame before.
        """
        index = self._index(rows)
        self.logits[index] = NO_OBJECT
        for row, view in zip(rows, views, strict=True):
            self.sights[row] = Sight(view.region, searched=False)
        self.scores[index] = upload(np.array([view.score for view in views], np.float32), self.scores.device)
        self.iou[index] = 0

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
        region = self._region(looks, prompts, view, others)
        expected = None
        if view is not None and view.expected is not None:
            expected = view.region.mask_in(region, view.expected)
        choice, readings = self._answer([] if begins else [row], looks, region, prompts, expected, wary=wary)
        drawn = prompts[-1].mask
        self._store([row], choice, [region], frame, drawn=drawn is not None)
        if drawn is not None:
            self._look_at(row, drawn, frame)
        elif choice.embedding is not None:
            # What was there a frame ago is what the prompt may be meant to change.
            self._refine([row], choice.embedding, frame, [], [-np.inf], None)
        memory = self._remember([row], looks.at(region), choice, frame)
        conditioning = begins or self._corrections_condition
        self._bank.write([row], frame.number, memory, choice.pointer, conditioning=conditioning)
        return readings

    def preview(self, frame: Frame, prompt: Prompt, others: Sequence[View]) -> Readings:
        """The answer to a prompt that starts nothing; others: of the objects in view on this frame."""
        looks = Looks(self._network, frame, self._size)
        return self._answer([], looks, self._region(looks, [prompt], None, others), [prompt])[1]

    def place(self, rows: Sequence[int], frame: Frame) -> Tensor:
        """(N, H, W) logits of the answers in these rows, where they lie in the frame; of search regions, without what
        strays and with refined edges, unless somebody drew them."""
        if frame.image is None:
            return place(self.logits[self._index(rows)], frame, [self.sights[row].region for row in rows])
        crops = self._crops(rows)
        if rows and len(crops) == len(rows):
            return place(self._shown[self._index(rows)], frame, list(crops.values()))
        placed = torch.empty(len(rows), frame.height, frame.width, device=self.logits.device)
        if crops:
            shown = self._shown[self._index([rows[n] for n in crops])]
            placed[self._index(list(crops))] = place(shown, frame, list(crops.values()))
        if others := {n: row for n, row in enumerate(rows) if n not in crops}:
            kept = list(others.values())
            logits = _without_strays(self.logits[self._index(kept)], [self.sights[row].drawn for row in kept])
            placed[self._index(list(others))] = place(logits, frame, [self.sights[row].region for row in kept])
        return placed

    def _region(
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
        for scale in _TRIED if clicks else _TRIED[:1]:
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
        choice, _ = self._answer([], looks, region, prompts)
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

    def _expected(self, masks: Sequence[NDArray[np.bool_] | None]) -> Tensor | None:
        """The masks of N objects as in `View`, stacked; None unless there is one of each."""
        known = [mask for mask in masks if mask is not None]
        return upload(np.stack(known), self._network.device) if len(known) == len(masks) else None

    def _answer(
        self,
        row: Sequence[int],
        looks: Looks,
        region: SearchRegion,
        prompts: Sequence[Prompt],
        expected: NDArray[np.bool_] | None = None,
        *,
        wary: bool = False,
    ) -> tuple[Choice, Readings]:
        """Prompts of one object on one frame, at least one; each goes on from the answer to those before it.

        row: of the object, empty if it has no memory of earlier frames; region: where it is looked for; expected: in
        that, as in `View`; wary: as in `follow`.
        """
        network, frame, features = self._network, looks.frame, looks.at(region)
        # A mask is an answer by itself; it can only be the first.
        drawn = prompts[0].mask is not None
        if row and not (drawn and len(prompts) == 1):
            conditioned = network.attend(features.top, self._bank.read(row, frame.number))
        else:
            conditioned = network.without_memory(features.top)
        answered = None
        if row and not drawn:
            doubt = upload(np.array([wary]), network.device)
            answered = network.find(features, conditioned, self._expected([expected]), doubt)
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

    def _store(
        self,
        rows: Sequence[int],
        choice: Choice,
        regions: Sequence[SearchRegion],
        frame: Frame,
        *,
        drawn: bool = False,
    ) -> None:
        for row, region in zip(rows, regions, strict=True):
            self.sights[row] = Sight(region, drawn=drawn)
        index = self._index(rows)
        self.logits[index] = choice.raw.float()
        self.scores[index] = choice.score.float()
        self.iou[index] = choice.iou.float()

    def _look_at(self, row: int, mask: NDArray[np.bool_], frame: Frame) -> None:
        """Keeps a mask that somebody drew as it is seen from close by."""
        box = box_around(mask)
        if frame.image is None or not self._shown.numel() or box is None:
            return
        crop = SearchRegion.around(box, frame.height, frame.width, _CLOSE)
        x0, y0, x1, y1 = crop.pixels(frame.height, frame.width)
        seen = torch.from_numpy(mask[None, None, y0:y1, x0:x1]).to(self._shown.device).float()
        logits = _CERTAIN * (2 * F.interpolate(seen, size=self._shown.shape[-2:], mode="bilinear", antialias=True) - 1)
        self._shown[row] = logits[0]
        self.sights[row] = replace(self.sights[row], crop=crop)

    def _refine(
        self,
        rows: Sequence[int],
        embedding: Tensor,
        frame: Frame,
        views: Sequence[View],
        needed: Sequence[float],
        before: Frame | None,
    ) -> None:
        """Looks at the masks in these rows once more, from close by, unless they are neither shown nor remembered.

        embedding: (N, C / 8, S / 4, S / 4) of each; views: of each on the frame `before`, empty where what was there is
        of no account; needed: as in `follow`.
        """
        regions = [self.sights[row].region for row in rows]
        masks, scores = download(self.logits[self._index(rows), 0] > 0, self.scores[self._index(rows)])
        wanted = scores > np.minimum(needed, 0)
        boxes = [
            region.box_of(mask, *frame.seen) if one else None
            for region, mask, one in zip(regions, masks, wanted, strict=True)
        ]
        found = {n: SearchRegion.around(box, *frame.seen, _CLOSE) for n, box in enumerate(boxes) if box is not None}
        if frame.image is None or not found:
            return
        earlier = {
            n: Earlier.of(view.close_up, view.region, view.expected, masks[n])
            for n, view in enumerate(views)
            if n in found and view.close_up is not None and view.expected is not None
        }
        network, size = self._network, self._network.config.refined_size
        crops, index = list(found.values()), self._index([rows[n] for n in found])
        given = torch.cat((self.logits[index], embedding[self._index(list(found))].float()), dim=1)
        given = resample(given, frame, [regions[n] for n in found], crops, size // 2).to(network.dtype)
        seen = pictures(network, frame.image, crops, size)
        led = self._lead([earlier.get(n) for n in found], crops, seen, frame, before)
        coarse = F.interpolate(given[:, :1].float(), size=led.shape[-2:], mode="bilinear", align_corners=False)
        led *= (overlap(coarse > 0, led[:, 0] > 0) >= _ALIKE).view(-1, 1, 1, 1)
        refined, shown = network.refine(seen, given[:, :1], given[:, 1:], led)
        self._refined[index], self._shown[index] = refined.float(), shown.float()
        # Also where the object is looked for next, and what is expected there.
        smooth = F.avg_pool2d(refined.float(), 3, stride=1, padding=1, count_include_pad=False)
        self.logits[index] = paste(smooth, frame, crops, [regions[n] for n in found], self._size // 4)
        for n, crop in found.items():
            self.sights[rows[n]] = replace(self.sights[rows[n]], crop=crop)

    def _lead(
        self,
        earlier: Sequence[Earlier | None],
        crops: Sequence[SearchRegion],
        seen: Tensor,
        frame: Frame,
        before: Frame | None,
    ) -> Tensor:
        """(N, 1, R, R) the masks on the frame before, led to where they are in N crops of this one, as `Sam2.refine`
        takes them; seen: (N, 3, R, R) pictures of the crops."""
        led = torch.zeros_like(seen[:, :1])
        known = {n: one for n, one in enumerate(earlier) if one is not None}
        if before is None or before.image is None or not known:
            return led
        sources = [one.source(crops[n]) for n, one in known.items()]
        then, now = download(
            _grey(pictures(self._network, before.image, sources, seen.shape[-1])), _grey(seen[self._index(list(known))])
        )
        masks = [
            one.led(source, *both, *frame.seen)
            for one, source, both in zip(known.values(), sources, zip(then, now, strict=True), strict=True)
        ]
        led[self._index(list(known)), 0] = upload(np.stack(masks), led.device).to(led.dtype)
        return led

    def close_ups(self, rows: Sequence[int]) -> list[CloseUp | None]:
        """The masks of these rows as they are known from close by, where they are."""
        (masks,) = download(self._shown[self._index(rows), 0] > 0)
        crops = self._crops(rows)
        return [CloseUp(crops[n], mask.copy()) if n in crops else None for n, mask in enumerate(masks)]

    def _remember(self, rows: Sequence[int], features: Features, choice: Choice, frame: Frame) -> Tensor:
        """Memories (N, h * w, mem_dim) of the choices that are stored in these rows: of their masks, with refined edges
        if there are any, not of how sure each pixel is."""
        seen = enlarge(choice.raw)
        if crops := {n: crop for n, crop in self._crops(rows).items() if not self.sights[rows[n]].drawn}:
            refined = self._refined[self._index([rows[n] for n in crops])]
            regions = [self.sights[rows[n]].region for n in crops]
            finer = paste(refined, frame, list(crops.values()), regions, self._size)
            seen[self._index(list(crops))] = finer.to(seen.dtype)
        masks = (seen > 0) & (choice.score.view(-1, 1, 1, 1) > 0)
        return self._network.encode_memory(features.top, masks.to(self._network.dtype), choice.score)

    def _crops(self, rows: Sequence[int]) -> dict[int, SearchRegion]:
        """Where those of these rows, by their number, are known from close by that are."""
        return {n: crop for n, row in enumerate(rows) if (crop := self.sights[row].crop) is not None}

    def _index(self, rows: Sequence[int]) -> Tensor:
        return upload(np.array(rows, np.int64), self.logits.device)

    def _point_input(self, clicks: list[_Click], frame: Frame, region: SearchRegion) -> tuple[Tensor, Tensor]:
        points = point_input([click[:2] for click in clicks], frame, region, self._size)
        labels = torch.tensor([[click[2] for click in clicks]])
        return points.to(self._network.device), labels.to(self._network.device)


def _without_strays(logits: Tensor, drawn: Sequence[bool]) -> Tensor:
    """(N, 1, h, w) logits of which, unless somebody drew them, only the main pieces are masks."""
    (masks,) = download(logits.squeeze(1) > 0)
    strays = np.zeros_like(masks)
    for stray, mask, whole in zip(strays, masks, drawn, strict=True):
        stray[:] = mask & ~main_pieces(mask) & (not whole)
    return logits.masked_fill(upload(strays, logits.device).unsqueeze(1), OUTSIDE)


def _merged(clicks: list[_Click], prompt: Prompt) -> list[_Click]:
    """The clicks of a frame and those of one prompt more."""
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box.tolist()
        # A new box takes the place of the old one; a box comes before the clicks, as in SAM 2's training.
        clicks = [(x0, y0, 2), (x1, y1, 3)] + [click for click in clicks if click[2] < 2]
    return clicks + [(x, y, int(n)) for (x, y), n in zip(prompt.points.tolist(), prompt.labels, strict=True)]


def _grey(seen: Tensor) -> Tensor:
    """(N, 3, R, R) as the network sees it, to (N, R, R) uint8."""
    return (50 * seen.float().mean(dim=1) + 128).clamp(0, 255).to(torch.uint8)
