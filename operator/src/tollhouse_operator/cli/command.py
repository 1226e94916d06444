"""The commands together."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tollhouse_operator.cli import approvals, audit, check, explain, login, privileges, token, up
from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.output import Output, complain

_EPILOG = """\
exit status: 0 yes; 1 no (broken, invalid, refused); 2 not understood; 3 open ends in an audit;
4 something that is needed cannot be had
"""


def parser() -> argparse.ArgumentParser:
    """All arguments of all commands."""
    top = argparse.ArgumentParser(
        prog="tollhouse",
        description="Policy as code in the data path of autonomous agents.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-o", "--output", choices=["text", "json"], default="text", help="text for people (default) or json"
    )
    for module in (up, check, explain, login, privileges, token, approvals, audit):
        module.add(commands, common)
    return top


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. No failure shows a traceback."""
    given = parser().parse_args(_with_default_action(sys.argv[1:] if arguments is None else arguments))
    output = Output(as_json=getattr(given, "output", "text") == "json")
    try:
        return int(given.run(given, output))
    except CommandFailed as error:
        output.document({"error": str(error)})
        complain(f"tollhouse: {error}")
        return int(error.status)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"tollhouse: {where}{error.strerror or error}")
        return int(Exit.UNAVAILABLE)
    except Exception as error:
        if os.environ.get("TOLLHOUSE_DEBUG"):
            raise
        words = f"{type(error).__name__}: {str(error)[:500]}"
        complain(f"tollhouse: unexpected, please report it ({words}); TOLLHOUSE_DEBUG=1 tells more")
        return int(Exit.UNAVAILABLE)


def _with_default_action(arguments: Sequence[str]) -> Sequence[str]:
    """`tollhouse approvals -o json` lists, as `tollhouse approvals` does."""
    match arguments:
        case ["approvals"]:
            return ["approvals", "list"]
        case ["approvals", option, *_] if option.startswith("-") and option not in {"-h", "--help"}:
            return ["approvals", "list", *arguments[1:]]
        case _:
            return arguments
