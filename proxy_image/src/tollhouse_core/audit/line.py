"""Reads one line of a trail back, by its exact layout (`tollhouse_core.audit.chain`)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_TAIL = re.compile(
    rb',"hash":"([0-9a-f]{64})"(?:,"signature":\{"key":"([A-Za-z0-9._:-]{1,128})","value":"([0-9a-f]{128})"\})?\}\Z'
)
_TAIL_BYTES = 512
LINE_START = b'{"session":'
_NAMES = ("session", "sequence", "kind", "time", "data", "previous", "trail")


class BadLine(Exception):
    """The line is not one the chain wrote. `str()` says what is wrong with it, for people."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was written. `computed` is the hash of its bytes; `hash` what it claims."""

    session: str
    sequence: int
    kind: str
    time: str
    data: Mapping[str, object]
    previous: str
    writer: str
    number: int
    trail_previous: str
    hash: str
    computed: str
    key_id: str = ""
    signature: bytes = b""


def parse_line(raw: bytes) -> Line:
    """The line without its newline. Raises BadLine; a wrong hash is not looked at here."""
    tail = _TAIL.search(raw, max(0, len(raw) - _TAIL_BYTES))
    if tail is None:
        raise BadLine(_no_tail(raw))
    body = raw[: tail.start()] + b"}"
    claimed, computed = tail.group(1).decode(), hashlib.sha256(body).hexdigest()
    try:
        fields = _fields(body)
    except BadLine:
        if claimed != computed:
            raise BadLine(changed(claimed, computed)) from None
        raise
    trail = fields["trail"]
    if not isinstance(trail, Mapping) or list(trail) != ["writer", "line", "previous"]:
        raise BadLine("its `trail` is not {writer, line, previous}")
    data = fields["data"]
    if not isinstance(data, Mapping):
        raise BadLine("its `data` is not an object")
    return Line(
        session=_text(fields, "session"),
        sequence=_number(fields, "sequence"),
        kind=_text(fields, "kind"),
        time=_text(fields, "time"),
        data=data,
        previous=_text(fields, "previous"),
        writer=_text(trail, "writer"),
        number=_number(trail, "line"),
        trail_previous=_text(trail, "previous"),
        hash=claimed,
        computed=computed,
        key_id=(tail.group(2) or b"").decode(),
        signature=bytes.fromhex((tail.group(3) or b"").decode()),
    )


def changed(claimed: str, computed: str) -> str:
    """What is wrong with a line whose bytes do not have the hash it carries."""
    return f"it was changed: expected bytes with hash {claimed[:16]}..., found {computed[:16]}..."


def _no_tail(raw: bytes) -> str:
    if not raw:
        return "it is empty"
    if not raw.startswith(LINE_START):
        return "it does not begin as an audit line does"
    return "it does not end as an audit line does (cut off, or changed at its end)"


def _fields(body: bytes) -> Mapping[str, object]:
    try:
        pairs = json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"it is not JSON ({str(error)[:80]})") from error
    if not isinstance(pairs, Mapping) or tuple(pairs) != _NAMES:
        raise BadLine("its fields are not those of an audit line, in their order")
    try:
        datetime.fromisoformat(str(pairs["time"]))
    except ValueError as error:
        raise BadLine("its `time` is not a time") from error
    return pairs


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadLine("a name stands in it twice")
    return found


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise BadLine(f"its `{name}` is not a text")
    return value


def _number(fields: Mapping[str, object], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadLine(f"its `{name}` is not a number from 0 on")
    return value
