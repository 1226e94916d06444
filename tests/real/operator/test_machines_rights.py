"""Tollhouse's own ServiceAccounts turned hostile: what a stolen token of a proxy or of the operator opens.

Every attempt is made with such a token, and refused in the API server's words.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from real.operator.asking import ask, collection, proxy, request_of, votes_are_taken
from real.operator.callers import JSON, MERGE, Caller
from real.operator.installed import NAMESPACE, Installed, connection
from real.operator.machines_table import BY_OPERATOR, BY_PROXY, CORE_HERE, HERE, Try

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def names(tollhouse: Installed) -> dict[str, str]:
    """What stands in paths and words."""
    here, there = tollhouse.shop(), tollhouse.shop()
    login = {"secretRef": {"name": "billing-login"}}
    tollhouse.plane.apply(connection(here, "billing-db", credentials=login))
    for kind, name in ("configmap", "billing-db-proxies"), ("rolebinding", "billing-db-proxy"):
        tollhouse.until(partial(tollhouse.get, kind, name, here), "billing-db is reconciled")
    votes_are_taken(tollhouse, here)
    document = request_of(here, connection="billing-db")
    made = tollhouse.machine(here, "billing-db-proxy").call("POST", collection(here), document)
    assert made.passed, made.message
    foreign = str(made.object["metadata"]["name"])
    return {"here": here, "there": there, "request": ask(tollhouse, here), "foreign": foreign}


def refused(caller: Caller, names: dict[str, str], me: str, one: Try) -> str:
    """What it says, "" if it was done."""
    body = one.body
    if isinstance(body, dict) and "REQUEST" in body:
        namespace = names["there"] if "{there}" in one.path else names["here"]
        body = request_of(namespace, connection=body["REQUEST"])
    if isinstance(body, dict) and "subjects" in body:
        body = {**body, "subjects": [{**body["subjects"][0], "name": me}]}
    kind = MERGE if one.method == "PATCH" else JSON
    got = caller.call(one.method, one.path.format(**names), body, kind)
    return "" if got.passed else got.message or str(got.status)


@pytest.mark.parametrize("one", BY_PROXY, ids=lambda one: one.name)
def test_a_proxys_token_opens_nothing_else(tollhouse: Installed, names: dict[str, str], one: Try) -> None:
    me = proxy(names["here"])
    said = refused(tollhouse.machine(names["here"], "orders-db-proxy"), names, me, one)
    assert one.words.replace("{me}", me) in said


def test_a_proxys_token_impersonates_nobody(tollhouse: Installed, names: dict[str, str]) -> None:
    token = tollhouse.plane.token(names["here"], "orders-db-proxy")
    caller = Caller(tollhouse.plane, token=token, user="alice", groups=["managers"])
    try:
        done = caller.call("GET", collection(names["here"]))
    finally:
        caller.close()
    assert "cannot impersonate" in done.message


@pytest.mark.parametrize("one", BY_OPERATOR, ids=lambda one: one.name)
def test_the_operators_token_opens_nothing_else(
    tollhouse: Installed, names: dict[str, str], one: Try
) -> None:
    me = f"system:serviceaccount:{NAMESPACE}:tollhouse-operator"
    said = refused(tollhouse.machine(NAMESPACE, "tollhouse-operator"), names, me, one)
    assert one.words.replace("{me}", me) in said


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", CORE_HERE + "/configmaps/orders-db-bundle", None),
        ("GET", CORE_HERE + "/configmaps/orders-db-proxies", None),
        ("PATCH", CORE_HERE + "/configmaps/orders-db-proxies", {"data": {"one": "{}"}}),
        ("GET", HERE + "/approvalrequests", None),
        ("POST", HERE + "/approvalrequests", {"REQUEST": "orders-db"}),
        ("PATCH", HERE + "/approvalrequests/{request}/status", {"status": {"uses": 0}}),
    ],
)
def test_a_proxy_may_do_what_it_is_there_for(
    tollhouse: Installed, names: dict[str, str], method: str, path: str, body: Any
) -> None:
    one = Try(method, path, "", body)
    caller = tollhouse.machine(names["here"], "orders-db-proxy")
    assert refused(caller, names, proxy(names["here"]), one) == ""
