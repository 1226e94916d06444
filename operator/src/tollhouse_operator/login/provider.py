"""HTTP with an identity provider: bounded, over TLS, and followed nowhere else."""

from __future__ import annotations

import ipaddress
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

TIMEOUT_SECONDS = 15.0
LARGEST_ANSWER_BYTES = 256 * 1024
WELL_KNOWN = "/.well-known/openid-configuration"


class LoginFailed(Exception):
    """The log-in cannot be done; `str()` is a sentence for people, without any token."""


class ProtocolRefused(LoginFailed):
    """The provider answered with an error of its protocol (RFC 6749 section 5.2): `code`."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"the identity provider refuses: {shown(code)} {shown(words)}".rstrip())
        self.code = code


@dataclass(frozen=True, slots=True)
class Provider:
    """Where to ask, as discovery tells it."""

    issuer: str
    token_endpoint: str
    device_endpoint: str


class Talk:
    """Requests to one issuer. `ca_file`: certificates to trust instead of the system's."""

    def __init__(self, ca_file: str | None = None) -> None:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise LoginFailed(f"{ca_file}: no certificates can be read ({error})") from None
        # A proxy sees nothing of TLS; what is plain goes to this machine alone.
        proxies = {kind: where for kind, where in urllib.request.getproxies().items() if kind == "https"}
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context), _NoRedirects()
        )

    def discover(self, issuer: str) -> Provider:
        """Raises LoginFailed."""
        require_safe(issuer, "the issuer")
        document = self._json(urllib.request.Request(issuer.rstrip("/") + WELL_KNOWN))  # noqa: S310 - required to be safe
        if document.get("issuer") != issuer:
            raise LoginFailed(f"the provider says that it is another issuer: {shown(document.get('issuer'))}")
        return Provider(
            issuer,
            _endpoint(document, "token_endpoint", "tokens"),
            _endpoint(document, "device_authorization_endpoint", "the device flow"),
        )

    def post(self, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The JSON object that answers a form. Raises LoginFailed, ProtocolRefused."""
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, body, {"Accept": "application/json"})  # noqa: S310 - likewise
        return self._json(request)

    def _json(self, request: urllib.request.Request) -> Mapping[str, Any]:
        status, body, trouble = self._ask(request)
        if trouble:
            raise LoginFailed(f"{_host(request.full_url)} cannot be asked: {trouble}")
        if len(body) > LARGEST_ANSWER_BYTES:
            raise LoginFailed(
                f"{_host(request.full_url)} answers with more than {LARGEST_ANSWER_BYTES} bytes"
            )
        found = _object(body)
        if status == 200 and found is not None:
            return found
        if found is not None and isinstance(found.get("error"), str):
            raise ProtocolRefused(found["error"], str(found.get("error_description", "")))
        raise LoginFailed(f"{_host(request.full_url)} answers with HTTP status {status} and no JSON object")

    def _ask(self, request: urllib.request.Request) -> tuple[int, bytes, str]:
        # Nothing is raised in here: an error's context would carry the request, and that a token.
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, answer.read(LARGEST_ANSWER_BYTES + 1), ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(LARGEST_ANSWER_BYTES + 1), ""
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            return 0, b"", shown(reason if isinstance(reason, str) else f"{type(reason).__name__}: {reason}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def require_safe(url: object, what: str) -> str:
    """HTTPS, or plain HTTP to this machine. Raises LoginFailed."""
    try:
        parts = urllib.parse.urlsplit(str(url))
        sound = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
        sound = sound and bool(parts.hostname) and parts.username is None
    except ValueError:
        sound = False
    if not sound:
        raise LoginFailed(f"{what} must be an https URL, found {shown(url)}")
    return str(url)


def shown(value: object) -> str:
    """Words from outside as a terminal may show them."""
    return "".join(mark if mark.isprintable() else "?" for mark in str(value)[:300])


def _endpoint(document: Mapping[str, Any], name: str, what: str) -> str:
    if not isinstance(document.get(name), str):
        raise LoginFailed(f"the identity provider does not offer {what} ({name})")
    return require_safe(document[name], name)


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    return shown(urllib.parse.urlsplit(url).netloc)
