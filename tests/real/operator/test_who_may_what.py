"""The table of rights on an ApprovalRequest, cell by cell, on a real API server.

By admission policies and by the webhook, open and ended, with the operator and without it, each one's
own way in and impersonated by an admin. A refusal is tried in earnest, what passes as a dry run: so one
request serves for all of it, and must be the same at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from real.operator.asking import ask, at, collection, patch, phase, proxy, votes_are_taken
from real.operator.callers import APPLY, Caller, Reply
from real.operator.installed import Installed, connection
from real.operator.rights_table import (
    ON_BEHALF_OF_ANN,
    OPERATOR,
    PASSES,
    ROBOT,
    WHATS,
    WITHOUT_THE_OPERATOR,
    What,
    Who,
)
from real.operator.vote_table import TRIAGE

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(300)]

PEOPLE = {
    Who.HUMAN: ("ann", ()),
    Who.APPROVER: ("alice", ("managers",)),
    Who.OTHER_APPROVER: ("carol", ()),
    Who.VOTED: ("bob", ("managers",)),
    Who.NO_APPROVER: ("mallory", ("developers",)),
    Who.NOBODY: ("eve", ()),
    Who.ADMIN: ("admin", ("system:masters",)),
}


@dataclass(frozen=True)
class Place:
    """A namespace with the Connections orders-db and billing-db, an open request and one that was denied."""

    tollhouse: Installed
    namespace: str
    open: str
    denied: str

    def user(self, who: Who) -> str:
        """The user the API server knows that one by."""
        machines = {
            Who.REQUESTER: TRIAGE,
            Who.PROXY: proxy(self.namespace),
            Who.OTHER_PROXY: proxy(self.namespace, "billing-db"),
            Who.OPERATOR: OPERATOR,
            Who.ROBOT: ROBOT,
        }
        return machines[who] if who in machines else PEOPLE[who][0]

    def own(self, who: Who) -> Caller:
        """By certificate or token."""
        if who in PEOPLE:
            return self.tollhouse.person(PEOPLE[who][0])
        _, _, namespace, account = self.user(who).split(":")
        return self.tollhouse.machine(namespace, account)

    def impersonated(self, who: Who) -> Caller:
        """By an admin: `kubectl --as`."""
        groups = PEOPLE[who][1] if who in PEOPLE else ()
        return self.tollhouse.person("admin", self.user(who), groups)

    def read(self, name: str) -> Mapping[str, Any]:
        """The request as it is stored."""
        found = self.tollhouse.get("approvalrequest", name, self.namespace)
        assert found is not None
        return found

    def is_settled(self, name: str) -> bool:
        """Whether the operator's word is about the request as it is."""
        it = self.read(name)
        return bool(it["status"]["observedGeneration"] == it["metadata"]["generation"])

    def do(self, caller: Caller, what: What, name: str, it: Mapping[str, Any], dry: bool) -> Reply:
        """Tries it. Deleting all is for requests of this name only."""
        path = collection(self.namespace)
        if "all" in what.name.split():
            path += f"?fieldSelector=metadata.name={name}"
        elif what.verb != "POST":
            path += f"/{name}"
        if what.right.endswith("/status"):
            path += "/status"
        if what.kind == APPLY:
            path += "?fieldManager=kubectl&force=true"
        return caller.call(what.verb, path, what.body(it) if what.body else None, what.kind, dry)

    def wrong(self, way: Callable[[Who], Caller], who: Who, ended: bool, away: bool = False) -> list[str]:
        """Cells that are not as the table says."""
        name = self.denied if ended else self.open
        it = self.read(name)
        found = []
        for what in WHATS:
            says = what.words(who, ended)
            if away and what.webhook and who in what.able:
                says = WITHOUT_THE_OPERATOR
            says = says.replace("{me}", self.user(who))
            got = self.do(way(who), what, name, it, dry=says == PASSES)
            if got.passed is not (says == PASSES) or says not in got.message:
                found.append(f"{who.value}, {what.name}: expected {says!r}, got {got.status} {got.message!r}")
        if self.read(name)["metadata"]["resourceVersion"] != it["metadata"]["resourceVersion"]:
            found.append(f"{who.value} has changed the request")
        return found


@pytest.fixture(scope="module")
def place(admitting: Installed) -> Place:
    plane = admitting.plane
    namespace = admitting.shop()
    plane.apply(connection(namespace, "billing-db"))
    people = {who: PEOPLE[who] for who in (Who.HUMAN, Who.OTHER_APPROVER, Who.NOBODY)}
    for name, groups in people.values():
        plane.person(name, groups)
    for account in (TRIAGE, ROBOT):
        _, _, home, name = account.split(":")
        if admitting.get("namespace", home, "") is None:
            plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})
        plane.service_account(home, name)
    voters = ["ann", "carol", TRIAGE, ROBOT]
    plane.kubectl(
        "-n", namespace, "create", "rolebinding", "voters", "--clusterrole=tollhouse-approver",
        *(f"--user={name}" for name in voters), check=True,
    )  # fmt: skip
    admitting.until(
        lambda: admitting.get("rolebinding", "billing-db-proxy", namespace), "the other proxy has rights"
    )
    votes_are_taken(admitting, namespace)
    made = [ask(admitting, namespace, **ON_BEHALF_OF_ANN) for _ in range(2)]
    for name in made:
        assert patch(admitting, namespace, name, "bob", ["managers"], {"decision": "Approved"}).passed
    denial = {"decision": "Denied", "reason": "no"}
    assert patch(admitting, namespace, made[1], "alice", ["managers"], denial).passed
    admitting.until(lambda: phase(admitting, namespace, made[1]) == "Denied", "it is denied")
    found = Place(admitting, namespace, *made)
    # The operator's last word on both, so that nothing but what is tried changes them.
    for name in made:
        admitting.until(partial(found.is_settled, name), "the operator has said its word")
    return found


@pytest.mark.parametrize("ended", [False, True], ids=["open", "ended"])
@pytest.mark.parametrize("who", Who, ids=lambda who: who.value)
def test_what_each_may_do(place: Place, who: Who, ended: bool) -> None:
    assert place.wrong(place.own, who, ended) == []


@pytest.mark.parametrize("admitting", ["policies"], indirect=True)
@pytest.mark.parametrize("who", [who for who in Who if who is not Who.ADMIN], ids=lambda who: who.value)
def test_impersonated_each_may_do_the_same(place: Place, who: Who) -> None:
    assert place.wrong(place.impersonated, who, ended=False) == []


def test_who_may_not_impersonate_does_nothing_as_somebody_else(place: Place) -> None:
    alice = place.tollhouse.person("alice", "carol")
    it = place.read(place.open)
    for what in WHATS:
        got = place.do(alice, what, place.open, it, dry=False)
        assert 'User "alice" cannot impersonate' in got.message, what.name


def test_without_the_operator_the_policies_hold_and_the_webhook_lets_nothing_through(place: Place) -> None:
    tollhouse = place.tollhouse
    late = ask(tollhouse, place.namespace, expiresAt=at(seconds=2))
    tollhouse.until(lambda: phase(tollhouse, place.namespace, late) == "Expired", "it has expired")
    tollhouse.stop()
    try:
        webhook = tollhouse.votes == "webhook"
        found = [
            cell
            for who in Who
            for ended in (False, True)
            for cell in place.wrong(place.own, who, ended, webhook)
        ]
        told = patch(tollhouse, place.namespace, late, "alice", ["managers"], {"decision": "Approved"})
        voted = patch(tollhouse, place.namespace, place.open, "alice", ["managers"], {"decision": "Approved"})
    finally:
        tollhouse.start()
    assert found == []
    assert (WITHOUT_THE_OPERATOR if webhook else "too late to vote: the request is Expired") in told.message
    assert voted.passed is not webhook
    votes = "2/3" if voted.passed else "1/3"
    tollhouse.until(lambda: place.read(place.open)["status"]["votes"] == votes, "votes are counted")
