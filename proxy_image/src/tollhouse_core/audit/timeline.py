"""A trail as people read it: the sessions in it, and one session played again as a timeline.

Proves nothing (`verify` does); lines that cannot be read are passed over. Texts come from
clients, so everything shown is made harmless for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tollhouse_core.audit.event import EventKind
from tollhouse_core.audit.line import BadLine, Line, parse_line


@dataclass(slots=True)
class SessionSummary:
    """One session at a glance. `ended` is None while its end is not in the trail."""

    session: str
    connection: str = ""
    identity: str = ""
    provider: str = ""
    on_behalf_of: str = ""
    address: str = ""
    database: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    operations: dict[str, int] = field(default_factory=dict)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline. `offset_seconds` counts from the session's first event; `lines`
    are what to print beneath `title`."""

    offset_seconds: float
    time: datetime
    kind: str
    title: str
    lines: tuple[str, ...]
    data: Mapping[str, object]


def readable(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines that are audit lines."""
    for raw in lines:
        try:
            yield parse_line(raw.rstrip(b"\r\n"))
        except BadLine:
            continue


def sessions(lines: Iterable[Line]) -> list[SessionSummary]:
    """One summary for each session, in the order in which they began."""
    found: dict[str, SessionSummary] = {}
    for line in lines:
        summary = found.setdefault(line.session, SessionSummary(line.session))
        _add(summary, line)
    return list(found.values())


def replay(lines: Iterable[Line], session: str) -> Iterator[Moment]:
    """The moments of one session, in the order of the trail."""
    start: datetime | None = None
    for line in lines:
        if line.session != session:
            continue
        time = _moment(line.time)
        start = start or time
        title, details = _describe(line.kind, line.data)
        yield Moment((time - start).total_seconds(), time, line.kind, title, details, line.data)


def visible(text: str) -> str:
    """The text on one line with every control, format and non-ASCII character escaped."""
    return "".join(
        char if " " <= char <= "~" else {"\n": " ", "\t": " "}.get(char) or ascii(char)[1:-1] for char in text
    )


def _add(summary: SessionSummary, line: Line) -> None:
    time, data = _moment(line.time), line.data
    summary.started = summary.started or time
    match line.kind:
        case EventKind.SESSION_OPENED | EventKind.SESSION_REFUSED:
            identity = _mapping(data.get("identity"))
            summary.connection = "/".join(filter(None, (_word(data, "namespace"), _word(data, "connection"))))
            summary.identity, summary.provider = _word(identity, "name"), _word(identity, "provider")
            summary.on_behalf_of = _word(_mapping(identity.get("onBehalfOf")), "name")
            summary.address, summary.database = _word(data, "address"), _word(data, "database")
            if line.kind == EventKind.SESSION_REFUSED:
                summary.ended, summary.reason = time, _word(data, "reason") or "refused"
        case EventKind.OPERATION_DECIDED:
            decision = _word(data, "decision") or "unknown"
            summary.operations[decision] = summary.operations.get(decision, 0) + 1
        case EventKind.OPERATION_COMPLETED:
            rows = data.get("rows")
            summary.rows += rows if isinstance(rows, int) else 0
        case EventKind.SESSION_CLOSED:
            summary.ended, summary.reason = time, _word(data, "reason")
        case _:
            pass


def _describe(kind: str, data: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    match kind:
        case EventKind.SESSION_OPENED:
            return _opened(data)
        case EventKind.OPERATION_DECIDED:
            return _decided(data)
        case EventKind.OPERATION_COMPLETED:
            return _completed(data)
        case EventKind.APPROVAL_REQUESTED:
            return f"waits for people: {_word(data, 'request')}", _listed(data, "text", "expiresAt")
        case EventKind.APPROVAL_RESOLVED:
            title = f"{_word(data, 'request')} is {_word(data, 'phase') or 'resolved'}"
            return title, (*_votes(data), *_listed(data, "message"))
        case EventKind.SESSION_REFUSED:
            return f"session refused: {_word(data, 'reason')}", _listed(data, "address", "database", "user")
        case EventKind.CREDENTIAL_REFUSED:
            last = "; the session ends" if data.get("fetchedAnew") else "; another is fetched"
            return f"the backend did not accept the credential ({_word(data, 'code')}){last}", ()
        case EventKind.SESSION_CLOSED:
            return f"session closed: {_word(data, 'reason')}", ()
        case _:
            return visible(kind), ()


def _opened(data: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    identity = _mapping(data.get("identity"))
    who = f"{_word(identity, 'name')} ({_word(identity, 'provider')})"
    behalf = _word(_mapping(identity.get("onBehalfOf")), "name")
    groups = identity.get("groups")
    lines = [f"groups: {visible(', '.join(map(str, groups)))}"] if isinstance(groups, list) and groups else []
    title = f"{who} opens a session" + (f" on behalf of {behalf}" if behalf else "")
    return title, (*lines, *_listed(data, "connection", "database", "address", "applicationName", "revision"))


def _decided(data: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    lines = [visible(str(data.get("text", "")))]
    parameters = data.get("parameters")
    if isinstance(parameters, list) and parameters:
        shown = ", ".join("NULL" if value is None else repr(str(value)) for value in parameters)
        lines.append(f"parameters: {visible(shown)}")
    rule = "/".join(filter(None, (_word(data, "policy"), _word(data, "rule"))))
    decision = _word(data, "decision")
    why = (f" by {rule}" if rule else "") + _after(", approved as ", data, "request")
    lines.append(f"-> {decision}{why}" + _after(": ", data, "message"))
    observed = data.get("observed")
    for seen in observed if isinstance(observed, list) else []:
        entry = _mapping(seen)
        said = f"{_word(entry, 'policy')}/{_word(entry, 'rule')}"
        lines.append(f"   {_word(entry, 'mode')}: {said} would {_word(entry, 'would')}")
    return f"#{data.get('operation', '?')} {_word(data, 'action')}", tuple(lines)


def _completed(data: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    title = f"#{data.get('operation', '?')} {_word(data, 'outcome')}" + _after(" ", data, "errorCode")
    rows, duration = data.get("rows", 0), data.get("durationMs", 0)
    answer = [_word(data, "tag"), f"{rows} rows out, {data.get('bytes', 0)} bytes, {duration} ms"]
    said = _word(data, "message")
    return title, (", ".join(filter(None, answer)), *([said] if said else []))


def _votes(data: Mapping[str, object]) -> Iterator[str]:
    votes = data.get("votes")
    for vote in votes if isinstance(votes, list) else []:
        entry = _mapping(vote)
        yield f"{_word(entry, 'by')}: {_word(entry, 'decision')}" + _after(", ", entry, "reason")


def _listed(data: Mapping[str, object], *names: str) -> tuple[str, ...]:
    return tuple(f"{name}: {_word(data, name)}" for name in names if _word(data, name))


def _after(separator: str, data: Mapping[str, object], name: str) -> str:
    word = _word(data, name)
    return f"{separator}{word}" if word else ""


def _word(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    return "" if value is None else visible(str(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
