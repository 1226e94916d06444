"""What a signature in a SAML response may be like (SAML core chapter 5, XML Signature 1.1).

An XML signature says itself how it is to be verified: transforms, digests, what it refers to. All of it is
read before anything is verified, so it is a program of whoever sent the document. Only the one form that
identity providers use is let in; the library then verifies that form and no other.
"""

from __future__ import annotations

from typing import Any

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_PSS = "http://www.w3.org/2007/05/xmldsig-more#"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_CANONICAL = frozenset(
    {
        _EXCLUSIVE,
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    }
)
_METHODS = frozenset(
    {f"{_MORE}{kind}-sha{bits}" for kind in ("rsa", "ecdsa") for bits in (256, 384, 512)}
    | {f"{_PSS}sha{bits}-rsa-MGF1" for bits in (256, 384, 512)}
)
_DIGESTS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#sha256",
        f"{_MORE}sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    }
)
_CHILDREN = frozenset({f"{_DS}SignedInfo", f"{_DS}SignatureValue", f"{_DS}KeyInfo"})


class BadSignature(Exception):
    """It is not of the one form; `str()` says what is wrong, without anything of the document."""


def require_plain_signatures(root: Any, assertion: Any) -> None:
    """The assertion bears a signature of its own that refers to it alone; the response may bear one too;
    there is no other. `root`, `assertion`: elements of lxml. Raises BadSignature."""
    _require_distinct_ids(root)
    if not _signatures_of(assertion):
        raise BadSignature("the assertion is not signed")
    if len(_signatures_of(assertion)) > 1 or len(_signatures_of(root)) > 1:
        raise BadSignature("there is more than one signature of one thing")
    for signature in root.iter(f"{_DS}Signature"):
        if signature.getparent() not in {root, assertion}:
            raise BadSignature("there is a signature where none belongs")
        _require_plain(signature)


def _signatures_of(element: Any) -> list[Any]:
    return [node for node in element if node.tag == f"{_DS}Signature"]


def _require_distinct_ids(root: Any) -> None:
    """XML Signature finds what is signed by its ID; `Id` and `id` are IDs to some readers."""
    ids = [
        node.get(name) for node in root.iter() for name in ("ID", "Id", "id") if node.get(name) is not None
    ]
    if len(ids) != len(set(ids)):
        raise BadSignature("two elements have the same ID")


def _require_plain(signature: Any) -> None:
    info = signature.find(f"{_DS}SignedInfo")
    if info is None or {node.tag for node in signature} - _CHILDREN:
        raise BadSignature("the signature holds what is not taken (Object)")
    references = list(signature.iter(f"{_DS}Reference"))
    if len(references) != 1 or references[0].getparent() is not info:
        raise BadSignature("the signature is of something else")
    signed = signature.getparent().get("ID")
    if not signed or references[0].get("URI") != f"#{signed}":
        raise BadSignature("the signature is of something else")
    _require_methods(info, references[0])
    _require_transforms(references[0])


def _require_methods(info: Any, reference: Any) -> None:
    known = (
        _algorithm(info, "CanonicalizationMethod") in _CANONICAL
        and _algorithm(info, "SignatureMethod") in _METHODS
        and _algorithm(reference, "DigestMethod") in _DIGESTS
    )
    if not known:
        raise BadSignature("the signature is made by a method that is not accepted here")


def _require_transforms(reference: Any) -> None:
    """The signature is left out, the rest is canonical: SAML core 5.4.4 allows no others. A style sheet or an
    XPath here would be run before anything is known of who wrote it."""
    listed = [node.get("Algorithm") for node in reference.iter(f"{_DS}Transform")]
    if listed[:1] != [_ENVELOPED] or len(listed) > 2 or not set(listed[1:]) <= _CANONICAL:
        raise BadSignature("the signature transforms what it signs in a way that is not accepted here")


def _algorithm(element: Any, name: str) -> str | None:
    found = element.findall(f"{_DS}{name}")
    return found[0].get("Algorithm") if len(found) == 1 else None
