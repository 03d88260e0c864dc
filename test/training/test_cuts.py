"""Which frames the short cuts of a sequence have."""

from __future__ import annotations

from pathlib import Path

import pytest
from squares import ColourTracker, labels, write

from sam2_ros.apps import follow
from sam2_ros.apps.sequences import open_sequence
from training.cuts import cuts, measure


@pytest.fixture
def sequence(tmp_path: Path):
    """Ten frames; object 1 is on all of them, 2 from the fourth on, and 3 is too small to begin with."""
    first = labels(id1=(5, 5, 20), id3=(70, 50, 5))
    return open_sequence(write(tmp_path / "long", *[first] * 4, *[labels(id1=(5, 5, 20), id2=(40, 20, 20))] * 6))


def test_they_begin_at_every_so_many_frames_in_both_directions(sequence) -> None:
    names = [[int(file.stem) for file in cut.images] for cut in cuts(sequence, every=4, length=6, backwards=True)]
    assert names == [[0, 1, 2, 3, 4, 5], [4, 5, 6, 7, 8, 9], [4, 3, 2, 1, 0], [8, 7, 6, 5, 4, 3]]
    assert [cut.ids for cut in cuts(sequence, every=4, length=6, backwards=False)] == [(1,), (1, 2)]


def test_two_frames_are_no_cut(sequence) -> None:
    assert [len(cut) for cut in cuts(sequence, every=1, length=3, backwards=False)] == [3] * 8


def test_a_cut_that_cannot_be_measured_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No label image follows the frame with which the second begins."""
    monkeypatch.setattr(follow, "Tracker", ColourTracker)
    frame = labels(id1=(5, 5, 20))
    gaps = open_sequence(write(tmp_path / "gaps", *[frame] * 4, None, None))
    values = measure(None, cuts(gaps, every=3, length=6, backwards=False), "mask")
    assert values == [1.0]
    assert capsys.readouterr().err.startswith(
        "left out: the cut of gaps that begins with 00003.png: the 3 frames of gaps leave nothing to measure; "
    )


def test_each_is_a_run_of_its_own(sequence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "Tracker", ColourTracker)
    network = None
    assert measure(network, cuts(sequence, every=4, length=6, backwards=True), "mask") == [1.0] * 4
