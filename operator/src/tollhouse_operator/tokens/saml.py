"""SAML 2.0: whom a signed response proves. The one importer of python3-saml.

The library verifies the XML signature, the schema, the issuer and the conditions; `saml_document` reads
the same bytes strictly, and the two must agree. That a response counts once is for `used_once`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.identity import Identity, Proof
from tollhouse_identity.checks import is_clean_name
from tollhouse_operator.certificates import is_strong
from tollhouse_operator.tokens.saml_document import (
    Assertion,
    BadAssertion,
    Expected,
    decoded,
    examined,
)

GRANT = "urn:ietf:params:oauth:grant-type:saml2-bearer"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
MOST_GROUPS = 1000


class BadMetadata(Exception):
    """The identity provider's metadata cannot be used; `str()` says why."""


@dataclass(frozen=True, slots=True)
class SamlParty:
    """One IdentityProvider of kind `saml` as our endpoint deals with it."""

    provider: IdentityProvider
    metadata: str
    issuer: str

    @property
    def base(self) -> str:
        """Where its pages are."""
        return f"{self.issuer}/saml/{self.provider.name}"

    @property
    def expected(self) -> Expected:
        """Whom its responses must be for."""
        saml = self.provider.spec.saml
        assert saml is not None
        return Expected(f"{self.base}/acs", saml.audience)

    def settings(self) -> OneLogin_Saml2_Settings:
        """The library's, as strict as it can be. Raises BadMetadata."""
        try:
            parsed: dict[str, Any] = OneLogin_Saml2_IdPMetadataParser.parse(self.metadata)
            found = {"idp": _with_strong_keys(parsed.get("idp", {})), **_strict(self.expected)}
            return OneLogin_Saml2_Settings(found)
        except BadMetadata:
            raise
        except Exception as error:
            raise BadMetadata(f"its metadata cannot be read ({type(error).__name__})") from None


def _with_strong_keys(idp: Mapping[str, Any]) -> dict[str, Any]:
    """What the metadata says of the identity provider, without keys that are too weak. Raises BadMetadata."""
    several = (idp.get("x509certMulti") or {}).get("signing") or []
    listed = several or [one for one in [idp.get("x509cert")] if one]
    strong = [certificate for certificate in listed if is_strong(certificate)]
    if listed and not strong:
        raise BadMetadata("its metadata has no key that is strong enough (RSA of 2048 bits, EC of 256)")
    kept = {name: value for name, value in idp.items() if name not in {"x509cert", "x509certMulti"}}
    return {**kept, "x509certMulti": {"signing": strong}}


def _strict(expected: Expected) -> dict[str, Any]:
    return {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": expected.audience,
            "assertionConsumerService": {"url": expected.consumer, "binding": POST},
            "NameIDFormat": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        },
        "security": {
            "wantAssertionsSigned": True,
            "wantAttributeStatement": False,
            "wantNameId": True,
            "rejectDeprecatedAlgorithm": True,
            "rejectUnsolicitedResponsesWithInResponseTo": True,
            "requestedAuthnContext": False,
            "authnRequestsSigned": False,
        },
    }


def identity_in(response: str, party: SamlParty, request_id: str | None, now: float) -> Identity:
    """Whom a response proves, the first time it is shown. `request_id`: the AuthnRequest it must answer,
    None for one that nobody asked for. The identity's `token_id` is the assertion's ID. Raises
    BadAssertion, BadMetadata. Takes a moment of computing."""
    document = decoded(response)
    assertion = examined(document, party.expected, now)
    if assertion.in_response_to != request_id:
        raise BadAssertion("the response answers another request (InResponseTo)")
    attributes = _verified(response, party, request_id, assertion)
    return _identity(party.provider, assertion, attributes)


def _verified(
    response: str, party: SamlParty, request_id: str | None, assertion: Assertion
) -> Mapping[str, Sequence[str]]:
    """The attributes, once the library says that all of it is so."""
    settings = party.settings()
    where = urlsplit(party.expected.consumer)
    request = {
        "https": "on",
        "http_host": where.netloc,
        "script_name": where.path,
        "get_data": {},
        "post_data": {},
    }
    compact = "".join(response.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        library = OneLogin_Saml2_Response(settings, compact + "=" * (-len(compact) % 4))
        valid = library.is_valid(request, request_id) is True
        agrees = valid and library.get_nameid() == assertion.name
        agrees = agrees and library.get_assertion_id() == assertion.id
        attributes: dict[str, list[str]] = library.get_attributes() if agrees else {}
    except Exception:
        # Not only the library's own errors, whose words may hold the document.
        agrees, attributes = False, {}
    if not agrees:
        raise BadAssertion("the response's signature, issuer or conditions do not hold")
    return attributes


def _identity(
    provider: IdentityProvider, assertion: Assertion, attributes: Mapping[str, Sequence[str]]
) -> Identity:
    saml = provider.spec.saml
    assert saml is not None
    names = saml.attributes
    name = assertion.name if names.user is None else _single(attributes, names.user)
    groups = tuple(dict.fromkeys(saml.prefix + group for group in _groups(attributes, names.groups)))
    known = [saml.prefix + name, *groups]
    if any(one.startswith("system:") for one in known):
        raise BadAssertion("the assertion has a name or group that is kept for Kubernetes")
    kubernetes_user = None
    if names.kubernetes_user is not None and names.kubernetes_user in attributes:
        kubernetes_user = _single(attributes, names.kubernetes_user)
    return Identity(
        name=saml.prefix + name,
        provider=provider.name,
        proof=Proof.SAML,
        groups=groups,
        claims={
            "iat": assertion.issued,
            "attributes": {key: list(found) for key, found in attributes.items()},
        },
        kubernetes_user=kubernetes_user,
        expires_at=None if assertion.ends is None else datetime.fromtimestamp(assertion.ends, UTC),
        token_id=assertion.id,
    )


def _single(attributes: Mapping[str, Sequence[str]], name: str) -> str:
    found = attributes.get(name, ())
    if len(found) != 1 or not is_clean_name(found[0]):
        raise BadAssertion(f"the assertion does not have one clean value of an attribute ({name})")
    return found[0]


def _groups(attributes: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    found = attributes.get(name, ())
    if len(found) > MOST_GROUPS or not all(is_clean_name(group, 512) for group in found):
        raise BadAssertion(f"the assertion's groups are not at most {MOST_GROUPS} clean texts ({name})")
    return found
