"""`tollhouse privileges`: what the backends' roles may do beyond what the policies need."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, found_folder
from tollhouse_operator.cli.output import Output
from tollhouse_operator.reports import LARGEST_REPORT, Report, read_report
from tollhouse_operator.standalone.layout import Folder

_SECONDS = 30
_RESOURCE = "connections.tollhouse.dev"


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "privileges",
        parents=[common],
        help="say what the backend's role may do beyond what the policies need",
        description="What the proxies found when they started, when policies changed, or within the last "
        "hour: in the folder, else in the cluster of your kubeconfig. Exit status 1 if anything is too "
        "much, 4 where no proxy has looked yet.",
    )
    parser.add_argument("--connection", metavar="[NAMESPACE/]NAME", help="default: all of them")
    parser.add_argument("--namespace", metavar="NS", help="in a cluster; default: all")
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig")
    add_folder(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace, output: Output) -> Exit:
    """Prints each finding with the SQL that takes it away."""
    where = found_folder(given.dir)
    found = _in_folder(where) if where is not None else _in_cluster(given.namespace, given.context)
    wanted = given.connection
    found = {key: one for key, one in found.items() if wanted in (None, key, key.partition("/")[2])}
    if not found:
        raise CommandFailed("no such Connection has a proxy that reports", Exit.UNAVAILABLE)
    output.document(dict(sorted(found.items())))
    for key, each in sorted(found.items()):
        _tell(key, each, output)
    if any(one is None for one in found.values()):
        return Exit.UNAVAILABLE
    return Exit.NO if any(found.values()) else Exit.OK


_Found = dict[str, list[dict[str, str]] | None]


def _tell(key: str, found: list[dict[str, str]] | None, output: Output) -> None:
    if found is None:
        output.line(f"{key}: no proxy has looked yet")
    elif not found:
        output.line(f"{key}: nothing that the policies do not need")
    else:
        output.line(f"{key}: {len(found)} too much")
        for one in found:
            output.line(f'  "{one["role"]}" {one["what"]}')
            if one["sql"]:
                output.line(f"    {one['sql']}")


def _in_folder(where: Folder) -> _Found:
    found: _Found = {}
    for path in sorted((where.state / "reports").glob("*/*/*.json")):
        report = _report(path)
        if report is not None:
            key = f"{path.parent.parent.name}/{path.parent.name}"
            told = found.get(key) or []
            more = [one for one in _excess(report) or [] if one not in told]
            found[key] = found.get(key) if report.excess is None else [*told, *more]
    return found


def _report(path: Path) -> Report | None:
    try:
        with path.open(encoding="utf-8") as file:
            return read_report(path.stem, file.read(LARGEST_REPORT + 1))
    except (OSError, ValueError):
        return None


def _excess(report: Report) -> list[dict[str, str]] | None:
    if report.excess is None:
        return None
    return [{"role": one.role, "what": one.what, "sql": one.sql} for one in report.excess]


def _in_cluster(namespace: str | None, context: str | None) -> _Found:
    program = shutil.which("kubectl")
    if program is None:
        raise CommandFailed(
            "neither a folder (--dir, TOLLHOUSE_DIR) nor kubectl is here: give one of them", Exit.UNAVAILABLE
        )
    command = [program, *([f"--context={context}"] if context else [])]
    command += [f"--namespace={namespace}" if namespace else "--all-namespaces"]
    try:
        done = subprocess.run(  # noqa: S603 - kubectl, with arguments as a list
            [*command, "get", _RESOURCE, "-o", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"kubectl did not answer in {_SECONDS} s", Exit.UNAVAILABLE) from None
    if done.returncode:
        raise CommandFailed(done.stderr.strip() or "kubectl failed", Exit.UNAVAILABLE)
    return {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": _of_status(item.get("status") or {})
        for item in json.loads(done.stdout)["items"]
    }


def _of_status(status: dict[str, Any]) -> list[dict[str, str]] | None:
    conditions = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    if conditions.get("LeastPrivilege") not in ("True", "False"):
        return None
    return [
        {name: str(one.get(name, "")) for name in ("role", "what", "sql")}
        for one in status.get("excessPrivileges") or ()
    ]
