"""An immutable snapshot of the server's catalog, as one session sees it.

Rows are kept as text and read on first use, so that a database of ten thousand tables costs a
dictionary, not ten thousand objects. What is read lazily is a function of the rows alone: two
threads or sessions may share one snapshot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tollhouse_core.operation import Path

from .catalog_queries import CATALOG_QUERIES, FINGERPRINT_QUERY, SNAPSHOT_QUERY

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

Rows = Sequence[Sequence[str | None]]
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

    def takes(self, count: int) -> bool:
        """Whether a call with `count` arguments could mean this function."""
        most = 10_000 if self.variadic else len(self.arguments)
        least = len(self.arguments) - self.defaults - (1 if self.variadic else 0)
        return least <= count <= most


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

    rows: Mapping[str, Rows] = field(repr=False)
    epoch: str = ""
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)
    """Results of pure functions over this snapshot (understood views), kept by their users."""

    _relations: dict[int, Relation] = field(default_factory=dict, repr=False, compare=False)
    _types: dict[int, Type] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_rows(cls, rows: Mapping[str, Rows]) -> Catalog:
        """Takes the rows of every query of CATALOG_QUERIES. Raises ValueError if one is missing."""
        missing = sorted(set(CATALOG_QUERIES) - set(rows))
        if missing:
            raise ValueError(f"catalog rows are missing: {', '.join(missing)}")
        digest = hashlib.sha256()
        for name in sorted(CATALOG_QUERIES):
            digest.update(name.encode())
            for row in sorted(rows[name], key=lambda row: tuple(value or "" for value in row)):
                digest.update(repr(tuple(row)).encode())
        return cls(rows=dict(rows), epoch=digest.hexdigest()[:32])

    # -- the session -------------------------------------------------------------------------

    @cached_property
    def _session(self) -> Sequence[str | None]:
        rows = self.rows["session"]
        return rows[0] if rows else ("[]", "", "", "", "0", None)

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
    def effective_path(self) -> tuple[str, ...]:
        """The schemas the server searched when the snapshot was read, implicit ones included."""
        return tuple(json.loads(self._session[0] or "[]"))

    # -- relations ---------------------------------------------------------------------------

    @cached_property
    def namespaces(self) -> Mapping[int, str]:
        """oid -> name."""
        return {_number(oid): name or "" for oid, name in self.rows["namespaces"]}

    @cached_property
    def schemas(self) -> frozenset[str]:
        """Names of all schemas."""
        return frozenset(self.namespaces.values())

    @cached_property
    def _relation_rows(self) -> Mapping[int, Sequence[str | None]]:
        return {_number(row[0]): row for row in self.rows["relations"]}

    @cached_property
    def _relation_names(self) -> Mapping[tuple[str, str], int]:
        spaces = self.namespaces
        return {
            (spaces.get(_number(row[1]), ""), row[2] or ""): oid for oid, row in self._relation_rows.items()
        }

    def relation(self, oid: int) -> Relation | None:
        """By oid."""
        known = self._relations.get(oid)
        if known is not None:
            return known
        row = self._relation_rows.get(oid)
        if row is None:
            return None
        schema = self.namespaces.get(_number(row[1]), "")
        known = self._relations[oid] = Relation(
            oid=oid,
            schema=schema,
            name=row[2] or "",
            kind=row[3] or "",
            temporary=schema == self.temporary_schema,
            partition=_true(row[5]),
            row_type=_number(row[6]),
            rewrites=_true(row[7]),
        )
        return known

    @cached_property
    def _sequence_owners(self) -> Mapping[int, int]:
        return {_number(sequence): _number(table) for sequence, table in self.rows["sequences"]}

    def sequence_owner(self, oid: int) -> int | None:
        """The table to whose column a sequence belongs (SERIAL, IDENTITY, OWNED BY)."""
        return self._sequence_owners.get(oid)

    def find_relation(self, schema: str, name: str) -> Relation | None:
        """By schema (pg_temp is the session's own) and name."""
        if schema == "pg_temp":
            schema = self.temporary_schema or ""
        oid = self._relation_names.get((schema, name))
        return None if oid is None else self.relation(oid)

    def user_relations(self) -> Iterator[Relation]:
        """Every relation with rows that is not the server's own."""
        for oid, row in self._relation_rows.items():
            if row[3] in ("r", "p", "v", "m", "f"):
                relation = self.relation(oid)
                if relation is not None and not relation.system:
                    yield relation

    @cached_property
    def _column_rows(self) -> Mapping[int, str]:
        return {_number(oid): text or "[]" for oid, text in self.rows["columns"]}

    @cached_property
    def _expressions(self) -> Mapping[tuple[int, int], str]:
        return {
            (_number(oid), _number(number)): text
            for oid, number, text in self.rows["defaults"]
            if oid is not None and text is not None
        }

    @cached_property
    def _unread(self) -> frozenset[tuple[int, int]]:
        return frozenset(
            (_number(oid), _number(number))
            for oid, number, text in self.rows["defaults"]
            if oid is not None and text is None
        )

    @cached_property
    def complete(self) -> bool:
        """False: some definitions were left out because another session holds what they speak of."""
        return not self._unread and all(oid is None or text is not None for oid, text in self.rows["views"])

    def columns(self, oid: int) -> tuple[Column, ...]:
        """The columns of a relation in attribute order, dropped ones left out."""
        known = self.memo.get(("columns", oid))
        if isinstance(known, tuple):
            return known
        columns = tuple(
            Column(
                number=number,
                name=name,
                type=type_oid,
                typmod_text=typmod or "",
                not_null=not_null,
                generated=bool(generated),
                identity=bool(identity),
                expression=self._expressions.get((oid, number)),
                unread=(oid, number) in self._unread,
            )
            for number, name, type_oid, _, not_null, generated, identity, typmod in json.loads(
                self._column_rows.get(oid, "[]")
            )
        )
        self.memo[("columns", oid)] = columns
        return columns

    @cached_property
    def _definitions(self) -> Mapping[int, str]:
        return {
            _number(oid): text for oid, text in self.rows["views"] if oid is not None and text is not None
        }

    def definition(self, oid: int) -> str | None:
        """The SELECT of a view or materialised view, every name outside pg_catalog qualified."""
        text = self._definitions.get(oid)
        return text.strip().rstrip(";") if text is not None else None

    @cached_property
    def _family(self) -> tuple[Mapping[int, tuple[int, ...]], Mapping[int, tuple[int, ...]]]:
        parents: dict[int, tuple[int, ...]] = {}
        children: dict[int, tuple[int, ...]] = {}
        for child_text, parent_text in self.rows["inherits"]:
            child, parent = _number(child_text), _number(parent_text)
            parents[child] = (*parents.get(child, ()), parent)
            children[parent] = (*children.get(parent, ()), child)
        return parents, children

    def ancestors(self, oid: int) -> tuple[int, ...]:
        """Parents by inheritance or partitioning, their parents, and so on."""
        return self._closure(self._family[0], oid)

    def descendants(self, oid: int) -> tuple[int, ...]:
        """Children by inheritance or partitioning, their children, and so on."""
        return self._closure(self._family[1], oid)

    @staticmethod
    def _closure(edges: Mapping[int, tuple[int, ...]], oid: int) -> tuple[int, ...]:
        found: dict[int, None] = {}
        pending = list(edges.get(oid, ()))
        while pending:
            one = pending.pop()
            if one not in found:
                found[one] = None
                pending.extend(edges.get(one, ()))
        return tuple(found)

    # -- keys --------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> Mapping[int, tuple[tuple[bool, tuple[int, ...]], ...]]:
        keys: dict[int, tuple[tuple[bool, tuple[int, ...]], ...]] = {}
        for oid, primary, numbers, _ in self.rows["keys"]:
            key = (_true(primary), tuple(int(number) for number in (numbers or "").split()))
            keys[_number(oid)] = (*keys.get(_number(oid), ()), key)
        return keys

    def unique_columns(self, oid: int) -> frozenset[int]:
        """Attribute numbers that take part in a unique index (0 stands for an expression)."""
        return frozenset(number for _, numbers in self._keys.get(oid, ()) for number in numbers)

    def primary_key(self, oid: int) -> tuple[int, ...]:
        """Attribute numbers of the primary key, () where there is none."""
        return next((numbers for primary, numbers in self._keys.get(oid, ()) if primary), ())

    @cached_property
    def _references(self) -> tuple[ForeignKey, ...]:
        return tuple(
            ForeignKey(
                table=_number(one),
                columns=tuple(int(number) for number in (mine or "").split()),
                other=_number(other),
                other_columns=tuple(int(number) for number in (theirs or "").split()),
                on_delete=on_delete or "",
                on_update=on_update or "",
            )
            for one, other, mine, theirs, on_delete, on_update in self.rows["references"]
        )

    @cached_property
    def _references_to(self) -> Mapping[int, tuple[ForeignKey, ...]]:
        found: dict[int, tuple[ForeignKey, ...]] = {}
        for key in self._references:
            found[key.other] = (*found.get(key.other, ()), key)
        return found

    def references_to(self, oid: int) -> tuple[ForeignKey, ...]:
        """Foreign keys that point at a table."""
        return self._references_to.get(oid, ())

    def references_from(self, oid: int) -> tuple[tuple[tuple[int, ...], int, tuple[int, ...]], ...]:
        """Foreign keys of a table: (own columns, other table, its columns)."""
        return tuple(
            (key.columns, key.other, key.other_columns) for key in self._references if key.table == oid
        )

    def referenced_columns(self, oid: int) -> frozenset[int]:
        """Attribute numbers of a table that some foreign key points at."""
        return frozenset(n for key in self.references_to(oid) for n in key.other_columns)

    # -- types, functions, operators ---------------------------------------------------------

    @cached_property
    def _type_rows(self) -> Mapping[int, Sequence[str | None]]:
        return {_number(row[0]): row for row in self.rows["types"]}

    @cached_property
    def _type_names(self) -> Mapping[tuple[str, str], int]:
        spaces = self.namespaces
        return {(spaces.get(_number(row[1]), ""), row[2] or ""): oid for oid, row in self._type_rows.items()}

    def type(self, oid: int) -> Type | None:
        """By oid."""
        known = self._types.get(oid)
        if known is not None:
            return known
        row = self._type_rows.get(oid)
        if row is None:
            return None
        known = self._types[oid] = Type(
            oid=oid,
            schema=self.namespaces.get(_number(row[1]), ""),
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
        oid = self._type_names.get((schema, name))
        return None if oid is None else self.type(oid)

    def base_type(self, oid: int) -> Type | None:
        """The type beneath domains."""
        found = self.type(oid)
        while found is not None and found.kind == "d":
            found = self.type(found.base)
        return found

    @cached_property
    def builtin_functions(self) -> frozenset[str]:
        """Names of the functions of pg_catalog."""
        return (
            frozenset((self.rows["builtins"][0][0] or "").split()) if self.rows["builtins"] else frozenset()
        )

    @cached_property
    def _functions(self) -> tuple[Mapping[str, tuple[Function, ...]], Mapping[int, Function]]:
        by_name: dict[str, tuple[Function, ...]] = {}
        by_oid: dict[int, Function] = {}
        for row in self.rows["functions"]:
            function = Function(
                oid=_number(row[0]),
                schema=self.namespaces.get(_number(row[1]), ""),
                name=row[2] or "",
                kind=row[3] or "",
                volatility=row[4] or "",
                security_definer=_true(row[5]),
                language=row[6] or "",
                arguments=tuple(int(oid) for oid in (row[10] or "").split()),
                defaults=_number(row[8]),
                variadic=_true(row[9]),
                result=_number(row[11]),
                extension=row[12],
            )
            by_name[function.name] = (*by_name.get(function.name, ()), function)
            by_oid[function.oid] = function
        return by_name, by_oid

    def functions(self, name: str) -> tuple[Function, ...]:
        """Functions outside pg_catalog of that name, in any schema."""
        return self._functions[0].get(name, ())

    def has_functions(self, schema: str) -> bool:
        """Whether a schema other than pg_catalog holds any function."""
        return any(function.schema == schema for function in self._functions[1].values())

    def function(self, oid: int) -> Function | None:
        """A function outside pg_catalog by oid."""
        return self._functions[1].get(oid)

    @cached_property
    def _operators(self) -> Mapping[str, tuple[Operator, ...]]:
        found: dict[str, tuple[Operator, ...]] = {}
        for space, name, left, right, code in self.rows["operators"]:
            operator = Operator(
                self.namespaces.get(_number(space), ""),
                name or "",
                _number(left),
                _number(right),
                _number(code),
            )
            found[operator.name] = (*found.get(operator.name, ()), operator)
        return found

    def operators(self, name: str) -> tuple[Operator, ...]:
        """Operators outside pg_catalog of that symbol, in any schema."""
        return self._operators.get(name, ())

    @cached_property
    def casts(self) -> tuple[tuple[int, int, int, str], ...]:
        """Casts made by users: (source type, target type, function, context)."""
        return tuple(
            (_number(a), _number(b), _number(f), context or "") for a, b, f, context in self.rows["casts"]
        )
