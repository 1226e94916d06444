"""A shop in two variants that differ only in what is hidden, and a backend session without any wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tollhouse_core.decision import ColumnMask, Obligations, RowFilter, RuleRef, WriteCheck
from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
)
from tollhouse_proxy.protocols.postgres.sql import (
    CATALOG_QUERIES,
    CannotRewrite,
    Catalog,
    MaskKeys,
    NotUnderstood,
    Rewritten,
    SessionSettings,
    Statement,
    rewrite,
    understand,
)

KEYS = MaskKeys(b"n" * 32, b"c" * 32)
RULE = RuleRef("support", "test")
CUSTOMERS, ORDERS = ("public", "customers"), ("public", "orders")

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email varchar(80) UNIQUE,
  ssn text, birth date,
  score numeric(10,2), notes text, tags text[], prefs jsonb, uid uuid,
  email_norm text GENERATED ALWAYS AS (lower(email)) STORED);
CREATE TABLE orders (id int PRIMARY KEY, tenant_id int NOT NULL, customer_id int REFERENCES customers (id),
  amount numeric(10,2), note text, created timestamptz DEFAULT '2026-01-01');
CREATE TABLE newsletter (id serial PRIMARY KEY, email varchar(80) REFERENCES customers (email));
CREATE TABLE products (id int PRIMARY KEY, title text, price numeric);
CREATE VIEW customers_v AS SELECT id, name, email AS contact FROM customers;
CREATE VIEW customers_vv AS SELECT * FROM customers_v WHERE id > 0;
CREATE VIEW customers_jv AS SELECT c.id, c.email, o.amount FROM customers c
  JOIN orders o ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW customers_mv AS SELECT id, email FROM customers;
CREATE TABLE customers_archive () INHERITS (customers);
CREATE TABLE events (id int, tenant_id int, payload text) PARTITION BY LIST (tenant_id);
CREATE TABLE events_t7 PARTITION OF events FOR VALUES IN (7);
CREATE TABLE events_t9 PARTITION OF events FOR VALUES IN (9);
CREATE SCHEMA priv;
CREATE TABLE priv.customers (id int, email text);
CREATE FUNCTION get_contact(int) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS 'SELECT email::text FROM public.customers WHERE id = $1';
CREATE FUNCTION contact(customers) RETURNS text LANGUAGE sql AS 'SELECT $1.email::text';
INSERT INTO products SELECT i, 'product ' || i, i * 1.5 FROM generate_series(1, 10) i;
"""
ROWS = """
INSERT INTO customers (id, name, email, ssn, birth, score, notes, tags, prefs, uid)
  SELECT i, 'name' || i, '{v}mail' || i || '@example.com', 'SSN-{v}-000' || i, date '{date}' + i, {score} + i,
    'note {v} card {card}', ARRAY['{v}tag' || i], jsonb_build_object('email', '{v}mail' || i),
    '{uuid}'::uuid FROM generate_series(1, 5) i;
INSERT INTO customers_archive (id, name, email, ssn) VALUES (100, 'old', '{v}old@example.com', 'SSN-{v}-OLD');
INSERT INTO orders SELECT i, 7, 1 + i % 5, i * 3, 'mine ' || i FROM generate_series(2, 10, 2) i;
INSERT INTO orders SELECT i, 8, 1 + i % 5, {score} * i, 'SECRET-{v}-' || i
  FROM generate_series(1, {hidden}, 2) i;
INSERT INTO events SELECT i, CASE WHEN i % 2 = 0 THEN 7 ELSE 9 END,
  CASE WHEN i % 2 = 0 THEN 'mine ' || i ELSE 'SECRET-{v}-' || i END FROM generate_series(1, 6) i;
REFRESH MATERIALIZED VIEW customers_mv;
ANALYZE;
"""
VARIANTS = {
    "ALPHA": {
        "date": "1980-03-04", "score": 11, "card": "4111 1111 1111 1111", "hidden": 9,
        "uuid": "aaaaaaaa-0000-0000-0000-000000000001",
    },
    "OMEGA": {
        "date": "1980-09-24", "score": 14, "card": "5555 5555 5555 4444", "hidden": 19,
        "uuid": "bbbbbbbb-0000-0000-0000-000000000002",
    },
}  # fmt: skip


def mask(
    column: str, how: Mask, path: tuple[str, str] = CUSTOMERS, content: Sequence[Detector] = ()
) -> ColumnMask:
    """One column mask of the rule under test."""
    return ColumnMask(path, column, how, RULE, tuple(content))


def row_filter(where: str, *values: object, path: tuple[str, str] = ORDERS) -> RowFilter:
    """One row filter."""
    return RowFilter(path, where, values, WriteCheck.CHECK, RULE)


HIDE = Obligations(
    columns=(
        mask("email", Redact()),
        mask("ssn", Redact()),
        mask("birth", Truncate()),
        mask("score", Bucket(100)),
        mask("notes", Nullify()),
        mask("tags", Redact()),
        mask("prefs", Nullify()),
        mask("uid", Nullify()),
    ),
    filters=(
        row_filter("tenant_id = $1", "7"),
        row_filter("tenant_id = $1", 7, path=("public", "events")),
    ),
)
CARDS = (Detector(DetectorName.PAYMENT_CARD),)
SHOW = Obligations(
    columns=(
        mask("email", Partial(0, 4)),
        mask("ssn", Token()),
        mask("birth", Truncate()),
        mask("score", Bucket(10)),
        mask("notes", Redact(), content=CARDS),
        mask("uid", Token()),
    )
)


@dataclass
class Seen:
    """What a client would see of one statement: refused, failed (code only), or rows."""

    kind: str
    text: str = ""
    rows: list[Any] = field(default_factory=list)
    tag: str = ""
    rewritten: Rewritten | None = None

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seen) and (self.kind, self.text, self.rows, self.tag) == (
            other.kind, other.text, other.rows, other.tag,
        )  # fmt: skip


class Session:
    """A backend session behind `understand` and `rewrite`, without any wire."""

    def __init__(self, dsn: str, obligations: Obligations = HIDE) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.obligations = obligations
        self.settings = SessionSettings()
        self.read()

    def read(self) -> None:
        """Takes the catalog snapshot anew."""
        rows: dict[str, list[tuple[str | None, ...]]] = {}
        for name, query in CATALOG_QUERIES.items():
            rows[name] = self.connection.execute(query.encode()).fetchall()
        self.catalog = Catalog.from_rows(rows)

    def begin(self, obligations: Obligations = HIDE) -> None:
        """Starts a transaction under these obligations."""
        self.obligations = obligations
        self.settings = SessionSettings()
        self.connection.execute("BEGIN")

    def under(self, obligations: Obligations) -> None:
        """Other obligations from now on."""
        self.obligations = obligations

    def understand(self, sql: str) -> tuple[Statement, ...]:
        return understand(sql, self.catalog, self.settings)

    def rewrite(self, statement: Statement) -> Rewritten:
        return rewrite(statement, self.obligations, self.catalog, self.settings, KEYS)

    def run(self, sql: str) -> Seen:
        """One statement as the client would see it (an allow-all policy without functions)."""
        try:
            statement = self.understand(sql)[0]
            if any(
                a.kind.value in ("opaque", "function") and a.needs_rule for a in statement.operation.accesses
            ):
                return Seen("denied")
            made = self.rewrite(statement)
        except NotUnderstood as error:
            return Seen("not understood", error.message)
        except CannotRewrite as error:
            return Seen("cannot rewrite", error.message)
        try:
            return self._execute(made)
        except psycopg.Error as error:
            code = error.sqlstate or ""
            return Seen("failed", code if made.guards_errors else str(error), rewritten=made)

    def _execute(self, made: Rewritten) -> Seen:
        if made.text.lstrip()[:4].upper() == "COPY":
            with self.connection.cursor() as cursor, cursor.copy(made.text.encode()) as copy:
                return Seen("rows", rows=[bytes(chunk) for chunk in copy], rewritten=made)
        cursor = self.connection.execute(made.text.encode())
        rows = sorted(map(repr, cursor.fetchall())) if cursor.description else []
        if cursor.pgresult is not None and cursor.description:
            for index in range(cursor.pgresult.nfields):
                origin = (cursor.pgresult.ftable(index), cursor.pgresult.ftablecol(index))
                assert origin not in made.forbidden_origins, (
                    f"{sql_name(cursor, index)} shows a masked column"
                )
        return Seen("rows", rows=rows, tag=cursor.statusmessage or "", rewritten=made)


def sql_name(cursor: psycopg.Cursor[Any], index: int) -> str:
    return cursor.description[index].name if cursor.description else "?"
