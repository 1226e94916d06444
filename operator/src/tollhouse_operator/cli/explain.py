"""`tollhouse explain`: what would happen to a statement, which rule says so, and why."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, folder
from tollhouse_operator.cli.output import Output, complain, write

if TYPE_CHECKING:
    from tollhouse_core.api.connection import Connection
    from tollhouse_operator.standalone.layout import Folder

_SECONDS = 60


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "explain",
        parents=[common],
        help="say what would happen to a statement, and why",
        description="Judges statements by the folder's policies as they are written now, without "
        "running them. Exit status 1 if one would not be allowed.",
    )
    parser.add_argument("sql", metavar="STATEMENT", nargs="?")
    parser.add_argument("-f", "--file", metavar="FILE", help="statements of a file, - for standard input")
    parser.add_argument(
        "--schema",
        metavar="DUMP",
        type=Path,
        help="without the backend: its schema as pg_dump -s tells it, read by the embedded PostgreSQL of "
        "tollhouse[demo]",
    )
    parser.add_argument("--connection", metavar="[NAMESPACE/]NAME", help="default: the only one")
    parser.add_argument(
        "--as",
        dest="subjects",
        action="append",
        default=[],
        metavar="SUBJECT",
        help="user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME; repeatable",
    )
    parser.add_argument("--claim", action="append", default=[], metavar="K=V", help="a claim; repeatable")
    add_folder(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, output: Output) -> Exit:
    """Asks the proxy's own judge, as a process: what it says here is what it would do."""
    if (given.sql is None) == (given.file is None):
        raise CommandFailed("give a STATEMENT, or a file of them with -f", Exit.USAGE)
    where = folder(given.dir)
    with tempfile.TemporaryDirectory(prefix="tollhouse-explain-") as name:
        place = Path(name)
        (place / "statements.sql").write_text(_statements(given))
        if given.schema is None:
            (place / "bundle.json").write_text(_bundle(where, given.connection))
            return _explained(given, output, place, where.root)
        return asyncio.run(_without_backend(given, output, place, where))


def _statements(given: argparse.Namespace) -> str:
    if given.file is None:
        return str(given.sql)
    return sys.stdin.read() if given.file == "-" else Path(given.file).read_text()


async def _without_backend(given: argparse.Namespace, output: Output, place: Path, where: Folder) -> Exit:
    from tollhouse_operator.standalone.embedded import EmbeddedFailed
    from tollhouse_operator.standalone.schema_copy import schema_copy

    try:
        named = json.loads(_bundle(where, given.connection))["connection"]["spec"].get("postgres", {})
        async with schema_copy(given.schema, str(named.get("database", "")), place) as copy:
            for one in copy.left_out:
                complain(f"not loaded from {given.schema}: {one}")
            (place / "login.yaml").write_text(
                "kind: Secret\nmetadata: {name: explain}\nstringData:\n"
                f"  username: {json.dumps(copy.login.username)}\n"
                f"  password: {json.dumps(copy.login.password.reveal())}\n"
            )
            bundle = _bundle(where, given.connection, copy.port)
            (place / "bundle.json").write_text(bundle)
            return await asyncio.to_thread(_explained, given, output, place, place)
    except EmbeddedFailed as error:
        raise CommandFailed(str(error), Exit.UNAVAILABLE) from None


def _explained(given: argparse.Namespace, output: Output, place: Path, root: Path) -> Exit:
    command = [sys.executable, "-m", "tollhouse_proxy", "explain", "--bundle", str(place / "bundle.json")]
    command += [f"--as={subject}" for subject in given.subjects]
    command += [f"--claim={claim}" for claim in given.claim]
    command += [f"--folder={root}", "--output", "json" if output.as_json else "text"]
    command += ["--sql-file", str(place / "statements.sql")]
    try:
        done = subprocess.run(  # noqa: S603 - our own program, arguments as a list
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"no answer in {_SECONDS} s", Exit.UNAVAILABLE) from None
    if done.stdout:
        write(done.stdout.rstrip("\n"))
    if done.stderr:
        complain(done.stderr.rstrip("\n"))
    return Exit(done.returncode) if done.returncode in set(Exit) else Exit.UNAVAILABLE


def _bundle(where: Folder, wanted: str | None, copy: int | None = None) -> str:
    """The bundle of the files as they are now; its target is the one in force, if it runs, or the copy of the
    schema on that port."""
    from tollhouse_dialects import LANGUAGES
    from tollhouse_operator.standalone.compiled import compile_files
    from tollhouse_operator.standalone.documents import read_folder
    from tollhouse_operator.standalone.in_force import with_target_in_force

    def target(connection: Connection) -> Connection:
        return with_target_in_force(where, connection) if copy is None else _with_copy(connection, copy)

    compiled = compile_files(read_folder(where.root), LANGUAGES, target)
    keys = [key for key in compiled.bundles if wanted in (None, key[1], "/".join(key))]
    if len(keys) != 1:
        names = ", ".join("/".join(key) for key in compiled.bundles) or "none"
        raise CommandFailed(f"which Connection? Give --connection (there: {names})", Exit.USAGE)
    text = compiled.bundles[keys[0]].text
    if text is None:
        problems = "\n".join(map(str, compiled.complaints))
        raise CommandFailed(f"the policies do not compile:\n{problems}")
    return text


def _with_copy(connection: Connection, port: int) -> Connection:
    """The Connection with the copy of its schema for a target; the database keeps its name."""
    from tollhouse_core.api.credentials import Credentials
    from tollhouse_core.api.targets import BackendTls, BackendTlsMode

    target = connection.spec.postgres
    if target is None:
        raise CommandFailed("--schema is for PostgreSQL", Exit.USAGE)
    changed = {
        "host": "127.0.0.1",
        "port": port,
        "databases": (),
        "roles": {},
        "tls": BackendTls(mode=BackendTlsMode.DISABLE),
    }
    spec = connection.spec.model_copy(
        update={
            "postgres": target.model_copy(update=changed),
            "credentials": Credentials.model_validate({"secretRef": {"name": "explain"}}),
        }
    )
    return connection.model_copy(update={"spec": spec})
