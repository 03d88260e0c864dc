"""What a tracker is told of a labelled sequence, and what is measured: with one that follows colours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from squares import ColourTracker, labels, write

from sam2_ros.apps import follow as module
from sam2_ros.apps.follow import PROMPTS, Followed, follow, make_prompt
from sam2_ros.apps.sequences import BadSequence, open_sequence


@pytest.fixture(autouse=True)
def colour_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Tracker", ColourTracker)
    ColourTracker.made = []


def run(folder: Path, *frames: np.ndarray | None, prompt: str = "mask", pictures: bool = False) -> Followed:
    sequence = open_sequence(write(folder, *frames))
    return follow(None, sequence, prompt=prompt, size=64, pictures=pictures)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_perfect_answer_scores_one(tmp_path: Path, prompt: str) -> None:
    frames = [labels(id1=(10 + k, 10, 12), id2=(50, 30 - k, 9)) for k in range(6)]
    followed = run(tmp_path / "a", *frames, prompt=prompt)
    summary = followed.frames.summary()
    assert (summary.j, summary.f, summary.box_iou, summary.presence) == (1, 1, 1, 1)
    tracker = ColourTracker.made[0]
    assert tracker.options == {"capacity": 2, "image_size": 64, "history": 0, "non_overlap": True}
    assert [frame for frame, _ in tracker.prompts] == [0, 0]
    assert tracker.stamps == sorted(set(tracker.stamps))
    assert len(followed.seconds) == 5
    assert len(followed.steady) == 3


def test_the_prompted_frame_the_last_one_and_those_without_labels_are_not_measured(tmp_path: Path) -> None:
    square = labels(id1=(10, 10, 8))
    followed = run(tmp_path / "a", square, square, None, square, square)
    assert np.isnan(followed.frames.j[0]).tolist() == [True, False, True, False, True]


def test_an_object_that_comes_later_is_prompted_then(tmp_path: Path) -> None:
    alone, both = labels(id1=(10, 10, 8)), labels(id1=(10, 10, 8), id7=(40, 30, 5))
    followed = run(tmp_path / "a", labels(), alone, both, both, alone, both)
    assert [frame for frame, _ in ColourTracker.made[0].prompts] == [1, 2]
    np.testing.assert_array_equal(followed.frames.j, [[np.nan, np.nan, 1, 1, 1, np.nan], [*[np.nan] * 3, 1, 1, np.nan]])
    np.testing.assert_array_equal(followed.frames.in_view[1], [*[np.nan] * 3, 1, 0, np.nan])


def test_what_is_said_of_an_object_out_of_view(tmp_path: Path) -> None:
    """The image still shows it where the labels say that it is hidden, and the other way round."""
    square = labels(id1=(10, 10, 8))
    folder = write(tmp_path / "a", *[square] * 4)
    sequence = open_sequence(folder)
    (folder / "masks" / "00001.png").unlink()
    write(tmp_path / "b", labels())
    (tmp_path / "b" / "masks" / "00000.png").rename(folder / "masks" / "00001.png")
    (tmp_path / "b" / "images" / "00000.png").rename(folder / "images" / "00002.png")
    frames = follow(None, sequence, prompt="mask").frames
    np.testing.assert_array_equal(frames.presence[0], [np.nan, 0, 0, np.nan])
    np.testing.assert_array_equal(frames.j[0], [np.nan, 0, 0, np.nan])
    np.testing.assert_array_equal(frames.box_iou[0], [np.nan, np.nan, 0, np.nan])


def test_a_refused_mask_is_tried_again_and_said(tmp_path: Path) -> None:
    small, large = labels(id1=(10, 10, 1)), labels(id1=(10, 10, 8))
    followed = run(tmp_path / "a", small, large, large, large)
    assert followed.notes == ["object 1 was prompted on frame 1 only (frame 0, the mask of 1 pixels is too small)"]
    assert np.isnan(followed.frames.j[0]).tolist() == [True, True, False, True]


def test_objects_that_are_not_measured_are_said(tmp_path: Path) -> None:
    first, end = labels(id1=(10, 10, 8)), labels(id1=(10, 10, 8), id2=(40, 10, 8), id3=(60, 50, 1))
    followed = run(tmp_path / "a", first, first, end)
    assert followed.notes == [
        "object 2 is not measured (no frame is left after its prompt)",
        "object 3 is not measured (frame 2, the mask of 1 pixels is too small)",
    ]
    assert followed.frames.summary().j == 1
    with pytest.raises(BadSequence, match=re.escape("the 2 frames of b leave nothing to measure; an object needs a")):
        run(tmp_path / "b", first, first)


def test_prompts() -> None:
    mask = labels(id1=(10, 20, 9)).astype(bool)
    mask[20:29, 19:60] = np.arange(9)[:, None] == 4  # a thin tail, which holds the mean but not the middle
    np.testing.assert_array_equal(make_prompt(mask, "mask").mask, mask)
    np.testing.assert_array_equal(make_prompt(mask, "box").box, [10, 20, 60, 29])
    click = make_prompt(mask, "click")
    np.testing.assert_array_equal(click.points, [[14, 24]])
    np.testing.assert_array_equal(click.labels, [1])


def test_the_edge_of_the_image_is_an_edge_for_a_click() -> None:
    click = make_prompt(labels(id1=(0, 0, 9)).astype(bool), "click")
    np.testing.assert_array_equal(click.points, [[4, 4]])


def test_shots_for_the_eye(tmp_path: Path) -> None:
    frames = [labels(id1=(10 + k, 10, 8)) for k in range(20)]
    assert run(tmp_path / "a", *frames).shots == []
    shots = run(tmp_path / "b", *frames, pictures=True).shots
    assert [shot.frame for shot in shots] == [0, 3, 5, 8, 11, 14, 16, 19]
    for shot in shots:
        np.testing.assert_array_equal(shot.guess[1], frames[shot.frame] == 1)
        np.testing.assert_array_equal(shot.truth[1], frames[shot.frame] == 1)
