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

_BEYOND = 16 * 1024
"""Characters that are looked at beyond those that are recorded, so that a find there is seen whole."""


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

    def recorded(self, operation: Operation, bundle: PolicyBundle | None, most: int) -> Operation:
        """The same for a record that keeps `most` characters of each text: no more of them is looked at."""
        parameters = tuple(None if one is None else one[: most + _BEYOND] for one in operation.parameters)
        text = operation.text[: most + _BEYOND]
        begun = replace(operation, text=text, canonical=text, parameters=parameters)
        if not self.redacts(bundle):
            return begun
        shown = self(begun, bundle)
        pairs = zip(operation.parameters, parameters, shown.parameters, strict=True)
        return replace(
            shown,
            text=_cut(operation.text, text, shown.text),
            parameters=tuple(
                made if made is None or one is None or begin is None else _cut(one, begin, made)
                for one, begin, made in pairs
            ),
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


def _cut(whole: str, begin: str, shown: str) -> str:
    """What may be shown of a text of which only the beginning was looked at: what stands at its end may be
    the first half of a find."""
    return shown if len(begin) == len(whole) else shown[:-_BEYOND] or Redact().text


def _scanners(bundle: PolicyBundle | None) -> tuple[ContentScanner, ...]:
    """Tokens need a key that the audit has no business with: there, they are redacted."""
    return tuple(
        ContentScanner(rule.content, Redact() if isinstance(rule.mask, Token) else rule.mask)
        for rule in (bundle.rules if bundle else ())
        if isinstance(rule, MaskRule) and rule.content
    )
