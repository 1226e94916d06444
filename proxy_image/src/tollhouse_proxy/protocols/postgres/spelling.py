"""From the text a client wrote to the text that is sent, and from a position in the latter back."""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_proxy.protocols.postgres.ledger import Positions
from tollhouse_proxy.protocols.postgres.sql.statement import Edit


def moved(edits: Sequence[Edit], by: int) -> list[Edit]:
    """Edits of a statement as edits of the text in which it begins at `by`."""
    return [Edit(edit.start + by, edit.end + by, edit.replacement) for edit in edits]


def spelled(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits made (sorted, not overlapping)."""
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts.append(text[at : edit.start])
        parts.append(edit.replacement)
        at = edit.end
    parts.append(text[at:])
    return "".join(parts)


def positions(edits: Sequence[Edit]) -> Positions | None:
    """Maps 1-based character positions back; inside a replacement, to where it begins."""
    if not edits:
        return None
    fixed = tuple(edits)

    def back(position: int) -> int:
        sent = position - 1
        shift = 0
        for edit in fixed:
            begin = edit.start + shift
            if sent < begin:
                break
            if sent < begin + len(edit.replacement):
                return edit.start + 1
            shift += len(edit.replacement) - (edit.end - edit.start)
        return sent - shift + 1

    return back


def shifted(by: int) -> Positions | None:
    """Positions in a text that was sent without the `by` characters before it."""
    return None if by == 0 else lambda position: position + by
