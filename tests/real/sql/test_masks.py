"""Every mask on every type: the type stays, NULL stays NULL, nothing fails, nothing shows through."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.string import TextLoader

from kit.postgres import Postgres
from kit.sql_shop import KEYS, RULE, Session
from tollhouse_core.decision import ColumnMask, Obligations
from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
    TruncateTo,
)
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.protocols.postgres.sql.content_masks import pattern_of
from tollhouse_proxy.protocols.postgres.sql.masks import token_of

pytestmark = pytest.mark.postgres

COLUMNS = {
    "t": ("text", ["'Straße 12'", "''", "'a'"]),
    "v": ("varchar(6)", ["'abcdef'", "'x'"]),
    "c": ("char(5)", ["'ab'"]),
    "n": ("name", ["'someone'"]),
    "i2": ("smallint", ["-32768", "32767", "7"]),
    "i4": ("int", ["-2147483648", "2147483647", "1234"]),
    "i8": ("bigint", ["-9223372036854775808", "4111111111111111"]),
    "d": ("numeric(5,2)", ["999.99", "-999.99", "'NaN'"]),
    "f4": ("real", ["-3.4e38", "'Infinity'", "1.5"]),
    "f8": ("double precision", ["-1.7e308", "'-Infinity'", "12.5"]),
    "m": ("money", ["12.34"]),
    "b": ("bool", ["true"]),
    "da": ("date", ["'1980-03-04'", "'infinity'", "'0044-03-15 BC'"]),
    "ts": ("timestamp", ["'1980-03-04 05:06:07'", "'-infinity'"]),
    "tz": ("timestamptz", ["'1980-03-04 05:06:07+00'"]),
    "ti": ("time", ["'05:06:07'"]),
    "iv": ("interval", ["'3 days'"]),
    "u": ("uuid", ["'aaaaaaaa-0000-0000-0000-000000000001'"]),
    "j": ("json", ["'{\"a\": 1}'"]),
    "jb": ("jsonb", ['\'{"a": "4111 1111 1111 1111"}\'']),
    "by": ("bytea", ["'\\xdeadbeef'"]),
    "ip": ("inet", ["'10.0.0.1'"]),
    "x": ("xml", []),  # not every build can make one
    "ta": ("text[]", ["'{a,NULL,\"b c\"}'", "'{}'"]),
    "ia": ("int[]", ["'{1,2}'"]),
    "e": ("mood", ["'sad'"]),
    "dom": ("posint", ["5"]),
    "co": ("pair", ["ROW(1, 'secret')"]),
    "r": ("int4range", ["'[1,5)'"]),
    "mr": ("int4multirange", ["'{[1,5),[7,9)}'"]),
    "tt": ("timetz", ["'05:06:07+02'"]),
    "ci": ("cidr", ["'10.0.0.0/8'"]),
    "ma": ("macaddr", ["'08:00:2b:01:02:03'"]),
    "m8": ("macaddr8", ["'08:00:2b:01:02:03:04:05'"]),
    "tv": ("tsvector", ["'secret:1 word:2'"]),
    "tq": ("tsquery", ["'secret & word'"]),
    "bi": ("bit(4)", ["B'1010'"]),
    "vb": ("bit varying", ["B'10101'"]),
    "po": ("point", ["'(1,2)'"]),
    "o": ("oid", ["4711"]),
    "ua": ("uuid[]", ["'{aaaaaaaa-0000-0000-0000-000000000001}'"]),
    "ja": ("jsonb[]", ['ARRAY[\'{"a": "secret"}\'::jsonb]']),
    "ea": ("mood[]", ["'{sad,ok}'"]),
    "na": ("numeric[]", ["'{1.5,NULL}'"]),
    "nd": ("numeric(4,1)[]", ["'{999.9,-999.9,NaN,NULL}'"]),
    "t2": ("text[][]", ["'{{a,b},{c,d}}'"]),
    "dt": ("word", ["'secret'"]),
    "ca": ("pair[]", ["ARRAY[ROW(1, 'secret')::pair]"]),
}
MASKS: list[Mask] = [
    Nullify(),
    Redact(),
    Redact('it\'s \\ "hidden"'),
    Partial(1, 2),
    Partial(0, 0, "#"),
    Token(),
    *(Truncate(to) for to in TruncateTo),
    Bucket(10),
    Bucket(0.3),
]
CONTENT = (
    *(Detector(name) for name in DetectorName),
    Detector(pattern=r"EMP-\d{6}"),
    Detector(pattern="a|(?=b)"),
)
TABLE = ("public", "types")


@pytest.fixture(scope="module")
def types(any_postgres: Postgres) -> Iterator[Session]:
    definition = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    rows = max(len(values) for _, values in COLUMNS.values())
    inserts = "".join(
        "INSERT INTO types VALUES ("
        + ", ".join(values[row] if row < len(values) else "NULL" for _, values in COLUMNS.values())
        + ");"
        for row in range(rows + 1)
    )
    database = any_postgres.create_database(
        sql="CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN posint AS int CHECK (value > 0);"
        " CREATE DOMAIN word AS text CHECK (length(value) < 7);"
        f" CREATE TYPE pair AS (a int, b text); CREATE TABLE types ({definition}); {inserts}"
    )
    session = Session(any_postgres.dsn(database))
    for name in ("date", "timestamp", "timestamptz"):  # Python has no infinity for them
        session.connection.adapters.register_loader(name, TextLoader)
    yield session
    session.connection.close()
    any_postgres.psql(f'DROP DATABASE "{database}" WITH (FORCE)')


def masked(
    types: Session, column: str, mask: Mask, content: tuple[Detector, ...] = ()
) -> psycopg.Cursor[tuple[object]]:
    types.under(Obligations(columns=(ColumnMask(TABLE, column, mask, RULE, content),)))
    made = types.rewrite(types.understand(f"SELECT {column}, {column} IS NULL FROM types ORDER BY 2")[0])
    return types.connection.execute(made.text.encode())


@pytest.mark.parametrize("column", COLUMNS)
def test_a_mask_keeps_the_type_and_never_fails(column: str, types: Session) -> None:
    plain = types.connection.execute(f"SELECT {column} FROM types".encode())
    raw = [row[0] for row in plain.fetchall() if row[0] is not None]
    for mask in MASKS:
        seen = masked(types, column, mask)
        assert seen.description is not None
        assert plain.description is not None
        # A domain gives its base type, which is how the wire shows a domain anyway.
        assert seen.description[0].type_code == plain.description[0].type_code, mask
        values = [row[0] for row in seen.fetchall()]
        assert values.count(None) >= len(values) - len(raw), mask
        if isinstance(mask, (Nullify, Redact, Token)):
            assert not [value for value in values if value in raw and value not in (None, [], "")], mask


@pytest.mark.parametrize("column", COLUMNS)
def test_a_masked_value_decodes_in_binary_too(column: str, types: Session) -> None:
    types.under(Obligations(columns=(ColumnMask(TABLE, column, Redact(), RULE),)))
    made = types.rewrite(types.understand(f"SELECT {column}, {column} IS NULL FROM types ORDER BY 2")[0])
    text = types.connection.execute(made.text.encode()).fetchall()
    binary = types.connection.execute(made.text.encode(), binary=True).fetchall()
    assert [row[1] for row in text] == [row[1] for row in binary]
    assert [row[0] is None for row in text] == [row[0] is None for row in binary]


GROUPED = ["t", "v", "i4", "i8", "d", "f8", "u", "by"]
"""Types that carry a token."""


@pytest.mark.parametrize("column", GROUPED)
def test_equal_values_have_equal_tokens_and_others_other_ones(column: str, types: Session) -> None:
    types.under(Obligations(columns=(ColumnMask(TABLE, column, Token(), RULE),)))
    counts = f"SELECT count({column}), count(DISTINCT {column}) FROM (TABLE types UNION ALL TABLE types) x"
    joined = f"SELECT count(*) FROM types a JOIN types b ON a.{column} = b.{column}"
    grouped = (
        f"SELECT max(n) FROM (SELECT count(*) AS n FROM types WHERE {column} IS NOT NULL GROUP BY {column}) x"
    )
    for sql in (counts, joined, grouped):
        if sql is counts:
            sql = counts.replace("TABLE types", f"SELECT {column} FROM types")
        plain = types.connection.execute(sql.encode()).fetchall()
        made = types.rewrite(types.understand(sql)[0])
        assert types.connection.execute(made.text.encode()).fetchall() == plain


@pytest.mark.parametrize("column", COLUMNS)
def test_content_masks_never_fail(column: str, types: Session) -> None:
    for detector in CONTENT:
        for mask in (Redact(), Partial(0, 4)):
            masked(types, column, mask, (detector,)).fetchall()


FOUND = [
    ("PaymentCard", "card 4111 1111 1111 1111 and 4111-1111-1111-1112", "card [x] and 4111-1111-1111-1112"),
    ("PaymentCard", "no. 1234 4111111111111111", "no. [x]"),
    ("PaymentCard", "378282246310005", "[x]"),
    ("PaymentCard", "4111\u00a01111\u20091111\u202f1111", "[x]"),
    ("PaymentCard", f"a{'0' * 64}b", f"a{'0' * 64}b"),
    ("PaymentCard", f"a{'0' * 65}b", "a[x]b"),
    ("Email", "write to a.b+c@example.co.uk, or not@", "write to [x], or not@"),
    ("Email", "an é.1@ü-2.de!", "an [x]!"),
    ("AccessKey", "AKIAIOSFODNN7EXAMPLE in logs", "[x] in logs"),
    ("PrivateKey", "-----BEGIN RSA PRIVATE KEY-----\nMII-x\n-----END RSA PRIVATE KEY-----!", "[x]!"),
    ("Phone", "call +49 30 1234567 now", "call [x] now"),
    ("IBAN", "DE89 3704 0044 0532 0130 00", "[x]"),
]


@pytest.mark.parametrize(("name", "text", "shown"), FOUND)
def test_content_masks_show_all_but_what_they_find(name: str, text: str, shown: str, types: Session) -> None:
    with types.connection.transaction(force_rollback=True):
        types.connection.execute("DELETE FROM types")
        types.connection.execute("INSERT INTO types (t) VALUES (%s)", (text,))
        seen = masked(types, "t", Redact("[x]"), (Detector(DetectorName(name)),)).fetchall()
    assert seen[0][0] == shown


OWN = [
    (r"EMP-\d{6}", "id EMP-123456 x"),
    (r"(?i)emp.*?6", "id EMP-123456 x"),
    (r"\bEMP\d{6}\b", "éEMP123456é xEMP123456 EMP123456_"),
    (r"\d+", "12 \u0663\u0664"),
    (r"id\W\d{3}", "idé123 id_123 id-123"),
    (r"x\S\D", "x\u00a0\u0663 x12 x  "),
    (r"[\w\s]+7", "é a\t_7 8"),
    (r"[^\d-]+", "12-3 é4"),
    (r"(ab|c)[x-z]", "aby cz cq"),
    (r"\[\d\]\.", "a[1].[2]"),
    (r"[a-c]{2,3}|^x|y$", "abca xay"),
]


@pytest.mark.parametrize(("pattern", "text"), OWN)
def test_an_own_pattern_hides_at_the_source_what_it_hides_in_results(
    pattern: str, text: str, types: Session
) -> None:
    own = Detector(pattern=pattern)
    shown = ContentScanner([own], Redact("-")).scan(text) if pattern_of(own) else "-"
    lettered = types.connection.execute(
        "SELECT collname FROM pg_collation WHERE collname IN ('pg_c_utf8', 'und-x-icu', 'C.utf8') LIMIT 1"
    ).fetchone()
    with types.connection.transaction(force_rollback=True):
        if lettered:  # one in which é is a letter
            types.connection.execute(f'ALTER TABLE types ALTER t TYPE text COLLATE "{lettered[0]}"'.encode())
        types.connection.execute("DELETE FROM types")
        types.connection.execute("INSERT INTO types (t) VALUES (%s)", (text,))
        assert masked(types, "t", Redact("-"), (own,)).fetchall()[0][0] == shown


@pytest.mark.parametrize("column", ["i8", "d", "f8"])
def test_a_number_in_which_content_is_found_becomes_null(column: str, types: Session) -> None:
    with types.connection.transaction(force_rollback=True):
        types.connection.execute("DELETE FROM types")
        types.connection.execute("ALTER TABLE types ALTER d TYPE numeric")
        for number in ("42", "378282246310005"):
            types.connection.execute(f"INSERT INTO types ({column}) VALUES ({number})".encode())
        content = (Detector(DetectorName.PAYMENT_CARD),)
        assert [row[0] for row in masked(types, column, Redact(), content).fetchall()] == [42, None]


@pytest.mark.parametrize(
    ("column", "pattern", "found", "clean"),
    [
        ("i4", r"\d{6}", "123456", "12345"),
        ("f4", "-7", "-7.5", "7.5"),
        ("da", "1980-", "'1980-03-04'", "'1981-03-04'"),
        ("iv", "day", "'3 days'", "'3 hours'"),
        ("e", "s[a]d", "'sad'", "'ok'"),
        ("ip", r"10\.0\.", "'10.0.0.1'", "'10.1.0.1'"),
        ("u", "^aaaa", "'aaaaaaaa-0000-0000-0000-000000000001'", "'baaaaaaa-0000-0000-0000-000000000001'"),
        ("b", "t", "true", "false"),
        ("i2", "(?=1)", "1", None),
    ],
)
def test_an_own_pattern_hides_what_it_finds_in_types_that_cannot_carry_a_mask(
    column: str, pattern: str, found: str, clean: str | None, types: Session
) -> None:
    with types.connection.transaction(force_rollback=True):
        types.connection.execute("DELETE FROM types")
        for value in (found, clean or "NULL"):
            types.connection.execute(f"INSERT INTO types ({column}) VALUES ({value})".encode())
        plain = types.connection.execute(f"SELECT {column} FROM types".encode()).fetchall()
        content = (Detector(pattern=pattern), Detector(DetectorName.PHONE))
        shown = masked(types, column, Redact(), content).fetchall()
        assert sorted((row[0] for row in shown), key=str) == sorted((None, plain[1][0]), key=str)


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize(
    ("mask", "shown"), [(Redact("[x]"), "[x]"), (Partial(0, 0), None), (Nullify(), None)]
)
def test_a_document_in_which_content_is_found_is_masked_as_a_whole(
    mask: Mask, shown: str | None, kind: str, types: Session
) -> None:
    column = "j" if kind == "json" else "jb"
    clean, found, hidden = '{"a": "x"}', '{"a": "4111111111111111"}', '{"a": "4\\u003111111111111111"}'
    with types.connection.transaction(force_rollback=True):
        types.connection.execute("DELETE FROM types")
        for text in (clean, found, hidden):
            types.connection.execute(f"INSERT INTO types ({column}) VALUES (%s)".encode(), (text,))
        content = (Detector(DetectorName.PAYMENT_CARD),)
        first, *others = (row[0] for row in masked(types, column, mask, content).fetchall())
    assert first == {"a": "x"}
    if isinstance(mask, Partial):
        assert all(set(one) == {"*"} for one in others)
    else:
        assert others == [shown, shown]


def test_a_partial_mask_keeps_both_ends_of_what_is_longer(types: Session) -> None:
    shown = {row[0] for row in masked(types, "t", Partial(1, 2)).fetchall()}
    assert shown == {"S******12", "", "*", None}
    assert {row[0] for row in masked(types, "v", Partial(3, 3)).fetchall()} == {"******", "*", None}


@pytest.mark.parametrize("column", ["d", "f8"])
def test_a_token_is_a_number_that_a_double_carries_exactly(column: str, types: Session) -> None:
    with types.connection.transaction(force_rollback=True):
        types.connection.execute("DELETE FROM types")
        types.connection.execute("ALTER TABLE types ALTER d TYPE numeric")
        types.connection.execute(
            f"INSERT INTO types ({column}) SELECT n FROM generate_series(1, 40) AS n".encode()
        )
        tokens = [row[0] for row in masked(types, column, Token()).fetchall()]
    assert all(0 <= token < 2**53 for token in tokens)
    assert max(tokens) > 2**52


def test_tokens_are_hmac_sha_256_of_the_text(types: Session) -> None:
    values = {row[0] for row in masked(types, "t", Token()).fetchall()}
    assert {token_of("Straße 12", KEYS.connection), token_of("", KEYS.connection)} <= values
