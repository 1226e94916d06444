"""Numbers that prove themselves: which rows of digits are card numbers, which letters and digits IBANs."""

from __future__ import annotations

import pytest

from tollhouse_proxy.kits.content_numbers import IBAN_LENGTHS, LONGEST_ROW, card_spans, iban_length

GIVEN_OUT = {
    (13, 16, 19): ["4", "49"],
    (16,): ["51", "55", "2221", "2300", "2720"],
    (15,): ["34", "37"],
    (14, 16, 19): ["36", "38", "39", "3000", "3059"],
    (16, 17, 18, 19): ["3528", "3589", "60", "62", "64", "65"],
    (13, 15, 16, 18, 19): ["50", "56", "57", "58", "59", "61", "63", "66", "69"],
    (): ["0", "1", "2220", "2721", "33", "3060", "3527", "3590", "7", "8", "9"],
}
ISSUERS = [(prefix, lengths) for lengths, prefixes in GIVEN_OUT.items() for prefix in prefixes]


def proved(start: str, length: int) -> list[int]:
    """`start` and zeros, with the last digit that ISO/IEC 7812-1 asks for."""
    digits = [int(digit) for digit in start.ljust(length - 1, "0")]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[::-1][::2]]
    return [*digits, -(sum(doubled) + sum(digits[::-1][1::2])) % 10]


@pytest.mark.parametrize(("prefix", "lengths"), ISSUERS)
def test_a_card_number_has_a_length_that_its_issuer_gives_out(prefix: str, lengths: tuple[int, ...]) -> None:
    found = [length for length in range(12, 21) if (0, length - 1) in card_spans(proved(prefix, length))]
    assert found == list(lengths)


@pytest.mark.parametrize(("prefix", "lengths"), ISSUERS)
def test_a_card_number_whose_last_digit_is_another_is_none(prefix: str, lengths: tuple[int, ...]) -> None:
    for length in lengths:
        *digits, last = proved(prefix, length)
        for other in {*range(10)} - {last}:
            assert (0, length - 1) not in card_spans([*digits, other])


def test_a_card_number_is_found_wherever_it_stands_in_a_row_of_digits() -> None:
    card = proved("4242", 16)
    for before in range(4):
        row = [*[1] * before, *card, 1, 1]
        assert (before, before + 15) in card_spans(row)


def test_a_row_of_more_digits_than_are_looked_at_is_taken_to_hold_one() -> None:
    assert list(card_spans([0] * LONGEST_ROW)) == []
    assert list(card_spans([0] * (LONGEST_ROW + 1))) == [(0, LONGEST_ROW)]


def iban(country: str, length: int) -> str:
    rest = "1" * (length - 4)
    number = int("".join(str(int(letter, 36)) for letter in f"{rest}{country}00"))
    return f"{country}{98 - number % 97:02}{rest}"


@pytest.mark.parametrize("country", ["DE", "NO", "MT", "RU", "XK"])
def test_an_iban_is_as_long_as_its_country_says(country: str) -> None:
    length = IBAN_LENGTHS[country]
    assert iban_length(iban(country, length)) == length
    assert iban_length(iban(country, length).lower() + "77") == length
    assert iban_length(iban(country, length)[:-1]) == 0
    assert iban_length(iban(country, length + 1)) == 0
    assert iban_length(iban(country, length)[:-1] + "7") == 0


def test_what_no_country_gives_out_is_no_iban() -> None:
    assert iban_length("") == iban_length(iban("ZZ", 22)) == 0
    assert iban_length("DE89370400440532013٠00") == 0
