"""Rows of eight columns, three of which hold what content masks look for; and as PostgreSQL sends them."""

from __future__ import annotations

from struct import pack

TABLE = """
CREATE TABLE bulk (id int8, email text, card text, phone text, made text, note text, price text, state text)
"""
FILL = """
INSERT INTO bulk SELECT i, 'user' || i || '@example.com', '4111 1111 1111 1111', '+49 30 ' || (1000000 + i),
  'row made on a day', 'just a plain remark of some sixty characters, nothing else in it', '199.95', 'active'
  FROM generate_series(1, ROWS) i
"""
COLUMNS = ("id", "email", "card", "phone", "made", "note", "price", "state")
HELD = (
    b"4711",
    b"user4711@example.com",
    b"4111 1111 1111 1111",
    b"+49 30 1004711",
    b"row made on a day",
    b"just a plain remark of some sixty characters, nothing else in it",
    b"199.95",
    b"active",
)
PLAIN = (b"4711", b"user4711", b"none of those known", b"not told here", *HELD[4:])


def row(values: tuple[bytes, ...]) -> bytes:
    """A DataRow."""
    body = pack("!H", len(values)) + b"".join(pack("!i", len(value)) + value for value in values)
    return b"D" + pack("!i", len(body) + 4) + body


def answer(rows: int) -> bytes:
    """All that answers a query for so many rows."""
    fields = b"".join(
        name.encode() + b"\0" + pack("!IhIhih", 0, 0, 20 if name == "id" else 25, -1, -1, 0)
        for name in COLUMNS
    )
    tag = f"SELECT {rows}".encode() + b"\0"
    return b"".join(
        (
            b"T" + pack("!ih", len(fields) + 6, len(COLUMNS)) + fields,
            row(HELD) * rows,
            b"C" + pack("!i", len(tag) + 4) + tag,
            b"Z\0\0\0\x05I",
        )
    )
