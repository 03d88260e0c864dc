"""Figures as JSON, in a file that is whole whenever it is looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def make_room(file: Path) -> None:
    """Makes the folder, and sure, before hours of work, that the file can be written there. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    _part(file).touch()
    _part(file).unlink()


def write(file: Path, figures: dict[str, Any]) -> None:
    """Puts figures into the file: what was there before is not lost if this is interrupted. Raises OSError."""
    _part(file).write_text(json.dumps(figures, indent=2) + "\n")
    _part(file).replace(file)


def _part(file: Path) -> Path:
    """What is written first, and takes the file's name when it is whole."""
    return file.with_name(f"{file.name}.part")
