"""The command: arguments in, an account of the statement out."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tollhouse_core.identity import Identity, OnBehalfOf, Proof, ServiceAccountName
from tollhouse_core.policy.bundle import BadBundle, PolicyBundle
from tollhouse_core.secret import Secret
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.credentials.factory import credential_source
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.adapters.folder import folder_stores
from tollhouse_proxy.backend_ca import backend_ca
from tollhouse_proxy.explaining.account import account_of, as_text
from tollhouse_proxy.explaining.dry import DryGate
from tollhouse_proxy.loopback import NotAnswered, ask, plain
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable
from tollhouse_proxy.registry import EXPLAINED, Foundation, Standing, shown_keys
from tollhouse_proxy.runtime.serving import RuntimeSettings, Serving
from tollhouse_proxy.runtime.session import Parts

ALLOWED, NOT_ALLOWED, USAGE, UNAVAILABLE = 0, 1, 2, 4


class BadArguments(Exception):
    """An argument that cannot be used; `str()` says which and why."""


@dataclass(frozen=True, slots=True)
class _Anybody:
    """Proves what the arguments claim: this is a dry run by whoever can read the policies."""

    identity: Identity

    async def prove(self, token: Secret) -> Identity:
        """See the port."""
        return self.identity


def main(arguments: Sequence[str]) -> int:
    """0: it would be allowed; 1: it would not, or would wait; 2: bad arguments; 4: no backend."""
    parser = argparse.ArgumentParser(prog="python -m tollhouse_proxy explain")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--as", dest="subjects", action="append", default=[])
    parser.add_argument("--claim", dest="claims", action="append", default=[])
    parser.add_argument("--output", choices=("text", "json"), default="text")
    said = parser.add_mutually_exclusive_group(required=True)
    said.add_argument("--sql")
    said.add_argument("--sql-file", type=Path)
    given = parser.parse_args(arguments)
    try:
        bundle = PolicyBundle.from_json(given.bundle.read_text(), LANGUAGES)
        identity = identity_of(given.subjects, given.claims)
        text = given.sql if given.sql_file is None else given.sql_file.read_text()
        account = asyncio.run(explain(bundle, identity, text, given.folder))
    except (BadArguments, BadBundle) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return USAGE
    except (NotAnswered, StoreRefused, StoreUnavailable, OSError) as error:
        print(f"the statement could not be explained: {error}", file=sys.stderr)  # noqa: T201
        return UNAVAILABLE
    print(json.dumps(account, indent=2) if given.output == "json" else as_text(account))  # noqa: T201
    return ALLOWED if all(item["decision"] == "allow" for item in account["operations"]) else NOT_ALLOWED


def identity_of(subjects: Sequence[str], claims: Sequence[str]) -> Identity:
    """`user:NAME`, `group:NAME`, `serviceaccount:NS/NAME`, `onbehalfof:NAME`; claims as `name=value`
    (JSON where it reads as such). Raises BadArguments."""
    identity = Identity(name="somebody", provider="explain", proof=Proof.TOLLHOUSE)
    for subject in subjects:
        kind, _, name = subject.partition(":")
        match kind:
            case "user" if name:
                identity = replace(identity, name=name)
            case "group" if name:
                identity = replace(identity, groups=(*identity.groups, name))
            case "onbehalfof" if name:
                identity = replace(identity, on_behalf_of=OnBehalfOf(name))
            case "serviceaccount" if name.count("/") == 1 and all(name.split("/")):
                account = ServiceAccountName(*name.split("/"))
                identity = replace(
                    identity,
                    name=account.kubernetes_user,
                    provider="kubernetes",
                    proof=Proof.SERVICE_ACCOUNT,
                    service_account=account,
                    kubernetes_user=account.kubernetes_user,
                )
            case _:
                raise BadArguments(
                    f"--as {subject}: expected user:NAME, group:NAME, serviceaccount:NAMESPACE/NAME "
                    "or onbehalfof:NAME"
                )
    return replace(identity, claims=dict(_claim(claim) for claim in claims))


def _claim(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadArguments(f"--claim {text}: expected NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


async def explain(bundle: PolicyBundle, identity: Identity, sql: str, folder: Path) -> dict[str, Any]:
    """An account of every operation in the text, as JSON values."""
    connection = bundle.connection
    stores = folder_stores(folder, connection.namespace, connection.name, "explain")
    clock = SystemClock()
    gate = DryGate(bundle, clock)
    standing = Standing(plain(bundle), await backend_ca(bundle, stores.secrets))
    foundation = Foundation(lambda: standing, gate, clock, shown_keys())
    explained = EXPLAINED[connection.protocol](foundation)
    source = credential_source(connection, stores.secrets, CredentialSettings(), clock)
    parts = Parts(explained.factory, _Anybody(identity), lambda _: source, clock, lambda: None)
    serving = Serving(RuntimeSettings("127.0.0.1", 0), parts)
    await serving.start()
    try:
        for piece in explained.pieces(sql):
            await ask(serving.port, piece)
        gate.judge_rest(explained.operations())
    finally:
        await serving.drain(0)
        await source.close()
    return {
        "connection": f"{connection.namespace}/{connection.name}",
        "revision": bundle.revision,
        "identity": {"name": identity.name, "groups": list(identity.groups), "claims": dict(identity.claims)},
        "operations": [account_of(item, explained.rewritten) for item in gate.judged],
    }
