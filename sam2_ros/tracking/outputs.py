"""What is shown of the objects on a frame: who is in view, and masks, boxes and states on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.masks import Measures, keep_highest, measure
from sam2_ros.geometry.motion import CloseUp
from sam2_ros.geometry.search_region import SearchRegion
from sam2_ros.geometry.transfer import download, index, upload
from sam2_ros.network import NO_OBJECT

from .appearance import Appearance
from .history import Frame
from .objects import ObjectRecord
from .propagation import Propagation
from .tracks import State, Tracks
from .visibility import Thresholds, View

_ROOT = 2**0.5
"""By which every second guess is one by colours, also where only every so many images are searched."""
_SURE = 0.5
"""Predicted IoU from which an answer says how large a search region has to be."""


@dataclass(frozen=True)
class Look:
    """N objects on a frame, at the image's size, on the device."""

    rows: Tensor
    """(N,) int64"""
    logits: Tensor
    """(N, H, W)"""
    masks: Tensor
    """(N, H, W) bool, empty for objects out of view."""
    in_view: Tensor
    """(N,) bool"""
    measures: Measures
    """Of the masks."""


class Outputs:
    def __init__(
        self, propagation: Propagation, thresholds: Thresholds, *, search_context: float, non_overlap: bool
    ) -> None:
        """search_context: of the network; non_overlap: show a pixel that several masks claim in one of them alone."""
        self._propagation = propagation
        self.thresholds = thresholds
        self.non_overlap = non_overlap
        self._search_context = search_context

    def look(self, records: Sequence[ObjectRecord], frame: Frame) -> Look:
        """Decides which objects are in view on a frame, from the answers in their rows, and keeps it in the records."""
        device = self._propagation.logits.device
        numbers = [record.row for record in records]
        rows = index(numbers, device)
        logits = self._propagation.place(numbers, frame)
        masks = logits > 0
        measures = measure(masks)
        before = [record.views.get(frame.number - 1) for record in records]
        needed = [
            self.thresholds.score(view, prompted=bool(record.prompts_on(frame.number)))
            for record, view in zip(records, before, strict=True)
        ]
        limits = upload(np.array(needed, np.float32), device)
        scores = self._propagation.scores[rows]
        in_view = (scores > limits) & (measures.areas > 0)
        # One copy to the host; float64 holds every area and score as it is.
        seen = torch.stack((in_view.double(), measures.areas.double(), scores.double()), dim=1).tolist()
        searches = self._next_searches(numbers, before, in_view, frame)
        for record, view, search, (visible, area, score) in zip(records, before, searches, seen, strict=True):
            share = area / (frame.height * frame.width)
            looks = Appearance.after(
                None if view is None else view.appearance,
                self._propagation.sights[record.row].colours,
                share,
                prompted=bool(record.prompts_on(frame.number)),
            )
            record.views[frame.number] = View.after(
                view, frame.stamp, share, score, *search, looks, in_view=bool(visible)
            )
        if not all(visible for visible, _, _ in seen):
            masks = masks & in_view[:, None, None]
        return Look(rows, logits, masks, in_view, measures.only(in_view))

    def _next_searches(
        self, rows: Sequence[int], before: Sequence[View | None], in_view: Tensor, frame: Frame
    ) -> list[tuple[SearchRegion, NDArray[np.bool_] | None, CloseUp | None]]:
        """Where to look on the next frame for the objects of these rows, some of which are in view on this one, what is
        expected there, and their masks from close by, as in `View`."""
        sights = [self._propagation.sights[row] for row in rows]
        if not self._search_context:
            return [(sight.region, None, None) for sight in sights]
        size = (frame.height, frame.width)
        at = index(rows, in_view.device)
        answers = (self._propagation.logits[at, 0] > 0) & in_view[:, None, None]
        sure = (self._propagation.iou[at] >= _SURE).tolist()
        close_ups = self._propagation.close_ups.of(rows)
        searches: list[tuple[SearchRegion, NDArray[np.bool_] | None, CloseUp | None]] = []
        for sight, view, mask, one, close_up in zip(
            sights, before, answers.cpu().numpy(), sure, close_ups, strict=True
        ):
            if view is not None and not sight.searched:
                searches.append((view.region, view.expected, None))
                continue
            box = sight.region.box_of(mask, *size)
            following = sight.region.after(box, *size, self._search_context, turn=frame.number, sure=one)
            looks = None if view is None else view.appearance
            if following.guessed and looks is not None and frame.number * _ROOT % 1 < 0.5:
                following = looks.guess(frame, self._search_context)
            searches.append((following, sight.region.mask_in(following, mask), close_up))
        return searches

    def tracks(self, ids: tuple[int, ...], records: Sequence[ObjectRecord], frame: Frame, look: Look) -> Tracks:
        """All objects on the newest frame, brought back to the host; look: at these records on this frame."""
        masks, measures = look.masks, look.measures
        if self.non_overlap and ids:
            masks = keep_highest(look.logits, masks)
            measures = measure(masks)
        device_scores = self._propagation.scores[look.rows]
        low = self._propagation.logits[look.rows].squeeze(1)
        shown, logits, boxes, centroids, areas, scores, visibility, iou = download(
            masks,
            torch.where(look.in_view[:, None, None], low, NO_OBJECT),
            measures.boxes.float(),
            measures.centroids,
            measures.areas,
            device_scores,
            device_scores.sigmoid(),
            self._propagation.iou[look.rows],
        )
        views = [record.views[frame.number] for record in records]
        return Tracks(
            stamp=frame.stamp,
            ids=ids,
            states=tuple(self._state(view, frame.stamp, area) for view, area in zip(views, areas, strict=True)),
            masks=shown,
            logits=logits,
            boxes=boxes,
            centroids=centroids,
            areas=areas,
            scores=scores,
            visibility=visibility,
            iou=iou,
            last_seen=tuple(view.last_seen for view in views),
        )

    def _state(self, view: View, stamp: int, area: int) -> State:
        # One whose pixels have all gone to others is in view by itself, but has no mask to show.
        return State.OCCLUDED if view.in_view and not area else self.thresholds.state(view, stamp)
