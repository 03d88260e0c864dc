"""Where the commands of this folder leave their figures."""

from __future__ import annotations

from pathlib import Path

from sam2_ros.apps import figures


class BadOutput(ValueError):
    """A file that cannot be written; the message says which and why."""


def make_room(file: Path) -> None:
    """Makes sure, before the measuring, that the file can be written. Raises BadOutput."""
    try:
        figures.make_room(file)
    except OSError as error:
        reason = error.strerror
        raise BadOutput(f"--output is {file.parent}; it must be a folder that can be written to: {reason}") from error
    if file.is_dir():
        raise BadOutput(f"{file} is a folder; the figures go to a file of that name, so --output must be another one")
