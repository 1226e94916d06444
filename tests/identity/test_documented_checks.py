"""The page people read when a token is refused lists what the code checks."""

from __future__ import annotations

from pathlib import Path

from tollhouse_identity.checks import CLAIMS, HEADER, SERVICE_ACCOUNT

PAGE = Path(__file__).parents[2] / "docs" / "identity.md"


def test_the_page_lists_every_check_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = text.partition("<!-- checks -->\n")[2].partition("<!-- end of checks -->")[0]
    expected = [f"* {check.reason}" for check in (*HEADER, *CLAIMS, *SERVICE_ACCOUNT)]
    assert listed.splitlines() == expected
