"""Where the commands of this folder leave their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class BadOutput(ValueError):
    """A file that cannot be written; the message says which and why."""


def make_room(file: Path) -> None:
    """Makes the folder, and sure, before the measuring, that the file can be written there. Raises BadOutput."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _part(file).touch()
        _part(file).unlink()
    except OSError as error:
        reason = error.strerror
        raise BadOutput(f"--output is {file.parent}; it must be a folder that can be written to: {reason}") from error
    if file.is_dir():
        raise BadOutput(f"{file} is a folder; the figures go to a file of that name, so --output must be another one")


def write(file: Path, figures: dict[str, Any]) -> None:
    """Puts the figures there, whole or not at all: what an earlier case left is not lost if this is interrupted."""
    _part(file).write_text(json.dumps(figures, indent=1) + "\n")
    _part(file).replace(file)


def _part(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")
