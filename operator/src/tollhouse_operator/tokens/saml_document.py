"""A SAML response as text, before and beside the library: what every reader must read alike.

XML lets two readers disagree (comments inside a name, a second assertion, an entity). So nothing of
that is let in: no DTD, no comments, no processing instructions, exactly one assertion, which is the
one that is signed. The one importer of lxml.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from tollhouse_identity.checks import is_clean_name
from tollhouse_operator.tokens.saml_signature import BadSignature, require_plain_signatures

LARGEST_BYTES = 128 * 1024
OLDEST_SECONDS = 300.0
AHEAD_SECONDS = 30.0
_ENCODINGS = ("UTF-8", "US-ASCII", "ASCII")
_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"


class BadAssertion(Exception):
    """The response proves nobody; `str()` is safe for the client: it holds nothing of the document."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom a response must be for: the consumer's exact URL and our exact name."""

    consumer: str
    audience: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the document says; believed once its signature holds. Times are in seconds since 1970; `ends`:
    when the session at the identity provider does, if it says so."""

    id: str
    in_response_to: str | None
    issued: float
    ends: float | None
    name: str


def decoded(text: str) -> bytes:
    """The document from its base64 (any of its alphabets, as RFC 7522 and the POST binding write it).
    Raises BadAssertion."""
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        document = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        document = b""
    if not document:
        raise BadAssertion("the assertion is not base64")
    if len(document) > LARGEST_BYTES:
        raise BadAssertion(f"the response is longer than {LARGEST_BYTES // 1024} KiB")
    return document


def examined(document: bytes, expected: Expected, now: float) -> Assertion:
    """Everything but the signature, strictly. Raises BadAssertion."""
    root = _parsed(document)
    if root.tag != f"{_SAMLP}Response":
        raise BadAssertion("the document is not a SAML response")
    assertion = _the_assertion(root)
    _require_signed(root, assertion)
    if root.get("Destination") != expected.consumer:
        raise BadAssertion("the response is for another place (Destination)")
    for element, what in ((root, "response"), (assertion, "assertion")):
        _require_recent(element, what, now)
    confirmation = _confirmation(assertion, expected, now)
    if confirmation.get("InResponseTo") != root.get("InResponseTo"):
        # Only the assertion is sure to be signed: what stands around it must say the same.
        raise BadAssertion("the response and its assertion answer different requests (InResponseTo)")
    _require_audience(assertion, expected)
    return Assertion(
        id=_required(assertion, "ID"),
        in_response_to=root.get("InResponseTo"),
        issued=_moment(assertion, "IssueInstant"),
        ends=_session_end(assertion),
        name=_name(assertion),
    )


def _parsed(document: bytes) -> Any:
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document or b"\x00" in document:
        raise BadAssertion("the document has a type declaration (DTD)")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=False
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise BadAssertion("the document is not XML")
    tree = root.getroottree()
    if tree.docinfo.doctype or (tree.docinfo.encoding or "UTF-8").upper() not in _ENCODINGS:
        raise BadAssertion("the document has a type declaration (DTD), or is not UTF-8")
    strange = [node for node in tree.iter() if not isinstance(node.tag, str)]
    if strange or root.getprevious() is not None or root.getnext() is not None:
        raise BadAssertion("the document has comments or processing instructions")
    return root


def _the_assertion(root: Any) -> Any:
    everywhere = list(root.iter(f"{_SAML}Assertion", f"{_SAML}EncryptedAssertion"))
    if len(everywhere) != 1 or everywhere[0].getparent() is not root:
        raise BadAssertion("the response must hold exactly one assertion")
    if everywhere[0].tag != f"{_SAML}Assertion":
        raise BadAssertion("encrypted assertions are not taken")
    return everywhere[0]


def _require_signed(root: Any, assertion: Any) -> None:
    problem = ""
    try:
        require_plain_signatures(root, assertion)
    except BadSignature as error:
        problem = str(error)
    if problem:
        raise BadAssertion(problem)


def _require_recent(element: Any, what: str, now: float) -> None:
    issued = _moment(element, "IssueInstant")
    if issued > now + AHEAD_SECONDS:
        raise BadAssertion(f"the {what} was issued in the future")
    if issued < now - OLDEST_SECONDS:
        raise BadAssertion(f"the {what} is older than {OLDEST_SECONDS:g} s")


def _confirmation(assertion: Any, expected: Expected, now: float) -> Any:
    """How the bearer is confirmed: here, and now (SAML profiles 4.1.4.2)."""
    confirmations = assertion.findall(f"{_SAML}Subject/{_SAML}SubjectConfirmation")
    if len(confirmations) != 1 or not str(confirmations[0].get("Method", "")).endswith(":cm:bearer"):
        raise BadAssertion("the assertion must have exactly one confirmation, for its bearer")
    data = confirmations[0].findall(f"{_SAML}SubjectConfirmationData")
    if len(data) != 1 or data[0].get("Recipient") != expected.consumer:
        raise BadAssertion("the assertion is for another place (Recipient)")
    if data[0].get("NotBefore") is not None:
        raise BadAssertion("a bearer's confirmation has no beginning (NotBefore)")
    if _moment(data[0], "NotOnOrAfter") <= now:
        raise BadAssertion("the assertion has expired")
    return data[0]


def _require_audience(assertion: Any, expected: Expected) -> None:
    restrictions = assertion.findall(f"{_SAML}Conditions/{_SAML}AudienceRestriction")
    audiences = [node.text for one in restrictions for node in one.findall(f"{_SAML}Audience")]
    if len(restrictions) != 1 or expected.audience not in audiences:
        raise BadAssertion("the assertion is meant for somebody else (Audience)")


def _session_end(assertion: Any) -> float | None:
    statements = assertion.findall(f"{_SAML}AuthnStatement")
    ends = [
        _moment(one, "SessionNotOnOrAfter")
        for one in statements
        if one.get("SessionNotOnOrAfter") is not None
    ]
    return min(ends, default=None)


def _name(assertion: Any) -> str:
    names = assertion.findall(f"{_SAML}Subject/{_SAML}NameID")
    if len(names) != 1 or len(names[0]) or not is_clean_name(names[0].text):
        raise BadAssertion("the assertion does not name its subject cleanly (NameID)")
    return str(names[0].text)


def _required(element: Any, attribute: str) -> str:
    value = element.get(attribute)
    if not is_clean_name(value):
        raise BadAssertion(f"the document lacks a clean {attribute}")
    return str(value)


def _moment(element: Any, attribute: str) -> float:
    """xs:dateTime in UTC, as SAML core 1.3.3 wants it."""
    value = element.get(attribute)
    found: datetime | None = None
    try:
        if isinstance(value, str) and value.endswith("Z") and value.isascii():
            found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or (found.tzinfo is not UTC and found.utcoffset() is None):
        raise BadAssertion(f"the document lacks a time that can be read ({attribute})")
    return found.timestamp()
