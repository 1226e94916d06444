"""Finding card numbers, e-mail addresses, keys and own patterns in outgoing values, and masking them.

Pure, and linear in the length of a value: every pattern runs on RE2. A scanner is a second line:
who may transform text can hide a value from it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import re2

from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
)

from .content_numbers import LONGEST_IBAN, card_spans, iban_length

Span = tuple[int, int]

_CARD_RUN = "[0-9](?:[ .\\-\u00a0\u2009\u202f]?[0-9]){12,}"
_SOURCES: dict[DetectorName, str] = {
    DetectorName.PAYMENT_CARD: _CARD_RUN,
    DetectorName.EMAIL: r"[\p{L}\p{N}._%+'\-]+@[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+",
    DetectorName.PHONE: r"(?:\+|\b00)[1-9][0-9]{0,2}(?:[ ./()\-]{0,2}[0-9]){6,13}"
    r"|\(?\b[0-9]{3}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}\b|\b0[1-9][0-9]{1,4}[ /\-][0-9](?:[ \-]?[0-9]){4,9}\b",
    DetectorName.IBAN: r"[A-Za-z]{2}[0-9]{2}",
    DetectorName.PRIVATE_KEY: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
    DetectorName.ACCESS_KEY: r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,255}"
    r"|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_\-]{20,}|xox[abeprs]-[A-Za-z0-9\-]{10,}"
    r"|AIza[A-Za-z0-9_\-]{35}|sk_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_\-]{20,}"
    r"|eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}",
}
_JSON_ATOM = r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+\-]*'


class BadPattern(ValueError):
    """An own pattern is not RE2. `str()` names it and what is wrong."""


def compile_pattern(pattern: str) -> re2._Regexp[str]:
    """An own pattern. Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "not RE2"
        raise BadPattern(f"pattern {pattern!r} is not valid RE2: {reason}") from None


@dataclass(frozen=True)
class ContentScanner:
    """Masks what `detectors` find. `token_key` is the key where `mask` is a Token."""

    detectors: Sequence[Detector]
    mask: Mask
    token_key: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_finders", tuple(_finder(detector) for detector in self.detectors))
        object.__setattr__(self, "_atoms", compile_pattern(_JSON_ATOM))

    _finders: tuple[Callable[[str], Iterator[Span]], ...] = field(init=False, repr=False, compare=False)
    _atoms: re2._Regexp[str] = field(init=False, repr=False, compare=False)

    def scan(self, text: str) -> str:
        """The text with every find masked; the same object where there is none."""
        spans = _merged(span for finder in self._finders for span in finder(text))
        if not spans:
            return text
        parts, position = [], 0
        for start, end in spans:
            parts += [text[position:start], self._masked(text[start:end])]
            position = end
        return "".join([*parts, text[position:]])

    def scan_json(self, text: str) -> str:
        """The same for a JSON document: strings and numbers are scanned by themselves, and the
        result is JSON again (a masked number becomes a string)."""
        parts, position = [], 0
        for found in self._atoms.finditer(text):
            start, end = found.span()
            changed = self._atom(text[start:end])
            if changed is not None:
                parts += [text[position:start], changed]
                position = end
        return "".join([*parts, text[position:]]) if parts else text

    def _atom(self, atom: str) -> str | None:
        if not atom.startswith('"'):
            masked = self.scan(atom)
            return None if masked is atom else json.dumps(masked, ensure_ascii=False)
        try:
            value = str(json.loads(atom, strict=False))
        except ValueError:
            value = atom[1:-1]
        masked = self.scan(value)
        return None if masked is value else json.dumps(masked, ensure_ascii=False)

    def _masked(self, hit: str) -> str:
        match self.mask:
            case Redact(text=text):
                return text
            case Partial(keep_first=first, keep_last=last, character=character):
                if len(hit) <= first + last:
                    return character * len(hit)
                return hit[:first] + character * (len(hit) - first - last) + hit[len(hit) - last :]
            case Token() if self.token_key:
                return "tok_" + hmac.new(self.token_key, hit.encode(), hashlib.sha256).hexdigest()[:32]
            case Nullify() | Token() | Truncate() | Bucket():
                return ""


def _finder(detector: Detector) -> Callable[[str], Iterator[Span]]:
    if detector.name is None:
        own = compile_pattern(detector.pattern or "")
        return lambda text: (found.span() for found in own.finditer(text) if found.end() > found.start())
    pattern = compile_pattern(_SOURCES[detector.name])
    if detector.name is DetectorName.PAYMENT_CARD:
        return lambda text: _cards(text, pattern)
    if detector.name is DetectorName.IBAN:
        return lambda text: _ibans(text, pattern)
    return lambda text: (found.span() for found in pattern.finditer(text))


def _cards(text: str, pattern: re2._Regexp[str]) -> Iterator[Span]:
    for found in pattern.finditer(text):
        offset, hit = found.start(), found.group()
        places = [index for index, char in enumerate(hit) if char.isdigit()]
        digits = [int(hit[index]) for index in places]
        for first, last in card_spans(digits):
            yield offset + places[first], offset + places[last] + 1


def _ibans(text: str, pattern: re2._Regexp[str]) -> Iterator[Span]:
    for found in pattern.finditer(text):
        start = found.start()
        places: list[int] = []
        index = start
        while index < len(text) and len(places) < LONGEST_IBAN:
            if text[index].isalnum():
                places.append(index)
            elif text[index] not in " -" or text[index - 1] in " -":
                break
            index += 1
        length = iban_length("".join(text[place] for place in places))
        if length:
            yield start, places[length - 1] + 1


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
