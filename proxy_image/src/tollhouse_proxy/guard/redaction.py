"""What a content mask would hide is hidden in the audit too, wherever a client wrote it.

A statement's text and parameters come from the client, not from masked columns; but a card number
in an INSERT is still a card number, and the audit is read by more people than the table.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.decision import ContentMask
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.rules import MaskRule
from tollhouse_proxy.kits.content import ContentScanner


class Redactor:
    """Applies every content mask of the bundle in force, whoever it is meant for."""

    def __init__(self) -> None:
        self._bundle: PolicyBundle | None = None
        self._scanner: ContentScanner | None = None

    def __call__(self, operation: Operation, bundle: PolicyBundle | None) -> Operation:
        """The operation as it may be recorded."""
        if bundle is not self._bundle:
            self._bundle = bundle
            self._scanner = _scanner(bundle)
        scanner = self._scanner
        if scanner is None:
            return operation
        return replace(
            operation,
            text=scanner.scan(operation.text),
            canonical=scanner.scan(operation.canonical),
            parameters=tuple(
                value if value is None else scanner.scan(value) for value in operation.parameters
            ),
        )


def _scanner(bundle: PolicyBundle | None) -> ContentScanner | None:
    masks = [
        ContentMask(rule.content, rule.mask, rule.head.ref)
        for rule in (bundle.rules if bundle else ())
        if isinstance(rule, MaskRule) and rule.content
    ]
    return ContentScanner(tuple(masks)) if masks else None
