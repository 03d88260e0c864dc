"""What a tracker will do, done once beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .tracker import Tracker, track_together
from .tracks import Prompt

_SOME = 3
"""Objects after which more of them are nothing new, unless a GPU records what it does for each number of them."""


def warm_up(trackers: Sequence[Tracker]) -> None:
    """Does once what trackers of one network will do, with any number of objects and cameras at a time.

    The first calls choose kernels, allocate, compile, and record what a GPU then replays, so that no camera's image or
    object's prompt does. The trackers are left with objects and images that were made up: take new ones.
    """
    image = np.zeros((480, 640, 3), np.uint8)
    box = Prompt(box=np.array([160, 120, 480, 360], np.float32))
    click = Prompt(points=np.array([[320, 240]], np.float32), labels=np.array([1]))
    mask = Prompt(mask=np.pad(np.ones((240, 320), bool), ((120, 120), (160, 160))))
    tracker = trackers[0]
    tracker.track(image, 0)
    tracker.preview(click)
    tracker.prompt(box)
    tracker.prompt(click, object_id=1)
    most = tracker.capacity if tracker.replays else min(_SOME, tracker.capacity)
    # The most objects first, whose recordings need the most memory, which the others then share; and once more, so that
    # the memory is at hand that they need besides, which recording gives back.
    for stamp, count in enumerate([*range(most, 0, -1), most], start=1):
        while len(tracker.ids) > count:
            tracker.remove(tracker.ids[-1])
        while len(tracker.ids) < count:
            tracker.prompt(mask)
        tracker.track(image, stamp)
    # Each on an image that has none yet, and another click to it.
    for stamp, corrections in enumerate(((click, click), (box, click)), start=2 + most):
        tracker.track(image, stamp)
        for correction in corrections:
            tracker.prompt(correction, object_id=1)
    saved = tracker.save(1)
    tracker.remove(1)
    tracker.load(saved)
    # Images of several cameras come together or not, so each number of them is a size of batch that will be met.
    for count in range(2, 1 + len(trackers)):
        track_together(trackers[:count], [image] * count, [4 + most] * count)
