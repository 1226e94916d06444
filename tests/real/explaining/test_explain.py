"""`explain` says what would happen, and nothing happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.postgres import Postgres
from tollhouse_core.api import parse_object
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.explaining.command import main

pytestmark = pytest.mark.postgres

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, tenant int, email text);
INSERT INTO customers VALUES (1, 1, 'ines@mail.example'), (2, 2, 'omar@mail.example');
"""
RULES: list[dict[str, Any]] = [
    {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["customers"]}}},
    {"name": "hide", "mask": {"columns": ["customers.email"], "with": {"partial": {"keepLast": 4}}}},
    {
        "name": "own",
        "filter": {"tables": ["customers"], "where": "tenant = {{ identity.claims.tenant }}"},
    },
    {"name": "never", "deny": {"sql": {"commands": ["DROP *"]}, "message": "Never."}},
    {
        "name": "ask",
        "requireApproval": {
            "sql": {"access": ["Delete"], "tables": ["customers"]},
            "approvers": [{"group": "managers"}],
            "credential": "eraser",
        },
    },
    {
        "name": "correct",
        "requireApproval": {
            "sql": {"access": ["Update"], "tables": ["customers"]},
            "approvers": [{"group": "managers"}],
            "preview": "Execute",
            "maxRows": 10,
        },
    },
]


class Explaining:
    """The command over one folder and one database."""

    def __init__(self, server: Postgres, folder: Path, output: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.folder = folder
        self.database = server.create_database(sql=SHOP)
        self._output = output
        (folder / "login.yaml").write_text(
            "kind: Secret\nmetadata: {name: login}\n"
            f"stringData: {{username: {server.superuser}, password: {server.password}}}\n"
        )
        self._bundle = folder / "bundle.json"
        self._bundle.write_text(self._compiled())

    def _compiled(self) -> str:
        target = {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.database,
            "tls": {"mode": "Disable"},
        }
        head = {"apiVersion": "tollhouse.dev/v1alpha1"}
        connection = head | {
            "kind": "Connection",
            "metadata": {"name": "shop", "namespace": "default"},
            "spec": {
                "postgres": target,
                "credentials": {"secretRef": {"name": "login"}},
                "approvalCredentials": {"eraser": {"secretRef": {"name": "eraser"}}},
            },
        }
        policy = head | {
            "kind": "AccessPolicy",
            "metadata": {"name": "support", "namespace": "default"},
            "spec": {
                "connections": {"names": ["shop"]},
                "subjects": [{"group": "support"}],
                "rules": RULES,
            },
        }
        result = build_bundle(parse_object(connection), [parse_object(policy)], [], [], LANGUAGES)  # type: ignore[arg-type,list-item]
        assert result.bundle, result.problems
        return result.bundle.to_json()

    def run(self, sql: str, *arguments: str, output: str = "json") -> tuple[int, str, str]:
        common = ["--bundle", str(self._bundle), "--folder", str(self.folder), "--output", output]
        status = main([*common, *arguments, "--sql", sql])
        said = self._output.readouterr()
        return status, said.out, said.err

    def operations(self, sql: str) -> tuple[int, list[dict[str, Any]]]:
        status, out, err = self.run(sql, "--as=group:support", "--claim=tenant=1")
        assert not err
        return status, json.loads(out)["operations"]


@pytest.fixture
def explaining(postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Explaining:
    return Explaining(postgres, tmp_path, capsys)


def test_an_allowed_statement_shows_rule_obligations_and_the_text_that_would_be_sent(
    explaining: Explaining,
) -> None:
    status, (told,) = explaining.operations("SELECT email FROM customers")
    assert status == 0
    assert (told["decision"], told["policy"], told["rule"]) == ("allow", "support", "read")
    assert told["accesses"][0]["object"] == "public.customers"
    assert any("mask public.customers.email" in one for one in told["obligations"])
    assert "OFFSET 0" in told["sent"]
    assert "tenant OPERATOR(pg_catalog.=) '1'" in told["sent"]


def test_several_statements_are_each_explained_and_none_is_run(explaining: Explaining) -> None:
    status, told = explaining.operations("DELETE FROM customers; DROP TABLE customers; SELECT 1")
    assert status == 1
    assert [one["decision"] for one in told] == ["approval", "deny", "allow"]
    count = explaining.server.value("SELECT count(*) FROM customers", database=explaining.database)
    assert count == "2"


def test_terms_of_an_approval_are_told_and_neither_tried_nor_fetched(explaining: Explaining) -> None:
    deletes, corrects = "DELETE FROM customers", "UPDATE customers SET email = ''"
    _, told = explaining.operations(f"{deletes}; {corrects}")
    head = {"policy": "support"}
    assert [one["approvals"] for one in told] == [
        [head | {"rule": "ask", "preview": "Estimate", "maxRows": None, "credential": "eraser"}],
        [head | {"rule": "correct", "preview": "Execute", "maxRows": 10, "credential": None}],
    ]
    as_one = ("--as=group:support", "--claim=tenant=1")
    first, second = (explaining.run(one, *as_one, output="text")[1] for one in (deletes, corrects))
    assert "runs as:  the credential eraser, instead of the session's own (ask)" in first
    assert "preview:" not in first
    assert "limit:" not in first
    assert "preview:  run and rolled back, its rows counted, before people are asked (correct)" in second
    assert "limit:    rolled back and refused if it writes more than 10 rows (correct)" in second
    assert "runs as:" not in second


def test_what_is_not_understood_is_denied_in_words(explaining: Explaining) -> None:
    status, (told,) = explaining.operations("SELEC 1")
    assert status == 1
    assert "syntax error" in told["message"]


def test_people_read_lines(explaining: Explaining) -> None:
    status, out, _ = explaining.run("DROP TABLE customers", "--as=group:support", output="text")
    assert status == 1
    assert "decision: deny by policy support, rule never" in out
    assert "DROP TABLE public.customers" in out


def test_a_subject_that_is_none_is_refused_with_what_was_expected(explaining: Explaining) -> None:
    status, _, err = explaining.run("SELECT 1", "--as=robot")
    assert status == 2
    assert "expected user:NAME, group:NAME" in err


def test_a_backend_that_is_away_is_told_without_a_traceback(explaining: Explaining) -> None:
    text = json.loads(explaining._bundle.read_text())
    text["connection"]["spec"]["postgres"]["port"] = 1
    explaining._bundle.write_text(json.dumps(text))
    status, _, err = explaining.run("SELECT 1", "--as=group:support")
    assert status == 4
    assert "could not be explained" in err
    assert "Traceback" not in err
