"""What came out of YAML, as JSON text for a model to read."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from datetime import UTC, date, datetime

from tollhouse_core.api.complaints import MOST_PROBLEMS, path_text
from tollhouse_core.api.problems import InvalidObject, Problem

DEEPEST = 64
LARGEST = 200_000
Location = tuple[int | str, ...]
# Kubernetes and its tools write `creationTimestamp: null`; nobody writes these two by hand.
_MAY_BE_NULL = ("metadata", "status")


def json_text(document: Mapping[str, object], title: str) -> str:
    """Raises InvalidObject for what JSON and Kubernetes have no words for.

    An empty value is refused: `when:` with nothing behind it would otherwise be a rule without a
    condition. Values are counted, since a few lines of YAML with anchors can stand for billions.
    """
    reader = _Reader(title)
    plain = reader.read(document, ())
    if reader.problems:
        raise InvalidObject(reader.problems)
    return json.dumps(plain, allow_nan=False)


class _Reader:
    def __init__(self, title: str) -> None:
        self.problems: list[Problem] = []
        self._title = title
        self._left = LARGEST

    def read(self, value: object, location: Location) -> object:
        self._left -= 1
        if len(location) > DEEPEST or self._left < 0:
            words = f"expected at most {LARGEST} values, nested no deeper than {DEEPEST} levels"
            raise InvalidObject([Problem(path_text(location[:1]), words, self._title)])
        match value:
            case Mapping():
                return {key: self._field(key, item, location) for key, item in value.items()}
            case list() | tuple():
                return [self.read(item, (*location, index)) for index, item in enumerate(value)]
            case datetime():
                return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
            case date():
                return value.isoformat()
            case float() if not math.isfinite(value):
                return self._wrong(location, f"expected a finite number, found {value}")
            case int() if not -(2**63) <= value < 2**63:
                return self._wrong(location, "expected a number that fits in 64 bits, found a larger one")
            case str() if not _is_unicode(value):
                return self._wrong(location, "expected text in valid Unicode, found half of a surrogate pair")
            case None | bool() | int() | float() | str():
                return value
            case _:
                return self._wrong(location, f"expected plain YAML or JSON values, found {sort_of(value)}")

    def _field(self, key: object, value: object, location: Location) -> object:
        if not isinstance(key, str) or not _is_unicode(key):
            words = f"expected text as a field's name, found {shown(key)}; put it in quotes"
            return self._wrong(location, words)
        inside = (*location, key)
        if value is None and inside[0] not in _MAY_BE_NULL:
            return self._wrong(inside, "expected a value, found nothing; write one or take the field away")
        return self.read(value, inside)

    def _wrong(self, location: Location, words: str) -> object:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(path_text(location), words, self._title))
        return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sort_of(value: object) -> str:
    """What sort of thing it is, in words of YAML."""
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """A short form for messages. Not plain repr: nested anchors would be written out in full."""
    return reprlib.repr(value).encode("ascii", "backslashreplace").decode()
