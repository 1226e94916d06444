"""An immutable snapshot of the server's catalog, as one session sees it.

Rows are kept as text and read on first use, so that a database of ten thousand tables costs a
dictionary, not ten thousand objects. What is read lazily is a function of the rows alone: two
threads or sessions may share one snapshot, and snapshots share the sections that are the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tollhouse_core.operation import Path

from .catalog_queries import CATALOG_QUERIES, FINGERPRINT_QUERY, SECTIONS, SESSION, SNAPSHOT_QUERY
from .sections import Key, Row, Rows, Section

__all__ = [
    "CATALOG_QUERIES",
    "FINGERPRINT_QUERY",
    "SNAPSHOT_QUERY",
    "Catalog",
    "Column",
    "Function",
    "Operator",
    "Relation",
    "Type",
]

PG_CATALOG = "pg_catalog"
INFORMATION_SCHEMA = "information_schema"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is not dropped. `typmod_text` is "(10,2)" or ""; `expression` is the default
    or, with `generated`, what it is computed from."""

    number: int
    name: str
    type: int
    typmod_text: str
    not_null: bool
    generated: bool
    identity: bool
    expression: str | None
    unread: bool = False
    """It has an expression that could not be read: another session holds the relation."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, materialised view, foreign table, partitioned table, sequence or composite.

    `kind` is pg_class.relkind; `row_type` the oid of its composite type; `rewrites` is True where
    a rule other than a view's own changes what INSERT, UPDATE or DELETE mean.
    """

    oid: int
    schema: str
    name: str
    kind: str
    temporary: bool
    partition: bool
    row_type: int
    rewrites: bool

    @property
    def path(self) -> Path:
        """(schema, name); the session's own temporary schema is called pg_temp."""
        return ("pg_temp" if self.temporary else self.schema, self.name)

    @property
    def system(self) -> bool:
        """Whether it belongs to the server itself."""
        return self.schema in (PG_CATALOG, INFORMATION_SCHEMA)


@dataclass(frozen=True, slots=True)
class Type:
    """A row of pg_type. `category` is pg_type.typcategory; `element` is 0 unless it is an array."""

    oid: int
    schema: str
    name: str
    kind: str
    category: str
    element: int
    base: int
    relation: int
    array: int
    extension: str | None

    @property
    def is_array(self) -> bool:
        """A true array type (not a fixed-length one such as point)."""
        return self.category == "A" and self.element != 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function, procedure or aggregate outside pg_catalog."""

    oid: int
    schema: str
    name: str
    kind: str
    volatility: str
    security_definer: bool
    language: str
    arguments: tuple[int, ...]
    defaults: int
    variadic: bool
    result: int
    extension: str | None
    temporary: bool = False

    @property
    def path(self) -> tuple[str, str]:
        """(schema, name); the session's own temporary schema is called pg_temp."""
        return ("pg_temp" if self.temporary else self.schema, self.name)

    def takes(self, fewest: int, count: int) -> bool:
        """Whether a call with `fewest` to `count` arguments could mean this function."""
        most = 10_000 if self.variadic else len(self.arguments)
        least = len(self.arguments) - self.defaults - (1 if self.variadic else 0)
        return least <= count and fewest <= most


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator outside pg_catalog; operand oids are 0 where there is none."""

    schema: str
    name: str
    left: int
    right: int
    function: int


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of `table` point at `other_columns` of `other`, as attribute numbers; `on_delete` and
    `on_update` are confdeltype and confupdtype of pg_constraint."""

    table: int
    columns: tuple[int, ...]
    other: int
    other_columns: tuple[int, ...]
    on_delete: str
    on_update: str


def _number(text: str | None) -> int:
    return int(text or 0)


def _true(text: str | None) -> bool:
    return text in ("true", "t")


@dataclass(frozen=True)
class Catalog:
    """See the module. `epoch` is equal for equal contents."""

    rows: Mapping[str, Section] = field(repr=False)
    epoch: str = ""
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)
    """Results of pure functions over this snapshot (understood views), kept by their users."""

    _relations: dict[int, Relation] = field(default_factory=dict, repr=False, compare=False)
    _types: dict[int, Type] = field(default_factory=dict, repr=False, compare=False)
    _functions: dict[int, Function] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_rows(cls, rows: Mapping[str, Rows]) -> Catalog:
        """Takes the rows of every query of CATALOG_QUERIES. Raises ValueError if one is missing."""
        missing = sorted(set(CATALOG_QUERIES) - set(rows))
        if missing:
            raise ValueError(f"catalog rows are missing: {', '.join(missing)}")
        return cls._of({name: Section.of(_real(rows[name]), query.key) for name, query in SECTIONS.items()})

    @classmethod
    def _of(cls, sections: Mapping[str, Section]) -> Catalog:
        digest = hashlib.sha256()
        for name in sorted(sections):
            digest.update(f"{name} {sections[name].digest:x}\n".encode())
        return cls(rows=sections, epoch=digest.hexdigest()[:32])

    def renewed(self, sections: Mapping[str, Section]) -> Catalog:
        """The snapshot with these sections in place of its own."""
        found = self._of({**self.rows, **sections})
        changed = [self.rows[name].differing(found.rows[name]) for name in ("columns", "defaults")]
        stale = {int(key.split()[0]) for keys in changed for key in keys}
        for key, known in self.memo.items():
            if isinstance(key, tuple) and key[0] == "columns" and key[1] not in stale:
                found.memo[key] = known
        return found

    # -- the session -------------------------------------------------------------------------

    @cached_property
    def _session(self) -> Row:
        return self.rows[SESSION].first or ("[]", "", "", "", "0", None)

    @property
    def current_user(self) -> str:
        """The backend's role."""
        return self._session[1] or ""

    @property
    def database(self) -> str:
        """The database the session is in."""
        return self._session[3] or ""

    @property
    def server_version(self) -> int:
        """As server_version_num, 180001."""
        return _number(self._session[4])

    @property
    def temporary_schema(self) -> str | None:
        """The session's own pg_temp_N, once it has one."""
        return self._session[5]

    @cached_property
    def closed_schemas(self) -> frozenset[str]:
        """Schemas the backend's role has no USAGE on: names are not looked for there."""
        return frozenset(json.loads((self._session[6] if len(self._session) > 6 else None) or "[]"))

    @cached_property
    def effective_path(self) -> tuple[str, ...]:
        """The schemas the server searched when the snapshot was read, implicit ones included."""
        return tuple(json.loads(self._session[0] or "[]"))

    # -- relations ---------------------------------------------------------------------------

    @property
    def namespaces(self) -> Mapping[Key, str]:
        """oid -> name."""
        return self.rows["namespaces"].derived("names", _namespaces)

    @property
    def _namespace_oids(self) -> Mapping[str, Key]:
        return self.rows["namespaces"].derived("oids", _namespace_oids)

    @cached_property
    def schemas(self) -> frozenset[str]:
        """Names of all schemas."""
        return frozenset(self.namespaces.values())

    def _schema(self, oid: str | None) -> str:
        return self.namespaces.get(oid or "", "")

    def relation(self, oid: int) -> Relation | None:
        """By oid."""
        known = self._relations.get(oid)
        if known is not None:
            return known
        row = self.rows["relations"].rows.get(str(oid))
        if row is None:
            return None
        schema = self._schema(row[1])
        known = self._relations[oid] = Relation(
            oid=oid,
            schema=schema,
            name=row[2] or "",
            kind=row[3] or "",
            temporary=schema == self.temporary_schema,
            partition=_true(row[5]),
            row_type=_number(row[6]),
            rewrites=str(oid) in self.rows["rules"].derived("relations", _ruled),
        )
        return known

    def sequence_owner(self, oid: int) -> int | None:
        """The table to whose column a sequence belongs (SERIAL, IDENTITY, OWNED BY)."""
        return self.rows["sequences"].derived("owners", _owners).get(oid)

    def find_relation(self, schema: str, name: str) -> Relation | None:
        """By schema (pg_temp is the session's own) and name."""
        if schema == "pg_temp":
            schema = self.temporary_schema or ""
        names = self.rows["relations"].derived("names", _named)
        oid = names.get((self._namespace_oids.get(schema), name))
        return None if oid is None else self.relation(int(oid))

    def user_relations(self) -> Iterator[Relation]:
        """Every relation with rows that is not the server's own."""
        for row in self.rows["relations"]:
            if row[3] in ("r", "p", "v", "m", "f"):
                relation = self.relation(_number(row[0]))
                if relation is not None and not relation.system:
                    yield relation

    def _default(self, oid: int, number: int) -> Row | None:
        return self.rows["defaults"].rows.get(f"{oid} {number}")

    @cached_property
    def complete(self) -> bool:
        """False: some definitions were left out because another session holds what they speak of."""
        return not any(self.rows[name].derived("left out", _left_out) for name in ("defaults", "views"))

    def columns(self, oid: int) -> tuple[Column, ...]:
        """The columns of a relation in attribute order, dropped ones left out."""
        known = self.memo.get(("columns", oid))
        if isinstance(known, tuple):
            return known
        row = self.rows["columns"].rows.get(str(oid))
        listed = json.loads((row[1] if row is not None else None) or "[]")
        columns = tuple(
            Column(
                number=number,
                name=name,
                type=type_oid,
                typmod_text=typmod or "",
                not_null=not_null,
                generated=bool(generated),
                identity=bool(identity),
                expression=None if (default := self._default(oid, number)) is None else default[2],
                unread=default is not None and default[2] is None,
            )
            for number, name, type_oid, _, not_null, generated, identity, typmod in listed
        )
        self.memo[("columns", oid)] = columns
        return columns

    def definition(self, oid: int) -> str | None:
        """The SELECT of a view or materialised view, every name outside pg_catalog qualified."""
        row = self.rows["views"].rows.get(str(oid))
        text = row[-1] if row is not None else None
        return text.strip().rstrip(";") if text is not None else None

    def rule_version(self, oid: int) -> str | None:
        """The transaction that made the view's definition what it is, as the server has it in xmin."""
        row = self.rows["views"].rows.get(str(oid))
        return row[1] if row is not None and len(row) > 2 else None

    @property
    def _family(self) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
        return self.rows["inherits"].derived("family", _family)

    def ancestors(self, oid: int) -> tuple[int, ...]:
        """Parents by inheritance or partitioning, their parents, and so on."""
        return self._closure(self._family[0], oid)

    def descendants(self, oid: int) -> tuple[int, ...]:
        """Children by inheritance or partitioning, their children, and so on."""
        return self._closure(self._family[1], oid)

    @staticmethod
    def _closure(edges: Mapping[int, list[int]], oid: int) -> tuple[int, ...]:
        found: dict[int, None] = {}
        pending = list(edges.get(oid, ()))
        while pending:
            one = pending.pop()
            if one not in found:
                found[one] = None
                pending.extend(edges.get(one, ()))
        return tuple(found)

    # -- keys --------------------------------------------------------------------------------

    @property
    def _keys(self) -> Mapping[int, list[tuple[bool, tuple[int, ...]]]]:
        return self.rows["keys"].derived("keys", _keys)

    def unique_columns(self, oid: int) -> frozenset[int]:
        """Attribute numbers that take part in a unique index (0 stands for an expression)."""
        return frozenset(number for _, numbers in self._keys.get(oid, ()) for number in numbers)

    def primary_key(self, oid: int) -> tuple[int, ...]:
        """Attribute numbers of the primary key, () where there is none."""
        return next((numbers for primary, numbers in self._keys.get(oid, ()) if primary), ())

    @property
    def _references(self) -> tuple[Mapping[int, list[ForeignKey]], Mapping[int, list[ForeignKey]]]:
        return self.rows["references"].derived("both ways", _references)

    def references_to(self, oid: int) -> Sequence[ForeignKey]:
        """Foreign keys that point at a table."""
        return self._references[1].get(oid, ())

    def references_from(self, oid: int) -> tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...]:
        """Foreign keys of a table: (own columns, other table, its columns)."""
        return tuple((key.columns, key.other, key.other_columns) for key in self._references[0].get(oid, ()))

    def referenced_columns(self, oid: int) -> frozenset[int]:
        """Attribute numbers of a table that some foreign key points at."""
        return frozenset(n for key in self.references_to(oid) for n in key.other_columns)

    # -- types, functions, operators ---------------------------------------------------------

    def type(self, oid: int) -> Type | None:
        """By oid."""
        known = self._types.get(oid)
        if known is not None:
            return known
        row = self.rows["types"].rows.get(str(oid))
        if row is None:
            return None
        known = self._types[oid] = Type(
            oid=oid,
            schema=self._schema(row[1]),
            name=row[2] or "",
            kind=row[3] or "",
            category=row[4] or "",
            element=_number(row[5]) if row[4] == "A" else 0,
            base=_number(row[6]),
            relation=_number(row[8]),
            array=_number(row[9]),
            extension=row[10],
        )
        return known

    def find_type(self, schema: str, name: str) -> Type | None:
        """By schema and name."""
        if schema == "pg_temp":
            schema = self.temporary_schema or ""
        names = self.rows["types"].derived("names", _named)
        oid = names.get((self._namespace_oids.get(schema), name))
        return None if oid is None else self.type(int(oid))

    def base_type(self, oid: int) -> Type | None:
        """The type beneath domains."""
        found = self.type(oid)
        while found is not None and found.kind == "d":
            found = self.type(found.base)
        return found

    @property
    def builtin_functions(self) -> frozenset[str]:
        """Names of the functions of pg_catalog."""
        return self.rows["builtins"].derived("names", _builtins)

    def functions(self, name: str) -> tuple[Function, ...]:
        """Functions outside pg_catalog of that name, in any schema."""
        oids = self.rows["functions"].derived("by name", _by_name).get(name, ())
        return tuple(found for oid in oids if (found := self.function(int(oid))) is not None)

    def has_functions(self, schema: str) -> bool:
        """Whether a schema other than pg_catalog holds any function."""
        oid = self._namespace_oids.get(schema)
        return oid is not None and any(row[1] == oid for row in self.rows["functions"])

    def function(self, oid: int) -> Function | None:
        """A function outside pg_catalog by oid."""
        known = self._functions.get(oid)
        row = self.rows["functions"].rows.get(str(oid)) if known is None else None
        if row is None:
            return known
        known = self._functions[oid] = Function(
            oid=oid,
            schema=self._schema(row[1]),
            name=row[2] or "",
            kind=row[3] or "",
            volatility=row[4] or "",
            security_definer=_true(row[5]),
            language=row[6] or "",
            arguments=_numbers(row[10]),
            defaults=_number(row[8]),
            variadic=_true(row[9]),
            result=_number(row[11]),
            extension=row[12],
            temporary=self._schema(row[1]) == self.temporary_schema,
        )
        return known

    def operators(self, name: str) -> tuple[Operator, ...]:
        """Operators outside pg_catalog of that symbol, in any schema."""
        rows = self.rows["operators"].derived("by symbol", _by_symbol).get(name, ())
        return tuple(
            Operator(self._schema(space), name, _number(left), _number(right), _number(code))
            for space, _, left, right, code in rows
        )

    @property
    def casts(self) -> Sequence[tuple[int, int, int, str]]:
        """Casts made by users: (source type, target type, function, context)."""
        return self.rows["casts"].derived("casts", _casts)


# What follows from the rows of one section.


def _real(rows: Rows) -> Iterable[Row]:
    """Without the row of NULLs that stands for none."""
    return (row for row in rows if row[0] is not None)


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(number) for number in (text or "").split())


def _namespaces(rows: Section) -> Mapping[Key, str]:
    return {oid or "": name or "" for oid, name in rows}


def _namespace_oids(rows: Section) -> Mapping[str, Key]:
    return {name or "": oid or "" for oid, name in rows}


def _named(rows: Section) -> Mapping[tuple[str | None, str], Key]:
    return {(row[1], row[2] or ""): row[0] or "" for row in rows}


def _ruled(rows: Section) -> frozenset[str]:
    return frozenset(row[1] or "" for row in rows)


def _owners(rows: Section) -> Mapping[int, int]:
    return {_number(sequence): _number(table) for sequence, table in rows}


def _left_out(rows: Section) -> bool:
    return any(row[-1] is None for row in rows)


def _family(rows: Section) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
    parents: dict[int, list[int]] = {}
    children: dict[int, list[int]] = {}
    for child_text, parent_text in rows:
        child, parent = _number(child_text), _number(parent_text)
        parents.setdefault(child, []).append(parent)
        children.setdefault(parent, []).append(child)
    return parents, children


def _keys(rows: Section) -> Mapping[int, list[tuple[bool, tuple[int, ...]]]]:
    keys: dict[int, list[tuple[bool, tuple[int, ...]]]] = {}
    for oid, primary, numbers, *_ in rows:
        keys.setdefault(_number(oid), []).append((_true(primary), _numbers(numbers)))
    return keys


def _references(rows: Section) -> tuple[Mapping[int, list[ForeignKey]], Mapping[int, list[ForeignKey]]]:
    outgoing: dict[int, list[ForeignKey]] = {}
    incoming: dict[int, list[ForeignKey]] = {}
    for one, other, mine, theirs, on_delete, on_update, *_ in rows:
        key = ForeignKey(
            table=_number(one),
            columns=_numbers(mine),
            other=_number(other),
            other_columns=_numbers(theirs),
            on_delete=on_delete or "",
            on_update=on_update or "",
        )
        outgoing.setdefault(key.table, []).append(key)
        incoming.setdefault(key.other, []).append(key)
    return outgoing, incoming


def _builtins(rows: Section) -> frozenset[str]:
    row = rows.first
    return frozenset((row[0] or "").split()) if row else frozenset()


def _by_name(rows: Section) -> Mapping[str, list[Key]]:
    found: dict[str, list[Key]] = {}
    for row in rows:
        found.setdefault(row[2] or "", []).append(row[0] or "")
    return found


def _by_symbol(rows: Section) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[1] or "", []).append(row)
    return found


def _casts(rows: Section) -> Sequence[tuple[int, int, int, str]]:
    return tuple((_number(a), _number(b), _number(f), context or "") for a, b, f, context in rows)
