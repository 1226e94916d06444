"""What a content mask would hide is hidden in the audit too, wherever a client wrote it.

A statement's text and parameters come from the client, not from masked columns; but a card number
in an INSERT is still a card number, and the audit is read by more people than the table.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.masks import Redact, Token
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.rules import MaskRule
from tollhouse_proxy.kits.content import ContentScanner


class Redactor:
    """Applies every content mask of the bundle in force, whoever it is meant for."""

    def __init__(self) -> None:
        self._bundle: PolicyBundle | None = None
        self._scanners: tuple[ContentScanner, ...] = ()

    def __call__(self, operation: Operation, bundle: PolicyBundle | None) -> Operation:
        """The operation as it may be recorded."""
        if not self.redacts(bundle):
            return operation
        text = self._scan(operation.text)
        # Often the same text, and it may be long.
        canonical = text if operation.canonical == operation.text else self._scan(operation.canonical)
        return replace(
            operation,
            text=text,
            canonical=canonical,
            parameters=tuple(None if value is None else self._scan(value) for value in operation.parameters),
        )

    def redacts(self, bundle: PolicyBundle | None) -> bool:
        """Whether anything of a text may have to be hidden under this bundle."""
        if bundle is not self._bundle:
            self._bundle = bundle
            self._scanners = _scanners(bundle)
        return bool(self._scanners)

    def text(self, text: str, bundle: PolicyBundle | None) -> str:
        """One text as it may be recorded."""
        return self._scan(text) if self.redacts(bundle) else text

    def _scan(self, text: str) -> str:
        for scanner in self._scanners:
            text = scanner.scan(text)
        return text


def _scanners(bundle: PolicyBundle | None) -> tuple[ContentScanner, ...]:
    """Tokens need a key that the audit has no business with: there, they are redacted."""
    return tuple(
        ContentScanner(rule.content, Redact() if isinstance(rule.mask, Token) else rule.mask)
        for rule in (bundle.rules if bundle else ())
        if isinstance(rule, MaskRule) and rule.content
    )
