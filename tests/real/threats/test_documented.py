"""Every test that docs/threats.md names is there, and every row of the corpus is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.attacks import MAKING, STATEFUL

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "threats.md").read_text()
FILES = {letter: f"tests/real/threats/test_{name}.py" for letter, name in
         {"S": "statements", "P": "protocol", "B": "benign"}.items()}  # fmt: skip
NAMED = re.findall(r"\b([SPB]) `(test_\w+)(?:\[([^\]`]+)\])?`", PAGE)


@pytest.mark.parametrize(("letter", "name"), sorted({(letter, name) for letter, name, _ in NAMED}))
def test_a_test_that_the_page_names_is_there(letter: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / FILES[letter]).read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE))))
def test_a_file_that_the_page_names_is_there(path: str) -> None:
    file, _, name = path.partition("::")
    assert (f"def {name}(" if name else "") in (ROOT / file).read_text()


def test_each_row_of_the_corpus_is_on_the_page_and_each_row_on_the_page_in_a_corpus() -> None:
    rows = {row for letter, _, row in NAMED if letter == "S" and row}
    assert rows == {*STATEFUL, *MAKING}
    flows = (ROOT / FILES["P"]).read_text()
    assert all(f'"{row}": (' in flows for letter, _, row in NAMED if letter == "P" and row)
