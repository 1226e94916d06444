"""Token exchange: who may be traded for whom, and what a proxy makes of it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt

from kit.policies import NOON, bundle_of, operation_of, session_of, table
from kit.tokens import signing_key
from tollhouse_core.api import parse_object
from tollhouse_core.api.revocation import Revocation
from tollhouse_core.decision import Allow, Deny
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_core.policy.revocations import revocations_of
from tollhouse_core.proving import NotProven
from tollhouse_core.secret import Secret
from tollhouse_operator.tokens.exchange import ACCESS_TOKEN, GRANT, NoToken, grant_for
from tollhouse_operator.tokens.minting import CannotMint


async def refusal(market: Any, *tokens: str, **form: str) -> tuple[str, str]:
    with pytest.raises(NoToken) as found:
        await market.trade(*tokens, **form)
    for token in tokens:
        assert not token or token not in str(found.value)
    return found.value.code, str(found.value)


async def test_a_workload_and_a_person_are_both_in_the_token(market: Any) -> None:
    made = await market.trade(market.ann(), market.bot())
    identity = await market.shown(made.token)
    assert (identity.name, identity.provider, identity.proof) == ("bot", "agents", Proof.OIDC)
    assert identity.groups == ("bots",)
    human = identity.on_behalf_of
    assert human is not None
    assert (human.name, human.provider, human.groups) == ("ann", "corp", ("managers",))
    assert identity.claims["subject"]["tenant"] == 7
    assert identity.via == "exchange"
    assert identity.token_id == made.token_id
    assert identity.scope is None


async def test_a_person_alone_keeps_name_provider_and_claims(market: Any) -> None:
    identity = await market.shown((await market.trade(market.ann(), scope="shop/orders-db:read")).token)
    assert (identity.name, identity.provider, identity.groups) == ("ann", "corp", ("managers",))
    assert identity.on_behalf_of is None
    assert identity.claims["tenant"] == 7
    assert identity.scope == ("shop/orders-db:read",)


async def test_policies_ask_for_the_groups_of_the_human_behind_the_agent(market: Any) -> None:
    rule = """
    - name: for-managers
      when: identity.onBehalfOf != null && "managers" in identity.onBehalfOf.groups
      allow: {sql: {access: [Delete], tables: [orders]}}
    """
    delete = operation_of(table("Delete", "orders"))
    for groups, wanted in ((["managers"], Allow), (["interns"], Deny)):
        made = await market.trade(market.ann(groups=groups), market.bot())
        identity = await market.shown(made.token)
        assert isinstance(evaluate(bundle_of(rule), session_of(identity), delete, NOON), wanted)


async def test_a_token_lives_no_longer_than_what_it_was_traded_for(market: Any) -> None:
    short = int(market.now) + 120
    assert (await market.trade(market.ann(), market.bot())).seconds == 900
    assert (await market.trade(market.ann(exp=short), market.bot())).seconds == 120
    made = await market.trade(market.ann(), market.bot(exp=short))
    assert made.seconds == 120
    market.clock.advance(121)
    with pytest.raises(NotProven, match="expired"):
        await market.shown(made.token)


async def test_only_pairs_that_a_provider_names_are_traded(market: Any) -> None:
    code, words = await refusal(market, market.bot(), market.ann())
    assert (code, "agents by corp" in words) == ("invalid_grant", True)
    assert "agents alone" in (await refusal(market, market.bot()))[1]
    market.exchange["requireActor"] = True
    assert "corp alone" in (await refusal(market, market.ann()))[1]
    await market.trade(market.ann(), market.bot())


async def test_the_proxy_asks_again_whom_it_trusts(market: Any) -> None:
    both = (await market.trade(market.ann(), market.bot())).token
    alone = (await market.trade(market.ann())).token
    for exchange, token, words in (
        ({"subjects": ["other"]}, both, "idp"),
        ({"actors": ["other"]}, both, "act"),
        ({"actors": []}, both, "act"),
        ({"requireActor": True}, alone, "names no actor"),
    ):
        with pytest.raises(NotProven, match=words):
            await market.shown(token, **exchange)
    with pytest.raises(NotProven, match="not trusted"):
        await market.shown(both, names=("corp",))


async def test_a_token_with_an_actor_is_not_traded_again_and_ours_are_no_proof_at_the_endpoint(
    market: Any,
) -> None:
    both = (await market.trade(market.ann(), market.bot())).token.reveal()
    assert (await refusal(market, both, market.bot()))[0] == "invalid_grant"
    assert (await refusal(market, market.ann(), both))[0] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1}, "expired"),
        ({"aud": "somebody-else"}, "somebody else"),
        ({"iss": "https://mallory.example"}, "not trusted"),
        ({"nonce": "n"}, "ID token"),
        ({"cnf": {}}, "bound to a key"),
        ({"sub": ""}, "subject"),
    ],
    ids=str,
)
async def test_a_bad_token_of_either_side_is_refused_for_its_reason(
    market: Any, changes: dict[str, Any], words: str
) -> None:
    code, said = await refusal(market, market.ann(**changes), market.bot())
    assert (code, said.startswith("subject_token: ")) == ("invalid_grant", True)
    assert words in said
    code, said = await refusal(market, market.ann(), market.bot(**changes))
    assert (code, said.startswith("actor_token: ")) == ("invalid_grant", True)
    assert words in said


@pytest.mark.parametrize("act", [{"sub": "bot"}, {}, "bot", False], ids=str)
async def test_a_token_that_names_an_actor_in_any_way_is_not_traded_for_one_that_does_not(
    market: Any, act: Any
) -> None:
    for tokens in ((market.ann(act=act),), (market.ann(act=act), market.bot())):
        code, words = await refusal(market, *tokens)
        assert (code, "carries an actor" in words) == ("invalid_grant", True)
    assert "carries an actor" in (await refusal(market, market.ann(), market.bot(act=act)))[1]


async def test_nobody_acts_on_behalf_of_themselves(market: Any) -> None:
    market.exchange.update(subjects=["corp", "agents"], actors=["corp", "agents"], requireActor=True)
    for token in (market.ann(), market.bot()):
        assert "the actor is the subject" in (await refusal(market, token, token))[1]
        assert "alone" in (await refusal(market, token))[1]
    other = market.token(market.agents, "ann")
    identity = await market.shown((await market.trade(market.ann(), other)).token)
    assert (identity.name, identity.provider) == ("ann", "agents")
    assert identity.on_behalf_of is not None
    assert identity.on_behalf_of.provider == "corp"


async def test_who_may_act_is_the_subjects_word_where_it_gives_one(market: Any) -> None:
    agents = market.agents.url
    await market.trade(market.ann(may_act={"sub": "bot", "iss": agents}), market.bot())
    wrongs: list[Any] = [
        {"sub": "bot"},  # of the person's own issuer
        {"sub": "bot", "iss": market.people.url},
        {"sub": "other", "iss": agents},
        {"sub": ["bot"], "iss": agents},
        {"iss": agents},
        {},
        "bot",
        ["bot"],
        False,
    ]
    for may_act in wrongs:
        code, words = await refusal(market, market.ann(may_act=may_act), market.bot())
        assert (code, "may_act" in words) == ("invalid_grant", True)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"subject_token_type": ""}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"),
        ({"resource": "https://elsewhere.example"}, "invalid_request"),
        ({"audience": "somebody"}, "invalid_target"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
    ids=str,
)
async def test_a_malformed_request_is_refused_in_the_protocols_words(
    market: Any, form: dict[str, str], code: str
) -> None:
    assert (await refusal(market, market.ann(), **form))[0] == code


async def test_an_issuer_that_cannot_be_asked_is_no_refusal_of_the_token(market: Any) -> None:
    token = market.ann()
    market.people.status = 503
    with pytest.raises(NoToken) as found:
        await market.trade(token)
    assert (found.value.code, found.value.status) == ("temporarily_unavailable", 503)


async def test_claims_that_do_not_fit_are_refused(market: Any) -> None:
    with pytest.raises(CannotMint, match="4096"):
        await market.trade(market.ann(padding="x" * 5000))


def revoking(**entry: Any) -> Any:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Revocation",
        "metadata": {"name": "out", "namespace": "shop"},
        "spec": {"revoke": [entry]},
    }
    made = parse_object(document)
    assert isinstance(made, Revocation)
    return revocations_of([made])


async def test_a_revocation_of_either_of_the_two_or_of_a_token_it_was_traded_for_ends_it(
    market: Any,
) -> None:
    identity = await market.shown((await market.trade(market.ann(), market.bot())).token)
    now = market.clock.now()
    older = now.isoformat()
    for entry, out in (
        ({"user": "ann"}, True),
        ({"user": "ann", "provider": "corp"}, True),
        ({"user": "ann", "provider": "agents"}, False),
        ({"user": "bot", "provider": "agents"}, True),
        ({"group": "managers"}, True),
        ({"tokenId": "jti-ann"}, True),
        ({"tokenId": "jti-ann", "provider": "corp"}, True),
        ({"tokenId": "jti-ann", "provider": "agents"}, False),
        ({"tokenId": "jti-bot"}, True),
        ({"tokenId": identity.token_id}, True),
        ({"user": "ann", "issuedBefore": older}, True),
    ):
        assert bool(revoking(**entry).why(identity, now)) is out, entry


async def test_trading_an_old_token_does_not_make_it_young(market: Any) -> None:
    identity = await market.shown((await market.trade(market.ann())).token)
    moment = market.clock.now()
    assert revoking(user="ann", issuedBefore=moment.isoformat()).why(identity, moment)


HERSELF = {"sub": "ann", "idp": "corp", "proof": "OIDC"}
FORGERIES: dict[str, dict[str, Any]] = {
    "an actor who is the subject": {"act": HERSELF},
    "an actor who has an actor": {"act": {**HERSELF, "sub": "bot", "idp": "agents", "act": HERSELF}},
    "no origins": {"origins": []},
    "origins that are none": {"origins": [1]},
    "an actor that is a text": {"act": "bot"},
    "an actor without a provider": {"act": {"sub": "bot", "proof": "OIDC"}},
    "an unknown proof": {"proof": "Trust me"},
    "a name with a mark in it": {"sub": "an\u202en"},
    "groups that are a text": {"groups": "managers"},
    "an unknown scope": {"scope": "everything"},
    "an empty scope": {"scope": ""},
    "a scope that is a list": {"scope": ["*:*"]},
    "no end": {"exp": None},
    "an end far away": {"exp": 4102444800 * 2},
    "another issuer": {"iss": "https://mallory.example"},
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_even_a_signed_token_must_have_the_form_the_endpoint_gives(market: Any, name: str) -> None:
    made = (await market.trade(market.ann(), market.bot())).token.reveal()
    payload = made.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    claims = {key: value for key, value in {**claims, **FORGERIES[name]}.items() if value is not None}
    key = market.keyring.signing(market.now).key
    token = jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}, claims, key)
    with pytest.raises(NotProven):
        await market.shown(Secret(token))


async def test_nobody_elses_key_signs_for_the_endpoint(market: Any) -> None:
    made = (await market.trade(market.ann())).token.reveal()
    head, payload, _ = made.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    kid = json.loads(urlsafe_b64decode(head + "=="))["kid"]
    mallory = signing_key("ES256", kid)
    with pytest.raises(NotProven, match="signature"):
        await market.shown(Secret(mallory.sign(claims, {"typ": "at+jwt"})))
    key = market.keyring.signing(market.now).key
    with pytest.raises(NotProven, match="typ"):
        await market.shown(Secret(jwt.encode({"alg": "ES256", "kid": kid, "typ": "JWT"}, claims, key)))


async def test_the_token_never_shows_itself(market: Any) -> None:
    made = await market.trade(market.ann())
    assert made.token.reveal() not in repr(made)
    assert replace(made).token.reveal() not in f"{market.keyring!r}"
    assert GRANT.startswith("urn:")


async def test_a_token_that_has_a_scope_is_traded_for_the_same_or_a_narrower_one_only(market: Any) -> None:
    wide = ("*:read", "shop/orders-db:write")
    person = Identity("ann", "corp", Proof.SAML, scope=wide, claims={"iat": 1.0})
    agent = Identity("bot", "agents", Proof.OIDC, claims={"iat": 1.0})

    async def prove(token: Secret) -> Identity:
        return person if token.reveal() == "person" else agent

    async def scope_for(**form: str) -> tuple[str, ...] | None:
        whole = {"grant_type": GRANT, "subject_token": "person", "subject_token_type": ACCESS_TOKEN, **form}
        return (await grant_for(whole, prove, market.providers(), market.terms)).scope

    assert await scope_for() == wide
    assert await scope_for(scope="shop/orders-db:read") == ("shop/orders-db:read",)
    for wider in ("*:write", "shop/orders-db:*", "shop/orders-db:delete shop/orders-db:read"):
        with pytest.raises(NoToken, match="beyond") as found:
            await scope_for(scope=wider)
        assert found.value.code == "invalid_scope"
    agent = replace(agent, scope=("shop/orders-db:read",))
    acting = {"actor_token": "agent", "actor_token_type": ACCESS_TOKEN}
    with pytest.raises(NoToken, match="both tokens have a scope"):
        await scope_for(**acting)
    assert await scope_for(**acting, scope="shop/orders-db:read") == ("shop/orders-db:read",)
    with pytest.raises(NoToken, match="beyond"):
        await scope_for(**acting, scope="shop/orders-db:write")
