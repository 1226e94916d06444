"""What statements are grown from. Seeds are cut at blanks, so each piece of one can stand in another."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
_BLANKS = ("\t", "\n", "\r", "\f", "\v", "\x01", "\x7f", "\u00a0", "\ufeff")

SEEDS = tuple((_FOLDER / "sql_seeds.txt").read_text().splitlines())
WORDS = (*(_FOLDER / "sql_words.txt").read_text().split(), *_BLANKS)
