"""A short form of the long run, with a small random network; the verdict must be able to be a bad one."""

from __future__ import annotations

import ctypes
import gc

import numpy as np
import pytest
import torch

from sam2_ros.apps import soak
from sam2_ros.network import Sam2, Sam2Config
from sam2_ros.tracking import Tracker

SHORT = ["--frames", "2000"]


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Sam2:
    torch.manual_seed(1)
    config = Sam2Config(image_size=64, embed_dim=8, d_model=32, mem_dim=8, num_layers=1, dim_feedforward=16)
    network = Sam2(config).eval().requires_grad_(False)
    monkeypatch.setattr(soak, "load_network", lambda *arguments, **more: network)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # in what other tests have freed a leak would find room without growth
    return network


def test_neither_memory_nor_time_per_frame_grows(capsys: pytest.CaptureFixture[str]) -> None:
    # More time is allowed than in a run of its own: other tests may run beside this one.
    assert soak.main([*SHORT, "--time", "30"]) == 0
    out = capsys.readouterr().out
    assert "resident memory" in out and "time per frame" in out and "HAS GROWN" not in out


def test_a_tracker_that_keeps_its_images_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = []
    track = Tracker.track

    def leaking(self, image, stamp):  # type: ignore[no-untyped-def]
        kept.append(image.copy())
        return track(self, image, stamp)

    monkeypatch.setattr(Tracker, "track", leaking)
    monkeypatch.setattr(Tracker, "prompt", lambda self, prompt, **more: _Nothing())
    for name in ("remove", "undo", "save", "load", "reset"):
        monkeypatch.setattr(Tracker, name, lambda self, *values: _Nothing())
    assert soak.main([*SHORT, "--time", "1000"]) == 1
    assert "HAS GROWN" in capsys.readouterr().out


def test_what_grows_with_an_objects_age_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each object its images are kept until it is removed."""
    kept: dict[int, list[np.ndarray]] = {}
    track, remove = Tracker.track, Tracker.remove

    def leaking(self, image, stamp):  # type: ignore[no-untyped-def]
        for object_id in self.ids:
            kept.setdefault(object_id, []).append(image.copy())
        return track(self, image, stamp)

    def removing(self, object_id):  # type: ignore[no-untyped-def]
        kept.pop(object_id, None)
        return remove(self, object_id)

    monkeypatch.setattr(Tracker, "track", leaking)
    monkeypatch.setattr(Tracker, "remove", removing)
    assert soak.main([*SHORT, "--time", "1000"]) == 1
    assert "HAS GROWN" in capsys.readouterr().out


class _Nothing:
    ids = (1,)


def test_three_objects_are_there_at_a_time(network: Sam2) -> None:
    """Otherwise the run would prove little."""
    tracker = Tracker(network, capacity=4)
    scene = soak._Scene()
    seen = []
    for number in range(60):
        scene.step(tracker, number)
        if number >= 45:
            tracks = tracker.track(scene._image(number), number * 10**8 + 1)
            seen.append(len(tracks.ids))
    assert seen == [3] * 15


def test_the_memory_is_that_of_the_trackers_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**20 * (1 + device.index))
    assert soak._reserved(torch.device("cuda:1")) == 2.0
    assert soak._reserved(torch.device("cpu")) == 0.0


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--frames", "100"], "at least 2000"),
        (["--threads", "-1"], "--threads -1: it must be at least 1, or 0 for as many as PyTorch chooses"),
        (["--image-size", "100"], "image_size is 100; it must be a positive"),
    ],
)
def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    with pytest.raises(SystemExit):
        soak.main(arguments)
    assert sentence in capsys.readouterr().err
