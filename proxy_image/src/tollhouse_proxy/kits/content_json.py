"""The strings and numbers of a JSON document (RFC 8259), and those among them that something may be in.

Whether a document is well formed is not asked: what looks like a string or a number is taken for one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from .content_finders import MOST_PLACES, Span, TooMany

MOST_ATOMS: Final = 10 * MOST_PLACES
"""Strings and numbers of one document that are looked at, names of members included."""

_ATOM = re.compile(rb'"(?:[^"\\]++|\\(?s:.)?)*+(?:"|\Z)|-?[0-9][0-9.eE+\-]*+')
_BETWEEN = b'"\0"'
"""Stands between the atoms of a document; no detector of ours looks across it."""


def atoms(data: bytes) -> list[Span]:
    """Where the strings, quotes included, and the numbers stand. Raises TooMany for more than MOST_ATOMS."""
    found: list[Span] = []
    for one in _ATOM.finditer(data):
        if len(found) >= MOST_ATOMS:
            raise TooMany
        found.append(one.span())
    return found


def suspects(data: bytes, pointed: Callable[[bytes], list[Span]]) -> list[Span]:
    """The atoms in which one of the places lies that `pointed` gives for some bytes; it is asked once, for
    all that the atoms say. Raises TooMany for more than MOST_PLACES of them."""
    every = atoms(data)
    begins, position = [], 0
    values: list[bytes] = []
    for start, end in every:
        atom = data[start:end]
        values.append(encoded(said(decoded(atom))) if b"\\" in atom else atom)
        begins.append(position)
        position += len(values[-1]) + len(_BETWEEN)
    chosen: set[int] = set()
    for start, end in pointed(_BETWEEN.join(values)):
        chosen.update(range(max(bisect_right(begins, start) - 1, 0), bisect_right(begins, end)))
        if len(chosen) > MOST_PLACES:
            raise TooMany
    return [every[number] for number in sorted(chosen)]


def said(atom: str) -> str:
    """What a string or a number of a document says."""
    if not atom.startswith('"'):
        return atom
    try:
        return str(json.loads(atom, strict=False))
    except ValueError:
        return atom[1:].removesuffix('"')


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which JSON may name, is kept."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """The way back."""
    return data.decode("utf-8", "surrogatepass")
