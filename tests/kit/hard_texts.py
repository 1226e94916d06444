"""Texts that are dear to read: what a client that means ill would send.

They speak of the shop's tables (`kit.sql_shop`). Many of them are refused; none may hold up the loop.
"""

from __future__ import annotations

from collections.abc import Callable

CARD = "4111 1111 1111 1111 "


def _filled(head: str, piece: str, tail: str = "") -> Callable[[int], str]:
    return lambda size: head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def _numbered(head: str, piece: str, tail: str = "", *, width: int = 16) -> Callable[[int], str]:
    return lambda size: head + "".join(piece.format(n) for n in range((size - len(head)) // width)) + tail


HARD: dict[str, Callable[[int], str]] = {
    "list of constants": _filled("SELECT id FROM orders WHERE id IN (1", ",1", ")"),
    "chain of AND": _filled("SELECT id FROM orders WHERE true", " AND id=1"),
    "chain of +": _filled("SELECT 1", "+1"),
    "chain of ||": _filled("SELECT ''", "||''"),
    "chain of casts": _filled("SELECT 1", "::int"),
    "chain of UNION": _filled("SELECT 1", " UNION SELECT 1"),
    "parentheses": lambda size: f"SELECT {'(' * (size // 2 - 8)}1{')' * (size // 2 - 8)}",
    "nested sub-selects": lambda size: f"{'SELECT (' * (size // 9)}1{')' * (size // 9)}",
    "nested CASE": lambda size: (
        "SELECT " + "CASE WHEN true THEN " * (size // 24) + "1" + " END" * (size // 24)
    ),
    "nested lists": lambda size: f"SELECT {'ARRAY[' * (size // 7)}1{']' * (size // 7)}",
    "a column again and again": _filled("SELECT id", ",id", " FROM orders"),
    "a masked column again and again": _filled("SELECT email", ",email", " FROM customers"),
    "many names": _numbered("SELECT 1", ",id AS a{0}", " FROM orders"),
    "rows of VALUES": _filled("INSERT INTO products VALUES (1,'a',1)", ",(1,'a',1)"),
    "many joins": _numbered("SELECT 1 FROM customers c", ",customers c{0}"),
    "many stars": _numbered("SELECT * FROM customers c", ",customers c{0}"),
    "many CTEs": _numbered(
        "WITH c AS (SELECT 1)", ",c{0} AS (SELECT email FROM customers)", " SELECT 1", width=42
    ),
    "many sub-selects": _filled("SELECT 1", ",(SELECT email FROM customers)"),
    "many calls": _filled("SELECT 1", ",lower('a')"),
    "many WHENs": _filled("SELECT CASE", " WHEN true THEN 1", " END"),
    "many parameters": _numbered("SELECT $1", ",${0}1", width=7),
    "many statements": _filled("SELECT 1", ";SELECT 1"),
    "many empty statements": _filled("SELECT 1", ";"),
    "a string of cards": lambda size: f"SELECT '{CARD * (size // len(CARD) - 1)}'",
    "a string of almost cards": lambda size: f"SELECT '{'4111 1111 1111 1112 ' * (size // 20 - 1)}'",
    "a string of digits": lambda size: f"SELECT '{'4' * (size - 9)}'",
    "a string of @": lambda size: f"SELECT '{'a@' * (size // 2 - 5)}'",
    "a JSON document": lambda size: "SELECT '[" + '{"a":1},' * (size // 8 - 4) + "1]'::jsonb",
    "deep JSON": lambda size: f"SELECT '{'[' * (size // 2 - 20)}{']' * (size // 2 - 20)}'::jsonb",
    "a comment": lambda size: f"SELECT 1 /*{'x' * (size - 13)}*/",
    "nested comments": lambda size: f"SELECT 1 {'/*' * (size // 4 - 5)}{'*/' * (size // 4 - 5)}",
    "blanks": lambda size: "SELECT 1" + " " * (size - 8),
    "a quoted name": lambda size: 'SELECT 1 AS "' + '""' * (size // 2 - 8) + '"',
    "dollar quotes": _filled("SELECT 1", ",$a$b$a$"),
    "no SQL at all": _filled("", "\u00e9("),
}
