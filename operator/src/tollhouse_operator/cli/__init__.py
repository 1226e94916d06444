"""The command `tollhouse`, also as `kubectl tollhouse`.

Belongs here: arguments, output and exit statuses (`errors.Exit`). What commands do is elsewhere
(`standalone`, `tollhouse_core`). One module for each command: `add` declares its arguments, `run`
carries it out. Modules a command needs are imported when it runs: `tollhouse token` must not wait
for what `tollhouse up` loads.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit status."""
    from tollhouse_operator.cli.command import run

    return run(arguments)
