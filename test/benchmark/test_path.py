"""The benchmark of the node's own path: every image is clocked, every output heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.path.__main__ import OUTPUTS, evaluate, main


def _frame(stamp: int, own: float) -> dict[str, object]:
    return {"stamp": stamp, "own": own, "age": own + 0.002, "parts": {"read": own / 2}}


def test_only_what_counts_is_counted() -> None:
    frames = [_frame(0, 9.0), *(_frame(stamp, 0.004) for stamp in range(1, 10))]
    result = evaluate(list(range(1, 13)), frames, {})
    assert result.handled == 9 / 12
    assert result.own == pytest.approx((4.0, 4.0))
    assert result.age == pytest.approx((6.0, 6.0))
    assert result.parts == pytest.approx({"read": 2.0})


def test_nothing_handled_is_no_result() -> None:
    with pytest.raises(RuntimeError, match="none of 2 images"):
        evaluate([5, 6], [_frame(1, 0.004)], {})


def test_over_dds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "160x120", "--rate", "10", "--seconds", "2", "--output", str(tmp_path)]) == 0
    plain, deep = json.loads((tmp_path / "path.json").read_text())["cases"]
    assert set(plain["heard"]) >= set(OUTPUTS) - {"points", "markers"}
    assert set(deep["heard"]) == set(OUTPUTS)
    assert "places" in deep["parts"]
    beside = {"overlay", "encode"}
    assert beside < set(deep["parts"])
    assert deep["own"][0] > sum(value for part, value in deep["parts"].items() if part not in beside) / 2
    assert capsys.readouterr().out.count("handled") == 2


@pytest.mark.parametrize("size", ["640", "640x", "1x1", "axb"])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--size", size])
    assert f"'{size}' is not a size" in capsys.readouterr().err
