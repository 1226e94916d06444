"""An agent with plain psql and its ServiceAccount's token: what it sees, and what it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from kit import wait
from kit.psql_session import PsqlSession

CARD = "4111 1111 1111 1111"


@pytest.fixture
def triage(world) -> Iterator[PsqlSession]:
    with world.agent("triage") as session:
        yield session


def test_masked_columns_show_their_last_four_characters(triage: PsqlSession) -> None:
    shown = triage.ask("SELECT email, ssn FROM customers WHERE id = 1;")
    email, ssn = shown.split("|")
    assert email.endswith(".com")
    assert ssn.endswith("6789")
    assert "ada" not in shown
    assert "123" not in shown


def test_a_masked_value_cannot_be_guessed_through_a_predicate(triage: PsqlSession) -> None:
    assert triage.ask("SELECT count(*) FROM customers WHERE email = 'ada@example.com';") == "0"


def test_card_numbers_in_free_text_are_masked(triage: PsqlSession) -> None:
    notes = triage.ask("SELECT notes FROM customers WHERE id = 1;")
    assert CARD not in notes
    assert "1111" in notes
    assert "call back" in notes


def test_only_the_agents_own_rows_are_there(triage: PsqlSession, world) -> None:
    assert world.superuser("SELECT count(*) FROM orders WHERE assigned_to LIKE '%someone-else'") == "10"
    shown = triage.ask("SELECT DISTINCT assigned_to FROM orders;")
    assert shown == "system:serviceaccount:shop:triage"


def test_a_refusal_says_why_and_what_to_do_and_the_session_goes_on(triage: PsqlSession) -> None:
    refused = triage.ask("DROP DATABASE orders;")
    assert re.search(r"ERROR: +42501: denied by policy support-agents, rule never", refused)
    assert "Ask the data platform team." in refused
    detail = json.loads(re.search(r"^DETAIL: +(\{.*\})$", refused, re.MULTILINE)[1])
    assert (detail["decision"], detail["rule"]) == ("deny", "never") or detail["decision"] == "Deny"
    assert triage.ask("SELECT count(*) > 0 FROM customers;") == "t"


def test_what_no_rule_allows_is_refused(triage: PsqlSession, world) -> None:
    refused = triage.ask("INSERT INTO customers (id, name) VALUES (99, 'x');")
    assert "42501" in refused
    assert world.superuser("SELECT count(*) FROM customers WHERE id = 99") == "0"


def test_the_eleventh_query_of_a_minute_is_refused_and_told_when_to_come_back(world) -> None:
    with world.agent("reporter") as reporter:
        answers = [reporter.ask("SELECT count(*) FROM orders;") for _ in range(11)]
    assert answers[:10] == ["20"] * 10
    assert "53400" in answers[10]
    assert "retryAfter" in answers[10]


def test_an_agent_as_a_job_runs_an_unmodified_client(world) -> None:
    wait_for = ["wait", "-n", "shop", "--for=condition=Complete", "job/triage-once", "--timeout=120s"]
    world.cluster.kubectl(*wait_for, check=True, within=130)
    printed = world.cluster.kubectl("logs", "-n", "shop", "job/triage-once", check=True).stdout
    assert "Ada" in printed
    assert "ada@example.com" not in printed
    assert CARD not in printed


def test_a_token_that_is_meant_for_somebody_else_opens_nothing(world) -> None:
    token = world.cluster.token("shop", "triage", audience="somebody-else")
    world.found_secrets.add(token)
    script = (
        "read -r PGPASSWORD; export PGPASSWORD; psql -X -v VERBOSITY=verbose -c 'SELECT 1'"
        ' "host=orders-db.shop.svc dbname=orders sslmode=verify-full'
        ' sslrootcert=/var/run/secrets/tollhouse/ca.crt" 2>&1 || true'
    )
    said = world.run_in_pod("triage", script, text=f"{token}\n")
    assert "FATAL" in said
    assert "audience" in said


def test_a_policy_change_binds_an_open_session(world, triage: PsqlSession) -> None:
    assert triage.ask("SELECT count(*) FROM customers;") == "2"
    patch = ["patch", "accesspolicy", "support-agents", "-n", "shop", "--type", "json", "-p"]
    tables = "/spec/rules/0/allow/sql/tables"
    narrowed = json.dumps([{"op": "replace", "path": tables, "value": ["orders"]}])
    world.cluster.kubectl(*patch, narrowed, check=True)
    try:
        ask = "SELECT count(*) FROM customers;"
        wait.until(
            lambda: "42501" in triage.ask(ask), within=60, what="the open session is refused", every=0.1
        )
        assert triage.ask("SELECT count(*) FROM orders;") == "10"
    finally:
        widened = json.dumps([{"op": "replace", "path": tables, "value": ["orders", "customers"]}])
        world.cluster.kubectl(*patch, widened, check=True)
    wait.until(lambda: triage.ask(ask) == "2", within=60, what="the open session is allowed again", every=0.1)


def test_a_policy_that_cannot_be_compiled_is_refused_with_its_path(world) -> None:
    bad = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": "bad", "namespace": "shop"},
        "spec": {
            "connections": {"names": ["orders-db"]},
            "subjects": [{"serviceAccount": {"namespace": "shop", "name": "triage"}}],
            "rules": [{"name": "broken", "filter": {"tables": ["orders"], "where": "amount >"}}],
        },
    }
    done = world.cluster.kubectl("apply", "-f", "-", input=json.dumps(bad))
    assert done.returncode != 0
    assert "spec.rules[0].filter.where" in done.stderr


def test_kubectl_shows_how_the_connection_stands(world) -> None:
    shown = world.cluster.kubectl("get", "conn", "-n", "shop", check=True).stdout
    heading, line = shown.strip().splitlines()
    assert heading.split() == ["NAME", "PROTOCOL", "ENDPOINT", "READY", "POLICIES", "CURRENT", "AGE"]
    assert line.split()[:5] == ["orders-db", "postgres", "orders-db.shop.svc:5432", "True", "2"]
