"""Which folder a command is about."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.standalone.layout import Folder

VARIABLE = "TOLLHOUSE_DIR"


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declares `--dir`."""
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, help=f"the folder of `tollhouse up` (default: ${VARIABLE}, or .)"
    )


def found_folder(given: Path | None) -> Folder | None:
    """The folder given, or named by the environment, or the present one if it is one."""
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        return existing(named)
    here = Folder(Path.cwd())
    return here if here.state.is_dir() else None


def folder(given: Path | None) -> Folder:
    """As `found_folder`. Raises CommandFailed when there is none."""
    found = found_folder(given)
    if found is None:
        raise CommandFailed(
            f"which folder? Give --dir DIR, or set {VARIABLE} (the DIR of `tollhouse up DIR`)",
            Exit.UNAVAILABLE,
        )
    return found


def existing(path: Path) -> Folder:
    """A folder that is there."""
    if not path.is_dir():
        raise CommandFailed(f"{path} is not a folder", Exit.UNAVAILABLE)
    return Folder(path.resolve())


def running_ports(where: Folder) -> dict[str, int]:
    """Ports of what runs now, by `namespace/connection`; empty when nothing does."""
    try:
        content = json.loads(where.running.read_text())
        return {name: int(one["port"]) for name, one in content["connections"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
