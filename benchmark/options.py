"""What the commands of this folder take alike."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A number of things, at least one, for argparse. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)
