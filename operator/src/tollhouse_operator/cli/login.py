"""`tollhouse login`: a person's token from an identity provider, by the device flow."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.output import Output, complain

if TYPE_CHECKING:
    from tollhouse_core.secret import Secret
    from tollhouse_operator.login.device import Invitation

DEFAULT_NAME = "default"
EARLY_SECONDS = 30.0
"""A token that ends sooner is refreshed before it is used."""


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "login",
        parents=[common],
        help="log in at an identity provider (device flow) and keep the token",
        description="Shows a code to confirm in any browser, and keeps the tokens in a file that only you "
        "can read. tollhouse token --login then prints a fresh one.",
    )
    parser.add_argument("--issuer", required=True, metavar="URL", help="the identity provider's issuer URL")
    parser.add_argument("--client-id", required=True, metavar="ID", help="this program's name there")
    parser.add_argument("--scope", default="openid", help="scopes to ask for (default: openid)")
    parser.add_argument("--audience", default="", help="whom the token is for, where the provider asks")
    parser.add_argument(
        "--ca", default="", metavar="FILE", help="certificates to trust (default: the system's)"
    )
    parser.add_argument("--name", default=DEFAULT_NAME, help="to keep several log-ins (default: default)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, output: Output) -> Exit:
    """Logs in."""
    from tollhouse_operator.login.device import log_in
    from tollhouse_operator.login.provider import LoginFailed, Talk
    from tollhouse_operator.login.wallet import Login, wallet

    try:
        keeping = wallet()
        keeping.path(given.name)
        talk = Talk(given.ca or None)
        provider = talk.discover(given.issuer)
        form = {"client_id": given.client_id, "scope": given.scope}
        if given.audience:
            form["audience"] = given.audience
        tokens = log_in(talk, provider, form, _invite, time.sleep, time.monotonic)
        login = Login(
            given.issuer,
            given.client_id,
            given.ca,
            tokens.access,
            tokens.refresh,
            time.time() + tokens.seconds,
        )
        path = keeping.save(given.name, login)
    except LoginFailed as error:
        raise CommandFailed(str(error)) from None
    output.document({"name": given.name, "file": str(path), "expiresIn": int(tokens.seconds)})
    output.line(f"logged in; the token is good for {int(tokens.seconds)} s and kept in {path}")
    output.line('use it: PGPASSWORD="$(tollhouse token --login)" psql ...')
    return Exit.OK


def fresh_token(name: str) -> tuple[Secret, float]:
    """The access token of a log-in and when it ends (seconds since 1970), refreshed if it ends soon.
    Raises CommandFailed, OSError."""
    from tollhouse_operator.login.device import refreshed
    from tollhouse_operator.login.provider import LoginFailed, Talk
    from tollhouse_operator.login.wallet import wallet

    keeping = wallet()
    try:
        login = keeping.load(name)
        if login.expires_at - time.time() > EARLY_SECONDS:
            return login.access, login.expires_at
        with keeping.alone(name):
            login = keeping.load(name)  # another process may just have done it
            if login.expires_at - time.time() <= EARLY_SECONDS:
                if login.refresh is None:
                    raise LoginFailed(
                        "the token has ended, and there is none to refresh it with: log in again"
                    )
                talk = Talk(login.ca_file or None)
                tokens = refreshed(talk, talk.discover(login.issuer), login.client_id, login.refresh)
                login = login.with_tokens(tokens, time.time())
                keeping.save(name, login)
    except LoginFailed as error:
        raise CommandFailed(str(error)) from None
    return login.access, login.expires_at


def _invite(invitation: Invitation) -> None:
    """On standard error: standard output is for what programs read."""
    if invitation.complete:
        complain(f"open {invitation.complete}")
        complain(f"and confirm that the code there is {invitation.code}")
    else:
        complain(f"open {invitation.url} and enter the code {invitation.code}")
