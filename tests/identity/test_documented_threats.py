"""Every test and row that docs/identity-threats.md names is there, and every hostile row is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.saml_forgeries import HOSTILE as RESPONSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "identity-threats.md").read_text()
FILES = dict(re.findall(r"^\* ([A-Z]): `(tests/[\w/]+\.py)`$", PAGE, re.MULTILINE))
NAMED = sorted(set(re.findall(r"\b([A-Z]) `(test_\w+)`", PAGE)))
TOKENS = re.findall(r'^    "([^"]+)": \(', (ROOT / "tests/identity/test_hostile_tokens.py").read_text(), re.M)


@pytest.mark.parametrize(("letter", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(letter: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / FILES[letter]).read_text()


def test_no_short_name_stands_for_nothing() -> None:
    assert {letter for letter, _ in NAMED} == set(FILES)
    assert len(NAMED) > 80


def test_every_hostile_token_is_on_the_page_once() -> None:
    assert sorted(rows("H")) == sorted(TOKENS)
    assert len(TOKENS) > 150


def test_every_hostile_response_is_on_the_page_once() -> None:
    assert sorted(rows("S")) == sorted(RESPONSES)


def test_each_line_of_a_table_names_what_tries_it() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and "way round" not in line]
    assert all(re.search(r"`(test_\w+|[HS]\[[^`]+\])`", line.split(" | ")[-1]) for line in lines)


def rows(letter: str) -> list[str]:
    return [row for listed in re.findall(rf"`{letter}\[([^`]+)\]`", PAGE) for row in listed.split("; ")]
