"""Conditions: CEL over the typed variables of the policy language.

The one importer of the `cel` package. A condition is compiled once: its tree is checked against
the declared variables, and what it reads is known before it ever runs. Running it gives True or
False, or raises ConditionFailed; what a failure means is the evaluator's business (the stricter
outcome).
"""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType

from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import AccessKind, Operation, Verb
from tollhouse_core.policy.cel_syntax import CelSyntaxError, Literal, parse
from tollhouse_core.policy.cel_types import (
    BOOL,
    CLAIMS,
    STRING,
    TIMESTAMP,
    CelType,
    check,
    list_of,
    object_of,
)

# The package loads its command line, and with it a terminal toolkit, as soon as it is imported: a fifth of a
# second and 12 MiB for nothing. An empty module in that place spares both; nothing else of it is touched.
_spared = sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402 - see above

if sys.modules.get("cel.cli") is _spared:
    del sys.modules["cel.cli"]

MAX_LENGTH = 4096
"""Characters of one condition: with the bound on loops this bounds its cost."""

_IDENTITY = object_of(
    {
        "name": STRING,
        "provider": STRING,
        "groups": list_of(STRING),
        "claims": CLAIMS,
        "onBehalfOf": object_of({"name": STRING, "groups": list_of(STRING)}, nullable=True),
    }
)
_SESSION = object_of(
    {
        "database": STRING,
        "user": STRING,
        "applicationName": STRING,
        "address": STRING,
        "startedAt": TIMESTAMP,
    }
)
_OPERATION: Mapping[str, CelType] = {
    "action": STRING,
    "text": STRING,
    "tables": list_of(STRING),
    "accesses": list_of(
        object_of({"verb": CelType("string", values=frozenset(Verb)), "object": STRING}),
    ),
}


_STEADY = frozenset(
    {
        *("operation.action", "operation.tables", "operation.accesses"),
        *("session.database", "session.user", "session.applicationName", "session.address"),
    }
)


class ConditionFailed(Exception):
    """The condition could not be answered. `str()` names the reason without any value."""


@dataclass(frozen=True, slots=True)
class ConditionRefused(Exception):
    """The text is no condition; `message` says what is wrong and where."""

    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Situation:
    """What one run of a condition may read; `operation` is None for rules on sessions."""

    operation: Operation | None
    session: Session
    now: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition.

    `reads` are dotted paths such as "operation.hasWhere". `steady`: it answers the same for every
    statement of the same form in one session, whatever the literals, facts and times are.
    """

    source: str
    reads: frozenset[str]
    program: cel.Program = field(repr=False, compare=False)
    zoned: frozenset[str] = frozenset()
    steady: bool = field(init=False)

    def __post_init__(self) -> None:
        steady = all(path in _STEADY or path.startswith("identity.") for path in self.reads)
        object.__setattr__(self, "steady", steady)

    def holds(self, situation: Situation) -> bool:
        """Its answer. Raises ConditionFailed, never anything else for any situation."""
        try:
            context = cel.Context(_values(self.reads, situation))
            for name in self.zoned:
                context.add_function(name, _TIME_PARTS[name])
            answer = self.program.execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the package panics with a BaseException of its own
            raise ConditionFailed(_reason(error)) from None
        if not isinstance(answer, bool):
            raise ConditionFailed("its result is neither true nor false")
        return answer


def variables(facts: Mapping[str, CelType], *, with_operation: bool = True) -> Mapping[str, CelType]:
    """The variables a condition may name; `facts` are the protocol's fields of `operation`."""
    shared = {"identity": _IDENTITY, "session": _SESSION, "now": TIMESTAMP}
    if not with_operation:
        return shared
    return {"operation": object_of({**_OPERATION, **facts}), **shared}


def compile_condition(source: str, known: Mapping[str, CelType]) -> Condition:
    """Compiles and checks. Raises ConditionRefused with the first mistake."""
    if len(source) > MAX_LENGTH:
        raise ConditionRefused(f"a condition may have {MAX_LENGTH} characters at most, not {len(source)}")
    try:
        tree = parse(source)
    except CelSyntaxError as error:
        raise ConditionRefused(_at(error.message, source, error.position)) from None
    kind, findings = check(tree, known)
    if findings.mistakes:
        first = min(findings.mistakes, key=lambda mistake: mistake.position)
        raise ConditionRefused(_at(first.message, source, first.position))
    if kind.name not in {BOOL.name, "dyn"}:
        raise ConditionRefused(f"a condition must be true or false, this one is a {kind}")
    program = _program(source)
    for pattern in findings.patterns:
        _check_pattern(pattern, source)
    for zone in findings.zones:
        _check_zone(zone, source)
    used = program.references()
    if not findings.names <= set(used["variables"]):
        raise ConditionRefused("this condition cannot be analysed: write it in a simpler way")
    zoned = _TIME_PARTS.keys() & set(used["functions"]) if findings.zones else frozenset()
    reads = frozenset(path for path, count in findings.reads.items() if count > 0)
    return Condition(source, reads, program, frozenset(zoned))


def _at(message: str, source: str, position: int) -> str:
    if "\n" not in source:
        return f"{message}, at character {position + 1}"
    line = source.count("\n", 0, position) + 1
    return f"{message}, at line {line}, character {position - source.rfind(chr(10), 0, position)}"


def _program(source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        lines = [line.strip() for line in str(error).splitlines() if "ERROR" in line]
        detail = lines[0].partition(": ERROR: ")[2] or lines[0] if lines else "not an expression"
        raise ConditionRefused(detail[:200]) from None


def _constant(literal: Literal) -> object:
    return _program(literal.text).execute({})


def _check_pattern(pattern: Literal, source: str) -> None:
    try:
        _program(f'"".matches({pattern.text})').execute({})
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        raise ConditionRefused(_at("not a valid pattern (RE2 syntax)", source, pattern.at)) from None


def _check_zone(literal: Literal, source: str) -> None:
    name = str(_constant(literal))
    try:
        _zone(name)
    except ConditionFailed:
        raise ConditionRefused(_at(f'unknown time zone "{name[:60]}"', source, literal.at)) from None


def _reason(error: BaseException) -> str:
    """Says why without the values at hand: they may be what a rule hides."""
    match error:
        case ConditionFailed():
            return str(error)
        case KeyError() if error.args and isinstance(error.args[0], str):
            return f'there is no "{error.args[0][:60]}"'
        case TypeError():
            return "a value has another type than the condition expects"
        case ZeroDivisionError():
            return "division by zero"
        case OverflowError():
            return "a number is too large"
        case _:
            return "it could not be evaluated"


def _values(reads: frozenset[str], situation: Situation) -> dict[str, object]:
    """Just what is read: turning Python values into CEL's is the larger part of the cost."""
    values: dict[str, object] = {}
    for path in reads:
        root, _, rest = path.partition(".")
        if root == "now":
            values["now"] = situation.now
        elif root == "operation":
            _put(values, root, rest, _operation_value(rest, situation))
        elif root == "session":
            _put(values, root, rest, _SESSION_FIELDS[rest](situation.session))
        else:
            _put_identity(values, rest, situation.session.identity)
    return values


def _put(values: dict[str, object], root: str, name: str, value: object) -> None:
    holder = values.setdefault(root, {})
    assert isinstance(holder, dict)
    holder[name] = value


def _operation_value(name: str, situation: Situation) -> object:
    operation = situation.operation
    if operation is None:
        raise ConditionFailed("there is no operation yet")
    match name:
        case "action":
            return operation.action
        case "text":
            return operation.text
        case "tables":
            return tables(operation)
        case "accesses":
            return [{"verb": a.verb.value, "object": a.object} for a in operation.accesses]
    if name not in operation.facts:
        raise ConditionFailed(f"operation.{name} is not known here")
    return operation.facts[name]


def tables(operation: Operation) -> list[str]:
    """The tables an operation touches, those beneath views too, in order of name."""
    return sorted({a.object for a in operation.accesses if a.kind is AccessKind.TABLE})


_SESSION_FIELDS: Mapping[str, Callable[[Session], object]] = {
    "database": lambda session: session.database,
    "user": lambda session: session.user,
    "applicationName": lambda session: session.application_name,
    "address": lambda session: session.address,
    "startedAt": lambda session: session.started_at,
}


def _put_identity(values: dict[str, object], rest: str, identity: Identity) -> None:
    name, _, key = rest.partition(".")
    match name:
        case "name":
            _put(values, "identity", name, identity.name)
        case "provider":
            _put(values, "identity", name, identity.provider)
        case "groups":
            _put(values, "identity", name, list(identity.groups))
        case "onBehalfOf":
            human = identity.on_behalf_of
            shown = None if human is None else {"name": human.name, "groups": list(human.groups)}
            _put(values, "identity", name, shown)
        case "claims":
            top = key.partition(".")[0]
            holder = values.setdefault("identity", {})
            assert isinstance(holder, dict)
            claims = holder.setdefault("claims", {})
            if not top:
                claims.update(identity.claims)
            elif top in identity.claims:
                claims[top] = identity.claims[top]


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise ConditionFailed("unknown time zone") from None


def _zoned(part: Callable[[datetime], int]) -> Callable[..., object]:
    def read(moment: datetime, zone: str) -> int:
        return part(moment.astimezone(_zone(zone)))

    return read


_TIME_PARTS: Mapping[str, Callable[..., object]] = {
    # Counting as in the CEL language definition: months, days of the month (getDayOfMonth) and
    # of the year from 0, getDate from 1, Sunday is 0.
    "getFullYear": _zoned(lambda moment: moment.year),
    "getMonth": _zoned(lambda moment: moment.month - 1),
    "getDate": _zoned(lambda moment: moment.day),
    "getDayOfMonth": _zoned(lambda moment: moment.day - 1),
    "getDayOfWeek": _zoned(lambda moment: moment.isoweekday() % 7),
    "getDayOfYear": _zoned(lambda moment: moment.timetuple().tm_yday - 1),
    "getHours": _zoned(lambda moment: moment.hour),
    "getMinutes": _zoned(lambda moment: moment.minute),
    "getSeconds": _zoned(lambda moment: moment.second),
    "getMilliseconds": _zoned(lambda moment: moment.microsecond // 1000),
}
