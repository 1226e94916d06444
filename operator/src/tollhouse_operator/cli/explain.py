"""`tollhouse explain`: what would happen to a statement, which rule says so, and why."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, folder
from tollhouse_operator.cli.output import Output, complain, write

if TYPE_CHECKING:
    from tollhouse_operator.standalone.layout import Folder

_SECONDS = 60


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "explain",
        parents=[common],
        help="say what would happen to a statement, and why",
        description="Judges a statement by the folder's policies as they are written now, without "
        "running it. Exit status 1 if it would not be allowed.",
    )
    parser.add_argument("sql", metavar="STATEMENT")
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
    where = folder(given.dir)
    bundle = _bundle(where, given.connection)
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(bundle)
        file.flush()
        command = [sys.executable, "-m", "tollhouse_proxy", "explain", "--bundle", file.name]
        command += [f"--as={subject}" for subject in given.subjects]
        command += [f"--claim={claim}" for claim in given.claim]
        command += [f"--folder={where.root}", "--output", "json" if output.as_json else "text"]
        command += ["--sql", given.sql]
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


def _bundle(where: Folder, wanted: str | None) -> str:
    """The bundle of the files as they are now; its target is the one in force, if it runs."""
    from tollhouse_dialects import LANGUAGES
    from tollhouse_operator.standalone.compiled import compile_files
    from tollhouse_operator.standalone.documents import read_folder
    from tollhouse_operator.standalone.in_force import with_target_in_force

    compiled = compile_files(
        read_folder(where.root), LANGUAGES, lambda connection: with_target_in_force(where, connection)
    )
    keys = [key for key in compiled.bundles if wanted in (None, key[1], "/".join(key))]
    if len(keys) != 1:
        names = ", ".join("/".join(key) for key in compiled.bundles) or "none"
        raise CommandFailed(f"which Connection? Give --connection (there: {names})", Exit.USAGE)
    text = compiled.bundles[keys[0]].text
    if text is None:
        problems = "\n".join(map(str, compiled.complaints))
        raise CommandFailed(f"the policies do not compile:\n{problems}")
    return text
