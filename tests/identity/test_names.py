"""Names that look alike are names of different people."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gate import Gate
from kit.policies import NOON, bundle_of, operation_of, policy_of, session_of, table
from kit.trusting import provider, trust
from tollhouse_core.decision import Allow, Deny
from tollhouse_core.policy.evaluate import evaluate

READ = [{"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["orders"]}}}]
LOOK_ALIKES = {
    "another case": "Ann",
    "capitals": "ANN",
    "a Cyrillic letter": "\u0430nn",
    "wide letters": "\uff41\uff4e\uff4e",
    "a mathematical letter": "\U0001d41ann",
    "an accent": "\u00e1nn",
    "another address": "ann@corp.example",
    "a longer name": "anna",
    "a pattern": "*",
    "a pattern in it": "a?n",
}


async def judged(gate: Gate, subject: dict[str, str], **claims: Any) -> object:
    identity = await gate.prove(**claims)
    found = bundle_of(policy_of(READ, subjects=[subject]))
    return evaluate(found, session_of(identity), operation_of(table("Select", "orders")), NOON)


@pytest.mark.parametrize("name", LOOK_ALIKES)
async def test_a_name_that_looks_like_another_is_somebody_else(name: str, gate: Gate) -> None:
    assert isinstance(await judged(gate, {"user": "ann"}, sub="ann"), Allow)
    assert isinstance(await judged(gate, {"user": "ann"}, sub=LOOK_ALIKES[name]), Deny)


@pytest.mark.parametrize("name", LOOK_ALIKES)
async def test_a_group_that_looks_like_another_is_another(name: str, gate: Gate) -> None:
    gate.trust_oidc(claims={"groups": "groups"})
    assert isinstance(await judged(gate, {"group": "ann"}, groups=["ann"]), Allow)
    assert isinstance(await judged(gate, {"group": "ann"}, groups=[LOOK_ALIKES[name]]), Deny)


async def test_a_name_of_one_provider_is_not_that_of_another(gate: Gate) -> None:
    named = {"user": "ann", "provider": "corp"}
    assert isinstance(await judged(gate, named, sub="ann"), Allow)
    gate.bundle = trust(provider("partners", oidc={"issuer": gate.issuer.url}))
    assert isinstance(await judged(gate, named, sub="ann"), Deny)
