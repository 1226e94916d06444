"""Words for people: texts that may come from an agent, shown so that they cannot lie."""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str, most: int | None = None) -> str:
    """ASCII only: everything else (control, bidi, look-alike letters) as `\\u{1f512}`; at most
    `most` characters, the rest told as a number."""
    shown = text if text.isascii() and text.isprintable() else "".join(map(_shown, text))
    if most is not None and len(shown) > most:
        return f"{shown[:most]}... ({len(shown) - most} more)"
    return shown


def _shown(character: str) -> str:
    if " " <= character <= "~":
        return character
    return f"\\u{{{ord(character):x}}}"


def listed(items: Iterable[str], most: int) -> str:
    """Items joined by "; " until `most` characters, then how many are left out."""
    kept: list[str] = []
    rest = 0
    length = 0
    for item in items:
        if rest or (kept and length + len(item) + 2 > most):
            rest += 1
            continue
        kept.append(item if len(item) <= most else item[: most - 3] + "...")
        length += len(item) + 2
    return "; ".join(kept) + (f"; and {rest} more" if rest else "")
