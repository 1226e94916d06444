"""Tokens that must not pass, each refused for the reason that is meant, and by no accident."""

from __future__ import annotations

import base64
import json

import pytest

from kit.forged_tokens import (
    Forge,
    bare_signature,
    der,
    embedded,
    encoded_as,
    header_json,
    high_r,
    hmac_with_public_key,
    json_with,
    later,
    own_key,
    part,
    trailing_bits,
    unsigned,
    whole,
    with_claims,
    with_header,
)
from kit.gate import Gate
from kit.tokens import b64
from tollhouse_core.secret import Secret
from tollhouse_identity.checks import CLAIMS, HEADER, SERVICE_ACCOUNT
from tollhouse_proxy.ports.identity import NotProven

deep = "[" * 40 + "]" * 40

HOSTILE: dict[str, tuple[Forge, str]] = {
    # form
    "nothing": (lambda gate: "", "no token"),
    "a password": (lambda gate: "hunter2", "not a signed token"),
    "two parts": (whole(lambda text: text.rpartition(".")[0]), "not a signed token"),
    "four parts": (whole(lambda text: text + ".AAAA"), "not a signed token"),
    "an encrypted token": (whole(lambda text: text + ".AAAA.AAAA"), "not a signed token"),
    "the JSON serialization": (
        lambda gate: json.dumps({"payload": "", "signatures": []}),
        "not a signed token",
    ),
    "oversized": (with_claims(pad="x" * 17000), "longer than 16 KiB"),
    "padding": (part(2, lambda text: text + "=="), "not base64url"),
    "standard alphabet": (part(0, lambda text: text[:-1] + "+"), "not base64url"),
    "white space inside": (part(1, lambda text: text[:8] + "\n" + text[8:]), "not base64url"),
    "white space around": (whole(lambda text: f"{text}\n"), "white space around it"),
    "a bearer header": (whole(lambda text: f"Bearer {text}"), "not base64url"),
    "an impossible length": (part(1, lambda text: "A"), "not base64url"),
    "trailing bits": (part(2, trailing_bits), "not canonical"),
    "an empty signature": (whole(lambda text: text.rpartition(".")[0] + "."), "not base64url"),
    "letters of another alphabet": (part(0, lambda text: "е" + text[1:]), "not base64url"),
    # JSON
    "payload twice named": (json_with('"sub": "planner"', '"sub": "planner", "sub": "admin"'), "name twice"),
    "a nested name twice": (json_with('"aud"', '"x": {"a": 1, "a": 2}, "aud"'), "name twice"),
    "the same name by escapes": (json_with('"aud"', '"s\\u0075b": "admin", "aud"'), "name twice"),
    "header twice named": (header_json('{"alg":"ES256","alg":"none","kid":"key-1"}'), "name twice"),
    "NaN": (json_with('"aud"', '"x": NaN, "aud"'), "not finite"),
    "an infinite end": (json_with('"exp": ', '"exp": Infinity, "x": '), "not finite"),
    "an overflowing end": (json_with('"exp": ', '"exp": 1e999, "x": '), "not finite"),
    "an endless number": (json_with('"aud"', f'"x": {"9" * 5000}, "aud"'), "too long"),
    "a byte order mark": (encoded_as("utf-8", b"\xef\xbb\xbf"), "not plain UTF-8"),
    "UTF-16": (encoded_as("utf-16"), "not UTF-8"),
    "UTF-16 without a mark": (encoded_as("utf-16-le"), "not plain UTF-8"),
    "UTF-32": (encoded_as("utf-32-be"), "not plain UTF-8"),
    "Latin-1": (json_with("planner", "pl\udce4nner"), "not UTF-8"),
    "a lone surrogate": (json_with("planner", "pl\\ud800nner"), "lone surrogate"),
    "a lone surrogate in a name": (json_with('"aud"', '"\\udc00": 1, "aud"'), "lone surrogate"),
    "an overlong encoding": (
        lambda gate: gate.issuer.keys[0].sign(
            json.dumps(gate.claims()).encode().replace(b"n", b"\xc1\xae", 1)
        ),
        "not UTF-8",
    ),
    "deep": (json_with('"aud"', f'"x": {deep}, "aud"'), "nested too deeply"),
    "very deep": (json_with('"aud"', f'"x": {"[" * 5000}, "aud"'), "not JSON"),
    "a token in the token": (lambda gate: gate.issuer.keys[0].sign(gate.token().encode()), "not JSON"),
    "a token in a token's text": (
        lambda gate: gate.issuer.keys[0].sign(json.dumps(gate.token()).encode()),
        "not a JSON object",
    ),
    "a list": (lambda gate: gate.issuer.keys[0].sign(b"[]"), "not a JSON object"),
    "a comment": (json_with('{"iss"', '{/**/"iss"'), "not JSON"),
    "text behind": (
        lambda gate: gate.issuer.keys[0].sign(json.dumps(gate.claims()).encode() + b"{}"),
        "not JSON",
    ),
    "a control character": (json_with("planner", "pl\x01nner"), "not JSON"),
    # header
    "alg none": (unsigned("none"), "not base64url"),
    "alg none, with a signature": (with_header(alg="none"), "algorithm"),
    "alg None": (with_header(alg="None"), "algorithm"),
    "alg es256": (with_header(alg="es256"), "algorithm"),
    "no alg": (with_header(alg=None), "algorithm"),
    "alg a list": (with_header(alg=["ES256"]), "algorithm"),
    "alg HS256 with the public key (PEM)": (hmac_with_public_key("pem"), "algorithm"),
    "alg HS256 with the public key (JWK)": (hmac_with_public_key("jwk"), "algorithm"),
    "alg ES256K": (with_header(alg="ES256K"), "algorithm"),
    "alg RS1": (with_header(alg="RS1"), "algorithm"),
    "alg of encryption": (with_header(alg="dir"), "algorithm"),
    "typ logout": (with_header(typ="logout+jwt"), "type"),
    "typ security event": (with_header(typ="secevent+jwt"), "type"),
    "typ ID token": (with_header(typ="id_token+jwt"), "type"),
    "typ DPoP proof": (with_header(typ="dpop+jwt"), "type"),
    "typ JOSE": (with_header(typ="JOSE"), "type"),
    "typ null": (header_json('{"alg":"ES256","kid":"key-1","typ":null}'), "type"),
    "typ a number": (with_header(typ=1), "type"),
    "crit": (with_header(crit=["exp"], exp=1), "crit"),
    "crit empty": (with_header(crit=[]), "crit"),
    "crit null": (header_json('{"alg":"ES256","kid":"key-1","crit":null}'), "crit"),
    "b64 false": (with_header(b64=False, crit=["b64"]), "crit"),
    "b64 true": (with_header(b64=True), "b64"),
    "zip": (with_header(zip="DEF"), "zip"),
    "cty": (with_header(cty="JWT"), "cty"),
    "an embedded key": (lambda gate: embedded(gate, jwk=own_key(gate).public()), "jwk"),
    "a key elsewhere": (lambda gate: embedded(gate, jku="https://evil.example/keys"), "jku"),
    "a certificate elsewhere": (lambda gate: embedded(gate, x5u="https://evil.example/c"), "x5u"),
    "an embedded certificate": (lambda gate: embedded(gate, x5c=["AAAA"]), "x5c"),
    "kid a path": (with_header(kid="../../../dev/null"), "does not publish"),
    "kid SQL": (with_header(kid="x' UNION SELECT 'k"), "does not publish"),
    "kid a number": (with_header(kid=7), "kid"),
    "kid null": (header_json('{"alg":"ES256","kid":null}'), "kid"),
    "kid a list": (with_header(kid=["key-1"]), "kid"),
    "kid empty": (with_header(kid=""), "kid"),
    "kid with NUL": (with_header(kid="key-1\0"), "kid"),
    "kid huge": (with_header(kid="k" * 5000), "kid"),
    "kid of the local issuer": (with_header(kid="tollhouse-local-1"), "does not publish"),
    # signature
    "another key under the same name": (embedded, "signature"),
    "another payload": (
        part(1, lambda text: b64(base64.urlsafe_b64decode(text + "==").replace(b"planner", b"admin!!"))),
        "signature",
    ),
    "psychic ECDSA": (bare_signature(lambda gate, text: bytes(64)), "signature"),
    "ECDSA of the group's order": (bare_signature(high_r), "signature"),
    "ECDSA in DER": (bare_signature(der), "signature"),
    "ECDSA too short": (
        bare_signature(lambda gate, text: gate.issuer.keys[0].signature(text)[:-1]),
        "signature",
    ),
    "ECDSA too long": (
        bare_signature(lambda gate, text: gate.issuer.keys[0].signature(text) + b"\0"),
        "signature",
    ),
    "ECDSA with a part zero": (
        bare_signature(lambda gate, text: gate.issuer.keys[0].signature(text)[:32] + bytes(32)),
        "signature",
    ),
    "the algorithm of another key": (with_header(alg="ES384"), "does not publish"),
    "RSA under the name of an EC key": (with_header(alg="RS256"), "does not publish"),
    # claims
    "no iss": (with_claims(iss=None), "issuer"),
    "another iss": (with_claims(iss="https://evil.example"), "issuer"),
    "iss with a slash": (lambda gate: gate.token(iss=gate.issuer.url + "/"), "issuer"),
    "iss in capitals": (lambda gate: gate.token(iss=gate.issuer.url.upper()), "issuer"),
    "iss a list": (lambda gate: gate.token(iss=[gate.issuer.url]), "issuer"),
    "no exp": (with_claims(exp=None), "does not say when it ends"),
    "exp null": (json_with('"exp": ', '"exp": null, "x": '), "not a time"),
    "exp a text": (lambda gate: gate.token(exp=str(gate.claims()["exp"])), "not a time"),
    "exp true": (with_claims(exp=True), "not a time"),
    "exp negative": (with_claims(exp=-1), "not a time"),
    "exp beyond the calendar": (with_claims(exp=10**15), "not a time"),
    "exp in milliseconds": (lambda gate: gate.token(exp=gate.clock.now().timestamp() * 1000), "not a time"),
    "exp in the year 9999": (with_claims(exp=253402300000), "longer than is accepted"),
    "exp in a year": (later("exp", 365 * 86400), "longer than is accepted"),
    "expired": (later("exp", -1), "has expired"),
    "expired this moment": (later("exp", 0), "has expired"),
    "ends before it begins": (
        lambda gate: gate.token(iat=gate.clock.now().timestamp() + 20, exp=gate.clock.now().timestamp() + 10),
        "longer than is accepted",
    ),
    "nbf in the future": (later("nbf", 60), "not valid yet"),
    "nbf a text": (with_claims(nbf="now"), "not a time"),
    "iat in the future": (later("iat", 60), "issued in the future"),
    "iat a list": (with_claims(iat=[1]), "not a time"),
    "iat long ago": (later("iat", -30 * 86400), "longer than is accepted"),
    "no aud": (with_claims(aud=None), "whom it is meant for"),
    "aud empty": (with_claims(aud=""), "whom it is meant for"),
    "aud an empty list": (with_claims(aud=[]), "whom it is meant for"),
    "aud another": (with_claims(aud="warehouse"), "somebody else"),
    "aud in capitals": (with_claims(aud="Tollhouse"), "somebody else"),
    "aud a prefix": (with_claims(aud="tollhouse.evil"), "somebody else"),
    "aud two in one text": (with_claims(aud="warehouse tollhouse"), "somebody else"),
    "aud a list with a number": (with_claims(aud=["tollhouse", 1]), "whom it is meant for"),
    "aud a nested list": (with_claims(aud=[["tollhouse"]]), "whom it is meant for"),
    "aud an object": (with_claims(aud={"tollhouse": True}), "whom it is meant for"),
    "aud very many": (with_claims(aud=["tollhouse"] * 65), "whom it is meant for"),
    "azp a list": (with_claims(azp=["agent"]), "azp"),
    "azp empty": (with_claims(azp=""), "azp"),
    "cnf": (with_claims(cnf={"jkt": "x"}), "cnf"),
    "events": (with_claims(events={}), "events"),
    "an ID token by its hash": (with_claims(at_hash="x"), "ID token"),
    "an ID token by its nonce": (with_claims(nonce="x"), "ID token"),
    "an ID token as Keycloak says": (with_claims(typ="ID"), "ID token"),
    "an ID token as Cognito says": (with_claims(token_use="id"), "ID token"),
    "a refresh token": (with_claims(typ="Refresh"), "refresh or logout"),
    "a logout token": (with_claims(typ="Logout"), "refresh or logout"),
    "no sub": (with_claims(sub=None), "subject"),
    "sub empty": (with_claims(sub=""), "subject"),
    "sub a number": (with_claims(sub=7), "subject"),
    "sub blank": (with_claims(sub=" "), "subject"),
    "sub ends in a space": (with_claims(sub="planner "), "subject"),
    "sub with a newline": (with_claims(sub="plan\nner"), "subject"),
    "sub with NUL": (with_claims(sub="planner\0admin"), "subject"),
    "sub with a direction mark": (with_claims(sub="plan\u202ener"), "subject"),
    "sub with an invisible character": (with_claims(sub="plan\u200bner"), "subject"),
    "sub with a strange space": (with_claims(sub="plan\u00a0ner"), "subject"),
    "sub not composed": (with_claims(sub="andre\u0301"), "subject"),
    "sub without end": (with_claims(sub="p" * 257), "subject"),
    "jti an object": (with_claims(jti={}), "own name"),
    "groups a text": (with_claims(groups="admins"), "groups"),
    "groups an object": (with_claims(groups={"admins": True}), "groups"),
    "groups null": (json_with('"groups": ', '"groups": null, "x": '), "groups"),
    "groups with a number": (with_claims(groups=["a", 1]), "groups"),
    "groups nested": (with_claims(groups=[["admins"]]), "groups"),
    "groups with an empty one": (with_claims(groups=[""]), "groups"),
    "groups with a newline": (with_claims(groups=["a\nb"]), "groups"),
    "groups with a direction mark": (with_claims(groups=["\u202eadmins"]), "groups"),
    "groups very many": (with_claims(groups=["g"] * 1001), "groups"),
    "a group of Kubernetes": (with_claims(groups=["system:masters"]), "kept for Kubernetes"),
    "a user of Kubernetes": (with_claims(sub="system:serviceaccount:agents:triage"), "kept for Kubernetes"),
    "a ServiceAccount of no account": (with_claims(**{"kubernetes.io": {}}), "ServiceAccount"),
    "a ServiceAccount of another name": (
        with_claims(
            sub="system:serviceaccount:a:b",
            **{"kubernetes.io": {"namespace": "a", "serviceaccount": {"name": "c"}}},
        ),
        "subject is not its ServiceAccount",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_token_is_refused_for_its_reason(name: str, gate: Gate) -> None:
    forge, reason = HOSTILE[name]
    token = forge(gate)
    with pytest.raises(NotProven) as refused:
        await gate.prover.prove(Secret(token))
    assert reason in str(refused.value)
    assert refused.value.__context__ is None
    for piece in token.split("."):
        assert len(piece) < 6 or piece not in str(refused.value)


async def test_no_hostile_token_makes_the_issuer_be_asked_again_and_again(gate: Gate) -> None:
    for forge, _ in HOSTILE.values():
        with pytest.raises(NotProven):
            await gate.prover.prove(Secret(forge(gate)))
    assert gate.issuer.fetched <= 2


async def test_every_check_is_the_reason_some_hostile_token_is_refused_for(gate: Gate) -> None:
    reasons = set()
    for forge, _ in HOSTILE.values():
        with pytest.raises(NotProven) as refused:
            await gate.prover.prove(Secret(forge(gate)))
        reasons.add(str(refused.value))
    gate.trust_oidc(authorizedParties=["agents"])
    with pytest.raises(NotProven) as refused:
        await gate.prove()
    reasons.add(str(refused.value))
    # The issuer is looked at before any check, to choose the provider; the check holds it a second time.
    expected = {check.reason for check in (*HEADER, *CLAIMS, *SERVICE_ACCOUNT)} - {CLAIMS[0].reason}
    assert expected - reasons == set()
