"""Random statements over the shop of `kit.sql_shop`, typed so that most of them run.

Every choice comes from one random.Random: the same seed gives the same statement. Results do not hang on
the order in which a plan gives rows: LIMIT comes with an order over all columns, aggregates and windows give
peers the same. So a statement can be compared with the same one rewritten, or over other hidden data.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

TABLES: dict[str, dict[str, str]] = {
    "customers": {
        "id": "int", "name": "text", "email": "text", "ssn": "text", "birth": "date", "score": "numeric",
        "notes": "text", "tags": "array", "email_norm": "text",
    },
    "orders": {"id": "int", "tenant_id": "int", "customer_id": "int", "amount": "numeric", "note": "text"},
    "products": {"id": "int", "title": "text", "price": "numeric"},
    "events": {"id": "int", "tenant_id": "int", "payload": "text"},
    "customers_v": {"id": "int", "name": "text", "contact": "text"},
    "customers_vv": {"id": "int", "name": "text", "contact": "text"},
    "customers_jv": {"id": "int", "email": "text", "amount": "numeric"},
    "customers_archive": {"id": "int", "name": "text", "ssn": "text"},
    "events_t7": {"id": "int", "tenant_id": "int", "payload": "text"},
}  # fmt: skip
_TYPES = ("int", "text", "numeric", "bool", "date", "array")
_CAST = {
    "int": "int",
    "text": "text",
    "numeric": "numeric",
    "bool": "boolean",
    "date": "date",
    "array": "text[]",
}
_CONSTANTS = {
    "int": ("0", "1", "2", "7", "-3", "100", "NULL::int"),
    "text": ("'a'", "'mine 2'", "'SSN-ALPHA-0001'", "''", "'%A%'", "E'\\\\x'", "NULL::text", "$q$ ; $q$"),
    "numeric": ("0.5", "12.00", "1e3", "-7.25", "NULL::numeric"),
    "bool": ("true", "false", "NULL::boolean"),
    "date": ("date '1980-03-05'", "date '1980-01-01'", "date 'infinity'", "NULL::date"),
    "array": ("ARRAY['a', 'b']", "'{}'::text[]", "'{ALPHAtag1}'::text[]", "NULL::text[]"),
}
_COMPARISONS = ("=", "<>", "<", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")

_One = TypeVar("_One")


@dataclass(frozen=True)
class Column:
    """A column in sight, as SQL, with its type."""

    text: str
    kind: str


class Generator:
    """Makes statements. `writes`: INSERT, UPDATE and DELETE too."""

    def __init__(self, seed: int, *, writes: bool = True, tables: tuple[str, ...] = tuple(TABLES)) -> None:
        self.random = random.Random(seed)
        self.writes = writes
        self.tables = tables
        self._names = 0

    def statement(self) -> str:
        """One statement."""
        dice = self.random.random()
        if self.writes and dice < 0.2:
            return self.random.choice((self._update, self._delete, self._insert))()
        if dice < 0.3:
            inner, kinds = self._query(2)
            name = self._name("w")
            columns = [Column(f"{name}.c{n}", kind) for n, kind in enumerate(kinds)]
            shown = self._shown(columns, 1)
            materialized = self._pick("", "", "MATERIALIZED ", "NOT MATERIALIZED ")
            return (
                f"WITH {name} ({self._column_names(kinds)}) AS {materialized}({inner})"
                f" SELECT {shown} FROM {name}{self._where(columns, 1)}"
            )
        if dice < 0.36:
            return (
                f"COPY ({self._query(2)[0]}) TO STDOUT{self._pick('', ' (FORMAT csv)', ' (FORMAT binary)')}"
            )
        return self._query(3)[0]

    # -- queries -----------------------------------------------------------------------------

    def _query(self, depth: int) -> tuple[str, tuple[str, ...]]:
        """A SELECT and the types of its columns."""
        if depth > 1 and self._chance(0.15):
            return self._set_operation(depth)
        source, columns = self._from(depth)
        if self._chance(0.25):
            return self._grouped(source, columns, depth)
        kinds = tuple(self.random.choice(_TYPES) for _ in range(self.random.randint(1, 4)))
        items = [self._expression(kind, columns, depth, window=True) for kind in kinds]
        shown = ", ".join(f"{item} AS c{n}" for n, item in enumerate(items))
        distinct = "DISTINCT " if self._chance(0.1) else ""
        text = f"SELECT {distinct}{shown} FROM {source}{self._where(columns, depth)}"
        return text + self._tail(kinds), kinds

    def _grouped(self, source: str, columns: list[Column], depth: int) -> tuple[str, tuple[str, ...]]:
        by = [self.random.choice(columns) for _ in range(self.random.randint(1, 2))]
        kinds = [one.kind for one in by]
        items = [one.text for one in by]
        for _ in range(self.random.randint(1, 3)):
            item, kind = self._aggregate(columns, depth)
            items.append(item)
            kinds.append(kind)
        shown = ", ".join(f"{item} AS c{n}" for n, item in enumerate(items))
        keys = ", ".join(one.text for one in by)
        group = self._pick(keys, keys, f"ROLLUP ({keys})", f"GROUPING SETS (({keys}), ())")
        having = f" HAVING {self._aggregate(columns, depth, 'bool')[0]}" if self._chance(0.3) else ""
        text = f"SELECT {shown} FROM {source}{self._where(columns, depth)} GROUP BY {group}{having}"
        return text + self._tail(kinds), tuple(kinds)

    def _set_operation(self, depth: int) -> tuple[str, tuple[str, ...]]:
        kinds = tuple(self.random.choice(_TYPES) for _ in range(self.random.randint(1, 3)))
        sides = []
        for _ in range(2):
            source, columns = self._from(1)
            items = ", ".join(f"{self._expression(kind, columns, 1)} AS c{n}" for n, kind in enumerate(kinds))
            sides.append(f"SELECT {items} FROM {source}{self._where(columns, 1)}")
        word = self._pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL")
        return f"{sides[0]} {word} {sides[1]}{self._tail(kinds)}", kinds

    def _from(self, depth: int) -> tuple[str, list[Column]]:
        text, columns = self._item(depth)
        for _ in range(self.random.choice((0, 0, 1, 1, 2)) if depth > 1 else 0):
            other, more = self._item(depth - 1, columns)
            joined = columns + more
            condition = self._join_condition(columns, more)
            word = self._pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")
            if "LATERAL" in other or word == "CROSS JOIN":
                text = f"{text} CROSS JOIN {other}"
            else:
                text = f"{text} {word} {other} ON {condition}"
            columns = joined
        return text, columns

    def _join_condition(self, left: list[Column], right: list[Column]) -> str:
        """An equality, so that every kind of join can be planned."""
        kind = self._pick("int", "int", "text")
        one = [column for column in left if column.kind == kind]
        other = [column for column in right if column.kind == kind]
        if not one or not other:
            return "true"
        return f"{self.random.choice(one).text} = {self.random.choice(other).text}"

    def _item(self, depth: int, outer: list[Column] | None = None) -> tuple[str, list[Column]]:
        name = self._name("t")
        if depth > 1 and self._chance(0.25):
            lateral = outer is not None and self._chance(0.4)
            if lateral and outer:
                kind = self.random.choice(_TYPES)
                inner = f"SELECT {self._expression(kind, outer, 1)} AS c0"
                return f"LATERAL ({inner}) AS {name}", [Column(f"{name}.c0", kind)]
            query, kinds = self._query(depth - 1)
            return f"({query}) AS {name}", [Column(f"{name}.c{n}", kind) for n, kind in enumerate(kinds)]
        table = self.random.choice(self.tables)
        columns = TABLES[table]
        if self._chance(0.1):
            renamed = [f"r{n}" for n in range(2)]
            first = list(columns.items())[:2]
            shown = [Column(f"{name}.{new}", kind) for new, (_, kind) in zip(renamed, first, strict=True)]
            return f"{table} AS {name} ({', '.join(renamed)})", shown
        prefix = self._pick("", "", "public.", "ONLY ") if table not in ("events",) else ""
        return f"{prefix}{table} AS {name}", [Column(f"{name}.{one}", kind) for one, kind in columns.items()]

    def _where(self, columns: list[Column], depth: int) -> str:
        return f" WHERE {self._expression('bool', columns, depth)}" if self._chance(0.6) else ""

    def _tail(self, kinds: tuple[str, ...] | list[str]) -> str:
        if not self._chance(0.4):
            return ""
        order = ", ".join(f"{n + 1}{self._pick('', ' DESC', ' NULLS FIRST')}" for n in range(len(kinds)))
        return f" ORDER BY {order}" + (f" LIMIT {self.random.randint(0, 6)}" if self._chance(0.5) else "")

    def _shown(self, columns: list[Column], depth: int) -> str:
        kinds = [self.random.choice(_TYPES) for _ in range(self.random.randint(1, 3))]
        return ", ".join(f"{self._expression(kind, columns, depth)} AS c{n}" for n, kind in enumerate(kinds))

    # -- expressions -------------------------------------------------------------------------

    def _expression(self, kind: str, columns: list[Column], depth: int, *, window: bool = False) -> str:
        mine = [column.text for column in columns if column.kind == kind]
        dice = self.random.random()
        if depth <= 0 or dice < 0.3:
            return self.random.choice(mine) if mine else self.random.choice(_CONSTANTS[kind])
        if dice < 0.4:
            return self.random.choice(_CONSTANTS[kind])
        if window and dice < 0.47:
            found = self._window(kind, columns)
            if found:
                return found
        if dice < 0.55:
            return self._subquery(kind, columns, depth)
        if dice < 0.65:
            inner = (self._expression(kind, columns, depth - 1) for _ in range(2))
            condition = self._expression("bool", columns, depth - 1)
            return f"CASE WHEN {condition} THEN {next(inner)} ELSE {next(inner)} END"
        if dice < 0.7:
            one, other = (self._expression(kind, columns, depth - 1) for _ in range(2))
            return f"{self._pick('COALESCE', 'NULLIF', 'GREATEST', 'LEAST')}({one}, {other})"
        return self._operation(kind, columns, depth - 1)

    def _operation(self, kind: str, columns: list[Column], depth: int) -> str:
        def of(wanted: str) -> str:
            return self._expression(wanted, columns, depth)

        made: tuple[Callable[[], str], ...]
        match kind:
            case "int":
                made = (
                    lambda: f"({of('int')} + {of('int')})", lambda: f"length({of('text')})",
                    lambda: f"abs({of('int')})", lambda: f"({of('date')} - date '1970-01-01')::int",
                    lambda: f"coalesce(array_length({of('array')}, 1), 0)", lambda: f"ascii({of('text')})",
                    lambda: f"mod({of('int')}, 7)", lambda: f"round({of('numeric')})::int",
                )  # fmt: skip
            case "text":
                made = (
                    lambda: f"({of('text')} || {of('text')})", lambda: f"upper({of('text')})",
                    lambda: f"substr({of('text')}, {self.random.randint(1, 5)}, 3)",
                    lambda: f"md5({of('text')})",
                    lambda: f"({of('int')})::text", lambda: f"reverse({of('text')})",
                    lambda: f"to_json({of('text')})::text", lambda: f"array_to_string({of('array')}, ',')",
                    lambda: f"format('%s/%s', {of('text')}, {of('numeric')})",
                    lambda: f"({of('date')})::text",
                )  # fmt: skip
            case "numeric":
                made = (
                    lambda: f"({of('numeric')} + {of('int')})", lambda: f"abs({of('numeric')})",
                    lambda: f"({of('int')})::numeric", lambda: f"round({of('numeric')}, 1)",
                )  # fmt: skip
            case "bool":
                made = (lambda: self._condition(columns, depth),)
            case "date":
                made = (lambda: f"({of('date')} + {self.random.randint(-3, 3)})",)
            case _:
                made = (
                    lambda: f"array_append({of('array')}, {of('text')})", lambda: f"ARRAY[{of('text')}]",
                    lambda: f"string_to_array({of('text')}, '-')",
                )  # fmt: skip

        return self.random.choice(made)()

    def _condition(self, columns: list[Column], depth: int) -> str:
        kind = self.random.choice(_TYPES)
        one, other = (self._expression(kind, columns, depth) for _ in range(2))
        more = self._expression("bool", columns, depth)
        texts = [self._expression("text", columns, depth) for _ in range(2)]
        return self._pick(
            f"{one} {self.random.choice(_COMPARISONS)} {other}", f"{one} IS NULL",
            f"({more} AND {one} = {other})", f"({more} OR {one} IS NOT NULL)", f"NOT ({more})",
            f"{texts[0]} LIKE {texts[1]}", f"{one} IN ({one}, {other})",
            f"{texts[0]} = ANY ({self._expression('array', columns, depth)})",
            f"{one} BETWEEN {one} AND {other}",
        )  # fmt: skip

    def _subquery(self, kind: str, columns: list[Column], depth: int) -> str:
        source, inner = self._from(1)
        where = self._where(inner + columns, 1)
        if kind == "bool":
            return self._pick(
                f"EXISTS (SELECT FROM {source}{where})",
                f"{self._expression('int', columns, 0)} IN"
                f" (SELECT {self._expression('int', inner, 1)} FROM {source}{where})",
            )
        if kind in ("int", "numeric"):
            return f"(SELECT count(*)::{_CAST[kind]} FROM {source}{where})"
        if kind == "array":
            order = "ORDER BY 1"
            return f"ARRAY(SELECT {self._expression('text', inner, 1)} FROM {source}{where} {order})"
        return f"(SELECT max({self._expression(kind, inner, 1)}) FROM {source}{where})"

    def _aggregate(self, columns: list[Column], depth: int, kind: str = "") -> tuple[str, str]:
        kind = kind or self.random.choice(("int", "text", "numeric", "bool", "date"))
        value = self._expression(kind, columns, 1)
        only = f" FILTER (WHERE {self._expression('bool', columns, 1)})" if self._chance(0.2) else ""
        if kind == "bool":
            return f"{self._pick('bool_or', 'bool_and')}({value}){only}", "bool"
        if kind == "text" and self._chance(0.4):
            return f"string_agg({value}, ',' ORDER BY {value}){only}", "text"
        if self._chance(0.4):
            return f"count({self._pick('', 'DISTINCT ')}{value}){only}::int", "int"
        if kind in ("int", "numeric") and self._chance(0.5):
            return f"sum({value}){only}::{_CAST[kind]}", kind
        return f"{self._pick('min', 'max')}({value}){only}", kind

    def _window(self, kind: str, columns: list[Column]) -> str | None:
        if kind not in ("int", "text"):
            return None
        by = self.random.choice(columns).text
        over = f"OVER ({self._pick('', f'PARTITION BY {by} ')}ORDER BY {self.random.choice(columns).text})"
        if kind == "text":
            texts = [column.text for column in columns if column.kind == "text"]
            return f"max({self.random.choice(texts)}) {over}" if texts else None
        return f"{self._pick('rank()', 'dense_rank()', 'count(*)')} {over}::int"

    # -- writes ------------------------------------------------------------------------------

    def _update(self) -> str:
        table = self.random.choice(("orders", "customers", "products"))
        columns = [Column(f"t.{one}", kind) for one, kind in TABLES[table].items()]
        target = {"orders": "note", "customers": "name", "products": "title"}[table]
        value = self._pick("'new'", self._expression("text", columns, 2))
        rest = self._where(columns, 2) + self._returning(columns)
        return f"UPDATE {table} AS t SET {target} = coalesce({value}, 'x'){rest}"

    def _delete(self) -> str:
        table = self.random.choice(("orders", "events", "customers_archive"))
        columns = [Column(f"t.{one}", kind) for one, kind in TABLES[table].items()]
        return f"DELETE FROM {table} AS t{self._where(columns, 2)}{self._returning(columns)}"

    def _insert(self) -> str:
        table, names, kinds = self._pick(
            ("orders", "id, tenant_id, note", ("tenant", "text")), ("products", "id, title", ("text",)),
            ("customers", "id, name", ("text",)),
        )  # fmt: skip
        source, columns = self._from(2)
        number = self.random.randint(1000, 9000)
        values = [
            self._pick("7", "8", "t.tenant_id")
            if kind == "tenant"
            else f"coalesce({self._expression(kind, columns, 2)}, 'x')"
            for kind in kinds
        ]
        values = ["7" if value == "t.tenant_id" else value for value in values]
        if self._chance(0.5):
            made = [self._expression(kind, [], 2) if kind != "tenant" else "7" for kind in kinds]
            return f"INSERT INTO {table} ({names}) VALUES ({number}, {', '.join(made)})" + self._conflict()
        return f"INSERT INTO {table} ({names}) SELECT {number}, {', '.join(values)} FROM {source} LIMIT 1"

    def _conflict(self) -> str:
        return self._pick("", "", " ON CONFLICT DO NOTHING", " RETURNING id")

    def _returning(self, columns: list[Column]) -> str:
        return f" RETURNING {self.random.choice(columns).text}" if self._chance(0.5) else ""

    # -- choices -----------------------------------------------------------------------------

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    @staticmethod
    def _column_names(kinds: tuple[str, ...]) -> str:
        return ", ".join(f"c{n}" for n in range(len(kinds)))

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _pick(self, *options: _One) -> _One:
        return self.random.choice(options)
