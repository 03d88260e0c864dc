"""What the demo counts as tracked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sam2_ros.simulation.record import Answer, Output, Record, Target, Truth, box_iou, truths
from sam2_ros.simulation.summary import draw

RATE = 10.0


def _run(shift: float = 0.0, visibility: float = 0.9, step: float = 0.1, truth: bool = True) -> Record:
    """Twenty images with an object of 10 x 10 pixels; the node's box is `shift` pixels to the right of it."""
    record = Record(targets=(Target("can", 1, 3 if truth else None),))
    for k in range(20):
        stamp = 10**9 + round(k * step * 1e9)
        record.inputs[stamp] = "camera"
        if truth:
            record.truths[stamp] = {3: Truth((10, 10, 20, 20), 100)}
        state = 1 if visibility > 0.5 else 2
        answers = {1: Answer(state, visibility, (10 + shift, 10, 20 + shift, 20))}
        record.outputs.append(Output(stamp, "camera", 0.05, answers))
    return record


def test_box_iou_by_hand() -> None:
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert box_iou((0, 0, 4, 4), (4, 0, 6, 4)) == 0
    assert box_iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_truths_are_boxes_and_areas_of_a_label_image() -> None:
    labels = np.zeros((8, 9), np.uint8)
    labels[2:4, 3:8] = 5
    assert truths(labels) == {5: Truth((3, 2, 8, 4), 10)}


def test_a_good_run_has_no_faults() -> None:
    record = _run(shift=1)
    assert record.faults(RATE) == []
    assert record.rate == pytest.approx(10)
    assert record.curve(record.targets[0]).mean_iou == pytest.approx(9 / 11)


@pytest.mark.parametrize("record, fault", [
    (_run(shift=3), "mean box IoU of the can is 0.54"),
    (_run(step=1.0), "1.0 per second"),
    (Record(), "0 outputs"),
    (_run(visibility=0.2, truth=False), "visible on 0%"),
])  # fmt: skip
def test_faults_are_named(record: Record, fault: str) -> None:
    assert len(record.faults(RATE)) == 1 and fault in record.faults(RATE)[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("truth", [True, False])
def test_where_nothing_came_that_is_said_and_drawn(truth: bool, tmp_path: Path) -> None:
    record = Record(targets=(Target("can", 1, 3 if truth else None),))
    assert record.summary() == "no output"
    record.outputs = _run().outputs[:1]  # of which the truth has not come
    draw(tmp_path / "summary.png", "a short run", record, {})
    assert (tmp_path / "summary.png").stat().st_size > 1000


def test_a_header_that_no_image_had_is_a_fault() -> None:
    record = _run()
    del record.inputs[record.outputs[3].stamp]
    record.inputs[record.outputs[4].stamp] = "another frame"
    assert record.faults(RATE) == ["2 of 20 outputs carry a header that no image had"]


def test_images_that_hardly_show_the_object_do_not_count() -> None:
    record = _run()
    for k in range(5, 10):
        output = record.outputs[k]
        record.truths[output.stamp] = {3: Truth((10, 10, 12, 20), 20)} if k < 8 else {}
        record.outputs[k] = Output(output.stamp, "camera", 0.05, {1: Answer(2, 0.1, (0, 0, 0, 0))})
    curve = record.curve(record.targets[0])
    assert np.isnan(curve.iou[5:10]).all() and np.isfinite(np.delete(curve.iou, range(5, 10))).all()
    assert curve.mean_iou == 1


def test_an_object_that_the_node_no_longer_knows_counts_as_missed() -> None:
    record = _run()
    for k in range(10):
        output = record.outputs[k]
        record.outputs[k] = Output(output.stamp, "camera", 0.05, {})
    assert record.curve(record.targets[0]).mean_iou == pytest.approx(0.5)
