"""What commands print: text for people, or one JSON document with `-o json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """Standard output, as people or as programs want it."""

    as_json: bool = False

    def line(self, text: str = "") -> None:
        """A line for people; nothing in JSON."""
        if not self.as_json:
            write(text)

    def document(self, value: object) -> None:
        """The answer for programs; nothing for people."""
        if self.as_json:
            write(json.dumps(value, indent=2, default=str))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns for people, as kubectl prints them."""
        if self.as_json:
            return
        lines = [tuple(heads), *(tuple(row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        for line in lines:
            padded = "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            write(padded.rstrip())


def write(text: str) -> None:
    """A line to standard output. A reader that went away (`| head`) ends the program quietly."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def complain(text: str) -> None:
    """A line to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
