"""Tokens as issuers really make them: every one of these must pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kit.gate import Gate
from kit.tokens import SigningKey, signing_key
from tollhouse_core.identity import OnBehalfOf, Proof
from tollhouse_core.secret import Secret
from tollhouse_proxy.ports.identity import NotProven

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def seconds_from_now(**seconds: float) -> Callable[[Gate], str]:
    def make(gate: Gate) -> str:
        now = gate.clock.now().timestamp()
        changes: dict[str, Any] = {name: now + by for name, by in seconds.items()}
        return gate.token(**changes)

    return make


ACCOUNT: dict[str, Any] = {
    "sub": "system:serviceaccount:agents:triage",
    "kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "triage", "uid": "u"}},
}
HONEST: dict[str, Callable[[Gate], str]] = {
    "plain": lambda gate: gate.token(),
    "typ JWT": lambda gate: gate.token(header={"typ": "JWT"}),
    "typ jwt": lambda gate: gate.token(header={"typ": "jwt"}),
    "typ of RFC 9068": lambda gate: gate.token(header={"typ": "at+jwt"}),
    "typ of RFC 9068 in full": lambda gate: gate.token(header={"typ": "application/at+jwt"}),
    "typ of RFC 9068 in capitals": lambda gate: gate.token(header={"typ": "AT+JWT"}),
    "a thumbprint as Entra's": lambda gate: gate.token(header={"x5t": "abc", "x5t#S256": "def"}),
    "a header we do not know": lambda gate: gate.token(header={"acr": "1", "org.example": {"a": 1}}),
    "no kid, a single key": lambda gate: gate.token(header={"kid": None}),
    "aud a list of one": lambda gate: gate.token(aud=["tollhouse"]),
    "aud among others": lambda gate: gate.token(aud=["account", "tollhouse", "warehouse"]),
    "azp": lambda gate: gate.token(azp="agent-runner"),
    "no iat": lambda gate: gate.token(iat=None),
    "no nbf": lambda gate: gate.token(nbf=None),
    "neither": lambda gate: gate.token(nbf=None, iat=None),
    "times with fractions": seconds_from_now(exp=300.25, iat=-0.5, nbf=-0.5),
    "a clock ahead of ours": seconds_from_now(iat=20, nbf=20),
    "one second left": seconds_from_now(exp=1),
    "nearly a day": lambda gate: gate.token(exp=gate.clock.now().timestamp() + 86400),
    "issued a while ago": seconds_from_now(iat=-3600, nbf=-3600),
    "no groups": lambda gate: gate.token(groups=None),
    "empty groups": lambda gate: gate.token(groups=[]),
    "many groups": lambda gate: gate.token(groups=[f"group-{number}" for number in range(500)]),
    "groups with paths": lambda gate: gate.token(groups=["/teams/support", "CN=Support,OU=Groups,DC=corp"]),
    "groups with spaces": lambda gate: gate.token(groups=["Domain Users", "R&D (EU)"]),
    "a name in Greek": lambda gate: gate.token(sub="Ευγενία"),
    "a name in Japanese": lambda gate: gate.token(sub="山田太郎"),
    "a name with composed accents": lambda gate: gate.token(sub="zoë.müller@corp.example"),
    "a name with a space": lambda gate: gate.token(sub="Ann Smith"),
    "a name as Auth0's": lambda gate: gate.token(sub="auth0|5f7c8ec7c33c6c004bbafe82"),
    "a name as Keycloak's": lambda gate: gate.token(sub="f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    "a name as an issuer's URL": lambda gate: gate.token(sub="https://accounts.example.com/12345"),
    "a name as GitHub's": lambda gate: gate.token(sub="repo:corp/agents:ref:refs/heads/main"),
    "a name as GitLab's": lambda gate: gate.token(sub="project_path:corp/agents:ref_type:branch:ref:main"),
    "a name as a SPIFFE ID": lambda gate: gate.token(sub="spiffe://corp.example/ns/agents/sa/triage"),
    "an emoji": lambda gate: gate.token(sub="agent 🤖"),
    "the longest name": lambda gate: gate.token(sub="p" * 256),
    "as Keycloak writes": lambda gate: gate.token(
        jti="a2b5",
        typ="Bearer",
        azp="agents",
        nonce="n",
        session_state="s",
        acr="1",
        realm_access={"roles": ["offline_access", "uma_authorization"]},
        resource_access={"account": {"roles": ["manage-account"]}},
        scope="openid profile email",
        sid="s",
        email_verified=True,
        preferred_username="planner",
    ),
    "as Entra writes": lambda gate: gate.token(
        aio="x",
        appid="1",
        appidacr="1",
        idp="https://sts.example/",
        oid="2",
        rh="r",
        tid="3",
        uti="u",
        ver="1.0",
    ),
    "as Okta writes": lambda gate: gate.token(
        ver=1, jti="AT.x", cid="c", uid="u", scp=["openid"], auth_time=1
    ),
    "as Cognito writes": lambda gate: gate.token(
        token_use="access", client_id="c", scope="a/b", username="u"
    ),
    "as RFC 9068 writes": lambda gate: gate.token(
        header={"typ": "at+jwt"}, client_id="c", jti="j", scope="s", auth_time=1, acr="1", amr=["pwd"]
    ),
    "as another cluster's account": lambda gate: gate.token(**ACCOUNT),
    "with an actor": lambda gate: gate.token(act={"sub": "agent"}),
    "claims of every type": lambda gate: gate.token(a=None, b=True, c=1.5, d=-7, e=[], f={}, g="é\n"),
    "JSON with white space": lambda gate: gate.issuer.keys[0].sign(
        json.dumps(gate.claims(), indent=2).encode()
    ),
    "JSON with escapes": lambda gate: gate.issuer.keys[0].sign(
        json.dumps(gate.claims()).replace("planner", "pl\\u0061nner \\ud83e\\udd16").encode()
    ),
    "JSON in UTF-8": lambda gate: gate.issuer.keys[0].sign(
        json.dumps(gate.claims(sub="山田"), ensure_ascii=False).encode()
    ),
    "nearly 16 KiB": lambda gate: gate.token(pad="x" * 11000),
}


@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_token_passes(name: str, gate: Gate) -> None:
    identity = await gate.prove(HONEST[name](gate))
    assert identity.provider == "corp"


@pytest.mark.parametrize("named", [True, False], ids=["alg in the key", "no alg in the key"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm_passes_whether_or_not_its_key_says_alg(
    algorithm: str, named: bool, gate: Gate
) -> None:
    key = signing_key(algorithm, f"k-{algorithm}")
    changes: dict[str, object] = {} if named else {"alg": None, "use": None}
    gate.issuer.key_set = {"keys": [key.public(**changes)]}
    assert (await gate.prove(gate.token(key))).name == "planner"


@pytest.mark.parametrize("bits", [3072, 4096])
async def test_longer_rsa_keys_pass(bits: int, gate: Gate) -> None:
    key = signing_key("RS256", f"long-{bits}", bits)
    gate.issuer.keys = [key]
    assert (await gate.prove(gate.token(key))).name == "planner"


@pytest.mark.parametrize(
    "stranger",
    [
        {"kty": "RSA", "kid": "key-1b", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "!!", "y": None},
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "tomorrow", "pub": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {},
        "not a key",
        None,
        7,
    ],
    ids=str,
)
async def test_a_bad_key_in_the_set_does_not_spoil_the_others(stranger: object, gate: Gate) -> None:
    gate.issuer.key_set = {"keys": [stranger, gate.issuer.keys[0].public()]}
    assert (await gate.prove()).name == "planner"


async def test_a_key_for_encryption_of_the_same_name_is_not_confused(gate: Gate) -> None:
    encryption = SigningKey(signing_key("RS256", "e").key, "RSA-OAEP", "key-1").public(use="enc")
    gate.issuer.key_set = {"keys": [encryption, gate.issuer.keys[0].public()]}
    assert (await gate.prove()).name == "planner"


async def test_the_identity_says_who_by_whom_until_when(gate: Gate) -> None:
    identity = await gate.prove(jti="t-1")
    assert (identity.name, identity.provider, identity.proof) == ("planner", "corp", Proof.OIDC)
    assert identity.groups == ("support-agents",)
    assert identity.token_id == "t-1"
    assert identity.expires_at is not None
    assert (identity.expires_at - gate.clock.now()).total_seconds() == 3600
    assert identity.claims["aud"] == "tollhouse"
    assert identity.service_account is None
    assert identity.kubernetes_user is None


async def test_claims_are_mapped_as_the_provider_says(gate: Gate) -> None:
    gate.trust_oidc(
        claims={
            "user": "email",
            "groups": "realm_access.roles",
            "onBehalfOf": "act.sub",
            "kubernetesUser": "https://corp.example/kubernetes",
        },
        prefix="corp:",
    )
    identity = await gate.prove(
        email="ann@corp.example",
        realm_access={"roles": ["dba", "dba", "support"]},
        act={"sub": "bob"},
        **{"https://corp.example/kubernetes": "ann"},
    )
    assert identity.name == "corp:ann@corp.example"
    assert identity.groups == ("corp:dba", "corp:support")
    assert identity.on_behalf_of == OnBehalfOf("corp:bob")
    assert identity.kubernetes_user == "ann"


async def test_a_principal_may_bring_groups(gate: Gate) -> None:
    gate.trust_oidc(claims={"onBehalfOf": "act"})
    identity = await gate.prove(act={"sub": "ann", "groups": ["support"]})
    assert identity.on_behalf_of == OnBehalfOf("ann", ("support",))
    assert (await gate.prove()).on_behalf_of is None


@pytest.mark.parametrize("act", ["", {}, {"sub": 7}, [], {"sub": "ann", "groups": "all"}], ids=str)
async def test_a_malformed_principal_refuses_the_token(act: object, gate: Gate) -> None:
    gate.trust_oidc(claims={"onBehalfOf": "act"})
    with pytest.raises(NotProven):
        await gate.prove(act=act)


@pytest.mark.parametrize("verified", [False, "true", 1])
async def test_an_unverified_address_names_nobody(verified: object, gate: Gate) -> None:
    gate.trust_oidc(claims={"user": "email"})
    with pytest.raises(NotProven, match="has not been verified"):
        await gate.prove(email="ann@corp.example", email_verified=verified)


async def test_required_claims_must_be_there_with_that_value(gate: Gate) -> None:
    gate.trust_oidc(requiredClaims={"tenant": "blue", "mfa": "true", "org.id": "7"})
    good: dict[str, Any] = {"tenant": "blue", "mfa": True, "org": {"id": 7}}
    assert (await gate.prove(**good)).name == "planner"
    wrongs: list[dict[str, Any]] = [
        {"tenant": "red"},
        {"tenant": None},
        {"tenant": ["blue"]},
        {"mfa": False},
        {"org": {}},
    ]
    for wrong in wrongs:
        with pytest.raises(NotProven, match="required here"):
            await gate.prove(**{**good, **wrong})


async def test_authorized_parties_are_a_list_of_who_may_have_asked_for_the_token(gate: Gate) -> None:
    gate.trust_oidc(authorizedParties=["agents"])
    assert (await gate.prove(azp="agents")).name == "planner"
    assert (await gate.prove(client_id="agents")).name == "planner"
    wrongs: list[dict[str, Any]] = [
        {},
        {"azp": "other"},
        {"azp": "other", "client_id": "agents"},
        {"client_id": ["agents"]},
    ]
    for wrong in wrongs:
        with pytest.raises(NotProven, match="party"):
            await gate.prove(**wrong)


async def test_the_providers_audiences_come_on_top_of_the_connections(gate: Gate) -> None:
    gate.trust_oidc(audiences=["databases", "all"])
    assert (await gate.prove(aud=["tollhouse", "all"])).name == "planner"
    for wrong in ("tollhouse", ["databases", "all"], ["tollhouse", "other"]):
        with pytest.raises(NotProven, match="somebody else"):
            await gate.prove(aud=wrong)


async def test_types_are_what_the_provider_takes(gate: Gate) -> None:
    gate.trust_oidc(types=["at+jwt"])
    assert (await gate.prove(gate.token(header={"typ": "at+jwt"}))).name == "planner"
    with pytest.raises(NotProven, match="type"):
        await gate.prove(gate.token(header={"typ": "JWT"}))
    with pytest.raises(NotProven, match="type"):
        await gate.prove()
    gate.trust_oidc(types=["JWT", "id_token"])
    assert (await gate.prove(nonce="n", at_hash="h")).name == "planner"


async def test_skew_and_lifetime_are_the_providers(gate: Gate) -> None:
    gate.trust_oidc(clockSkew="2m", maxTokenLifetime="10m")
    now = gate.clock.now().timestamp()
    assert (await gate.prove(nbf=now + 100, iat=now + 100, exp=now + 500)).name == "planner"
    with pytest.raises(NotProven, match="longer"):
        await gate.prove(iat=now, exp=now + 601)


async def test_the_token_stays_inside(gate: Gate) -> None:
    token = gate.token()
    identity = await gate.prover.prove(Secret(token))
    assert token.rpartition(".")[2] not in repr(identity)
