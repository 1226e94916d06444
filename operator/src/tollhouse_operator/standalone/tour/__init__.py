"""The tour: everything the quickstart promises, tried with ordinary clients, step by step.

Each step says what an agent tries, what the policy says and what came back, and fails loudly if
that is not what it must be. It plays in a copy of the folder, so that nothing of it is changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tollhouse_operator.standalone.tour.stage import Differs, Stage, staged
from tollhouse_operator.standalone.tour.steps import STEPS

STEP_SECONDS = 90.0


async def play(root: Path, line: Callable[[str], None]) -> bool:
    """Plays all steps; True when every one held."""
    started = time.monotonic()
    line("Starting a shop's database and its proxy ...")
    async with staged(root, line) as stage:
        for number, step in enumerate(STEPS, start=1):
            line("")
            line(f"{number}. {step.title}")
            if not await _held(stage, step.play):
                line("")
                line(f"The tour ends here: step {number} did not hold. Logs: {stage.logs()}")
                return False
    line("")
    line(f"All {len(STEPS)} steps held, in {time.monotonic() - started:.0f} s.")
    return True


async def _held(stage: Stage, play: Callable[[Stage], Awaitable[None]]) -> bool:
    try:
        await asyncio.wait_for(play(stage), STEP_SECONDS)
    except Differs as difference:
        stage.say("DIFFERS", str(difference))
        return False
    except TimeoutError:
        stage.say("DIFFERS", f"no answer within {STEP_SECONDS:g} s")
        return False
    except Exception as error:
        stage.say("DIFFERS", f"{type(error).__name__}: {str(error).strip()}")
        return False
    return True
