"""What holds for every text, not only for those somebody thought of."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.clock import SetClock
from kit.tokens import b64, signing_key
from kit.trusting import provider, trust
from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_identity.checks import is_clean_name
from tollhouse_identity.form import Refused, decode_base64url, parse_token, strict_json_object
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_proxy.ports.identity import NotProven

KEY = signing_key("ES256", "tollhouse-local-1")
ISSUER = "https://127.0.0.1:1"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary())
def test_bytes_have_one_spelling(data: bytes) -> None:
    text = b64(data)
    if data:
        assert decode_base64url(text) == data
        for padded in (text + "=", text + "==", text + "\n", " " + text):
            with pytest.raises(Refused):
                decode_base64url(padded)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=40))
def test_whatever_decodes_is_spelled_the_canonical_way(text: str) -> None:
    try:
        decoded = decode_base64url(text)
    except Refused:
        return
    assert base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == text


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_every_honest_object_is_read_as_any_json_reader_would(document: dict[str, object]) -> None:
    for ascii_only in (True, False):
        text = json.dumps(document, ensure_ascii=ascii_only)
        try:
            expected = json.loads(text.encode("utf-8"))
        except UnicodeEncodeError:
            continue
        if "\\u0000" in text or "\x00" in text:
            continue
        assert strict_json_object(text.encode(), "it") == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    try:
        found = strict_json_object(data, "it")
    except Refused:
        return
    assert found == json.loads(data)


@given(
    st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}")
)
def test_any_text_is_a_token_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        parse_token(text)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps({"keys": [KEY.public()]}))
    return file


def outcome(file: Path, token: str) -> Identity | str:
    """Who is proved, or why nobody."""

    async def once() -> Identity:
        bundle = trust(provider("corp", oidc={"issuer": ISSUER}))
        prover = TokenProver(lambda: bundle, SetClock(), ProverSettings(local_jwks=file))
        try:
            return await prover.prove(Secret(token))
        finally:
            await prover.close()

    try:
        return asyncio.run(once())
    except NotProven as refusal:
        return str(refusal)


def honest(**changes: object) -> str:
    now = SetClock().now().timestamp()
    return KEY.sign({"iss": ISSUER, "sub": "ann", "aud": "tollhouse", "exp": now + 60, **changes})


HONEST = honest()


@settings(deadline=None)
@given(position=st.integers(0, len(HONEST) - 1), by=st.characters(max_codepoint=0x7F))
def test_a_token_with_one_character_changed_proves_nobody(file: Path, position: int, by: str) -> None:
    changed = HONEST[:position] + by + HONEST[position + 1 :]
    assert isinstance(outcome(file, changed), str) == (changed != HONEST)


CLAIMS = st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "azp", "groups", "cnf", "x"])


@settings(deadline=None)
@given(claims=st.dictionaries(CLAIMS, JSON))
def test_any_signed_claims_prove_somebody_or_nobody_and_never_fail(
    file: Path, claims: dict[str, object]
) -> None:
    found = outcome(file, honest(**claims))
    if isinstance(found, str):
        assert "could not be examined" not in found
    else:
        assert is_clean_name(found.name)
        assert all(is_clean_name(group, 512) for group in found.groups)


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), JSON))
def test_any_signed_header_proves_somebody_or_nobody_and_never_fails(
    file: Path, header: dict[str, object]
) -> None:
    whole = json.dumps({"alg": "ES256", "kid": KEY.kid, **header}).encode()
    now = SetClock().now().timestamp()
    claims = {"iss": ISSUER, "sub": "ann", "aud": "tollhouse", "exp": now + 60}
    found = outcome(file, KEY.sign(claims, whole))
    assert not isinstance(found, str) or "could not be examined" not in found


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 12000,
        b'{"a":' * 2400,
        b'{"x":[' + b"1," * 5900 + b"1]}",
        b'{"x":"' + b"\\u00e9" * 1950 + b'"}',
        b"{" + b",".join(b'"%d":0' % number for number in range(1200)) + b"}",
        b'{"x":' + b"9" * 12000 + b"}",
    ],
    ids=["lists", "objects", "numbers", "escapes", "names", "digits"],
)
@pytest.mark.timeout(60)
def test_the_costliest_token_costs_little(payload: bytes) -> None:
    """A hundred of them in a minute, however slow the machine: what costs more grows out of proportion."""
    token = KEY.sign(payload)
    assert len(token) <= 16384 + 200
    for _ in range(100):
        with contextlib.suppress(Refused):
            parse_token(token)


@given(st.text(max_size=20))
def test_a_clean_name_survives_every_way_of_showing_it(name: str) -> None:
    if is_clean_name(name):
        assert name == name.strip()
        assert name.isprintable()
        assert name.splitlines() == [name]
        name.encode("utf-8")
