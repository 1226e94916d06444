"""Identity values in filters: which may be named, and what they must be.

Only what was proved may decide which rows somebody sees: the identity, and the database the
session is in. What a client merely says (its user, its application's name) is not among it.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from tollhouse_core.identity import Session
from tollhouse_core.policy.cel_types import nearest
from tollhouse_core.policy.language import Placeholder, Shape

MAX_ITEMS = 1000
MAX_TEXT = 4096

_FIXED = {
    "identity.name": Shape.SCALAR,
    "identity.provider": Shape.SCALAR,
    "identity.groups": Shape.LIST,
    "identity.onBehalfOf.name": Shape.SCALAR,
    "identity.onBehalfOf.groups": Shape.LIST,
    "session.database": Shape.SCALAR,
}
# A claim by name, or in brackets where its name is none: identity.claims["https://corp.example/tenant"].
_CLAIM = re.compile(r"""identity\.claims(?:\.[A-Za-z_][A-Za-z0-9_-]*|\["[^"\\]+"\])+""")
_CLAIM_KEY = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\["([^"\\]+)"\]""")
_UNPROVED = frozenset({"session.user", "session.applicationName"})


class NoValue(Exception):
    """The identity has no such value, or not of that sort. `str()` names it, never its content."""


def why_not(source: str, shape: Shape) -> str:
    """Why a filter may not name this value where a value of `shape` is needed; "" if it may."""
    if _CLAIM.fullmatch(source):
        return ""
    known = _FIXED.get(source)
    if known is None:
        if source in _UNPROVED:
            return f"{source} is only what the client says of itself, so it cannot decide which rows it sees"
        return f'unknown value "{source}"' + nearest(source, [*_FIXED, "identity.claims.<name>"])
    if shape not in {known, Shape.EITHER}:
        return f"{source} is {known}, and here stands {shape}"
    return ""


def value_of(placeholder: Placeholder, session: Session) -> object:
    """The value: a JSON scalar or a list of scalars of one type. Raises NoValue."""
    value = _found(placeholder.source, session)
    if value is None:
        raise NoValue(f"{placeholder.source} is missing")
    if isinstance(value, list | tuple):
        if placeholder.shape is Shape.SCALAR:
            raise NoValue(f"{placeholder.source} is a list, and a single value is needed")
        return _checked_list(placeholder.source, list(value))
    if placeholder.shape is Shape.LIST:
        raise NoValue(f"{placeholder.source} is a single value, and a list is needed")
    return _checked(placeholder.source, value)


def _found(source: str, session: Session) -> object:
    identity, human = session.identity, session.identity.on_behalf_of
    match source:
        case "identity.name":
            return identity.name
        case "identity.provider":
            return identity.provider
        case "identity.groups":
            return list(identity.groups)
        case "identity.onBehalfOf.name":
            return human.name if human else None
        case "identity.onBehalfOf.groups":
            return list(human.groups) if human else None
        case "session.database":
            return session.database
    value: object = identity.claims
    for key in _claim_path(source):
        if not hasattr(value, "get"):
            return None
        value = value.get(key)
    return value


@lru_cache(maxsize=1024)
def _claim_path(source: str) -> tuple[str, ...]:
    return tuple(key[1] or key[2] for key in _CLAIM_KEY.finditer(source, len("identity.claims")))


def _checked(source: str, value: object) -> object:
    match value:
        case bool():
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if len(value) <= MAX_TEXT and "\0" not in value and not _has_surrogate(value):
            return value
    raise NoValue(f"{source} is not a text, a number or a truth value that can be used here")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _checked_list(source: str, items: list[object]) -> list[object]:
    if len(items) > MAX_ITEMS:
        raise NoValue(f"{source} has more than {MAX_ITEMS} entries")
    checked = [_checked(source, item) for item in items]
    if len({type(item) for item in checked}) > 1:
        raise NoValue(f"{source} is a list of different types")
    return checked
