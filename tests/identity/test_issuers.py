"""Issuers that rotate, vanish, hang, redirect and lie; each seen through whole proofs."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from kit import wait
from kit.gate import QUICK, Gate
from kit.issuer import Issuer, issuing
from kit.tokens import SigningKey, signing_key
from kit.trusting import provider, trust
from tollhouse_core.identity import Identity
from tollhouse_proxy.ports.identity import NotProven, ProofUnavailable

OLD, NEW = signing_key("ES256", "key-1"), signing_key("ES256", "key-2")
REFRESH, KEEP, COOLDOWN = QUICK.refresh_seconds, QUICK.keep_seconds, QUICK.cooldown_seconds


def outlasting(gate: Gate, key: SigningKey = OLD) -> str:
    """A token that is good for all of a test's leaps in time."""
    gate.trust_oidc(maxTokenLifetime="96h")
    now = gate.clock.now().timestamp()
    return gate.token(key, iat=now, exp=now + 90 * 3600)


async def flying(issuer: Issuer, count: int = 1) -> None:
    async def arrived() -> bool:
        return issuer.waiting >= count

    await wait.until_async(arrived, what="the issuer has been asked")


async def test_keys_are_fetched_once_for_many_tokens(gate: Gate) -> None:
    gate.issuer.hang = asyncio.Event()
    proofs = [asyncio.create_task(gate.prove()) for _ in range(50)]
    await flying(gate.issuer)
    gate.issuer.hang.set()
    assert {identity.name for identity in await asyncio.gather(*proofs)} == {"planner"}
    await gate.prove()
    assert (gate.issuer.asked, gate.issuer.fetched) == (1, 1)


async def test_one_who_stops_waiting_does_not_stop_the_fetch_of_others(gate: Gate) -> None:
    gate.issuer.hang = asyncio.Event()
    first = asyncio.create_task(gate.prove())
    await flying(gate.issuer)
    second = asyncio.create_task(gate.prove())
    first.cancel()
    gate.issuer.hang.set()
    assert (await second).name == "planner"
    assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))
    assert gate.issuer.fetched == 1


async def test_a_new_key_is_found_by_its_first_token(gate: Gate) -> None:
    await gate.prove()
    gate.issuer.keys = [OLD, NEW]
    assert (await gate.prove(gate.token(NEW))).name == "planner"
    assert gate.issuer.fetched == 2


async def test_a_new_key_is_found_by_all_of_its_first_tokens_with_one_fetch(gate: Gate) -> None:
    await gate.prove()
    gate.issuer.keys = [OLD, NEW]
    proofs = await asyncio.gather(*(gate.prove(gate.token(NEW)) for _ in range(50)))
    assert len(proofs) == 50
    assert gate.issuer.fetched == 2


async def test_a_fetch_that_began_before_the_rotation_is_not_the_last_word(gate: Gate) -> None:
    await gate.prove()
    gate.clock.advance(REFRESH * 0.9)
    gate.issuer.hang = asyncio.Event()
    await gate.prove()  # fetches ahead, and does not wait for it
    await flying(gate.issuer)
    stale, gate.issuer.key_set = gate.issuer.keys, {"keys": [OLD.public()]}
    proofs = [asyncio.create_task(gate.prove(gate.token(NEW))) for _ in range(5)]
    await asyncio.sleep(0)
    gate.issuer.keys, gate.issuer.key_set = [*stale, NEW], None
    gate.issuer.hang.set()
    assert len(await asyncio.gather(*proofs)) == 5


async def test_unknown_keys_cause_one_fetch_per_cool_down(gate: Gate) -> None:
    await gate.prove()
    strange = [signing_key("ES256", f"strange-{number}") for number in range(20)]
    for round_ in range(1, 4):
        refused = await asyncio.gather(
            *(gate.prove(gate.token(key)) for key in strange), return_exceptions=True
        )
        assert all(isinstance(one, NotProven) for one in refused)
        assert gate.issuer.fetched == 1 + round_
        gate.clock.advance(COOLDOWN)


async def test_keys_may_rotate_faster_than_the_cool_down(gate: Gate) -> None:
    await gate.prove()
    for number in range(3, 9):
        new = signing_key("ES256", f"key-{number}")
        gate.issuer.keys = [*gate.issuer.keys[-1:], new]
        proofs = await asyncio.gather(*(gate.prove(gate.token(new)) for _ in range(20)))
        assert len(proofs) == 20
    assert gate.issuer.fetched == 7


async def test_a_withdrawn_key_goes_with_the_next_refresh(gate: Gate) -> None:
    token = outlasting(gate)
    await gate.prove(token)
    gate.issuer.keys = [NEW]
    gate.clock.advance(REFRESH * 0.7)
    assert (await gate.prove(token)).name == "planner"
    gate.clock.advance(REFRESH * 0.3)
    with pytest.raises(NotProven, match="does not publish"):
        await gate.prove(token)


async def test_an_issuer_without_key_names_may_rotate_too(gate: Gate) -> None:
    gate.issuer.key_set = {"keys": [OLD.public(kid=None)]}
    await gate.prove(gate.token(OLD, header={"kid": None}))
    gate.issuer.key_set = {"keys": [NEW.public(kid=None)]}
    assert (await gate.prove(gate.token(NEW, header={"kid": None}))).name == "planner"


async def test_an_outage_keeps_the_last_keys_up_to_the_stated_age(gate: Gate) -> None:
    token = outlasting(gate)
    await gate.prove(token)
    assert not gate.prover.warnings
    gate.issuer.status = 503
    gate.clock.advance(REFRESH + 1)
    assert (await gate.prove(token)).name == "planner"
    assert gate.prover.warnings == ("identity provider corp: it answers with HTTP status 503",)
    gate.clock.advance(KEEP - REFRESH - 2)
    assert (await gate.prove(token)).name == "planner"
    gate.clock.advance(2)
    with pytest.raises(ProofUnavailable, match="HTTP status 503"):
        await gate.prove(token)
    gate.issuer.status = 200
    gate.clock.advance(QUICK.retry_seconds)
    assert (await gate.prove(token)).name == "planner"


async def test_in_an_outage_only_the_first_waits(gate: Gate) -> None:
    token = outlasting(gate)
    await gate.prove(token)
    gate.issuer.hang = asyncio.Event()
    gate.clock.advance(REFRESH + 1)
    await gate.prove(token)  # waited for the timeout
    asked = gate.issuer.asked
    for _ in range(20):
        gate.clock.advance(QUICK.retry_seconds)
        await asyncio.wait_for(gate.prove(token), QUICK.timeout_seconds / 2)
    assert gate.issuer.asked <= asked + 20


async def test_the_first_fetch_fails_for_all_and_is_not_repeated_at_once(gate: Gate) -> None:
    gate.issuer.status = 503
    failures = await asyncio.gather(*(gate.prove() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, ProofUnavailable) for one in failures)
    with pytest.raises(ProofUnavailable):
        await gate.prove()
    assert gate.issuer.asked == 1
    gate.issuer.status = 200
    gate.clock.advance(QUICK.retry_seconds)
    assert (await gate.prove()).name == "planner"


async def test_one_issuers_trouble_does_not_delay_anothers_tokens(gate: Gate) -> None:
    async with issuing(NEW) as slow:
        slow.hang = asyncio.Event()
        gate.bundle = trust(
            provider("slow", oidc={"issuer": slow.url}), provider("corp", oidc={"issuer": gate.issuer.url})
        )
        stuck = [asyncio.create_task(gate.prove(gate.token(NEW, iss=slow.url))) for _ in range(30)]
        await flying(slow)
        assert (await asyncio.wait_for(gate.prove(), 1.0)).provider == "corp"
        outcomes = await asyncio.gather(*stuck, return_exceptions=True)
        assert all(isinstance(one, ProofUnavailable) for one in outcomes)
        assert slow.asked == 1


async def test_a_hanging_issuer_is_given_up(gate: Gate) -> None:
    gate.issuer.hang = asyncio.Event()
    with pytest.raises(ProofUnavailable, match="did not answer within 2 s"):
        await gate.prove()


async def test_an_issuer_that_never_ends_its_answer_is_given_up(gate: Gate) -> None:
    gate.issuer.drip = 0.05
    with pytest.raises(ProofUnavailable, match="did not answer within 2 s"):
        await gate.prove()


async def test_a_key_that_two_issuers_share_proves_for_each_its_own(gate: Gate) -> None:
    async with issuing(*gate.issuer.keys) as other:
        terms = {"claims": {"groups": "groups"}}
        gate.bundle = trust(
            provider("other", oidc={"issuer": other.url, "prefix": "other:", **terms}),
            provider("corp", oidc={"issuer": gate.issuer.url, **terms}),
        )
        one, two = await gate.prove(), await gate.prove(iss=other.url)
        assert (one.provider, one.name, one.groups) == ("corp", "planner", ("support-agents",))
        assert (two.provider, two.name, two.groups) == ("other", "other:planner", ("other:support-agents",))
        other.keys = [NEW]
        gate.clock.advance(REFRESH)
        assert (await gate.prove()).provider == "corp"
        with pytest.raises(NotProven, match="does not publish"):
            await gate.prove(iss=other.url)


async def test_keys_of_one_issuer_prove_nothing_of_another(gate: Gate) -> None:
    async with issuing(NEW) as other:
        gate.bundle = trust(
            provider("other", oidc={"issuer": other.url}), provider("corp", oidc={"issuer": gate.issuer.url})
        )
        assert (await gate.prove(gate.token(NEW, iss=other.url))).provider == "other"
        with pytest.raises(NotProven, match="does not publish"):
            await gate.prove(gate.token(NEW))
        with pytest.raises(NotProven, match="does not publish"):
            await gate.prove(gate.token(OLD, iss=other.url))


async def test_an_untrusted_issuer_is_never_asked(gate: Gate) -> None:
    async with issuing(NEW) as other:
        with pytest.raises(NotProven, match="not trusted here"):
            await gate.prove(gate.token(NEW, iss=other.url))
        assert other.asked == 0
    assert gate.issuer.asked == 0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"issuer": "https://evil.example", "jwks_uri": "{url}/keys"}, "another issuer"),
        ({"issuer": "{url}/", "jwks_uri": "{url}/keys"}, "another issuer"),
        ({"jwks_uri": "{url}/keys"}, "another issuer"),
        ({"issuer": "{url}"}, "where its keys are"),
        ({"issuer": "{url}", "jwks_uri": ["{url}/keys"]}, "where its keys are"),
        ({"issuer": "{url}", "jwks_uri": "http://keys.example/"}, "not https"),
        ({"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}, "not https"),
        ({"issuer": "{url}", "jwks_uri": "/keys"}, "not https"),
        ({"issuer": "{url}", "jwks_uri": "https://a:b@keys.example/"}, "not https"),
        ({"issuer": "{url}", "jwks_uri": "http://[::1"}, "not https"),
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"issuer": "a", "issuer": "b"}', "name twice"),
        (b"\xff", "not UTF-8"),
        (gzip.compress(b"{}" * 1000), "not UTF-8"),
        (b"{" + b" " * 300_000 + b"}", "more than 256 KiB"),
    ],
    ids=str,
)
async def test_a_lying_discovery_document_is_refused(
    document: dict[str, object] | bytes, words: str, gate: Gate
) -> None:
    if not isinstance(document, bytes):
        document = json.loads(json.dumps(document).replace("{url}", gate.issuer.url))
    gate.issuer.document = document
    with pytest.raises(ProofUnavailable, match=words):
        await gate.prove()


async def test_redirects_are_followed_within_the_issuer_only(gate: Gate) -> None:
    gate.issuer.redirect = f"{gate.issuer.url}/moved"
    assert (await gate.prove()).name == "planner"
    async with issuing(NEW) as elsewhere:
        gate.issuer.redirect = f"{elsewhere.url}/keys"
        gate.clock.advance(COOLDOWN)
        with pytest.raises(NotProven):
            await gate.prove(gate.token(NEW))
        assert elsewhere.fetched == 0


async def test_redirects_in_a_circle_end(gate: Gate) -> None:
    gate.issuer.redirect = f"{gate.issuer.url}/keys"
    with pytest.raises(ProofUnavailable, match="redirects too often"):
        await gate.prove()
    assert gate.issuer.fetched == 4


async def test_a_huge_key_set_is_not_read(gate: Gate) -> None:
    gate.issuer.body = json.dumps({"keys": [OLD.public(x5c=["A" * 300_000])]}).encode()
    with pytest.raises(ProofUnavailable, match="more than 256 KiB"):
        await gate.prove()
    gate.issuer.body = json.dumps({"keys": [{"kty": "EC", "kid": str(n)} for n in range(129)]}).encode()
    gate.clock.advance(QUICK.retry_seconds)
    with pytest.raises(ProofUnavailable, match="more than 128 keys"):
        await gate.prove()


async def test_a_broken_key_set_keeps_the_last_good_one(gate: Gate) -> None:
    token = outlasting(gate)
    await gate.prove(token)
    gate.clock.advance(REFRESH + 1)
    gate.issuer.body = b'{"keys": 7}'
    assert (await gate.prove(token)).name == "planner"


async def test_a_provider_taken_from_the_bundle_proves_nothing_from_then_on(gate: Gate) -> None:
    await gate.prove()
    gate.bundle = trust(provider("corp", oidc={"issuer": "https://elsewhere.example"}))
    with pytest.raises(NotProven, match="not trusted here"):
        await gate.prove()


async def test_a_named_provider_that_does_not_exist_is_not_replaced_by_the_cluster(gate: Gate) -> None:
    bundle = trust(provider("corp", oidc={"issuer": gate.issuer.url}))
    gate.bundle = type(bundle)(bundle.connection, ())
    with pytest.raises(NotProven, match="not trusted here"):
        await gate.prove()


async def test_without_a_bundle_nobody_is_proved(gate: Gate) -> None:
    gate.bundle = None
    with pytest.raises(ProofUnavailable, match="no policies in force"):
        await gate.prove()


async def test_two_providers_of_one_issuer_are_told_apart_by_what_they_demand(gate: Gate) -> None:
    url = gate.issuer.url
    gate.bundle = trust(
        provider("people", oidc={"issuer": url, "authorizedParties": ["console"]}),
        provider("agents", oidc={"issuer": url, "authorizedParties": ["runner"], "prefix": "agent:"}),
    )
    one: Identity = await gate.prove(azp="console")
    other: Identity = await gate.prove(azp="runner")
    assert (one.provider, one.name) == ("people", "planner")
    assert (other.provider, other.name) == ("agents", "agent:planner")
    with pytest.raises(NotProven, match="party"):
        await gate.prove(azp="nobody")
    assert gate.issuer.fetched == 1


async def test_closing_ends_a_fetch_under_way(gate: Gate) -> None:
    gate.issuer.hang = asyncio.Event()
    waiting = asyncio.create_task(gate.prove())
    await flying(gate.issuer)
    await gate.prover.close()
    with pytest.raises(ProofUnavailable):
        await waiting
