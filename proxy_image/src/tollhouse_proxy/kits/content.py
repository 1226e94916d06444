"""Finding card numbers, e-mail addresses, keys and own patterns in outgoing values, and masking them.

Pure, and linear in the length of a value. A value that is too large, or in which there is too much to
look at, is masked as a whole: others wait while one value is scanned. A scanner is a second line: who
may transform text can hide a value from it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
from .content_json import atoms, decoded, encoded, said, suspects

__all__ = ["LARGEST", "BadPattern", "ContentScanner"]

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a value that are scanned, in some 0.3 s; a larger one is masked as a whole."""

_LIKE_WHOLE = 8
"""Characters that a Partial mask leaves of a value masked as a whole."""


@dataclass(frozen=True)
class ContentScanner:
    """Masks what `detectors` find. `token_key` is the key where `mask` is a Token."""

    detectors: Sequence[Detector]
    mask: Mask
    token_key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Says at once what is wrong with an own pattern. Raises BadPattern."""
        _ = self._finders

    @cached_property
    def _finders(self) -> tuple[tuple[int, Finder], ...]:
        """With the bit of each; 0 for an own pattern."""
        return tuple((BITS[one.name] if one.name else 0, finder(one)) for one in self.detectors)

    @cached_property
    def _named(self) -> int:
        return sum({bit for bit, _ in self._finders})

    @cached_property
    def _places(self) -> tuple[Finder, ...]:
        return tuple(map(places, self.detectors))

    @cached_property
    def _edges(self) -> bool:
        return any(map(knows_edges, self.detectors))

    def __reduce__(self) -> tuple[object, ...]:
        """Made anew elsewhere: finders cannot be sent."""
        return ContentScanner, (self.detectors, self.mask, self.token_key)

    def scan(self, text: str) -> str:
        """The text with every find masked; the same object where there is none."""
        data = encoded(text)
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
        parts, position = [], 0
        for start, end in spans:
            parts += [data[position:start], encoded(self._masked(data[start:end]))]
            position = end
        return decoded(b"".join([*parts, data[position:]]))

    def scan_json(self, text: str) -> str:
        """The same for a JSON document: strings and numbers are scanned by themselves, and the
        result is JSON again (a masked number becomes a string)."""
        data = encoded(text)
        try:
            if len(data) > LARGEST:
                raise TooMany
            suspected = self._suspects(data)
        except TooMany:
            return json.dumps(self._whole(data), ensure_ascii=False)
        parts, position = [], 0
        for start, end in suspected:
            changed = self._atom(decoded(data[start:end]))
            if changed is not None:
                parts += [decoded(data[position:start]), changed]
                position = end
        return "".join([*parts, decoded(data[position:])]) if parts else text

    def _suspects(self, data: bytes) -> list[Span]:
        """The strings and numbers of a document that must be scanned. Raises TooMany."""
        if self._edges:
            every = atoms(data)
            if len(every) > MOST_PLACES:
                raise TooMany
            return every
        if b"\\" not in data and not self._pointed(data):
            return []
        return suspects(data, self._pointed)

    def _pointed(self, data: bytes) -> list[Span]:
        """Where something may be. A find that asks for no edge of the text lies in one of these or
        meets it: between them there is no place to begin."""
        return _merged(span for one in self._places for span in one(data))

    def _atom(self, atom: str) -> str | None:
        value = said(atom)
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
                shown = decoded(hit)
                if len(shown) <= first + last:
                    return character * len(shown)
                hidden = len(shown) - first - last
                return shown[:first] + character * hidden + shown[len(shown) - last :]
            case Token() if self.token_key:
                return "tok_" + hmac.new(self.token_key, hit, hashlib.sha256).hexdigest()[:32]
            case Nullify() | Token() | Truncate() | Bucket():
                return ""


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
