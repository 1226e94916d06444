"""Keys that verify nothing: weak ones, such as are for something else, and such as nobody can tell apart."""

from __future__ import annotations

import hmac

import pytest
from joserfc.jwk import OctKey

from kit.forged_tokens import bare_signature
from kit.gate import Gate
from kit.tokens import SigningKey, signing_key
from tollhouse_core.secret import Secret
from tollhouse_proxy.ports.identity import NotProven


@pytest.mark.parametrize("bits", [1024, 1536])
async def test_a_weak_rsa_key_verifies_nothing(bits: int, gate: Gate) -> None:
    weak = signing_key("RS256", f"weak-{bits}", bits)
    gate.issuer.keys.append(weak)
    with pytest.raises(NotProven, match="does not publish"):
        await gate.prove(gate.token(weak))


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": "RSA-OAEP"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"kty": "oct"},
        {"d": "AAAA"},
        {"x": "AAAA"},
        {"y": None},
        {"x": 7},
    ],
    ids=str,
)
async def test_a_key_is_used_for_nothing_it_does_not_say(changes: dict[str, object], gate: Gate) -> None:
    gate.issuer.key_set = {"keys": [gate.issuer.keys[0].public(**changes)]}
    with pytest.raises(NotProven, match="does not publish"):
        await gate.prove()


async def test_two_keys_of_one_name_are_no_answer(gate: Gate) -> None:
    gate.issuer.keys.append(SigningKey(signing_key("ES256", "other").key, "ES256", "key-1"))
    with pytest.raises(NotProven, match="which of its issuer's keys"):
        await gate.prove()


async def test_a_token_without_kid_needs_a_single_usable_key(gate: Gate) -> None:
    gate.issuer.keys.append(signing_key("ES256", "other"))
    with pytest.raises(NotProven, match="which of its issuer's keys"):
        await gate.prove(gate.token(header={"kid": None}))


async def test_a_symmetric_key_in_the_key_set_verifies_nothing(gate: Gate) -> None:
    secret = OctKey.generate_key(256)
    gate.issuer.key_set = {"keys": [{**secret.as_dict(private=True), "kid": "key-1"}]}
    forged = bare_signature(lambda _, text: hmac.digest(secret.raw_value, text, "sha256"), alg="HS256")
    with pytest.raises(NotProven, match="algorithm"):
        await gate.prover.prove(Secret(forged(gate)))
