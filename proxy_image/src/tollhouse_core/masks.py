"""What a masked value turns into, and which of two masks is the stricter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TruncateTo(StrEnum):
    """The precision a date or time keeps."""

    YEAR = "Year"
    MONTH = "Month"
    DAY = "Day"


class TokenScope(StrEnum):
    """Within which bound equal values give equal tokens."""

    NAMESPACE = "Namespace"
    CONNECTION = "Connection"


@dataclass(frozen=True, slots=True)
class Nullify:
    """The value becomes NULL."""


@dataclass(frozen=True, slots=True)
class Redact:
    """The value becomes a fixed text; NULL where its type cannot hold one."""

    text: str = "[redacted]"


@dataclass(frozen=True, slots=True)
class Partial:
    """The first and last characters stay, each one between becomes `character`."""

    keep_first: int = 0
    keep_last: int = 0
    character: str = "*"


@dataclass(frozen=True, slots=True)
class Token:
    """A keyed pseudonym: equal values give equal tokens within `scope`."""

    scope: TokenScope = TokenScope.CONNECTION


@dataclass(frozen=True, slots=True)
class Truncate:
    """A date or time loses everything finer than `to`."""

    to: TruncateTo = TruncateTo.YEAR


@dataclass(frozen=True, slots=True)
class Bucket:
    """A number becomes the lower bound of its bucket of `width`."""

    width: float = 10


Mask = Nullify | Redact | Partial | Token | Truncate | Bucket

_ORDER: tuple[type[Mask], ...] = (Nullify, Redact, Truncate, Bucket, Partial, Token)


def strictness(mask: Mask) -> tuple[int, float]:
    """A sort key: the smaller, the stricter.

    nullify > redact > truncate, bucket > partial (the fewer characters kept) > token. Between
    two truncations the coarser and between two buckets the wider is the stricter.
    """
    rank = _ORDER.index(type(mask))
    match mask:
        case Truncate(to=to):
            return rank, float(list(TruncateTo).index(to))
        case Bucket(width=width):
            return rank, -width
        case Partial(keep_first=first, keep_last=last):
            return rank, float(first + last)
        case _:
            return rank, 0.0


def stricter(one: Mask, other: Mask) -> Mask:
    """The mask that holds where two meet."""
    return min(one, other, key=strictness)


class DetectorName(StrEnum):
    """Content the scanner knows by itself."""

    PAYMENT_CARD = "PaymentCard"
    EMAIL = "Email"
    PHONE = "Phone"
    IBAN = "IBAN"
    PRIVATE_KEY = "PrivateKey"
    ACCESS_KEY = "AccessKey"


@dataclass(frozen=True, slots=True)
class Detector:
    """What a content mask looks for: a known sort of content, or an own `pattern` (RE2 syntax)."""

    name: DetectorName | None = None
    pattern: str | None = None
