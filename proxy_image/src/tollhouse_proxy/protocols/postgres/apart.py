"""Long and heavy texts are read and rewritten, and long rows masked, apart: in a process of its own
(`ports.aside`).

A text of a few kilobytes may take hundreds of milliseconds to understand and rewrite, a value of a megabyte a
hundred to be searched, and the parser's and the searches' own code holds the interpreter meanwhile: no thread
would help. `Apart` asks from the proxy's side, `Hand` answers
in the process. Requests are pickled; answers come from a process that has read what a client wrote, so of
them only the classes named in `_ANSWERS` are made.

Nothing is remembered for correctness' sake: a request says all it stands on, and whatever `Hand` keeps only
saves time.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from types import coroutine
from typing import Any

from tollhouse_core.decision import Obligations
from tollhouse_core.operation import Access, AccessKind, Operation, Resource, Verb
from tollhouse_proxy.ports.aside import Aside, Shared
from tollhouse_proxy.protocols.postgres import sql
from tollhouse_proxy.protocols.postgres.content import ContentHeld, Masked, Scanner, mask_copies, mask_rows
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql.sections import Section
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    Edit,
    EffectKind,
    NotUnderstood,
    Rewritten,
    SessionEffect,
    SessionSettings,
    Statement,
)
from tollhouse_proxy.protocols.postgres.sql.understand import Plan
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

LONG_TEXT = 1024
"""Characters. What is longer is read apart."""

MANY_STATEMENTS = 16
"""What holds more of them is read apart however short they are."""

MAX_STATEMENTS = 1000
"""In one text; one that holds more is refused."""

HEAVY_TEXT, HEAVY_PLACES = 256, 4
"""What is longer (in characters), or has more places that masks or filters may change, is rewritten apart."""

_ROWS_PER_PIECE = 500
_KEYS = ""
"""The name of the mask keys among the rows; no query of the catalog is called so."""

_CATALOGS = 4
_STATEMENTS = 256
_STATEMENTS_PER_PART = 50

_NOTHING_SHARED = ""

Split = tuple[tuple[str, int], ...]
Ways = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Away:
    """The plan of a statement that was understood apart: what it was understood under."""

    settings: SessionSettings


class BadAnswer(Exception):
    """The process answered with something that no answer is made of."""


class Apart:
    """The proxy's side."""

    def __init__(self, aside: Aside, keys: MaskKeys) -> None:
        self._aside = aside
        self._keys = keys

    @staticmethod
    def is_long(text: str) -> bool:
        """Whether a text must be read apart."""
        return len(text) > LONG_TEXT or text.count(";") > MANY_STATEMENTS

    @staticmethod
    def is_heavy(statement: Statement) -> bool:
        """Whether a statement must be rewritten apart."""
        plan = statement.plan
        if isinstance(plan, Plan):
            found = plan.found
            places = max(len(found.sources) + len(found.writes), len(found.relations))
            return places > HEAVY_PLACES or len(statement.text) > HEAVY_TEXT
        return isinstance(plan, Away)

    async def understand(self, text: str, catalog: Any, settings: SessionSettings) -> tuple[Statement, ...]:
        """As `sql.understand`. Raises NotUnderstood, AsideFailed."""
        found: list[Statement] = []
        for part in await self._ask(catalog, "understand", text, settings):
            found += _read(part)
            await _turn()
        return tuple(found)

    async def split(self, text: str, catalog: Any) -> Split:
        """As `sql.split_statements`. Raises NotUnderstood, AsideFailed."""
        found: Split = await self._ask(catalog, "split", text)
        return found

    async def rewrite(self, statement: Statement, obligations: Obligations, catalog: Any) -> Rewritten:
        """As `sql.rewrite`. Raises CannotRewrite, AsideFailed."""
        plan = statement.plan
        if isinstance(plan, Plan):
            plan = Away(plan.names.settings)
        if not isinstance(plan, Away):
            raise CannotRewrite("the statement was not understood here")
        settings = plan.settings
        found: Rewritten = await self._ask(catalog, "rewrite", statement.text, settings, obligations)
        return found

    async def mask(self, rows: bytes, ways: Ways, scanner: Scanner, copy_format: int) -> Masked:
        """As `content.mask_rows`; `ways` None: as `content.mask_copies`. Raises ProtocolError, ContentHeld,
        AsideFailed."""
        request = pickle.dumps((_NOTHING_SHARED, "mask", (rows, ways, scanner, copy_format)))
        shared = Shared(_NOTHING_SHARED, lambda: ())
        kind, value = _read(await self._aside.ask(request, shared, patient=True))
        if kind == "broken":
            raise ProtocolError(value)
        if kind == "held":
            raise ContentHeld
        if kind != "found":
            raise BadAnswer(str(kind)[:40])
        looks, made = value
        if not isinstance(looks, int) or not isinstance(made, bytes | None):
            raise BadAnswer("rows")
        return looks, made

    async def _ask(self, catalog: Any, work: str, *arguments: object) -> Any:
        shared = Shared(catalog.epoch, lambda: _pieces(catalog, self._keys))
        answer = await self._aside.ask(pickle.dumps((catalog.epoch, work, arguments)), shared)
        kind, value = _read(answer)
        if kind == "not understood":
            raise NotUnderstood(*value)
        if kind == "cannot":
            raise CannotRewrite(*value)
        if kind != "found":
            raise BadAnswer(str(kind)[:40])
        return value


def _pieces(catalog: Any, keys: MaskKeys) -> Iterator[bytes]:
    yield pickle.dumps((_KEYS, keys))
    for name, section in catalog.rows.items():
        yield pickle.dumps((name, section.digest))
        rows = iter(section.rows.items())
        while part := list(islice(rows, _ROWS_PER_PIECE)):
            yield pickle.dumps((name, part))


_ANSWERS = {
    (one.__module__, one.__qualname__): one
    for one in (
        Statement,
        SessionEffect,
        EffectKind,
        SessionSettings,
        Operation,
        Access,
        AccessKind,
        Verb,
        Resource,
        Rewritten,
        Edit,
        Away,
        frozenset,
    )
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _ANSWERS.get((module, name))
        if found is None:
            raise BadAnswer(f"{module}.{name}"[:80])
        return found


def _read(answer: bytes) -> Any:
    return _Reader(io.BytesIO(answer)).load()


@coroutine
def _turn() -> Generator[None]:
    """Lets whatever else waits for the loop go first."""
    yield


class Hand:
    """The other side: one thing at a time."""

    def __init__(self) -> None:
        self._coming: dict[str, dict[str, Section]] = {}
        self._keys: MaskKeys | None = None
        self._catalogs: dict[str, sql.Catalog] = {}
        self._understood: OrderedDict[object, Statement] = OrderedDict()

    def take(self, key: str, piece: bytes) -> None:
        """A piece of what is shared; an empty one ends it."""
        if key == _NOTHING_SHARED:
            return
        if not piece:
            self._catalogs[key] = sql.Catalog(rows=self._coming.pop(key, {}), epoch=key)
            return
        name, value = pickle.loads(piece)  # noqa: S301 - from the proxy itself
        if name == _KEYS:
            self._keys = value
        elif isinstance(value, int):
            self._coming.setdefault(key, {})[name] = Section({}, value)
        else:
            self._coming[key][name].rows.update(value)

    def drop(self, key: str) -> None:
        """What is shared under this key is not asked about any more."""
        self._catalogs.pop(key, None)
        self._understood.clear()

    def answer(self, request: bytes) -> bytes:
        """What is to be sent back."""
        epoch, work, arguments = pickle.loads(request)  # noqa: S301 - from the proxy itself
        if work == "mask":
            return pickle.dumps(_masked(*arguments))
        catalog = self._catalogs[epoch]
        try:
            match work:
                case "understand":
                    found: Any = self._understand(catalog, *arguments)
                case "split":
                    found = sql.split_statements(*arguments)
                case _:
                    found = self._rewrite(catalog, *arguments)
        except NotUnderstood as error:
            return pickle.dumps(
                ("not understood", (error.message, error.hint, error.sqlstate, error.position))
            )
        except CannotRewrite as error:
            return pickle.dumps(("cannot", (error.message, error.hint)))
        return pickle.dumps(("found", found))

    def _understand(self, catalog: sql.Catalog, text: str, settings: SessionSettings) -> list[bytes]:
        """In parts, so that the proxy can read them one by one."""
        statements = sql.understand(text, catalog, settings)
        if len(statements) > MAX_STATEMENTS:
            words = f"a text may hold {MAX_STATEMENTS} statements at most, this one holds {len(statements)}"
            raise NotUnderstood(words, "Send it in parts.", "54001")
        for one in statements:
            if isinstance(one.plan, Plan):
                self._keep((catalog.epoch, one.text, one.plan.names.settings), one)
        away = [_away(one) for one in statements]
        starts = range(0, len(away), _STATEMENTS_PER_PART)
        return [pickle.dumps(away[start : start + _STATEMENTS_PER_PART]) for start in starts]

    def _keep(self, key: object, statement: Statement) -> None:
        self._understood[key] = statement
        while len(self._understood) > _STATEMENTS:
            self._understood.popitem(last=False)

    def _rewrite(
        self, catalog: sql.Catalog, text: str, settings: SessionSettings, obligations: Obligations
    ) -> Rewritten:
        statement = self._understood.get((catalog.epoch, text, settings))
        if statement is None:
            [statement] = sql.understand(text, catalog, settings)
        assert self._keys is not None
        return sql.rewrite(statement, obligations, catalog, settings, self._keys)


def _masked(rows: bytes, ways: Ways, scanner: Scanner, copy_format: int) -> tuple[str, object]:
    try:
        if ways is None:
            return "found", mask_copies(rows, 0, len(rows), scanner, copy_format)
        return "found", mask_rows(rows, 0, len(rows), ways, scanner)
    except ProtocolError as error:
        return "broken", str(error)
    except ContentHeld:
        return "held", None


def _away(statement: Statement) -> Statement:
    """The statement without its tree."""
    inner = statement.effect.inner
    effect = statement.effect if inner is None else replace(statement.effect, inner=_away(inner))
    plan = statement.plan
    return replace(
        statement, effect=effect, plan=Away(plan.names.settings) if isinstance(plan, Plan) else None
    )
