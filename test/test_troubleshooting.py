"""The sentences that docs/troubleshooting.md quotes are those that the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ANYTHING = "…"
SENTENCES = [line for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def _text(node: ast.AST) -> str:
    """What a literal says, with a mark for what differs."""
    if isinstance(node, ast.Constant):
        return re.sub(r"%[.\w]", ANYTHING, node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(ANYTHING if isinstance(part, ast.FormattedValue) else _text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left) or ANYTHING) + (_text(node.right) or ANYTHING)
    return ""


@pytest.fixture(scope="module")
def said() -> str:
    """All that the modules say, a line for each literal."""
    literals = (
        _text(node)
        for path in sorted((ROOT / "sam2_ros").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
    )
    return "\n".join(literals)


def test_it_quotes_something() -> None:
    assert len(SENTENCES) > 20


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_quoted_sentence_is_in_the_code(sentence: str, said: str) -> None:
    """Clause by clause, because the node puts sentences together."""
    parts = [part.strip(" ()") for part in re.split(f"{ANYTHING}|[:;,] ", sentence)]
    missing = [part for part in parts if part and part not in said]

    assert not missing
