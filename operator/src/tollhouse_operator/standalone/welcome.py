"""What to type once everything is up, made from what is in the folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from tollhouse_core.api.connection import Connection
from tollhouse_core.policy.bundle import BadBundle, PolicyBundle
from tollhouse_dialects import LANGUAGES
from tollhouse_operator.compiling import Key
from tollhouse_operator.standalone.embedded import installed_programs
from tollhouse_operator.standalone.supervisor import Supervisor

_CLAIM = re.compile(r"identity\.claims\.([A-Za-z_][A-Za-z0-9_]*)")


def welcome(supervisor: Supervisor) -> Iterator[str]:
    """Lines for people."""
    folder = supervisor.folder
    where = _short(folder.root)
    yield ""
    if not supervisor.proxies:
        yield f"{where}: no Connection runs yet; write one into a *.yaml file there"
        return
    for key, proxy in supervisor.proxies.items():
        connection = supervisor.compiled.connections.get(key)
        if connection is not None:
            yield f"{connection.title}: {connection.protocol} on localhost:{proxy.ports.client}"
    yield ""
    yield "In another terminal:"
    yield ""
    yield f"  export TOLLHOUSE_DIR={shlex.quote(str(folder.root))}"
    for key, proxy in supervisor.proxies.items():
        connection = supervisor.compiled.connections.get(key)
        if connection is not None and connection.spec.postgres is not None:
            yield ""
            yield f"  # ask {key[1]} as an agent; the token is the password"
            yield f"  PGPASSWORD=$({_token_command(supervisor, key)}) \\"
            yield f"    {_psql()} {shlex.quote(_conninfo(connection, proxy.ports.client, folder.authority))}"
    yield ""
    yield "  tollhouse approvals list                  # what waits for people"
    yield f"  tollhouse approvals approve NAME{_as_somebody(folder.people)}"
    yield "  tollhouse audit sessions                  # who did what"
    yield "  tollhouse audit verify                    # and that nothing of it was changed"
    yield ""
    yield f"Policies are {where}/*.yaml: edit them, the next statement obeys. Ctrl-C ends everything."
    yield ""


def _token_command(supervisor: Supervisor, key: Key) -> str:
    """A token that the first policy of the Connection is about."""
    words = ["tollhouse", "token"]
    try:
        text = supervisor.folder.bundle(*key).read_text()
        bundle = PolicyBundle.from_json(text, LANGUAGES)
    except (OSError, BadBundle):
        return "tollhouse token --user me"
    subjects = [subject for policy in bundle.policies for subject in policy.spec.subjects]
    account = next((one.service_account for one in subjects if one.service_account is not None), None)
    user = next((one.user for one in subjects if one.user is not None), None)
    group = next((one.group for one in subjects if one.group is not None), None)
    if user is None and group is None and account is not None:
        words += ["--service-account", f"{account.namespace}/{account.name}"]
    else:
        words += ["--user", user or "triage"]
        words += ["--group", group] if group is not None and user is None else []
    claims = dict.fromkeys(_CLAIM.findall(text))
    words += [word for claim in claims for word in ("--claim", f"{claim}=1")]
    return shlex.join(words)


def _conninfo(connection: Connection, port: int, authority: Path) -> str:
    assert connection.spec.postgres is not None
    database = connection.spec.postgres.database
    plain = f"host=localhost port={port} dbname={database} user=agent"
    mode = connection.spec.proxy.tls.mode.value
    if mode == "Disable" or (mode == "Allow" and shutil.which("psql") is None):
        return plain
    return f"{plain} sslmode=verify-full sslrootcert={authority}"


def _psql() -> str:
    """The psql people have; else the one in the wheel, which speaks no TLS."""
    if shutil.which("psql") is not None:
        return "psql"
    programs = installed_programs()
    return shlex.quote(str(programs / "psql")) if programs is not None else "psql"


def _as_somebody(people: Path) -> str:
    """A name out of people.yaml, if there is one."""
    try:
        found = re.search(r"^\s*-\s*name:\s*(\S+)", people.read_text(), re.MULTILINE)
    except OSError:
        return ""
    return f" --as {found[1]}" if found else ""


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
