"""SAML responses: one way to be right, and the ways to be wrong."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.saml import ENTITY, SHA1, SamlIssuer, encoded, moment
from kit.trusting import provider
from tollhouse_core.identity import Identity, Proof
from tollhouse_operator.tokens.saml import BadMetadata, SamlParty, UsedOnce, identity_in
from tollhouse_operator.tokens.saml_document import BadAssertion

ISSUER = "https://tokens.tollhouse.example"
CONSUMER = f"{ISSUER}/saml/corp-saml/acs"
IDP = SamlIssuer(CONSUMER, "tollhouse")
MALLORY = SamlIssuer(CONSUMER, "tollhouse")


def party(**saml: Any) -> SamlParty:
    made = provider("corp-saml", saml={"metadataRef": {"secret": "corp", "key": "idp.xml"}, **saml})
    return SamlParty(made, IDP.metadata, ISSUER)


def shown(
    response: str, request_id: str | None = None, used: UsedOnce | None = None, **saml: Any
) -> Identity:
    return identity_in(response, party(**saml), request_id, used or UsedOnce(0.0), time.time())


def ago(seconds: float) -> str:
    return moment(datetime.now(UTC) - timedelta(seconds=seconds))


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


def test_an_assertion_counts_once_and_none_from_before_this_process() -> None:
    used, response = UsedOnce(0.0), IDP.response()
    assert shown(response, used=used)
    with pytest.raises(BadAssertion, match="used already"):
        shown(response, used=used)
    again = encoded(IDP.envelope(IDP.signed(IDP.assertion(id="_same"))))
    assert shown(again, used=used)
    with pytest.raises(BadAssertion, match="used already"):
        shown(encoded(IDP.envelope(IDP.signed(IDP.assertion(id="_same")))), used=used)
    with pytest.raises(BadAssertion, match="before this endpoint began"):
        shown(IDP.response(), used=UsedOnce(time.time() + 5))


def signed(**terms: Any) -> Callable[[], str]:
    return lambda: IDP.response(**terms)


def enveloped(**changes: Any) -> Callable[[], str]:
    return lambda: encoded(IDP.envelope(IDP.signed(IDP.assertion()), **changes))


def signed_at(**seconds: float) -> Callable[[], str]:
    """Terms so many seconds ago, counted when the response is made: other tests may run long before."""
    return lambda: IDP.response(**{term: ago(past) for term, past in seconds.items()})


def enveloped_at(issued: float) -> Callable[[], str]:
    return lambda: encoded(IDP.envelope(IDP.signed(IDP.assertion()), issued=ago(issued)))


def changed(change: Callable[[str], str]) -> Callable[[], str]:
    """The honest response with its text changed after it was signed."""
    return lambda: encoded(change(IDP.envelope(IDP.signed(IDP.assertion()))))


def before_signing(change: Callable[[str], str]) -> Callable[[], str]:
    return lambda: encoded(IDP.envelope(IDP.signed(change(IDP.assertion()))))


def wrapped(how: int) -> Callable[[], str]:
    """Signature wrapping: the signed assertion is kept somewhere, another is to be read."""

    def forge() -> str:
        real = IDP.signed(IDP.assertion())
        evil = IDP.assertion(name="admin", id="_evil")
        match how:
            case 1:
                return encoded(IDP.envelope(evil + real))
            case 2:
                return encoded(IDP.envelope(real + evil))
            case 3:
                return encoded(IDP.envelope(evil.replace("</saml:Assertion>", f"{real}</saml:Assertion>")))
            case 4:
                inside = f"<samlp:Extensions>{real}</samlp:Extensions>"
                return encoded(IDP.envelope(inside + evil))
            case 5:
                signature = re.search(r"<ds:Signature.*</ds:Signature>", real, re.DOTALL)
                assert signature is not None
                bare = real.replace(signature[0], "")
                stolen = signature[0].replace("</ds:Signature>", f"<ds:Object>{bare}</ds:Object>{END}")
                return encoded(IDP.envelope(evil.replace("<saml:Subject>", f"{stolen}<saml:Subject>")))
            case 6:
                signature = re.search(r"<ds:Signature.*</ds:Signature>", real, re.DOTALL)
                assert signature is not None
                return encoded(IDP.envelope(evil.replace("<saml:Subject>", f"{signature[0]}<saml:Subject>")))
            case 7:
                found = re.search(r'ID="(_[0-9a-f]+)"', real)
                assert found is not None
                return encoded(IDP.envelope(evil.replace("_evil", found[1]) + real))
            case _:
                return encoded(IDP.signed(IDP.envelope(evil)))

    return forge


END = "</ds:Signature>"
TWICE = "<saml:NameID>b</saml:NameID>"

HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", "not base64"),
    "no base64": (lambda: "<samlp:Response/>", "not base64"),
    "no XML": (lambda: encoded("hello"), "not XML"),
    "another document": (lambda: encoded("<a/>"), "not a SAML response"),
    "an assertion alone": (lambda: encoded(IDP.signed(IDP.assertion())), "not a SAML response"),
    "too large": (lambda: encoded(IDP.envelope("x" * 200_000)), "longer than"),
    "unsigned": (lambda: encoded(IDP.envelope(IDP.assertion())), "not signed"),
    "signed around it only": (wrapped(8), "not signed"),
    "signed by somebody else": (MALLORY.response, "do not hold"),
    "another issuer": (signed(issuer="https://mallory.example"), "do not hold"),
    "another issuer around it": (enveloped(issuer="https://mallory.example"), "do not hold"),
    "a changed name": (changed(lambda text: text.replace(">ann<", ">admin<")), "do not hold"),
    "SHA-1": (lambda: encoded(IDP.envelope(IDP.signed(IDP.assertion(), SHA1))), "do not hold"),
    "wrapped, before": (wrapped(1), "exactly one assertion"),
    "wrapped, behind": (wrapped(2), "exactly one assertion"),
    "wrapped, inside": (wrapped(3), "exactly one assertion"),
    "wrapped, in an extension": (wrapped(4), "exactly one assertion"),
    "wrapped, in the signature": (wrapped(5), "exactly one assertion"),
    "a stolen signature": (wrapped(6), "something else"),
    "wrapped, with the same ID": (wrapped(7), "exactly one assertion"),
    "an entity": (
        changed(lambda text: f'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>{text}'),
        "type declaration",
    ),
    "a billion laughs": (
        changed(lambda text: '<!DOCTYPE r [<!ENTITY a "a"><!ENTITY b "&a;&a;">]>' + text),
        "type declaration",
    ),
    "a comment in the name": (
        changed(lambda text: text.replace(">ann<", ">ann<!---->@mallory<")),
        "comments",
    ),
    "a comment put in afterwards": (changed(lambda text: text.replace(">ann<", ">an<!-- -->n<")), "comments"),
    "an instruction in the name": (
        changed(lambda text: text.replace(">ann<", ">an<?x?>n<")),
        "comments",
    ),
    "a comment behind the end": (changed(lambda text: f"{text}<!-- -->"), "comments"),
    "a line in the name": (signed(name="ann\n"), "NameID"),
    "a direction mark": (signed(name="an\u202en"), "NameID"),
    "an empty name": (signed(name=""), "NameID"),
    "an element in the name": (signed(name="<saml:Issuer>a</saml:Issuer>"), "NameID"),
    "two names": (
        before_signing(lambda text: text.replace("</saml:NameID>", f"</saml:NameID>{TWICE}")),
        "NameID",
    ),
    "a name kept for Kubernetes": (signed(name="system:masters"), "kept for Kubernetes"),
    "a group kept for Kubernetes": (signed(groups=["system:masters"]), "kept for Kubernetes"),
    "a group that is no clean text": (signed(groups=["a\u200bb"]), "groups"),
    "another audience": (signed(audience="somebody"), "Audience"),
    "no audience": (signed(audience=""), "Audience"),
    "another recipient": (signed(recipient=f"{ISSUER}/saml/other/acs"), "Recipient"),
    "a recipient that begins alike": (signed(recipient=f"{CONSUMER}/x"), "Recipient"),
    "another destination": (enveloped(destination="https://mallory.example"), "Destination"),
    "a destination that begins alike": (enveloped(destination=f"{CONSUMER}.mallory.example"), "Destination"),
    "no destination": (enveloped(destination=None), "Destination"),
    "expired": (signed_at(ends=1), "expired"),
    "issued long ago": (signed_at(issued=600), "older than"),
    "an old response": (enveloped_at(600), "older than"),
    "issued in the future": (signed_at(issued=-120), "in the future"),
    "not valid yet": (signed_at(begins=-3600, ends=-7200), "do not hold"),
    "a time without a zone": (signed(issued="2030-01-01T00:00:00"), "a time that can be read"),
    "no time": (signed(issued="soon"), "a time that can be read"),
    "another kind of confirmation": (
        before_signing(lambda text: text.replace(":cm:bearer", ":cm:holder-of-key")),
        "for its bearer",
    ),
    "encrypted": (
        changed(lambda text: re.sub(r"saml:Assertion\b", "saml:EncryptedAssertion", text)),
        "encrypted",
    ),
    "a failure": (changed(lambda text: text.replace("status:Success", "status:Requester")), "do not hold"),
    "no conditions": (
        before_signing(lambda text: re.sub(r"<saml:Conditions.*</saml:Conditions>", "", text)),
        "Audience",
    ),
    "UTF-16": (lambda: base64.b64encode("<a/>".encode("utf-16")).decode(), "DTD"),
}


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
            identity_in(IDP.response(), SamlParty(made, text, ISSUER), None, UsedOnce(0.0), time.time())
    assert ENTITY in IDP.metadata
