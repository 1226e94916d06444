"""Which engines of Vault a protocol can log in with, said once for the parser and the CRD alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollhouse_core.api.credentials import asks
from tollhouse_core.api.shape import Holds, cel_name, present

SERVES: Mapping[str, tuple[str, str]] = {
    "ssh": ("ssh", "an SSH certificate"),
    "kubernetes": ("kubernetes", "a token of Kubernetes"),
}
"""By the engine that serves one protocol alone: that protocol, and what the engine gives."""


def engines_fit() -> tuple[Holds, ...]:
    """Rules for a Connection's spec: `credentials` and `approvalCredentials`."""
    return tuple(
        rule
        for engine in SERVES
        for rule in (_own(engine), _each(engine, "approval_credentials", f"has(self.{_only(engine)}) || "))
    )


def roles_fit() -> tuple[Holds, ...]:
    """Rules for the target of a database protocol: `roles`."""
    return tuple(_each(engine, "roles", "", "credentials") for engine in SERVES)


def _own(engine: str) -> Holds:
    asked = "self.credentials.vault"
    return Holds(
        lambda spec: spec.protocol == _only(engine) or not asks(spec.credentials, engine),
        f"!has({asked}) || !has({asked}.{cel_name(engine)}) || has(self.{_only(engine)})",
        _words(engine),
        f"credentials.vault.{engine}",
    )


def _each(engine: str, field: str, unless: str, inside: str = "") -> Holds:
    """No entry of the map `field` asks the engine. `unless`: CEL for the models it may stand in, "" none;
    `inside`: the attribute of an entry that holds its credentials, "" the entry itself."""

    def fits(model: Any) -> bool:
        if unless and model.protocol == _only(engine):
            return True
        entries = getattr(model, field).values()
        return not any(asks(getattr(entry, inside) if inside else entry, engine) for entry in entries)

    name = cel_name(field)
    vault = f"self.{name}[x]{f'.{inside}' if inside else ''}.vault"
    none = f"self.{name}.all(x, !has({vault}) || !has({vault}.{cel_name(engine)}))"
    return Holds(fits, f"!{present(field)} || {unless}{none}", _words(engine), field)


def _only(engine: str) -> str:
    return SERVES[engine][0]


def _words(engine: str) -> str:
    protocol, gives = SERVES[engine]
    return (
        f"vault.{engine} gives {gives}, which only a backend of the protocol {protocol} takes; a database "
        "(postgres, mysql, mongodb) logs in with vault.database, vault.kv or secretRef"
    )
