"""One Connection that takes tokens of two realms, of a SAML provider and of its own cluster, all at once.

A real Keycloak, API server, operator, proxy and PostgreSQL. Three different people are called `ann`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from kit import control_plane
from kit.keycloak import PASSWORD, Keycloak
from kit.ports import LOOPBACK
from kit.postgres import Postgres
from kit.tokens import b64
from real.keycloak.browsing import Browser
from real.operator.installed import NAMESPACE, Installed
from real.operator.proxying import Proxying, proxying
from real.operator.test_tokens import Counter

pytestmark = [pytest.mark.keycloak, pytest.mark.apiserver, pytest.mark.postgres, pytest.mark.timeout(1800)]
METADATA = {"secret": "paper", "key": "idp.xml"}
CLAIMS = {"user": "preferred_username", "groups": "groups"}
WHO = ("corp", "partners", "paper", "cluster")
"""The IdentityProviders, each with a table that its ann alone may read."""


def made(kind: str, name: str, spec: dict[str, Any], namespace: str | None = None) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **where},
        "spec": spec,
    }


@dataclass
class Place:
    """The Connection's proxy, and a token for each way to be known there."""

    database: str
    proxy: Proxying
    tokens: dict[str, str]

    def connect(self, token: str) -> psycopg.Connection:
        return psycopg.connect(
            host=LOOPBACK, port=self.proxy.port, user="ann", dbname=self.database, password=token,
            sslmode="disable", autocommit=True, connect_timeout=30,
        )  # fmt: skip

    def readable(self, session: psycopg.Connection) -> list[str]:
        found = []
        for table in WHO:
            try:
                session.execute(f"SELECT id FROM of_{table}")
                found.append(table)
            except psycopg.errors.InsufficientPrivilege:
                continue
        return found


def log_in(keycloak: Keycloak, installed: Installed) -> str:
    """The whole way of a browser: the token endpoint, Keycloak's page, the token endpoint again."""
    browser = Browser(Counter(installed).context)
    page = browser.open(f"{installed.tokens_issuer}/saml/paper/login")
    page = browser.submit(page, username="ann", password=PASSWORD)
    return str(json.loads(browser.submit(page))["access_token"])


@pytest.fixture(scope="module")
def place(keycloak: Keycloak, postgres: Postgres) -> Iterator[Place]:
    tables = "".join(f"CREATE TABLE of_{one} AS SELECT 1 AS id;" for one in WHO)
    database = postgres.create_database(sql=tables)
    with control_plane.running() as plane, Installed(plane, votes="policies") as installed:
        namespace = plane.namespace("shop")
        plane.service_account(namespace, "ann")
        keycloak.add_saml_client("corp", "tollhouse", f"{installed.tokens_issuer}/saml/paper/acs")
        login = {"username": postgres.superuser, "password": postgres.password}
        metadata = {"idp.xml": keycloak.saml_metadata("corp")}
        plane.apply(
            secret("backend", namespace, login),
            secret("paper", NAMESPACE, metadata),
            *(
                made("IdentityProvider", one, {"oidc": {"issuer": keycloak.issuer(one), "claims": CLAIMS}})
                for one in ("corp", "partners")
            ),
            made("IdentityProvider", "paper", {"saml": {"metadataRef": METADATA}}),
            made("IdentityProvider", "cluster", {"kubernetes": {}}),
            made("Connection", "orders-db", connection(postgres, database), namespace),
            *(policy(one, namespace) for one in WHO),
        )
        installed.until(lambda: installed.bundle(namespace), "the bundle is there")
        installed.until(lambda: installed.get("serviceaccount", "orders-db-proxy", namespace), "its account")
        with proxying(plane, namespace) as proxy:
            tokens = {
                "corp": keycloak.access_token("corp"),
                "partners": keycloak.access_token("partners"),
                "paper": log_in(keycloak, installed),
                "cluster": plane.token(namespace, "ann", audience="tollhouse"),
            }
            yield Place(database, proxy, tokens)


def secret(name: str, namespace: str, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def connection(server: Postgres, database: str) -> dict[str, Any]:
    address = {"host": server.host, "port": server.port, "database": database, "tls": {"mode": "Disable"}}
    return {
        "postgres": address,
        "credentials": {"secretRef": {"name": "backend"}},
        "identity": {"providers": list(WHO)},
        "proxy": {"tls": {"mode": "Disable"}},
    }


def policy(who: str, namespace: str) -> dict[str, Any]:
    subject: dict[str, Any] = {"user": "ann", "provider": who}
    if who == "cluster":
        subject = {"serviceAccount": {"namespace": namespace, "name": "ann"}}
    read = {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": [f"of_{who}"]}}}
    spec = {"connections": {"names": ["orders-db"]}, "subjects": [subject], "rules": [read]}
    return made("AccessPolicy", who, spec, namespace)


def test_four_people_of_one_name_work_at_once_and_each_sees_what_is_theirs(place: Place) -> None:
    sessions = {who: place.connect(place.tokens[who]) for who in WHO}
    try:
        for _ in range(3):
            for who, session in sessions.items():
                assert place.readable(session) == [who]
    finally:
        for session in sessions.values():
            session.close()
    assert not any(token in place.proxy.audit + place.proxy.log for token in place.tokens.values())


def test_no_token_passes_for_one_of_another_provider(place: Place) -> None:
    issuers = {who: claims_of(token)["iss"] for who, token in place.tokens.items()}
    assert len(set(issuers.values())) == len(WHO)
    for who, token in place.tokens.items():
        for other in WHO:
            if other != who:
                head, _, signature = token.split(".")
                forged = {**claims_of(token), "iss": issuers[other]}
                turned_away(place, f"{head}.{b64(json.dumps(forged).encode())}.{signature}")
                turned_away(place, f"{token.rpartition('.')[0]}.{place.tokens[other].split('.')[2]}")


def turned_away(place: Place, token: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="identity not proved"):
        place.connect(token)


def claims_of(token: str) -> dict[str, Any]:
    found = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert isinstance(found, dict)
    return found
