"""What the row kernel must know of content masks (see `rows.Sheet`)."""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_core.masks import (
    Bucket,
    Detector,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
)
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import BITS, TooMany, loose_places
from tollhouse_proxy.kits.rows import Pointer, Sheet, Span

__all__ = ["sheet_of"]


def sheet_of(scanners: Sequence[ContentScanner]) -> Sheet:
    """For scanners that are used one behind the other."""
    detectors = [detector for scanner in scanners for detector in scanner.detectors]
    own = [detector for detector in detectors if detector.name is None]
    masks = [scanner.mask for scanner in scanners]
    fixed, partial = _becomes(masks[0]) if len(masks) == 1 else (None, None)
    return Sheet(
        every=_pointer(detectors),
        own=_pointer(own) if own else None,
        detectors=sum({BITS[detector.name] for detector in detectors if detector.name is not None}),
        fixed=fixed,
        partial=partial,
    )


def _becomes(mask: Mask) -> tuple[bytes | None, tuple[int, int, bytes] | None]:
    match mask:
        case Redact(text=text):
            return text.encode("utf-8", "surrogatepass"), None
        case Partial(keep_first=first, keep_last=last, character=character):
            return None, (first, last, character.encode("utf-8", "surrogatepass"))
        case Nullify() | Truncate() | Bucket():
            return b"", None
        case Token():
            return None, None


def _pointer(detectors: Sequence[Detector]) -> Pointer:
    """Points at what any of the detectors may find in bytes in which values lie side by side."""
    finders = [loose_places(detector) for detector in detectors]

    def everywhere(_: bytes) -> None:
        return None

    if not finders or any(finder is None for finder in finders):
        return everywhere if finders else lambda _: []

    def point(data: bytes) -> list[Span] | None:
        try:
            spans = sorted(span for finder in finders if finder is not None for span in finder(data))
        except TooMany:
            return None
        merged: list[Span] = []
        for begin, end in spans:
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    return point
