"""Votes on a real API server, by admission policies and by the webhook: one table for both.

Who may do what to a request at all is in test_who_may_what.
"""

from __future__ import annotations

import pytest

from real.operator.asking import ask, at, patch, phase, proxy, status, votes, votes_are_taken
from real.operator.installed import Installed
from real.operator.vote_table import CASES, TRIAGE, Case

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def voting(admitting: Installed) -> tuple[Installed, str]:
    """A namespace to ask in; ServiceAccounts and people who may patch there."""
    namespace = admitting.shop()
    subjects = ["--user=carol", "--user=ann", "--user=BOB", f"--user={TRIAGE}"]
    subjects += [f"--user={proxy(namespace)}", "--user=system:serviceaccount:ops:robot"]
    admitting.plane.kubectl(
        "-n", namespace, "create", "rolebinding", "voters", "--clusterrole=tollhouse-approver", *subjects,
        check=True,
    )  # fmt: skip
    votes_are_taken(admitting, namespace)
    return admitting, namespace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_person_may_write(voting: tuple[Installed, str], case: Case) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace, **case.request)
    for user, groups, spec in case.after:
        done = patch(tollhouse, namespace, name, user, groups, spec)
        assert done.passed, done.message
    if "too late" in case.says:
        tollhouse.until(lambda: phase(tollhouse, namespace, name) != "Pending", "the request is decided")
    user = proxy(namespace) if case.user == "PROXY" else case.user
    before = votes(tollhouse, namespace, name)

    done = patch(tollhouse, namespace, name, user, case.groups, case.spec)

    after = votes(tollhouse, namespace, name)
    if case.says:
        assert not done.passed
        assert case.says in done.message
        assert after == before
    else:
        assert done.passed, done.message
        assert after[:-1] == before
        assert after[-1]["by"] == user
        assert after[-1]["decision"] == case.spec["decision"]
        assert after[-1].get("reason") == case.spec.get("reason")
        assert set(case.groups) <= set(after[-1]["groups"])


def test_a_decision_is_never_left_unstamped(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace)
    patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved", "reason": "yes"})
    spec = (tollhouse.get("approvalrequest", name, namespace) or {})["spec"]
    assert "decision" not in spec
    assert "reason" not in spec


def test_the_operator_shows_the_tally(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace, approvers=[{"group": "managers", "count": 2}])
    tollhouse.until(lambda: status(tollhouse, namespace, name).get("votes") == "0/2", "0 of 2")
    patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved"})
    tollhouse.until(lambda: status(tollhouse, namespace, name).get("votes") == "1/2", "1 of 2")
    patch(tollhouse, namespace, name, "bob", ("managers",), {"decision": "Approved"})
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Approved", "approved")
    assert status(tollhouse, namespace, name)["message"] == "approved by alice and bob"


def test_a_request_ends_by_itself(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace, expiresAt=at(seconds=2))
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Expired", "it has expired")
    assert (
        "nobody decided in time; needed: 1 of group managers" in status(tollhouse, namespace, name)["message"]
    )


def test_a_request_is_withdrawn_when_the_pod_that_held_it_is_gone(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    held = ask(tollhouse, namespace, instance="orders-db-proxy-6f5d-x2x")
    other = ask(tollhouse, namespace, instance="somebodys-process")
    tollhouse.until(lambda: phase(tollhouse, namespace, held) == "Withdrawn", "it is withdrawn")
    assert status(tollhouse, namespace, held)["message"] == "the proxy that held the operation is gone"
    tollhouse.until(lambda: status(tollhouse, namespace, other).get("votes"), "the other has a status")
    assert phase(tollhouse, namespace, other) == "Pending"


def test_a_request_that_waits_escalates(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    step = {"after": "2s", "approvers": [{"user": "carol"}]}
    name = ask(tollhouse, namespace, escalation=[step])
    told = tollhouse.until(
        lambda: tollhouse.condition("approvalrequest", name, namespace, "Escalated"), "it has escalated"
    )
    assert told["message"] == "may vote as well: user carol"
    said = tollhouse.until(lambda: events(tollhouse, namespace, name, "Escalated"), "an Event tells of it")
    assert said == ["nobody has decided yet; may vote as well: user carol"]
    done = patch(tollhouse, namespace, name, "carol", (), {"decision": "Approved"})
    assert done.passed, done.message
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Approved", "carol's vote counts")


def events(tollhouse: Installed, namespace: str, name: str, reason: str) -> list[str]:
    listed = tollhouse.person("admin").call("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    assert listed.passed, listed.message
    return [
        one["note"]
        for one in listed.object["items"]
        if one["regarding"]["name"] == name and one["reason"] == reason
    ]
