"""The local issuer, tried by the prover that takes its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.identity import Identity, ServiceAccountName
from tollhouse_core.secret import Secret
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_operator.standalone.issuer import IssuerError, LocalIssuer, Wanted
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.ports.identity import NotProven

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Bundle:
    connection: Connection
    providers: Sequence[IdentityProvider]
    tokens: None = None


def provider(**spec: Any) -> IdentityProvider:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "IdentityProvider",
            "metadata": {"name": "corp"},
            "spec": spec or {"oidc": {"issuer": "https://login.corp.example"}},
        }
    )
    assert isinstance(parsed, IdentityProvider)
    return parsed


def connection() -> Connection:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "Connection",
            "metadata": {"name": "shop-db"},
            "spec": {
                "postgres": {"host": "db", "database": "shop"},
                "credentials": {"secretRef": {"name": "login"}},
                "identity": {"providers": ["corp"]},
            },
        }
    )
    assert isinstance(parsed, Connection)
    return parsed


async def proved(folder: Path, token: Secret, one: IdentityProvider) -> Identity:
    bundle = Bundle(connection(), [one])
    settings = ProverSettings(local_jwks=folder / "jwks.json")
    prover = TokenProver(lambda: bundle, SystemClock(), settings)
    try:
        return await prover.prove(token)
    finally:
        await prover.close()


def wanted(**changes: Any) -> Wanted:
    return Wanted(**{"audiences": ["tollhouse"], "lifetime": HOUR, "user": "triage", **changes})


async def test_a_token_proves_user_groups_and_claims(tmp_path: Path) -> None:
    token = LocalIssuer(tmp_path).mint(provider(), wanted(groups=["agents"], claims={"tenant": 1}), NOW)
    identity = await proved(tmp_path, token, provider())
    assert (identity.name, identity.provider, identity.groups) == ("triage", "corp", ("agents",))
    assert identity.claims["tenant"] == 1


async def test_a_token_obeys_what_the_provider_demands(tmp_path: Path) -> None:
    strict = provider(
        oidc={
            "issuer": "https://login.corp.example",
            "authorizedParties": ["agents-app"],
            "types": ["custom+jwt"],
            "claims": {"user": "preferred_username", "groups": "realm.roles", "onBehalfOf": "human"},
            "requiredClaims": {"env": "prod"},
            "prefix": "corp:",
        }
    )
    token = LocalIssuer(tmp_path).mint(strict, wanted(groups=["agents"], on_behalf_of="ann"), NOW)
    identity = await proved(tmp_path, token, strict)
    assert (identity.name, identity.groups) == ("corp:triage", ("corp:agents",))
    assert identity.on_behalf_of is not None
    assert identity.on_behalf_of.name == "corp:ann"


async def test_a_service_account_is_one_of_this_cluster(tmp_path: Path) -> None:
    cluster = provider(kubernetes={})
    token = LocalIssuer(tmp_path).mint(cluster, wanted(user="", service_account=("agents", "triage")), NOW)
    identity = await proved(tmp_path, token, cluster)
    assert identity.service_account == ServiceAccountName("agents", "triage")


async def test_a_token_for_others_or_of_another_folder_proves_nobody(tmp_path: Path) -> None:
    issuer = LocalIssuer(tmp_path)
    with pytest.raises(NotProven, match="aud"):
        await proved(tmp_path, issuer.mint(provider(), wanted(audiences=["elsewhere"]), NOW), provider())
    stranger = LocalIssuer(tmp_path / "other").mint(provider(), wanted(), NOW)
    with pytest.raises(NotProven):
        await proved(tmp_path, stranger, provider())


async def test_an_old_token_proves_nobody(tmp_path: Path) -> None:
    token = LocalIssuer(tmp_path).mint(provider(), wanted(), NOW - 2 * HOUR)
    with pytest.raises(NotProven):
        await proved(tmp_path, token, provider())


async def test_the_key_is_made_once_private_and_marked_as_local(tmp_path: Path) -> None:
    token = LocalIssuer(tmp_path).mint(provider(), wanted(), NOW)
    LocalIssuer(tmp_path)
    await proved(tmp_path, token, provider())
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    published = (tmp_path / "jwks.json").read_text()
    assert '"tollhouse-local-' in published
    assert '"d"' not in published


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": ""}, "--user"),
        ({"service_account": ("a", "b")}, "knows no ServiceAccounts"),
        ({"on_behalf_of": "ann"}, "onBehalfOf"),
        ({"lifetime": timedelta(days=3)}, "at most 86400 seconds"),
    ],
)
def test_what_cannot_be_minted_is_refused_in_words(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(IssuerError, match=words):
        LocalIssuer(tmp_path).mint(provider(), wanted(**changes), NOW)


def test_a_key_file_that_is_spoilt_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(IssuerError, match="holds no usable key"):
        LocalIssuer(tmp_path)
    assert (tmp_path / "key.json").read_text() == "{}"
