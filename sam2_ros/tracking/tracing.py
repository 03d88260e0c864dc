"""Objects from frame to frame: onto the newest one, or once more from one of the past on."""

from __future__ import annotations

from collections.abc import Sequence

from .history import Frame, History
from .last_prompt import LastPrompt
from .memory import MemoryBank
from .objects import ObjectRecord, Objects
from .outputs import Outputs
from .propagation import Propagation
from .tracks import Readings, State
from .visibility import View

_SMALL = 0.5
"""Share of the image below which an object, once lost, is not believed to have grown to all of it."""


class Tracing:
    """Finds objects on the frames of one history, and keeps what it finds in their records."""

    def __init__(
        self,
        history: History,
        bank: MemoryBank,
        propagation: Propagation,
        outputs: Outputs,
        objects: Objects,
        *,
        search_every: int,
    ) -> None:
        """search_every: as in `Tracker`."""
        self._history = history
        self._bank = bank
        self._propagation = propagation
        self._outputs = outputs
        self._objects = objects
        self._search_every = search_every

    def follow(self, records: Sequence[ObjectRecord], frame: Frame) -> None:
        """Tracks objects onto the frame after the newest that they are known on. One that is lost does not come back as
        the whole image."""
        before = {record.row: record.views[frame.number - 1] for record in records}
        # Not all in the same frame: each counts from its own first one.
        searched = [
            record.row
            for record in records
            if before[record.row].in_view or (frame.number - (record.began or 0)) % self._search_every == 0
        ]
        if searched:
            views = [before[row] for row in searched]
            wary = [self._doubts_whole(view, frame) for view in views]
            needed = [self._outputs.thresholds.score(view) for view in views]
            before_it = self._history.before(frame.number)
            self._propagation.follow(searched, frame, views, wary=wary, needed=needed, before=before_it)
        if resting := [row for row in before if row not in searched]:
            self._propagation.rest(resting, [before[row] for row in resting])

    def trace(
        self, object_id: int | None, record: ObjectRecord, start: Frame, last: LastPrompt | None = None
    ) -> tuple[int, Readings | None]:
        """Goes through the frames from `start` on again, with the prompts that the record has for them.

        record: forked from the object's; it takes its place when all has gone well, and is a new object's if the id is
        None. last: where the history no longer holds the frame, what does. Returns the object's id and the readings of
        the last prompt that was made on the frame `start`.
        """
        old_row, record.row = record.row, self._objects.spare_row
        self._bank.clear(record.row)
        if last is not None and last.remembered is not None:
            self._bank.restore(record.row, start.number, last.remembered)
        elif record.began is not None:
            self._bank.copy(old_row, record.row)
            self._bank.forget_from(record.row, start.number)
        readings = None
        for frame in [*([] if last is None else [start]), *self._history.since(start.number)]:
            number, entries = frame.number, record.prompts_on(frame.number)
            record.bridge(number)
            if entries:
                view = None if record.began is None else record.views[number - 1]
                prompts, others = [entry.prompt for entry in entries], entries[-1].others
                wary = view is not None and self._doubts_whole(view, frame)
                answer = self._propagation.prompt(record.row, frame, prompts, view, others, wary=wary)
                record.began = number if record.began is None else record.began
                readings = answer if number == start.number else readings
            elif record.began is not None:
                self.follow([record], frame)
            else:
                continue
            self._outputs.look([record], frame)
        record.prune(self._history.oldest_number)  # of what `last` alone still had
        return self._objects.put(object_id, record), readings

    def _doubts_whole(self, view: View, frame: Frame) -> bool:
        """Whether a mask of the whole image is not believed of an object; view: of it on the frame before."""
        return self._outputs.thresholds.state(view, frame.stamp) == State.LOST and view.share < _SMALL
