"""Finding card numbers, e-mail addresses, keys and own patterns in outgoing values, and masking them.

Pure, and linear in the length of a value. A value that is too large, or in which there is too much to
look at, is masked as a whole: others wait while one value is scanned. A scanner is a second line: who
may transform text can hide a value from it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tollhouse_core.masks import Bucket, Detector, Mask, Nullify, Partial, Redact, Token, Truncate

from . import kernel
from .content_finders import (
    BITS,
    MOST_PLACES,
    BadPattern,
    Finder,
    Span,
    TooMany,
    finder,
    knows_edges,
    places,
)

__all__ = ["LARGEST", "BadPattern", "ContentScanner"]

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a value that are scanned, in some 0.3 s; a larger one is masked as a whole."""

_MOST_ATOMS = 10 * MOST_PLACES
_ATOM = re.compile(rb'"(?:[^"\\]++|\\(?s:.))*+(?:"|\Z)|-?[0-9][0-9.eE+\-]*+')
_BETWEEN = b'"\0"'
"""Stands between the atoms of a document; no detector of ours looks across it."""
_LIKE_WHOLE = 8
"""Characters that a Partial mask leaves of a value masked as a whole."""


@dataclass(frozen=True)
class ContentScanner:
    """Masks what `detectors` find. `token_key` is the key where `mask` is a Token."""

    detectors: Sequence[Detector]
    mask: Mask
    token_key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        bits = [0 if one.name is None else BITS[one.name] for one in self.detectors]
        object.__setattr__(self, "_finders", tuple(zip(bits, map(finder, self.detectors), strict=True)))
        object.__setattr__(self, "_named", sum(set(bits)))
        object.__setattr__(self, "_places", tuple(places(detector) for detector in self.detectors))
        object.__setattr__(self, "_edges", any(knows_edges(detector) for detector in self.detectors))

    _finders: tuple[tuple[int, Finder], ...] = field(init=False, repr=False, compare=False)
    _named: int = field(init=False, repr=False, compare=False)
    _places: tuple[Finder, ...] = field(init=False, repr=False, compare=False)
    _edges: bool = field(init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        """Made anew elsewhere: finders cannot be sent."""
        return ContentScanner, (self.detectors, self.mask, self.token_key)

    def scan(self, text: str) -> str:
        """The text with every find masked; the same object where there is none."""
        data = _encoded(text)
        if len(data) > LARGEST:
            return self._whole(data)
        try:
            found, left = kernel.content_spans(data, self._named)
            for bit, finder in self._finders:
                if not bit or bit & left:
                    found += finder(data)
            spans = _merged(found)
        except TooMany:
            return self._whole(data)
        if not spans:
            return text
        fixed = _encoded(self.mask.text) if isinstance(self.mask, Redact) else None
        parts, position = [], 0
        for start, end in spans:
            masked = _encoded(self._masked(data[start:end])) if fixed is None else fixed
            parts += [data[position:start], masked]
            position = end
        return _decoded(b"".join([*parts, data[position:]]))

    def scan_json(self, text: str) -> str:
        """The same for a JSON document: strings and numbers are scanned by themselves, and the
        result is JSON again (a masked number becomes a string)."""
        data = _encoded(text)
        try:
            if len(data) > LARGEST:
                raise TooMany
            if b"\\" not in data and not self._edges and not self._pointed(data):
                return text
            parts, position = [], 0
            for start, end in self._suspects(data):
                changed = self._atom(_decoded(data[start:end]))
                if changed is not None:
                    parts += [_decoded(data[position:start]), changed]
                    position = end
        except TooMany:
            return json.dumps(self._whole(data), ensure_ascii=False)
        return "".join([*parts, _decoded(data[position:])]) if parts else text

    def _pointed(self, data: bytes) -> list[Span]:
        """Where something may be. A find that asks for no edge of the text lies in one of these or
        meets it: between them there is no place to begin."""
        return _merged(span for one in self._places for span in one(data))

    def _suspects(self, data: bytes) -> list[Span]:
        """The strings and numbers of a document that something may be in. Raises TooMany."""
        atoms: list[Span] = []
        values: list[bytes] = []
        for found in _ATOM.finditer(data):
            if len(atoms) >= _MOST_ATOMS:
                raise TooMany
            atom = found.group()
            atoms.append(found.span())
            values.append(_encoded(_value(_decoded(atom))) if b"\\" in atom else atom)
        if self._edges:
            if len(atoms) > MOST_PLACES:
                raise TooMany
            return atoms
        begins, position = [], 0
        for value in values:
            begins.append(position)
            position += len(value) + len(_BETWEEN)
        chosen: set[int] = set()
        for start, end in self._pointed(_BETWEEN.join(values)):
            first = bisect_right(begins, start) - 1
            chosen.update(range(max(first, 0), bisect_right(begins, end)))
            if len(chosen) > MOST_PLACES:
                raise TooMany
        return [atoms[number] for number in sorted(chosen)]

    def _atom(self, atom: str) -> str | None:
        value = _value(atom)
        masked = self.scan(value)
        return None if masked is value else json.dumps(masked, ensure_ascii=False)

    def _whole(self, data: bytes) -> str:
        """Instead of a value in which nobody has looked, or in which there is too much."""
        if isinstance(self.mask, Partial):
            return self.mask.character * _LIKE_WHOLE
        return self._masked(data)

    def _masked(self, hit: bytes) -> str:
        match self.mask:
            case Redact(text=text):
                return text
            case Partial(keep_first=first, keep_last=last, character=character):
                shown = _decoded(hit)
                if len(shown) <= first + last:
                    return character * len(shown)
                hidden = len(shown) - first - last
                return shown[:first] + character * hidden + shown[len(shown) - last :]
            case Token() if self.token_key:
                return "tok_" + hmac.new(self.token_key, hit, hashlib.sha256).hexdigest()[:32]
            case Nullify() | Token() | Truncate() | Bucket():
                return ""


def _value(atom: str) -> str:
    """What a string or a number of a document says."""
    if not atom.startswith('"'):
        return atom
    try:
        return str(json.loads(atom, strict=False))
    except ValueError:
        return atom[1:-1]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
