"""Numbers that prove themselves: payment cards (ISO/IEC 7812-1) and IBANs (ISO 13616)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase

_IBAN_TABLE = """
AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24
DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27
GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20
LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28
PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28
TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
"""
IBAN_LENGTHS = {word[:2]: int(word[3:]) for word in _IBAN_TABLE.split()}
"""How long an IBAN of each country is."""
_AS_DIGITS = {ord(letter): str(10 + place) for place, letter in enumerate(ascii_uppercase)}
LONGEST_IBAN = max(IBAN_LENGTHS.values())
"""How many letters and digits an IBAN has at most."""


def iban_length(text: str) -> int:
    """How many of the first characters are a valid IBAN (separators left out); 0 for none."""
    folded = text.upper()
    length = IBAN_LENGTHS.get(folded[:2], 0)
    if not length or len(folded) < length or not folded[:length].isascii():
        return 0
    moved = folded[4:length] + folded[:4]
    return length if int(moved.translate(_AS_DIGITS)) % 97 == 1 else 0


LONGEST_ROW = 64
"""A row of more digits is taken to hold a card number without looking."""


def card_spans(digits: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first, last) index of every stretch of 13 to 19 digits that is a card number."""
    if len(digits) > LONGEST_ROW:
        yield 0, len(digits) - 1
        return
    sums: tuple[list[int], list[int]] | None = None
    for first in range(len(digits) - 12):
        for length in _lengths(digits, first):
            sums = sums or _luhn_sums(digits)
            last = first + length - 1
            if last < len(digits):
                parity = sums[last % 2]
                if (parity[last + 1] - parity[first]) % 10 == 0:
                    yield first, last


def _luhn_sums(digits: Sequence[int]) -> tuple[list[int], list[int]]:
    """Running Luhn sums, for stretches that end at an even and at an odd index."""
    even, odd = [0], [0]
    for index, digit in enumerate(digits):
        doubled = digit * 2 - 9 if digit > 4 else digit * 2
        even.append(even[-1] + (doubled if index % 2 else digit))
        odd.append(odd[-1] + (digit if index % 2 else doubled))
    return even, odd


def _lengths(digits: Sequence[int], first: int) -> tuple[int, ...]:
    """Lengths that the issuer at this place gives out."""
    two = digits[first] * 10 + digits[first + 1]
    four = two * 100 + digits[first + 2] * 10 + digits[first + 3]
    if two // 10 == 4:
        return 13, 16, 19
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return (16,)
    if two in (34, 37):
        return (15,)
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return 14, 16, 19
    if 3528 <= four <= 3589:
        return 16, 17, 18, 19
    if two in (50, 56, 57, 58, 59) or two // 10 == 6:
        return (16, 17, 18, 19) if two in (60, 62, 64, 65) else (13, 15, 16, 18, 19)
    return ()
