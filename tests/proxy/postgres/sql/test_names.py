"""Names as the server reads them: paths, quotes, what may be meant by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_dialects.postgres.parse import parse
from tollhouse_proxy.protocols.postgres.sql import Catalog, NotUnderstood, SessionSettings
from tollhouse_proxy.protocols.postgres.sql.calls import split_name, trusted
from tollhouse_proxy.protocols.postgres.sql.catalog import Function
from tollhouse_proxy.protocols.postgres.sql.names import Names
from tollhouse_proxy.protocols.postgres.sql.nodes import constant
from tollhouse_proxy.protocols.postgres.sql.session_settings import clip, split_path

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@given(st.lists(WORDS), st.sampled_from([",", ", ", " ,\t", "\n,\n"]))
def test_a_search_path_of_quoted_names_is_those_names(names: list[str], between: str) -> None:
    assert split_path(f" {between.join(map(quoted, names))} ") == tuple(clip(name) for name in names)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("", ()), ("public", ("public",)), ("PUBLIC, Priv", ("public", "priv")),
        ('"$user", public', ("$user", "public")),
        ("ÄB", ("Äb",)), ('"A""b",c', ('A"b', "c")), ('"", a', ("a",)), ("a,,b", ("a", "b")),
        ("a\v,\fb", ("a", "b")),
        ("x" * 70, ("x" * 63,)), ('"' + "é" * 40 + '"', ("é" * 31,)), ('"open', ("open",)),
    ],
)  # fmt: skip
def test_a_search_path_is_folded_and_cut(value: str, path: tuple[str, ...]) -> None:
    assert split_path(value) == path


@given(st.lists(WORDS, min_size=1))
def test_a_qualified_name_in_quotes_is_its_parts(parts: list[str]) -> None:
    assert split_name(".".join(map(quoted, parts))) == tuple(parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Orders", ("orders",)), ('Shop."Orders"', ("shop", "Orders")),
        (" shop . orders ", ("shop", "orders")),
        ('"a.b".c', ("a.b", "c")), ('a"B"', ("aB",)), ("a..b", ()), ("", ()), (".a", ()), ("a.", ()),
    ],
)  # fmt: skip
def test_a_name_in_a_text_is_folded_outside_its_quotes(text: str, parts: tuple[str, ...]) -> None:
    assert split_name(text) == parts


@pytest.mark.parametrize(
    ("given_path", "searched"),
    [
        (("public",), ("pg_catalog", "public")),
        (("public", "pg_catalog"), ("public", "pg_catalog")),
        (("gone", "priv", "public", "priv"), ("pg_catalog", "priv", "public")),
        (("$user", "priv"), ("pg_catalog", "priv")),
        (("pg_temp", "public"), ("pg_catalog", "public")),
        ((), ("pg_catalog",)),
    ],
)
def test_the_servers_own_schema_comes_first_unless_it_is_listed(
    given_path: tuple[str, ...], searched: tuple[str, ...], catalog: Catalog
) -> None:
    assert Names(catalog, SessionSettings(given_path)).path == searched


def test_a_new_object_goes_to_the_first_schema_that_is_there_and_is_not_the_servers(catalog: Catalog) -> None:
    def goes_to(*path: str) -> str:
        return Names(catalog, SessionSettings(path, default_schema="shop")).creation_schema

    assert goes_to("gone", "pg_catalog", "priv", "public") == "priv"
    assert goes_to() == "shop"


def test_a_relation_of_this_database_may_say_so_and_one_of_another_is_refused(catalog: Catalog) -> None:
    names = Names(catalog, SessionSettings())
    assert names.relation({"catalogname": catalog.database, "relname": "orders"}).path == ("public", "orders")
    with pytest.raises(NotUnderstood, match="cross-database"):
        names.relation({"catalogname": "other", "schemaname": "public", "relname": "orders"})
    with pytest.raises(NotUnderstood, match=r'"priv\.orders" does not exist'):
        names.relation({"schemaname": "priv", "relname": "orders"})


@pytest.mark.parametrize(
    ("parts", "count", "builtin", "found"),
    [
        (("lower",), 1, True, 0),
        (("pg_catalog", "lower"), 1, True, 0),
        (("public", "lower"), 1, False, 0),
        (("information_schema", "anything"), 1, True, 0),
        (("get_contact",), 1, False, 1),
        (("get_contact",), None, False, 1),
        (("get_contact",), 2, False, 0),
        (("public", "get_contact"), 1, False, 1),
        (("priv", "get_contact"), 1, False, 0),
    ],
)
def test_a_function_is_looked_for_where_its_name_says(
    parts: tuple[str, ...], count: int | None, builtin: bool, found: int, catalog: Catalog
) -> None:
    meant, candidates = Names(catalog, SessionSettings()).functions(parts, count)
    assert (meant, len(candidates)) == (builtin, found)


@pytest.mark.parametrize(
    ("extension", "language", "is_trusted"),
    [("pgcrypto", "c", True), ("pgcrypto", "sql", True), ("pgcrypto", "plpgsql", False), (None, "c", False),
     ("dblink", "c", False)],
)  # fmt: skip
def test_only_compiled_or_plain_functions_of_known_extensions_need_no_rule(
    extension: str | None, language: str, is_trusted: bool
) -> None:
    function = Function(1, "public", "f", "f", "i", False, language, (), 0, False, 25, extension)
    assert trusted(function) is is_trusted


@pytest.mark.parametrize(
    ("written", "value"),
    [("0", 0), ("1", 1), ("7", 7), ("''", ""), ("'x'", "x"), ("1.50", "1.50"),
     ("true", True), ("false", False), ("NULL", None), ("'7'::int", "7"),
     ("0::bool", 0), ("$1", None), ("1 + 1", None), ("a", None)],
)  # fmt: skip
def test_a_constant_is_what_is_written(written: str, value: object) -> None:
    (statement,) = parse(f"SELECT {written}")
    found = constant(statement.tree["SelectStmt"]["targetList"][0]["ResTarget"]["val"])
    assert (found, type(found)) == (value, type(value))


def test_nothing_is_no_constant() -> None:
    assert constant(None) is None
    assert constant({"Integer": {}}) == 0
