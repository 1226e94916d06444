"""`python -m tollhouse_operator`: runs the operator until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from tollhouse_operator.process import run
from tollhouse_operator.settings import BadSettings, read_settings


def main() -> int:
    """The exit status: 0 after a stop that was asked for, 2 for bad settings."""
    logging.basicConfig(
        level=os.environ.get("TOLLHOUSE_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # kopf tells every event at DEBUG and every handler at INFO; what matters is told by us.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        settings = read_settings(os.environ)
    except BadSettings as error:
        sys.stderr.write(f"tollhouse-operator: {error}\n")
        return 2
    if settings.kubeconfig:
        os.environ["KUBECONFIG"] = settings.kubeconfig
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
