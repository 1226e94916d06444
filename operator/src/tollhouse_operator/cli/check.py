"""`tollhouse check DIR`: validates a folder, offline."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tollhouse_operator.cli.errors import Exit
from tollhouse_operator.cli.folders import existing
from tollhouse_operator.cli.output import Output


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "check",
        parents=[common],
        help="validate the YAML of a folder, offline",
        description="Reads every *.yaml of DIR, compiles the policies of every Connection in it, and "
        "prints each problem with its file and line. Exit status 1 if there is any.",
    )
    parser.add_argument("dir", metavar="DIR", type=Path, nargs="?", default=Path())
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, output: Output) -> Exit:
    """Prints what is wrong, or what is there."""
    from tollhouse_dialects import LANGUAGES
    from tollhouse_operator.standalone.compiled import compile_files
    from tollhouse_operator.standalone.documents import Complaint, read_folder
    from tollhouse_operator.standalone.people import trouble

    folder = existing(given.dir)
    compiled = compile_files(read_folder(folder.root), LANGUAGES)
    complaints = list(compiled.complaints)
    if people := trouble(folder.people):
        complaints.append(Complaint(folder.people, 1, people.removeprefix(f"{folder.people}: ")))
    for complaint in complaints:
        output.line(str(complaint))
    for (namespace, name), outcome in compiled.bundles.items():
        state = outcome.revision[:19] if outcome.text is not None else "no bundle can be made"
        output.line(f"Connection {namespace}/{name}: {outcome.policies} policies, {state}")
    if not compiled.connections and not complaints:
        output.line(f"{given.dir}: no Connection in any *.yaml")
    output.document(
        {
            "problems": [
                {"path": str(one.path), "line": one.line, "message": one.message} for one in complaints
            ],
            "connections": [
                {
                    "namespace": namespace,
                    "name": name,
                    "policies": outcome.policies,
                    "revision": outcome.revision or None,
                }
                for (namespace, name), outcome in compiled.bundles.items()
            ],
        }
    )
    return Exit.NO if complaints else Exit.OK
