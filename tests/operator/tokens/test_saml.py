"""SAML responses: one way to be right, and the ways to be wrong."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.saml import ENTITY, SamlIssuer, encoded, moment
from kit.saml_forgeries import CONSUMER, ECDSA, HOSTILE, IDP, ISSUER, ago
from kit.trusting import provider
from tollhouse_core.identity import Identity, Proof
from tollhouse_operator.tokens.saml import BadMetadata, SamlParty, identity_in
from tollhouse_operator.tokens.saml_document import BadAssertion


def party(**saml: Any) -> SamlParty:
    made = provider("corp-saml", saml={"metadataRef": {"secret": "corp", "key": "idp.xml"}, **saml})
    return SamlParty(made, IDP.metadata, ISSUER)


def shown(response: str, request_id: str | None = None, **saml: Any) -> Identity:
    return identity_in(response, party(**saml), request_id, time.time())


def of(issuer: SamlIssuer, metadata: str = "") -> SamlParty:
    made = provider("corp-saml", saml={"metadataRef": {"secret": "corp", "key": "idp.xml"}})
    return SamlParty(made, metadata or issuer.metadata, ISSUER)


def test_an_honest_response_proves_its_subject() -> None:
    identity = shown(IDP.response())
    assert (identity.name, identity.provider, identity.proof) == ("ann", "corp-saml", Proof.SAML)
    assert identity.groups == ("managers",)
    assert identity.token_id
    assert identity.claims["attributes"] == {"groups": ["managers"]}


def test_attributes_and_a_prefix_are_mapped_as_the_provider_says() -> None:
    identity = shown(IDP.response(), prefix="corp:", attributes={"user": "groups", "groups": "nothing"})
    assert (identity.name, identity.groups) == ("corp:managers", ())


def test_a_response_answers_the_request_that_was_made() -> None:
    assert shown(IDP.response(in_response_to="_request"), "_request").name == "ann"
    for response, request in (
        (IDP.response(in_response_to="_request"), "_other"),
        (IDP.response(in_response_to="_request"), None),
        (IDP.response(), "_request"),
    ):
        with pytest.raises(BadAssertion, match="InResponseTo"):
            shown(response, request)


def test_an_answer_to_a_browser_is_taken_nowhere_else_whatever_stands_around_it() -> None:
    """Only the assertion is signed: what it answers must be said inside it."""
    for inside, around, asked in (
        ("_request", None, None),
        ("_request", "_mine", "_mine"),
        (None, "_mine", "_mine"),
        ("_request", "", None),
    ):
        assertion = IDP.signed(IDP.assertion(in_response_to=inside))
        response = IDP.envelope(assertion, in_response_to=around)
        if around == "":
            response = response.replace(" Destination=", ' InResponseTo="" Destination=')
        with pytest.raises(BadAssertion, match="InResponseTo"):
            shown(encoded(response), asked)


def test_the_end_of_the_session_there_is_that_of_its_tokens() -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=90)
    identity = shown(IDP.response(session=f' SessionNotOnOrAfter="{moment(ends)}"'))
    assert identity.expires_at == ends
    assert shown(IDP.response()).expires_at is None
    with pytest.raises(BadAssertion):
        shown(IDP.response(session=f' SessionNotOnOrAfter="{ago(1)}"'))


def test_a_key_on_a_curve_signs_too() -> None:
    curve = SamlIssuer(CONSUMER, "tollhouse", bits=0)
    response = encoded(IDP.envelope(curve.signed_as(curve.assertion(), ECDSA)))
    assert identity_in(response, of(curve), None, time.time()).name == "ann"


def test_a_weak_key_proves_nobody_and_does_not_spoil_a_strong_one() -> None:
    weak = SamlIssuer(CONSUMER, "tollhouse", bits=1024)
    with pytest.raises(BadMetadata, match="strong enough"):
        identity_in(weak.response(), of(weak), None, time.time())
    extra = weak.metadata.partition("<md:KeyDescriptor")[2].partition("</md:KeyDescriptor>")[0]
    both = IDP.metadata.replace(
        "<md:SingleSignOn", f"<md:KeyDescriptor{extra}</md:KeyDescriptor><md:SingleSignOn"
    )
    assert identity_in(IDP.response(), of(IDP, both), None, time.time()).name == "ann"
    with pytest.raises(BadAssertion, match="do not hold"):
        identity_in(weak.response(), of(IDP, both), None, time.time())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_response_is_refused_for_its_reason(name: str) -> None:
    forge, words = HOSTILE[name]
    with pytest.raises(BadAssertion, match=re.escape(words)) as found:
        shown(forge())
    assert "ann" not in str(found.value).split()


def test_metadata_that_is_none_is_said_so() -> None:
    made = provider("corp-saml", saml={"metadataRef": {"secret": "corp", "key": "idp.xml"}})
    for text in ("", "<a/>", "not xml"):
        with pytest.raises((BadMetadata, BadAssertion)):
            identity_in(IDP.response(), SamlParty(made, text, ISSUER), None, time.time())
    assert ENTITY in IDP.metadata
