"""Names to catalog objects, as the server would find them under one search_path."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from .catalog import INFORMATION_SCHEMA, PG_CATALOG, Catalog, Function, Operator, Relation, Type
from .nodes import Body, strings
from .statement import NotUnderstood, SessionSettings


class Names:
    """Resolves names for one session: `settings` give the path, `catalog` the objects."""

    def __init__(self, catalog: Catalog, settings: SessionSettings) -> None:
        self.catalog = catalog
        self.settings = settings

    @cached_property
    def path(self) -> tuple[str, ...]:
        """Schemas searched for relations and types, in order, implicit ones included."""
        temporary = self.catalog.temporary_schema
        listed: list[str] = []
        explicit_temp = False
        for element in self.settings.search_path:
            schema = self.catalog.current_user if element == "$user" else element
            if schema == "pg_temp" or (temporary and schema == temporary):
                explicit_temp = True
                schema = temporary or ""
            if schema in self.catalog.closed_schemas and schema != temporary:
                continue
            if schema and schema in self.catalog.schemas and schema not in listed:
                listed.append(schema)
        if PG_CATALOG not in listed:
            listed.insert(0, PG_CATALOG)
        if temporary and not explicit_temp:
            listed.insert(0, temporary)
        return tuple(listed)

    @cached_property
    def function_path(self) -> frozenset[str]:
        """Schemas searched for functions and operators: never the temporary one."""
        return frozenset(self.path) - {self.catalog.temporary_schema or ""}

    @cached_property
    def creation_schema(self) -> str:
        """Where an unqualified new object goes."""
        for schema in self.path:
            if schema not in (PG_CATALOG, self.catalog.temporary_schema):
                return schema
        return self.settings.default_schema

    def find(self, schema: str | None, name: str) -> Relation | None:
        """The relation of that name, None where there is none."""
        if schema:
            return self.catalog.find_relation(schema, name)
        for one in self.path:
            found = self.catalog.find_relation(one, name)
            if found is not None:
                return found
        return None

    def relation(self, range_var: Body) -> Relation:
        """The relation a RangeVar means. Raises NotUnderstood (42P01) where there is none."""
        database = range_var.get("catalogname")
        if database and database != self.catalog.database:
            raise NotUnderstood(
                "cross-database references are not implemented",
                sqlstate="0A000",
                position=range_var.get("location"),
            )
        schema, name = range_var.get("schemaname"), range_var.get("relname", "")
        found = self.find(schema, name)
        if found is None:
            shown = f"{schema}.{name}" if schema else name
            raise NotUnderstood(
                f'relation "{shown}" does not exist', sqlstate="42P01", position=range_var.get("location")
            )
        return found

    def type(self, type_name: Body) -> Type | None:
        """The type a TypeName means; None where it is unknown."""
        parts = strings(type_name.get("names"))
        return self.type_named(parts) if parts else None

    def type_named(self, parts: Sequence[str]) -> Type | None:
        """The type of a (qualified) name."""
        schema, name = (parts[-2], parts[-1]) if len(parts) > 1 else (None, parts[-1])
        if schema:
            return self.catalog.find_type(schema, name)
        for one in self.path:
            found = self.catalog.find_type(one, name)
            if found is not None:
                return found
        return None

    def functions(
        self, parts: Sequence[str], count: int | None, void: int = 0
    ) -> tuple[bool, tuple[Function, ...]]:
        """(whether pg_catalog may be meant, candidates outside it) for a call of `count` arguments, of which
        the server may leave out `void`.

        The server picks the best match over all schemas of the path, so all of them count.
        """
        name = parts[-1]
        schema = parts[-2] if len(parts) > 1 else None
        if schema == "pg_temp":
            schema = self.catalog.temporary_schema or ""
        builtin = schema in (None, PG_CATALOG) and name in self.catalog.builtin_functions
        if schema == INFORMATION_SCHEMA:
            builtin = True
        candidates = tuple(
            function
            for function in self.catalog.functions(name)
            if (function.schema == schema if schema else function.schema in self.function_path)
            and (count is None or function.takes(count - void, count))
        )
        return builtin, candidates

    def operators(self, parts: Sequence[str]) -> tuple[Operator, ...]:
        """Operators outside pg_catalog that the name could mean."""
        schema = parts[-2] if len(parts) > 1 else None
        return tuple(
            operator
            for operator in self.catalog.operators(parts[-1])
            if (operator.schema == schema if schema else operator.schema in self.function_path)
        )
