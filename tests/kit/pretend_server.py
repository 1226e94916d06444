"""A PostgreSQL that is only pretended: it keeps the protocol, the state of the transaction and what it tells
of its catalog, and makes its rows up from the text it is asked with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from tollhouse_proxy.protocols.postgres.sql import BRIEF_QUERY, CATALOG_QUERIES, SIGNS_QUERY, SNAPSHOT_QUERY
from tollhouse_proxy.protocols.postgres.sql.catalog_queries import PARTS
from tollhouse_proxy.protocols.postgres.wire import backend, frontend
from tollhouse_proxy.protocols.postgres.wire.backend import (
    CommandComplete,
    DataRow,
    ReadyForQuery,
    RowDescription,
)
from tollhouse_proxy.protocols.postgres.wire.body import message
from tollhouse_proxy.protocols.postgres.wire.framing import Framer

_OF_SESSION = 7
CATALOG = Path(__file__).parents[1] / "proxy/postgres/sql/shop_catalog.json"
_COLUMN = backend.Field(b"c", 0, 0, 25, -1, -1, 0)
_DESCRIBED = RowDescription((_COLUMN,)).encode()
_ROWS = {"select", "with", "values", "table", "show"}
_REDEFINED = " SELECT orders.id, orders.note AS name, orders.note AS contact FROM public.orders;"


class PretendServer:
    """Give it what the proxy sends, take what it answers."""

    def __init__(self) -> None:
        self.catalog: dict[str, list[list[str | None]]] = json.loads(CATALOG.read_text())
        self.version = 0
        self.path = "public"
        self.status = "I"
        self._before = (0, "public")
        self._skipping = False
        self._statements: dict[str, str] = {}
        self._portals: dict[str, str] = {}
        self._framer = Framer("the proxy", {**frontend.CAPS, **frontend.LOGIN_CAPS})
        self.ran: list[str] = []

    def redefine_the_view(self) -> None:
        self.version += 1
        view = next(row for row in self.catalog["relations"] if row[2] == "customers_v")[0]
        for row in self.catalog["views"]:
            if row[0] == view:
                row[1] = _REDEFINED

    def receive(self, data: bytes) -> bytes:
        self._framer.feed(data)
        answers: list[bytes] = []
        while (one := self._framer.next()) is not None:
            answers += self._answer(one[:1], one[5:])
        return b"".join(answers)

    def _answer(self, kind: bytes, body: bytes) -> Iterator[bytes]:
        if kind == b"S":
            self._skipping = False
            if self.status == "I":
                self._portals.clear()
            yield ReadyForQuery(self.status).encode()
        elif kind == b"Q":
            yield from self._query(body[:-1].decode())
        elif kind in b"PBDEC" and not self._skipping:
            yield from self._extended(kind, body)

    def _query(self, text: str) -> Iterator[bytes]:
        for piece in filter(None, (one.strip() for one in text.split(";"))):
            answers = list(self._run(piece, described=True))
            yield from answers
            if answers[-1][:1] == b"E":
                break
        else:
            if not text.strip(" ;\n"):
                yield message(b"I")
        yield ReadyForQuery(self.status).encode()

    def _extended(self, kind: bytes, body: bytes) -> Iterator[bytes]:
        match kind:
            case b"P":
                parse = frontend.Parse.parse(body)
                if "tollhouse refused" in parse.text.decode():
                    yield self._error("42601")
                    return
                self._statements[parse.name] = parse.text.decode()
                yield message(b"1")
            case b"B":
                bind = frontend.Bind.parse(body)
                self._portals[bind.portal] = self._statements[bind.statement]
                yield message(b"2")
            case b"D":
                wanted = frontend.Describe.parse(body)
                text = (self._statements if wanted.kind == "S" else self._portals)[wanted.name]
                if wanted.kind == "S":
                    yield message(b"t", b"\0\0")
                yield _DESCRIBED if _first(text) in _ROWS else message(b"n")
            case b"E":
                yield from self._run(self._portals[frontend.Execute.parse(body).portal], described=False)
            case _:
                yield message(b"3")

    def _run(self, text: str, *, described: bool) -> Iterator[bytes]:
        known = self._told(text)
        if known is not None:
            yield from self._rows(known, described=described)
            return
        self.ran.append(text)
        first = _first(text)
        if "notice" in text:
            yield backend.Report(
                "N", {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": f"saw {text}"}
            ).encode()
        if self.status == "E" and first not in {"rollback", "commit"}:
            yield self._error("25P02")
        elif "fail" in text or "tollhouse refused" in text or not text:
            yield self._error("23502" if "fail row" in text else "22012")
        elif first in _ROWS:
            count = crc32(text.encode()) % 4 + (400 if "many" in text else 0)
            yield from self._rows([[f"{text}#{at}"] for at in range(count)], described=described)
        else:
            yield CommandComplete(self._effect(first, text)).encode()

    def _effect(self, first: str, text: str) -> str:
        if first == "begin":
            self.status, self._before = "T", (self.version, self.path)
        elif first in {"commit", "rollback"}:
            if first == "rollback" or self.status == "E":
                self.version, self.path = self._before
            self.status = "I"
        elif text.lower().startswith("set search_path"):
            self.path = text.split("to", 1)[-1].rsplit("=", maxsplit=1)[-1].strip()
        elif first in {"create", "drop", "alter"}:
            self.version += 1
        return f"{first.upper()} 0 1" if first == "insert" else first.upper()

    def _told(self, text: str) -> list[list[str | None]] | None:
        """What it says of itself."""
        state = f"{self.version}/{self.path}"
        if text.strip() == SNAPSHOT_QUERY.strip():
            return [[state]]
        if text.strip() == SIGNS_QUERY.strip():
            fingerprint = [self.path, *[state] * len(PARTS)]  # one more than there are: all is read anew
            return [[*self._brief(), *fingerprint]]
        if text.strip() == BRIEF_QUERY.strip():
            return [[*self._brief(), self.path]]
        for name, query in CATALOG_QUERIES.items():
            if query.strip() == text.strip():
                return self._session() if name == "session" else self.catalog[name]
        return None

    def _brief(self) -> list[str | None]:
        return [self.path, "read committed", f"{self.version}/{self.path}", None, "1", *self._session()[0]]

    def _session(self) -> list[list[str | None]]:
        [row] = self.catalog["session"]
        path = json.dumps(["pg_catalog", *self.path.replace(" ", "").split(",")])
        return [[path, *row[1:], *[None] * (_OF_SESSION - len(row))]]

    @staticmethod
    def _rows(rows: list[list[str | None]], *, described: bool) -> Iterator[bytes]:
        if described:
            yield _DESCRIBED
        for row in rows:
            yield DataRow(tuple(None if value is None else value.encode() for value in row)).encode()
        yield CommandComplete(f"SELECT {len(rows)}").encode()

    def _error(self, code: str) -> bytes:
        self._skipping = True
        if self.status == "T":
            self.status = "E"
        fields = {
            "S": "ERROR",
            "V": "ERROR",
            "C": code,
            "M": "it failed",
            "D": "Failing row contains (7, x).",
        }
        more = {"s": "public", "t": "products", "c": "price"}
        return backend.Report("E", {**fields, **more}).encode()


def _first(text: str) -> str:
    return text.split(None, 1)[0].lower() if text.split() else ""
