"""The rows of one catalog section: found by their key, with a digest that tells contents apart.

A section is immutable; one that takes over changes shares every row that stayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

Row = Sequence[str | None]
Rows = Sequence[Row]
Key = str
Derived = TypeVar("Derived")

_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Base:
    """An older snapshot of the catalog: `taken` is pg_current_snapshot() from before it was read, `parts` its
    fingerprint. It was read by a session that had written nothing."""

    catalog: Any
    taken: str
    parts: Row


def key_of(row: Row, places: tuple[int, ...]) -> Key:
    """As `Query.keys` spells it; a section that is read whole is one row after the other."""
    return " ".join(row[place] or "" for place in places) if len(places) != 1 else row[places[0]] or ""


class Section:
    """`digest` is a sum over the rows: equal contents, equal digest, in whatever order they came."""

    __slots__ = ("_derived", "digest", "rows")

    def __init__(self, rows: dict[Key, Row], digest: int) -> None:
        self.rows = rows
        self.digest = digest
        self._derived: dict[str, object] = {}

    @classmethod
    def of(cls, rows: Iterable[Row], places: tuple[int, ...]) -> Section:
        """Rows of a whole section; `places` are those of the key, () for none."""
        listed = [tuple(row) for row in rows]
        kept: dict[Key, Row] = {
            key_of(row, places) if places else str(index): row for index, row in enumerate(listed)
        }
        return cls(kept, sum(map(_hashed, kept.values() if places else sorted(listed, key=repr))) % _MODULUS)

    def changed(self, rows: Iterable[Row], places: tuple[int, ...], gone: Collection[Key]) -> Section:
        """The same section with these rows in place of those with their keys, and without those gone."""
        kept, digest = dict(self.rows), self.digest
        for one in rows:
            row = tuple(one)
            key = key_of(row, places)
            before = kept.get(key)
            if before is not None:
                digest -= _hashed(before)
            kept[key] = row
            digest += _hashed(row)
        for key in gone:
            digest -= _hashed(kept.pop(key))
        return Section(kept, digest % _MODULUS) if digest != self.digest or len(kept) != len(self) else self

    def differing(self, other: Section) -> set[Key]:
        """Keys of rows that only one of the two has."""
        if other is self:
            return set()
        return {
            key for key in self.rows.keys() | other.rows.keys() if self.rows.get(key) != other.rows.get(key)
        }

    def derived(self, name: str, make: Callable[[Section], Derived]) -> Derived:
        """What follows from these rows alone, made once."""
        if name not in self._derived:
            self._derived[name] = make(self)
        return cast(Derived, self._derived[name])

    @property
    def first(self) -> Row | None:
        """The only row of a section that has one."""
        return next(iter(self.rows.values()), None)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> tuple[dict[Key, Row], int]:
        return self.rows, self.digest

    def __setstate__(self, state: tuple[dict[Key, Row], int]) -> None:
        self.rows, self.digest = state
        self._derived = {}


def _hashed(row: Row) -> int:
    return int.from_bytes(hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest())
