"""Durations on the command line, written as everywhere else: 90s, 15m, 1h30m."""

from __future__ import annotations

import argparse
from datetime import timedelta

from tollhouse_core.api.quantities import Duration


def duration(text: str) -> timedelta:
    """An argument type."""
    try:
        seconds = Duration.parse(text).seconds
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds < 1:
        raise argparse.ArgumentTypeError("expected a second or more")
    return timedelta(seconds=seconds)
