"""Every way we know in which a SAML response is wrong, and the words it is refused with."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import xmlsec

from kit.saml import ENVELOPED, EXCLUSIVE, SHA1, SIGNATURE, SamlIssuer, encoded, moment

ISSUER = "https://tokens.tollhouse.example"
CONSUMER = f"{ISSUER}/saml/corp-saml/acs"
IDP = SamlIssuer(CONSUMER, "tollhouse")
MALLORY = SamlIssuer(CONSUMER, "tollhouse")


def ago(seconds: float) -> str:
    return moment(datetime.now(UTC) - timedelta(seconds=seconds))


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


def signed_with(
    method: str = SIGNATURE,
    transforms: tuple[str, ...] = (ENVELOPED, EXCLUSIVE),
    inside: str = "",
    key: str = "",
) -> Callable[[], str]:
    """Really signed, in a way that XML Signature knows and SAML does not."""

    def forge() -> str:
        der = base64.b64decode("".join(IDP.certificate.splitlines()[1:-1]))
        shared = xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataHmac, der) if key else None
        return encoded(IDP.envelope(IDP.signed_as(IDP.assertion(), method, transforms, inside, shared)))

    return forge


def before_verifying(pattern: str, by: str) -> Callable[[], str]:
    """The honest response with a piece of its signature written anew."""

    def forge() -> str:
        honest = IDP.envelope(IDP.signed(IDP.assertion()))
        found = re.sub(pattern, by, honest, flags=re.DOTALL)
        assert found != honest
        return encoded(found)

    return forge


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
            case 8:
                return encoded(IDP.signed(IDP.envelope(evil)))
            case _:
                signed, signature_of_all = _response_signature()
                kept = f"<ds:Object>{signed}</ds:Object>" if how == 9 else ""
                around = signature_of_all.replace(END, f"{kept}{END}") + ("" if how == 9 else signed)
                return encoded(IDP.envelope(around + evil))

    return forge


def _response_signature() -> tuple[str, str]:
    """An honest response without its own signature, and that."""
    whole = IDP.signed(IDP.envelope(IDP.signed(IDP.assertion())))
    found = re.search(r"<ds:Signature.*?</ds:Signature>", whole, re.DOTALL)
    assert found is not None
    return whole.replace(found[0], ""), found[0]


END = "</ds:Signature>"
ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
HMAC = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
PATH = '<ds:XPath xmlns:ds="http://www.w3.org/2000/09/xmldsig#">not(ancestor-or-self::*[local-name()="NameID"])</ds:XPath>'
SHEET = (
    '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
    '<xsl:template match="/"><a/></xsl:template></xsl:stylesheet>'
)
HIDDEN = "saml:EncryptedID"
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
    "SHA-1": (lambda: encoded(IDP.envelope(IDP.signed(IDP.assertion(), SHA1))), "method"),
    "SHA-1 around it": (
        lambda: encoded(IDP.signed(IDP.envelope(IDP.signed(IDP.assertion())), SHA1)),
        "method",
    ),
    "HMAC with the certificate": (signed_with(HMAC, key="certificate"), "method"),
    "a style sheet": (signed_with(transforms=(ENVELOPED, XSLT), inside=SHEET), "transforms"),
    "a path that leaves out the name": (
        signed_with(transforms=(ENVELOPED, XPATH), inside=PATH),
        "transforms",
    ),
    "no transform": (before_verifying("<ds:Transforms>.*</ds:Transforms>", ""), "transforms"),
    "a reference to everything": (before_verifying('URI="#[^"]*"', 'URI=""'), "something else"),
    "a reference to a file": (before_verifying('URI="#[^"]*"', 'URI="file:///etc/passwd"'), "something else"),
    "two references": (before_verifying("(<ds:Reference.*</ds:Reference>)", r"\1\1"), "something else"),
    "an object in the signature": (
        before_verifying("</ds:Signature>", "<ds:Object>x</ds:Object></ds:Signature>"),
        "Object",
    ),
    "two signatures": (before_verifying("(<ds:Signature .*</ds:Signature>)", r"\1\1"), "more than one"),
    "another signature in an attribute": (
        before_verifying("(<ds:Signature .*</ds:Signature>)(.*)(</saml:AttributeValue>)", r"\1\2\1\3"),
        "where none belongs",
    ),
    "an encrypted name": (
        before_signing(lambda text: re.sub("<saml:NameID>.*</saml:NameID>", f"<{HIDDEN}>x</{HIDDEN}>", text)),
        "NameID",
    ),
    "wrapped, before": (wrapped(1), "exactly one assertion"),
    "wrapped, behind": (wrapped(2), "exactly one assertion"),
    "wrapped, inside": (wrapped(3), "exactly one assertion"),
    "wrapped, in an extension": (wrapped(4), "exactly one assertion"),
    "wrapped, in the signature": (wrapped(5), "exactly one assertion"),
    "a stolen signature": (wrapped(6), "something else"),
    "wrapped, with the same ID": (wrapped(7), "exactly one assertion"),
    "wrapped, all of it in the signature around it": (wrapped(9), "exactly one assertion"),
    "wrapped, all of it beside its signature": (wrapped(10), "exactly one assertion"),
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
