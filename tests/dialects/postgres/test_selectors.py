"""`sql` selectors."""

from __future__ import annotations

from typing import Any

import pytest

from kit.policies import command, connection_of, function, opaque, role, table
from tollhouse_core.api.documents import parse_part
from tollhouse_core.api.selectors import SqlSelector, SshSelector
from tollhouse_core.policy.language import AccessSelector, NotCompiled, PolicyLanguage
from tollhouse_dialects import LANGUAGES
from tollhouse_dialects.postgres.tags import TAGS, BadTag, tag_glob
from tollhouse_proxy.protocols.postgres.sql import commands as proxy_commands

POSTGRES = LANGUAGES["postgres"]


def selector_of(default_schema: str = "public", **fields: Any) -> AccessSelector:
    connection = connection_of()
    target = connection.target.model_copy(update={"default_schema": default_schema})
    return POSTGRES.selector(parse_part(SqlSelector, fields), target)


def test_the_dialect_is_a_policy_language() -> None:
    language: PolicyLanguage = POSTGRES
    assert language.protocol == "postgres"
    assert language.asked_facts <= set(language.facts)


def test_access_with_tables_speaks_of_those_accesses_alone() -> None:
    selector = selector_of(access=["Select", "Insert"], tables=["orders", "sales.*"])
    assert selector.binds(table("Select", "orders"))
    assert selector.grants(table("Insert", "sales.invoices"))
    assert not selector.binds(table("Delete", "orders"))
    assert not selector.binds(table("Select", "customers"))
    assert not selector.binds(command("Select", "public", "orders"))
    assert selector.words == "Select, Insert on orders, sales.*"


def test_a_selector_reads_names_in_the_connections_default_schema() -> None:
    selector = selector_of("sales", access=["Select"], tables=["orders"])
    assert selector.binds(table("Select", "sales.orders"))
    assert not selector.binds(table("Select", "public.orders"))


def test_commands_are_globs_over_whole_tags() -> None:
    selector = selector_of(commands=["DROP *", "vacuum"])
    assert selector.binds(command("DROP TABLE", "public", "orders"))
    assert selector.binds(command("DROP TEXT SEARCH PARSER"))
    assert selector.grants(command("VACUUM"))
    assert not selector.binds(command("CREATE TABLE"))
    assert not selector.binds(table("Delete", "orders"))


def test_functions_are_granted_by_name_and_the_servers_own_only_when_spelt_out() -> None:
    every = selector_of(functions=["*"])
    assert every.grants(function("app.refund"))
    assert every.binds(function("pg_catalog.pg_sleep"))
    assert not every.grants(function("pg_catalog.pg_sleep"))
    assert selector_of(functions=["pg_catalog.pg_sleep"]).grants(function("pg_catalog.pg_sleep"))


def test_roles_are_matched_exactly_as_clients_give_them() -> None:
    selector = selector_of(roles=["team_*", "Billing"])
    assert selector.words == "roles team_*, Billing"
    for name in ("team_", "team_a", "Billing"):
        assert selector.grants(role(name))
        assert selector.binds(role(name))
    for name in ("billing", "xteam_a", "team", "team_a\n.x"):
        assert selector.grants(role(name)) == name.startswith("team_")
    assert not selector.binds(command("Connect"))
    with pytest.raises(NotCompiled) as refused:
        selector_of(roles=["fine", "*a*b*c*d*e"])
    assert [fault.path for fault in refused.value.faults] == [".roles[1]"]


def test_nothing_speaks_of_what_was_not_understood() -> None:
    every: list[dict[str, Any]] = [
        {"commands": ["*"]},
        {"functions": ["*"]},
        {"roles": ["*"]},
        {"access": ["Select"], "tables": ["*"]},
    ]
    for fields in every:
        selector = selector_of(**fields)
        assert not selector.binds(opaque())
        assert not selector.grants(opaque())


def test_all_faults_of_a_selector_are_found_with_their_place() -> None:
    with pytest.raises(NotCompiled) as refused:
        selector_of(access=["Select"], tables=["a b", "orders", "x.y.z"])
    assert [fault.path for fault in refused.value.faults] == [".tables[0]", ".tables[2]"]


def test_a_selector_of_another_language_is_refused() -> None:
    with pytest.raises(NotCompiled, match="expected a selector for SQL"):
        POSTGRES.selector(SshSelector(commands=("ls",)), connection_of().target)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("DORP DATABASE", "did you mean DROP DATABASE"),
        ("SELECT", "access with tables"),
        ("COPY", "access with tables"),
        ("DROP USER", "here it is called DROP ROLE"),
        ("BEGIN", "needs no rule"),
        ("DROP; TABLE", "words of a command"),
        ("", "words of a command"),
        ("*a*b*c*d*e*", "wildcards"),
    ],
)
def test_a_command_that_does_not_exist_is_refused_with_what_to_write(written: str, words: str) -> None:
    with pytest.raises(BadTag, match=words):
        tag_glob(written)


def test_case_and_spacing_of_commands_do_not_matter() -> None:
    assert tag_glob("  drop \n database ").matches("DROP DATABASE")
    assert tag_glob("*").matches("VACUUM")


def test_every_command_the_proxy_can_report_has_a_name_that_rules_can_use() -> None:
    reported = {tag for tag, _ in proxy_commands._TAGS.values()}
    assert reported <= TAGS, reported - TAGS
