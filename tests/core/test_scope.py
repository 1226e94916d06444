"""Scopes of tokens: what they cover, and what they cannot be widened to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.policies import (
    NOON,
    bundle_of,
    command,
    function,
    identity_of,
    opaque,
    operation_of,
    session_of,
    table,
)
from tollhouse_core.decision import Allow, Deny
from tollhouse_core.identity import Identity
from tollhouse_core.operation import Access
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_core.policy.sessions import turned_out
from tollhouse_core.scope import MOST_WORDS, narrows, parse_scope

ALL = """
- {allow: {sql: {access: [Select, Insert, Update, Delete], tables: ["*"]}}}
- {allow: {sql: {commands: ["*"]}}}
- {allow: {sql: {functions: ["*.*"]}}}
"""


def scoped(*words: str) -> Identity:
    return replace(identity_of(), scope=words)


@pytest.mark.parametrize("text", ["shop/orders-db:read", "*:*", "a/b:write a/b:read", " a/b:read  *:admin "])
def test_words_are_read_each_once_and_in_order(text: str) -> None:
    words = parse_scope(text)
    assert list(words) == sorted(set(text.split()))
    assert parse_scope(" ".join(reversed(words))) == words


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "read", "orders-db:read", "a/b", "a/b:", "a/b:connect", "a/b:READ", "A/b:read"),
        *("a/*:read", "*/b:read", "a/b/c:read", "a/b:read\n", "a/b:read,write", "\u0430/b:read"),
        "openid profile",
        " ".join(f"a/b{number}:read" for number in range(MOST_WORDS + 1)),
    ],
)
def test_anything_else_is_no_scope(text: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        parse_scope(text)


READ, WRITE = table("Select", "orders"), table("Update", "orders")
DELETE = table("Delete", "orders")


@pytest.mark.parametrize(
    ("words", "accesses", "allowed"),
    [
        (["shop/orders-db:read"], [READ], True),
        (["shop/orders-db:read"], [WRITE], False),
        (["shop/orders-db:read"], [READ, WRITE], False),
        (["shop/orders-db:read", "shop/orders-db:write"], [READ, WRITE], True),
        (["shop/orders-db:write"], [READ], False),
        (["shop/orders-db:write"], [DELETE], False),
        (["shop/orders-db:*"], [READ, WRITE, DELETE], True),
        (["*:read"], [READ], True),
        (["*:read"], [WRITE], False),
        (["other/orders-db:*"], [READ], False),
        (["shop/other:*", "shop/orders-db:read"], [DELETE], False),
        (["shop/orders-db:read"], [function("public.f")], False),
        (["shop/orders-db:execute"], [function("public.f")], True),
        (["shop/orders-db:read"], [command("CREATE TABLE", "t")], False),
        (["shop/orders-db:admin"], [command("CREATE TABLE", "t")], True),
        (["shop/orders-db:read"], [command("BEGIN", needs_rule=False)], True),
        (["shop/orders-db:read"], [table("Update", "orders", needs_rule=False)], False),
    ],
    ids=str,
)
def test_a_token_may_do_at_most_what_its_scope_says(
    words: list[str], accesses: list[Access], allowed: bool
) -> None:
    decision = evaluate(bundle_of(ALL), session_of(scoped(*words)), operation_of(*accesses), NOON)
    assert isinstance(decision, Allow if allowed else Deny), decision
    if isinstance(decision, Deny):
        assert "scope" in decision.message


def test_a_scope_opens_nothing_that_no_policy_allows() -> None:
    bundle = bundle_of("[{allow: {sql: {access: [Select], tables: [orders]}}}]")
    decision = evaluate(bundle, session_of(scoped("*:*")), operation_of(WRITE), NOON)
    assert isinstance(decision, Deny)
    assert "scope" not in decision.message


def test_what_is_not_understood_is_beyond_every_verb() -> None:
    words = [f"shop/orders-db:{verb}" for verb in ("read", "write", "delete", "execute", "admin")]
    decision = evaluate(bundle_of(ALL), session_of(scoped(*words)), operation_of(opaque()), NOON)
    assert isinstance(decision, Deny)


def test_a_session_is_only_for_connections_the_scope_names() -> None:
    bundle = bundle_of(ALL)
    assert not turned_out(bundle, scoped("shop/orders-db:read"), NOON)
    assert not turned_out(bundle, scoped("*:read"), NOON)
    assert "names nothing of this connection" in turned_out(bundle, scoped("shop/other:*"), NOON)


WORDS = st.builds(
    "{}:{}".format, st.sampled_from(["*", "a/b", "a/c"]), st.sampled_from(["read", "write", "admin", "*"])
)


@given(st.lists(WORDS, min_size=1), st.lists(WORDS, min_size=1))
def test_a_narrowed_scope_covers_nothing_the_wider_one_does_not(wanted: list[str], held: list[str]) -> None:
    assert narrows(wanted, None)
    if not narrows(wanted, tuple(held)):
        return
    for where in ("a/b", "a/c", "z/z"):
        for verb in ("read", "write", "admin", "delete"):
            narrow = any(word in (f"{where}:{verb}", f"*:{verb}", f"{where}:*", "*:*") for word in wanted)
            wide = any(word in (f"{where}:{verb}", f"*:{verb}", f"{where}:*", "*:*") for word in held)
            assert wide or not narrow
