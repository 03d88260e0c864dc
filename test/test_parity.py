"""The tracker equals the original on its recorded answers, wherever those are at hand."""

from __future__ import annotations

from pathlib import Path

import parity
import pytest


def test_golden_micro(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = parity.main([str(shared / "golden" / "micro")])
    with capsys.disabled():
        print("\n" + capsys.readouterr().out)
    assert code == 0


def test_a_difference_beyond_the_tolerance_fails(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    low = np.zeros((4, 4), np.float32)
    close, far, absent = parity.Difference(), parity.Difference(), parity.Difference()
    close.add(low + 5e-4, 1.0, low, 1.01)
    far.add(low + 5e-2, 1.0, low, 1.0)
    absent.add(low - 1024, 1.0, low, 1.0)
    assert close.report("close")
    assert not far.report("far")
    assert not absent.report("absent")
