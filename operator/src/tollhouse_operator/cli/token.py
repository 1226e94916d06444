"""`tollhouse token`: a token of the local issuer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.durations import duration
from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, folder
from tollhouse_operator.cli.login import DEFAULT_NAME, fresh_token
from tollhouse_operator.cli.output import Output

if TYPE_CHECKING:
    from tollhouse_core.api.connection import Connection
    from tollhouse_core.api.identity_provider import IdentityProvider
    from tollhouse_core.secret import Secret
    from tollhouse_operator.standalone.layout import Folder

_RESERVED = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "kubernetes.io"})


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "token",
        parents=[common],
        help="make a token, standing in for an OIDC issuer or a cluster (folder only)",
        description="Prints a token of the folder's local issuer. Only proxies of that folder take it.",
    )
    parser.add_argument("--user", default="", help="whose token it is")
    parser.add_argument("--group", action="append", default=[], metavar="G", help="a group; repeatable")
    parser.add_argument(
        "--claim", action="append", default=[], metavar="K=V", type=_claim, help="a claim; V is JSON or text"
    )
    parser.add_argument("--on-behalf-of", default="", metavar="PERSON", help="the human behind the agent")
    parser.add_argument(
        "--service-account", type=_account, metavar="NAMESPACE/NAME", help="a ServiceAccount's token instead"
    )
    parser.add_argument("--ttl", type=duration, default=timedelta(hours=1), help="its life (default: 1h)")
    parser.add_argument("--provider", help="the IdentityProvider to stand in for (default: the only one)")
    parser.add_argument(
        "--audience", action="append", default=[], help="who it is for (default: what Connections ask for)"
    )
    parser.add_argument(
        "--login",
        nargs="?",
        const=DEFAULT_NAME,
        metavar="NAME",
        help="the token of `tollhouse login`, refreshed if it ends soon, instead of the local issuer's",
    )
    parser.add_argument(
        "--for",
        dest="way",
        choices=["psql", "pgpass", "service"],
        help="print it as that client takes it: for eval, as a password file, as a service file",
    )
    parser.add_argument("--to", metavar="FILE", help="write it into a file that only you can read")
    add_folder(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, output: Output) -> Exit:
    """Prints the token, or writes it."""
    from pathlib import Path

    from tollhouse_operator.login.feeding import CannotFeed, fed
    from tollhouse_operator.standalone.layout import replace_file

    if given.login is not None:
        token, ends = fresh_token(given.login)
        expires_at = datetime.fromtimestamp(ends, UTC)
    else:
        token, expires_at = _local(given)
    try:
        text = fed(given.way, token) if given.way else token.reveal()
    except CannotFeed as error:
        raise CommandFailed(str(error)) from None
    if given.to:
        replace_file(Path(given.to), f"{text}\n".encode())
        output.document({"file": given.to, "expiresAt": expires_at.isoformat(timespec="seconds")})
        return Exit.OK
    output.document({"token": token.reveal(), "expiresAt": expires_at.isoformat(timespec="seconds")})
    output.line(text)
    return Exit.OK


def _local(given: argparse.Namespace) -> tuple[Secret, datetime]:
    """A token of the folder's issuer, and its end."""
    from tollhouse_operator.standalone.issuer import IssuerError, LocalIssuer, Wanted

    where = folder(given.dir)
    providers, connections = _objects(where)
    provider = _provider(providers, given.provider, wants_account=given.service_account is not None)
    wanted = Wanted(
        audiences=given.audience or _audiences(provider, connections),
        lifetime=given.ttl,
        user=given.user,
        groups=given.group,
        claims=dict(given.claim),
        on_behalf_of=given.on_behalf_of,
        service_account=given.service_account,
    )
    now = datetime.now(UTC)
    where.prepare()
    try:
        return LocalIssuer(where.issuer).mint(provider, wanted, now), now + given.ttl
    except IssuerError as error:
        raise CommandFailed(str(error)) from error


def _objects(where: Folder) -> tuple[list[IdentityProvider], list[Connection]]:
    from tollhouse_core.api import InvalidObject, parse_object
    from tollhouse_core.api.connection import Connection
    from tollhouse_core.api.identity_provider import IdentityProvider
    from tollhouse_operator.standalone.documents import read_folder

    providers: list[IdentityProvider] = []
    connections: list[Connection] = []
    for document in read_folder(where.root).documents:
        if document.kind in {"IdentityProvider", "Connection"}:
            try:
                found = parse_object(document.data)
            except InvalidObject:
                continue
            if isinstance(found, IdentityProvider):
                providers.append(found)
            elif isinstance(found, Connection):
                connections.append(found)
    return providers, connections


def _provider(
    providers: Sequence[IdentityProvider], name: str | None, *, wants_account: bool
) -> IdentityProvider:
    from tollhouse_core.api.identity_provider import IdentityProvider, IdentityProviderSpec
    from tollhouse_core.api.identity_provider import KubernetesProvider as Kubernetes
    from tollhouse_core.api.meta import ObjectMeta

    if name is not None:
        for provider in providers:
            if provider.name == name:
                return provider
        known = ", ".join(provider.name for provider in providers) or "none"
        raise CommandFailed(f"there is no IdentityProvider {name} in the folder (there: {known})")
    if wants_account:
        for provider in providers:
            if provider.spec.kubernetes is not None:
                return provider
        spec = IdentityProviderSpec(kubernetes=Kubernetes())
        return IdentityProvider(metadata=ObjectMeta(name="kubernetes"), spec=spec)
    oidc = [provider for provider in providers if provider.spec.oidc is not None]
    if len(oidc) == 1:
        return oidc[0]
    if not oidc:
        raise CommandFailed("the folder has no oidc IdentityProvider: add one, or give --service-account")
    names = ", ".join(provider.name for provider in oidc)
    raise CommandFailed(f"which IdentityProvider? Give --provider, one of {names}", Exit.USAGE)


def _audiences(provider: IdentityProvider, connections: Sequence[Connection]) -> list[str]:
    """What the Connections of this provider, and the provider itself, ask for."""
    asked = [
        connection.spec.identity.audiences[0]
        for connection in connections
        if provider.name in connection.spec.identity.providers or not connection.spec.identity.providers
    ]
    own = provider.spec.oidc.audiences[:1] if provider.spec.oidc is not None else ()
    return list(dict.fromkeys([*(asked or ["tollhouse"]), *own]))


def _claim(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("expected NAME=VALUE")
    if name in _RESERVED:
        raise argparse.ArgumentTypeError(f"{name} is not given as a claim; see --help")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _account(text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not namespace or not name:
        raise argparse.ArgumentTypeError("expected NAMESPACE/NAME")
    return namespace, name
