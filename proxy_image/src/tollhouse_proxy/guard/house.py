"""What all sessions of one proxy share."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_core.clock import Clock
from tollhouse_core.policy.limits import LimitBook
from tollhouse_proxy.guard.asking import Asking
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.guard.redaction import Redactor
from tollhouse_proxy.ports.audit import AuditSink
from tollhouse_proxy.ports.stores import ApprovalStore


@dataclass(frozen=True, slots=True)
class House:
    """The bundle in force, where approvals and events go, the limits' book, and the clock.

    `instance` is this proxy's own name, written into the ApprovalRequests it makes.
    """

    in_force: InForce
    approvals: ApprovalStore
    sink: AuditSink
    clock: Clock
    limits: LimitBook
    counters: Counters
    instance: str
    redactor: Redactor = field(default_factory=Redactor)
    asking: Asking = field(default_factory=Asking)
