"""Writes the second half of docs/interface.md anew, from msg/, srv/ and the node's parameters.

    python docs/make_interface.py

What stands before the mark is written by hand; test/test_interface_page.py compares both with the node.
"""

from __future__ import annotations

import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from sam2_ros.ros.parameters import Parameters

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "interface.md"
MARK = "<!-- From here on written by docs/make_interface.py -->\n"

# TYPE NAME, a constant's =VALUE or a field's default, # MEANING
_LINE = re.compile(
    r"(?P<type>[^\s#]+) +(?P<name>\w+)(?:=(?P<value>\S+))?(?: +(?P<default>[^\s#]+))? *(?:# *(?P<meaning>.*))?"
)


def written(page: str) -> str:
    """The page with its second half as it has to be."""
    by_hand, mark, _ = page.partition(MARK)
    parts = [by_hand + mark, "## Parameters\n", _parameters(), "## Messages\n"]
    parts += [_interface(path) for path in sorted((ROOT / "msg").glob("*.msg"))]
    parts.append("## Types of services\n")
    parts += [_interface(path) for path in sorted((ROOT / "srv").glob("*.srv"))]
    return "\n".join(parts)


def _parameters() -> str:
    rows = (
        (f"`{one.name}`", _default(one.default), _range(one), _change(one), _plain(one.metadata["description"]))
        for one in fields(Parameters)
    )
    head = "| name | default | values | can change | meaning |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _default(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else list(value) if isinstance(value, tuple) else value}`"


def _range(entry: Field) -> str:
    limits, choices = entry.metadata["limits"], entry.metadata.get("choices")
    return f"{limits[0]:g} to {limits[1]:g}" if limits else ", ".join(choices or ())


def _change(entry: Field) -> str:
    if entry.metadata.get("fixed"):
        return "no"
    return "at once" if entry.metadata.get("live") else "when configured"


def _interface(path: Path) -> str:
    """A chapter on a .msg or .srv file."""
    introduction, *blocks = path.read_text().split("\n\n", 1)
    about = " ".join(line.removeprefix("#").strip() for line in introduction.splitlines())
    lines = [f"### sam2_ros/{path.stem}\n", about + "\n"]
    halves = "".join(blocks).split("---\n")
    for title, half in zip(("request", "response") if len(halves) > 1 else ("field",), halves, strict=True):
        lines.append(f"| {title} | type | meaning |\n| --- | --- | --- |\n" + "".join(map(_row, half.splitlines())))
    return "\n".join(lines)


def _row(line: str) -> str:
    if not line.strip():
        return ""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError(f"this line of a message is not understood: {line!r}")
    name = found["name"] + (f" = {found['value']}" if found["value"] else "")
    meaning = (found["meaning"] or "") + (f"; {found['default']} unless given" if found["default"] else "")
    return f"| `{name}` | {_plain(found['type'])} | {_plain(meaning)} |\n"


def _plain(text: str) -> str:
    """What Markdown shows as it is."""
    return text.replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
