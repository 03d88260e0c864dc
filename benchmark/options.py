"""What the commands of this folder take alike."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """A number of things, at least one, for argparse. Raises ArgumentTypeError."""
    return _whole(text, 1)


def count_or_none(text: str) -> int:
    """A number of things that may be 0, for argparse. Raises ArgumentTypeError."""
    return _whole(text, 0)


def positive(text: str) -> float:
    """A number above 0, for argparse. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return number


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {least}")
    return int(text)
