from __future__ import annotations
from tollhouse_operator.reconcile.desk import Desk
async def reconcile_approval(desk: Desk, key: tuple[str, str]) -> float | None:
    return None
