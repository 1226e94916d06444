"""What is put in the place of a masked column, for every kind of type; that it works, `tests/real/sql` shows.

A line of mask_expressions.txt is a type, a mask and what is looked for in values; the next one the expression
for `c.x`, where qualified names of pg_catalog are written short.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from kit.sql_shop import KEYS
from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    TokenScope,
    Truncate,
    TruncateTo,
)
from tollhouse_proxy.protocols.postgres.sql import Catalog, MaskKeys
from tollhouse_proxy.protocols.postgres.sql.content_masks import CARD_RUN, content_expression
from tollhouse_proxy.protocols.postgres.sql.masks import Masker, token_of

HERE = Path(__file__).parent
LINES = (HERE / "mask_expressions.txt").read_text().splitlines()
TABLE = list(zip(LINES[::2], LINES[1::2], strict=True))
CATEGORIES = {
    "S": "text varchar bpchar name citext", "N": "int2 int4 int8 numeric float4 float8 money oid",
    "D": "date timestamp timestamptz time", "B": "bool", "T": "interval", "E": "mood", "I": "inet",
    "G": "point", "R": "int4range", "C": "pair", "U": "uuid json jsonb bytea xml",
}  # fmt: skip
"""pg_type.typcategory -> types."""
ARRAYS = ("text", "jsonb", "pair")
MASKS: dict[str, Mask] = {
    "Nullify": Nullify(),
    "Redact": Redact("it's"),
    "Partial": Partial(1, 2, "#"),
    "Token": Token(),
    "Token of the namespace": Token(TokenScope.NAMESPACE),
    "year": Truncate(TruncateTo.YEAR),
    "month": Truncate(TruncateTo.MONTH),
    "day": Truncate(TruncateTo.DAY),
    "Bucket": Bucket(0.25),
    "wide Bucket": Bucket(1e20),
}
CONTENT: dict[str, list[Detector]] = {
    "": [],
    **{name.value: [Detector(name)] for name in DetectorName},
    "EMP": [Detector(pattern=r"EMP-\d+")],
    "a or nothing": [Detector(pattern="a*")],
    "both": [Detector(pattern="a"), Detector(DetectorName.IBAN)],
}


@pytest.fixture(scope="module")
def types() -> tuple[Catalog, dict[str, int]]:
    """A catalog of these types, and their oids."""
    oids: dict[str, int] = {}
    rows: list[list[str | None]] = []

    def add(name: str, kind: str, category: str, element: int = 0, base: int = 0) -> None:
        oids[name] = 100 + len(oids)
        known = [str(oids[name]), "11", name, kind, category, str(element), str(base)]
        rows.append([*known, "-1", "0", "0", None, "false"])

    for category, names in CATEGORIES.items():
        for name in names.split():
            add(name, "b", category)
    for name in ARRAYS:
        add(f"_{name}", "b", "A", element=oids[name])
    add("word", "d", "S", base=oids["text"])
    add("words", "d", "S", base=oids["word"])
    data = json.loads((HERE / "shop_catalog.json").read_text())
    return Catalog.from_rows({**data, "types": rows}), oids


def short(made: str) -> str:
    """With nothing in it that is always the same."""
    made = re.sub(
        r"CAST\('\\x([0-9a-f]{2})[0-9a-f]{124}([0-9a-f]{2})' AS pg_catalog\.bytea\)", r"«\1 \2»", made
    )
    made = made.replace('"pg_catalog".', "").replace("pg_catalog.", "")
    return re.sub(r'"(\w+)"', r"\1", made)


def expression(line: str, types: tuple[Catalog, dict[str, int]]) -> str:
    catalog, oids = types
    kind, mask, content = (part.strip() for part in line.split("|"))
    name, bracket, size = kind.partition("(")
    made = Masker(catalog, KEYS).expression("c.x", oids[name], bracket + size, MASKS[mask], CONTENT[content])
    return short(made)


@pytest.mark.parametrize(("line", "made"), TABLE, ids=LINES[::2])
def test_a_masked_column_is_this_expression(
    line: str, made: str, types: tuple[Catalog, dict[str, int]]
) -> None:
    assert expression(line, types) == made.strip()


def test_a_type_nobody_knows_is_null(types: tuple[Catalog, dict[str, int]]) -> None:
    assert Masker(types[0], KEYS).expression("c.x", 99, "", Redact()) == "NULL"


@pytest.mark.parametrize(
    ("key", "block"),
    [
        (b"k" * 32, b"k" * 32 + b"\0" * 32),
        (b"k" * 64, b"k" * 64),
        (b"k" * 65, hashlib.sha256(b"k" * 65).digest() + b"\0" * 32),
    ],
)
def test_a_key_is_padded_as_rfc_2104_says_and_hashed_where_it_is_longer_than_a_block(
    key: bytes, block: bytes, types: tuple[Catalog, dict[str, int]]
) -> None:
    catalog, oids = types
    made = Masker(catalog, MaskKeys(b"n" * 32, key)).expression("c.x", oids["bytea"], "", Token())
    pads = [bytes.fromhex(pad) for pad in re.findall(r"\\x([0-9a-f]+)", made)]
    assert pads == [bytes(byte ^ pad for byte in block) for pad in (0x5C, 0x36)]


def test_keys_are_not_shown() -> None:
    assert repr(MaskKeys(b"secret" * 6, b"hidden" * 6)) == "MaskKeys()"
    assert KEYS.of(TokenScope.NAMESPACE) == b"n" * 32
    assert KEYS.of(TokenScope.CONNECTION) == b"c" * 32


def test_the_token_of_a_text_is_hmac_sha_256_of_it() -> None:
    assert token_of("what do ya want for nothing?", b"Jefe") == "tok_5bdcc146bf60754e6a042426089575c7"


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("4111111111111", True), ("411111111111", False), ("4111 1111 1111 1111", True),
        ("4111  1111 1111 1111", False), ("4111-1111.1111-1111", True), ("4111/1111/1111/1111", False),
        ("4111é1111é1111é1111", True), ("4111a1111a1111a1111", False), ("4111\t1111\t1111\t1", False),
    ],
)  # fmt: skip
def test_a_row_of_digits_that_may_be_a_card_has_one_separator_at_most(text: str, run: bool) -> None:
    said = CARD_RUN.replace("[^[:cntrl:]!-,/-~]", r"[^\x00-\x1f\x7f!-,/-~]")
    assert (re.search(said, text) is not None) is run


def test_nothing_looked_for_leaves_a_text_as_it_is() -> None:
    assert content_expression("t", [], Redact()) == "t"
