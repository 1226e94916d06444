"""Keycloak: an OIDC and SAML identity provider as companies run it, with two realms, on loopback.

Both realms have a user `ann`, who is not the same person. `corp` has groups, nested roles, a client
for people (`people`, device flow), one for agents (`agents`), one whose tokens are for somebody else
(`elsewhere`), and a SAML client for the token endpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import process, wait
from kit.cache import MissingPart, filled
from kit.packages import maven_jar
from kit.ports import LOOPBACK, free_port

VERSION = "26.4.0"
ARCHIVE = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
ARCHIVE_SHA256 = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"
PASSWORD = "correct horse"
ADMIN = "kit-admin"
STARTS_WITHIN = 1200.0  # seconds; 16 on an idle machine, minutes on one that others load
SAML_AUDIENCE = "https://tokens.tollhouse.example/saml/corp-saml"
SAML_CONSUMER = "https://tokens.tollhouse.example/saml/corp-saml/acs"


class KeycloakError(Exception):
    """Keycloak refused a request."""


@dataclass(frozen=True, slots=True)
class Keycloak:
    """A running server."""

    address: str
    server: process.Server

    def issuer(self, realm: str) -> str:
        return f"{self.address}/realms/{realm}"

    def tokens(
        self, realm: str, user: str = "ann", client: str = "agents", scope: str = "openid"
    ) -> dict[str, Any]:
        """What the token endpoint gives for a password: access_token, id_token, refresh_token."""
        return self.grant(
            realm, grant_type="password", client_id=client, username=user, password=PASSWORD, scope=scope
        )

    def access_token(self, realm: str, user: str = "ann", client: str = "agents") -> str:
        return str(self.tokens(realm, user, client)["access_token"])

    def grant(self, realm: str, **form: str) -> dict[str, Any]:
        return self._post(f"{self.issuer(realm)}/protocol/openid-connect/token", form)

    def rotate_keys(self, realm: str) -> None:
        """Another signing key, preferred to those before."""
        body = {
            "name": "rotated",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "keySize": ["2048"]},
        }
        self.admin("POST", f"realms/{realm}/components", body)

    def add_key(self, realm: str, private_pem: str) -> None:
        """That RSA key signs from now on; its `kid` is made of the key, the same in every realm."""
        config = {"priority": ["2000"], "enabled": ["true"], "active": ["true"], "privateKey": [private_pem]}
        kind = "org.keycloak.keys.KeyProvider"
        body = {"name": "given", "providerId": "rsa", "providerType": kind, "config": config}
        self.admin("POST", f"realms/{realm}/components", body)

    def add_saml_client(self, realm: str, audience: str, consumer: str) -> None:
        """A SAML service provider of that entity ID, with its one consumer URL."""
        self.admin("POST", f"realms/{realm}/clients", _saml_client(audience, consumer, "live"))

    def saml_metadata(self, realm: str) -> str:
        """The realm's metadata as a SAML identity provider."""
        request = urllib.request.Request(f"{self.issuer(realm)}/protocol/saml/descriptor")
        return _answer(request).decode()

    def admin(self, method: str, path: str, body: object = None) -> Any:
        token = self._post(
            f"{self.address}/realms/master/protocol/openid-connect/token",
            {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": PASSWORD},
        )["access_token"]
        request = urllib.request.Request(
            f"{self.address}/admin/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        text = _answer(request)
        return json.loads(text) if text.strip() else None

    def _post(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        found = json.loads(_answer(urllib.request.Request(url, urllib.parse.urlencode(form).encode())))
        assert isinstance(found, dict)
        return found


def program() -> Path:
    """Keycloak's folder: TOLLHOUSE_KEYCLOAK, else fetched once into the cache."""
    if told := os.environ.get("TOLLHOUSE_KEYCLOAK"):
        return Path(told)
    if shutil.which("java") is None:
        raise MissingPart("Java", "install Java 17 or later (Debian: apt-get install default-jre-headless)")
    return filled(f"keycloak/{VERSION}", _unpack) / f"keycloak-{VERSION}"


@contextmanager
def running() -> Iterator[Keycloak]:
    """A server of its own with the two realms."""
    source = program()
    with process.workshop("keycloak") as folder:
        home = folder / "keycloak"
        shutil.copytree(source, home, symlinks=True)  # it writes into its own folder
        _write_realms(home / "data" / "import")
        port = free_port()
        server = process.start(
            "keycloak",
            [
                "sh",
                home / "bin" / "kc.sh",
                "start-dev",
                "--import-realm",
                f"--http-host={LOOPBACK}",
                f"--http-port={port}",
            ],
            log=folder / "keycloak.log",
            env={
                **os.environ,
                "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
                "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
                "JAVA_OPTS_APPEND": "-Xmx512m -XX:TieredStopAtLevel=1",
            },
            remove=[folder],
        )
        made = Keycloak(f"http://{LOOPBACK}:{port}", server)
        try:
            wait.until(lambda: _ready(made), within=STARTS_WITHIN, every=0.5, what="Keycloak answers")
            yield made
        finally:
            server.stop()


def _ready(made: Keycloak) -> bool:
    made.server.check()
    try:
        for realm in ("corp", "partners"):
            document = f"{made.issuer(realm)}/.well-known/openid-configuration"
            urllib.request.urlopen(document, timeout=5).close()
    except OSError:
        return False
    return True


def _answer(request: urllib.request.Request) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            found: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise KeycloakError(f"{error.code}: {error.read().decode(errors='replace')}") from None
    return found


def _unpack(folder: Path) -> None:
    archive = maven_jar(ARCHIVE, ARCHIVE_SHA256, folder)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    archive.unlink()


def _write_realms(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for realm in (_realm("corp", ["managers", "support"]), _realm("partners", ["guests"])):
        (folder / f"{realm['realm']}-realm.json").write_text(json.dumps(realm))


def _realm(name: str, groups: list[str]) -> dict[str, Any]:
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "groups": [{"name": group} for group in groups],
        "roles": {"realm": [{"name": "refunder"}]},
        "users": [_user("ann", name, groups), _user("bob", name, groups[:1])],
        "clients": [
            _client("agents", audience="tollhouse"),
            _client("people", audience="tollhouse", device=True),
            _client("elsewhere", audience="another-service"),
            _saml_client(SAML_AUDIENCE, SAML_CONSUMER, "tollhouse"),
        ],
    }


def _user(name: str, realm: str, groups: list[str]) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@{realm}.example",
        "emailVerified": True,
        "firstName": name.title(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        "groups": [f"/{group}" for group in groups],
        "realmRoles": ["refunder"],
    }


def _client(name: str, audience: str, *, device: bool = False) -> dict[str, Any]:
    return {
        "clientId": name,
        "publicClient": True,
        "directAccessGrantsEnabled": True,
        "standardFlowEnabled": True,
        "redirectUris": ["http://127.0.0.1/*"],
        "attributes": {"oauth2.device.authorization.grant.enabled": str(device).lower()},
        "fullScopeAllowed": True,
        "protocolMappers": [
            _mapper(
                "audience",
                "oidc-audience-mapper",
                {"included.custom.audience": audience, "access.token.claim": "true"},
            ),
            _mapper(
                "groups",
                "oidc-group-membership-mapper",
                {"claim.name": "groups", "full.path": "false", "access.token.claim": "true"},
            ),
        ],
    }


def _saml_client(audience: str, consumer: str, unasked: str) -> dict[str, Any]:
    """`unasked`: where a log-in begins that nobody asked for."""
    return {
        "clientId": audience,
        "protocol": "saml",
        "enabled": True,
        "redirectUris": [consumer],
        "attributes": {
            "saml.assertion.signature": "true",
            "saml.server.signature": "true",
            "saml.client.signature": "false",
            "saml.force.post.binding": "true",
            "saml.authnstatement": "true",
            "saml.signature.algorithm": "RSA_SHA256",
            "saml_name_id_format": "username",
            "saml_idp_initiated_sso_url_name": unasked,
            "saml_force_name_id_format": "true",
            "saml_assertion_consumer_url_post": consumer,
        },
        "protocolMappers": [
            {
                "name": "groups",
                "protocol": "saml",
                "protocolMapper": "saml-group-membership-mapper",
                "config": {"attribute.name": "groups", "full.path": "false", "single": "true"},
            }
        ],
    }


def _mapper(name: str, kind: str, config: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": dict(config)}
