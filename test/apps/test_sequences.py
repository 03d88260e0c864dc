"""Labelled sequences: what is read, in which order, and what is refused with which sentence."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from squares import COLOURS, labels, write

from sam2_ros.apps.sequences import BadSequence, find_sequences, open_sequence


def test_images_and_labels_in_order(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", labels(id1=(10, 10, 8)), labels(id1=(12, 10, 8), id7=(40, 30, 5)), None, labels())
    sequence = open_sequence(folder)
    assert (sequence.name, len(sequence), sequence.ids) == ("a", 4, (1, 7))
    frames = list(sequence)
    assert [frame.labels is None for frame in frames] == [False, False, True, False]
    assert frames[1].image.shape == (60, 80, 3)
    assert tuple(frames[1].image[12, 14]) == COLOURS[1]
    assert frames[1].labels[32, 42] == 7


def test_the_first_frames_only(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", labels(id1=(10, 10, 8)), labels(id1=(12, 10, 8)), labels(id2=(12, 10, 8)))
    sequence = open_sequence(folder, frames=2)
    assert (len(list(sequence)), sequence.ids) == (2, (1,))
    assert len(open_sequence(folder, frames=9)) == 3


def test_a_folder_of_sequences(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, labels(id1=(1, 1, 5)))
    assert find_sequences([tmp_path]) == [tmp_path / "a", tmp_path / "b"]
    assert find_sequences([tmp_path / "b", tmp_path / "a"]) == [tmp_path / "b", tmp_path / "a"]


def refused(folder: Path, sentence: str) -> None:
    with pytest.raises(BadSequence, match=re.escape(sentence)):
        list(open_sequence(folder))


def test_folders_that_are_none(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "none", f"{tmp_path / 'none'} is not a folder; a labelled sequence is a folder with images/ and"),
        (tmp_path, f"{tmp_path} holds no images/; a labelled sequence is a folder with images/ and masks/"),
    ):
        with pytest.raises(BadSequence, match=re.escape(sentence)):
            find_sequences([path])
    refused(write(tmp_path / "empty"), "images holds no images: files that end in .jpg, .jpeg, .png")
    refused(
        write(tmp_path / "unlabelled", None, None),
        "masks holds no label image of these frames; the first would be 00000.png",
    )
    refused(write(tmp_path / "blank", labels(), labels()), "show no object: all their pixels are 0")


def test_files_of_another_size_or_none(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", *[labels(id1=(1, 1, 5))] * 2)
    cv2.imwrite(str(folder / "masks" / "00001.png"), np.ones((30, 40), np.uint8))
    refused(folder, f"{folder / 'masks' / '00001.png'} is 40x30 pixels, but {folder / 'images' / '00000.png'} is 80x60")
    cv2.imwrite(str(folder / "masks" / "00001.png"), np.ones((60, 80, 3), np.uint8))
    refused(folder, "00001.png has 3 channels; a label image has one, or a palette")
    (folder / "masks" / "00001.png").unlink()
    cv2.imwrite(str(folder / "images" / "00001.png"), np.ones((30, 40, 3), np.uint8))
    refused(folder, f"{folder / 'images' / '00001.png'} is 40x30 pixels, but 00000.png is 80x60")
    (folder / "images" / "00001.png").write_bytes(b"")
    refused(folder, f"{folder / 'images' / '00001.png'} is not an image that OpenCV can read")
