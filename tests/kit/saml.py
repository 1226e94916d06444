"""A SAML identity provider of a few lines: writes responses, honest ones and all others, and signs them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from onelogin.saml2.utils import OneLogin_Saml2_Utils

ENTITY = "https://idp.corp.example"
SIGNATURE = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1")
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_NAMES = "urn:oasis:names:tc:SAML:2.0"
_SPACES = f'xmlns:saml="{_NAMES}:assertion" xmlns:samlp="{_NAMES}:protocol"'
Change = Callable[[str], str]


@dataclass
class SamlIssuer:
    """Signs with a key of its own. `consumer` and `audience`: whom its responses are for. `bits`: of its
    RSA key; 0 for a key on P-256."""

    consumer: str
    audience: str
    bits: int = 2048
    key: str = ""
    certificate: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
            rsa.generate_private_key(public_exponent=65537, key_size=self.bits)
            if self.bits
            else ec.generate_private_key(ec.SECP256R1())
        )
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(private, hashes.SHA256())
        )
        form = serialization.PrivateFormat.PKCS8
        self.key = private.private_bytes(
            serialization.Encoding.PEM, form, serialization.NoEncryption()
        ).decode()
        self.certificate = made.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def metadata(self) -> str:
        body = "".join(self.certificate.splitlines()[1:-1])
        return (
            f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}">'
            '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
            f"<ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
            "</md:KeyDescriptor><md:SingleSignOnService "
            'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f'Location="{ENTITY}/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
        )

    def assertion(self, **terms: Any) -> str:
        """Unsigned; see `terms_of` for what can be changed."""
        t = self.terms_of(**terms)
        groups = "".join(f"<saml:AttributeValue>{group}</saml:AttributeValue>" for group in t["groups"])
        audience = f"<saml:Audience>{t['audience']}</saml:Audience>"
        audience = f"<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>"
        return (
            f'<saml:Assertion {_SPACES} Version="2.0" ID="{t["id"]}" IssueInstant="{t["issued"]}">'
            f"<saml:Issuer>{t['issuer']}</saml:Issuer>"
            f"<saml:Subject><saml:NameID>{t['name']}</saml:NameID>"
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData Recipient="{t["recipient"]}" NotOnOrAfter="{t["ends"]}"'
            f"{t['answers']}/></saml:SubjectConfirmation></saml:Subject>"
            f'<saml:Conditions NotBefore="{t["begins"]}" NotOnOrAfter="{t["ends"]}">'
            f"{audience if t['audience'] else ''}</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{t["issued"]}"{t["session"]}><saml:AuthnContext>'
            "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>"
            '</saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="groups">'
            f"{groups}</saml:Attribute></saml:AttributeStatement></saml:Assertion>"
        )

    def terms_of(self, **changes: Any) -> dict[str, Any]:
        now = datetime.now(UTC)
        answers = changes.pop("in_response_to", None)
        return {
            "id": f"_{uuid4().hex}",
            "name": "ann",
            "groups": ["managers"],
            "issuer": ENTITY,
            "issued": moment(now),
            "begins": moment(now - timedelta(seconds=60)),
            "ends": moment(now + timedelta(seconds=120)),
            "recipient": self.consumer,
            "audience": self.audience,
            "session": "",
            "answers": f' InResponseTo="{answers}"' if answers else "",
            **changes,
        }

    def signed(self, xml: str, algorithms: tuple[str, str] = (SIGNATURE, DIGEST)) -> str:
        """With a signature of the root element."""
        found = OneLogin_Saml2_Utils.add_sign(xml, self.key, self.certificate, False, *algorithms)
        return found.decode() if isinstance(found, bytes) else str(found)

    def signed_as(
        self,
        xml: str,
        method: str = SIGNATURE,
        transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE),
        inside: str = "",
        key: xmlsec.Key | None = None,
    ) -> str:
        """Signed by any method, with any transforms (their XML may go `inside` the last one)."""
        root = etree.fromstring(xml)
        listed = "".join(f'<ds:Transform Algorithm="{one}"/>' for one in transforms[:-1])
        listed += f'<ds:Transform Algorithm="{transforms[-1]}">{inside}</ds:Transform>'
        signature = etree.fromstring(
            '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
            f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><ds:SignatureMethod Algorithm="{method}"/>'
            f'<ds:Reference URI="#{root.get("ID")}"><ds:Transforms>{listed}</ds:Transforms>'
            f'<ds:DigestMethod Algorithm="{DIGEST}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>'
            "<ds:SignatureValue/></ds:Signature>"
        )
        root.insert(1, signature)
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        context.key = key or xmlsec.Key.from_memory(self.key, xmlsec.constants.KeyDataFormatPem, None)
        context.sign(signature)
        return str(etree.tostring(root).decode())

    def envelope(self, inside: str, **changes: Any) -> str:
        """The response around an assertion."""
        t = {"destination": self.consumer, "issued": moment(datetime.now(UTC)), "issuer": ENTITY, **changes}
        answers = f' InResponseTo="{t["in_response_to"]}"' if t.get("in_response_to") else ""
        destination = f' Destination="{t["destination"]}"' if t["destination"] is not None else ""
        return (
            f'<samlp:Response {_SPACES} Version="2.0" ID="_{uuid4().hex}" IssueInstant="{t["issued"]}"'
            f"{destination}{answers}><saml:Issuer>{t['issuer']}</saml:Issuer><samlp:Status>"
            '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            f"{inside}</samlp:Response>"
        )

    def response(self, in_response_to: str | None = None, **terms: Any) -> str:
        """An honest response, as the browser posts it."""
        inside = self.signed(self.assertion(in_response_to=in_response_to, **terms))
        return encoded(self.envelope(inside, in_response_to=in_response_to))


def encoded(xml: str) -> str:
    return base64.b64encode(xml.encode()).decode()


def moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
