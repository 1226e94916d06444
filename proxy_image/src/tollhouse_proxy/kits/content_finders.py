"""The places in a value that detectors point at.

Every pattern runs on RE2 over the whole value at once, and Python is entered for what it points at only:
the work is linear in the length of a value, and the number of places is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import re2

from tollhouse_core.masks import Detector, DetectorName

from .content_numbers import LONGEST_IBAN, LONGEST_ROW, card_spans, iban_length

Span = tuple[int, int]
Finder = Callable[[bytes], Iterator[Span]]

MOST_PLACES: Final = 10_000
"""How many places of one value a detector may point at: looking at each of them takes some 0.1 s."""

BITS: Final = {name: 1 << place for place, name in enumerate(DetectorName)}
"""PaymentCard 1, Email 2, Phone 4, IBAN 8, PrivateKey 16, AccessKey 32: the kernel counts on these."""

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
    r"|AIza[A-Za-z0-9_\-]{35}|sk_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_\-]{20,}",
}
_THREE_PARTS = r"eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}"
"""A JSON Web Token (RFC 7519), for AccessKey. It is looked for by itself: what may go on for long and come to
nothing, beside what is found meanwhile, would have every find of that look to the end of it again."""
_IBAN_REST = re.compile(rb"[A-Za-z0-9](?:[ \-]?[A-Za-z0-9]){14,%d}" % (LONGEST_IBAN - 1))
_EDGES = re.compile(r"\\[AzZ]|\^|\$")


class BadPattern(ValueError):
    """An own pattern is not RE2. `str()` names it and what is wrong."""


class TooMany(Exception):
    """A detector points at more than MOST_PLACES places of a value."""


def compile_pattern(pattern: str) -> re2._Regexp[bytes]:
    """An own pattern, for UTF-8. Raises BadPattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = b" ".join(error.args).decode(errors="replace")
        raise BadPattern(f"pattern {pattern!r} is not valid RE2: {reason}") from None


def finder(detector: Detector) -> Finder:
    """Finds spans of bytes in UTF-8, which may overlap. The spans raise TooMany on the way."""
    if detector.name is None:
        own = compile_pattern(detector.pattern or "")
        return lambda data: ((start, end) for start, end in _places(own, data) if end > start)
    compiled = compile_pattern(_SOURCES[detector.name])
    if detector.name is DetectorName.PAYMENT_CARD:
        return lambda data: _cards(data, compiled)
    if detector.name is DetectorName.IBAN:
        return lambda data: _ibans(data, compiled)
    return places(detector)


def content_spans(data: bytes, detectors: int) -> tuple[list[Span], int]:
    """What is found at once by some of the detectors (BITS), in any order, and those that are left to their
    finders: here all of them, compiled those that must know more than ASCII. Raises TooMany."""
    return [], detectors


def places(detector: Detector) -> Finder:
    """The same before anything is proved: what `finder` finds lies in or begins with one of these."""
    return _pointing(_sources(detector))


def loose_places(detector: Detector) -> Finder | None:
    """`places` that ask nothing of what stands around them: in bytes in which a value is a part, each find in
    the value meets one of these. None: a pattern of which that cannot be said."""
    sources = [loosened(source) for source in _sources(detector)]
    known = [source for source in sources if source is not None]
    return _pointing(known) if len(known) == len(sources) else None


_PIECE = re.compile(r"\\.|\[(?:\^?\]?)(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*+\]|.", re.DOTALL)
_ABOUT = frozenset({r"\b", r"\B", r"\A", r"\z", r"\Z", "^", "$"})


def loosened(pattern: str) -> str | None:
    """An RE2 pattern without what asks for an edge; None where that is not to be seen at a glance."""
    pieces = _PIECE.findall(pattern)
    if r"\Q" in pieces or "".join(pieces) != pattern:
        return None
    return "".join("(?:)" if piece in _ABOUT else piece for piece in pieces)


def knows_edges(detector: Detector) -> bool:
    """Whether a pattern asks where a text begins or ends."""
    return _EDGES.search((detector.pattern or "").replace("[^", "[")) is not None


def _sources(detector: Detector) -> list[str]:
    if detector.name is DetectorName.ACCESS_KEY:
        return [_SOURCES[detector.name], _THREE_PARTS]
    return [_SOURCES[detector.name] if detector.name else detector.pattern or ""]


def _pointing(sources: Iterable[str]) -> Finder:
    patterns = [compile_pattern(source) for source in sources]
    return lambda data: (span for pattern in patterns for span in _places(pattern, data))


def _places(pattern: re2._Regexp[bytes], data: bytes) -> Iterator[Span]:
    for count, found in enumerate(pattern.finditer(data)):
        if count >= MOST_PLACES:
            raise TooMany
        yield found.span()


def _cards(data: bytes, pattern: re2._Regexp[bytes]) -> Iterator[Span]:
    for start, end in _places(pattern, data):
        if end - start > 4 * LONGEST_ROW:  # a digit and its separator take four bytes at most
            yield start, end
            continue
        spots = [index for index in range(start, end) if 48 <= data[index] <= 57]
        for first, last in card_spans([data[index] - 48 for index in spots]):
            yield spots[first], spots[last] + 1


def _ibans(data: bytes, pattern: re2._Regexp[bytes]) -> Iterator[Span]:
    for start, _ in _places(pattern, data):
        found = _IBAN_REST.match(data, start)
        if found is None:
            continue
        rest = found.group()
        length = iban_length(rest.translate(None, b" -").decode())
        if length:
            spots = [start + index for index, char in enumerate(rest) if char not in b" -"]
            yield start, spots[length - 1] + 1
