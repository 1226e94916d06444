"""Ways round that lie in the protocol: bytes, startup, names of statements and portals, COPY, cancel.

What a client may observe is compared between the two variants wherever the server is reached at all.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from kit.raw_client import Answer, Gone, RawClient, query
from kit.threat_world import POLICIES, Threats, bundle_text
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.body import message
from tollhouse_proxy.protocols.postgres.wire.frontend import Bind, Close, Describe, Execute, Parse
from tollhouse_proxy.protocols.postgres.wire.startup import (
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    StartupMessage,
)

pytestmark = pytest.mark.postgres

SYNC, FLUSH = frontend.SYNC_MESSAGE, frontend.FLUSH_MESSAGE
LONG = "a" * 63


# ---------------------------------------------------------------- texts as bytes

TEXTS = {
    "a NUL in the middle": b"SELECT 1\0; DROP TABLE secrets",
    "a NUL at the end": b"SELECT 1\0",
    "a byte that begins no character": b"SELECT '\xff'",
    "a quote swallowed in another encoding": b"SELECT E'\xd5\x5c' ; DELETE FROM secrets --'",
    "an overlong quote": b"SELECT '\xc0\xa7'",
    "a surrogate": b"SELECT '\xed\xa0\x80'",
    "a character cut off": b"SELECT '\xe2\x82",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_utf8_or_holds_a_nul_never_reaches_the_server(name: str, world: Threats) -> None:
    for side in world.sides:
        seen = world.acted(side, "agent", lambda client: [client.query(TEXTS[name])])
        assert seen.error["C"] in {"22021", "08P01"}
        assert not seen.rows
    assert _still_there(world)


BOMBS = {
    "set operations": "SELECT 1" + " UNION ALL SELECT 1" * 13_000,
    "sums": "SELECT " + "1+" * 100_000 + "1",
    "joins": "SELECT 1 FROM products p0" + "".join(f" JOIN products p{n} ON true" for n in range(1, 7_000)),
    "brackets": "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
    "sub-selects": "SELECT * FROM " + "(SELECT * FROM " * 8_000 + "products" + ") x" * 8_000,
    "casts": "SELECT 1" + "::int" * 50_000,
    "CASE": "SELECT " + "CASE WHEN true THEN " * 10_000 + "1" + " END" * 10_000,
    "NOT": "SELECT " + "NOT " * 60_000 + "true",
    "arrays": "SELECT " + "ARRAY[" * 40_000 + "1" + "]" * 40_000,
    "WITH": "WITH a AS (" * 5_000 + "SELECT 1" + ") SELECT 1" * 5_000,
    "a list": "SELECT id FROM products WHERE id IN (" + ",".join(map(str, range(40_000))) + ")",
    "more than may be sent": "SELECT '" + "x" * 300_000 + "'",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_text_built_to_break_a_parser_is_refused_or_answered(name: str, world: Threats) -> None:
    side = world.sides[0]
    seen = world.acted(side, "agent", lambda client: [client.query(BOMBS[name])])
    assert seen.error or name == "a list"
    after = world.acted(side, "agent", lambda client: [client.query("SELECT 1")])
    assert len(after.rows) == 1


# ---------------------------------------------------------------- startup

SETTINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "replication": (("user", "x"), ("replication", "true")),
    "replication of one database": (("user", "x"), ("replication", "database")),
    "another encoding": (("user", "x"), ("client_encoding", "GBK")),
    "strings with backslashes": (("user", "x"), ("standard_conforming_strings", "off")),
    "the same by options": (("user", "x"), ("options", "-c standard_conforming_strings=off")),
    "and in another spelling": (("user", "x"), ("options", "--standard-conforming-strings=off")),
    "a role": (("user", "x"), ("role", "postgres")),
    "a role by options": (("user", "x"), ("options", "-c role=postgres")),
    "session_authorization": (("user", "x"), ("session_authorization", "postgres")),
    "no triggers": (("user", "x"), ("session_replication_role", "replica")),
    "in capitals": (("user", "x"), ("Session_Replication_Role", "replica")),
    "debug messages": (("user", "x"), ("client_min_messages", "debug5")),
    "twice the same": (("user", "x"), ("user", "postgres")),
    "twice a setting": (("user", "x"), ("search_path", "public"), ("Search_Path", "sandbox")),
    "a library": (("user", "x"), ("options", "-c session_preload_libraries=x")),
    "a log setting": (("user", "x"), ("log_statement", "none")),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_session_cannot_begin_with_other_rules(name: str, world: Threats) -> None:
    pairs = (*SETTINGS[name], ("database", world.sides[0].world.database))
    answer = _knock(world, StartupMessage(3, 0, pairs).encode(), b"p\0\0\0\x0aagent\0")
    assert b"E" in answer[:1] or b"\0FATAL\0" in answer
    assert b"Z\0\0\0\x05I" not in answer


def test_a_search_path_given_at_startup_is_judged_by(world: Threats) -> None:
    for way in ({"search_path": "sandbox, public"}, {"options": "-c search_path=sandbox,public"}):
        client = world.sides[0].connect(**way)
        answer = client.query("SELECT title FROM products LIMIT 1")
        client.close()
        assert answer.rows == [b"\0\x01\0\0\0\x0a[redacted]"]


PACKETS = {
    "a length of four": b"\0\0\0\x04",
    "a negative length": b"\xff\xff\xff\xff",
    "a long one": b"\0\x01\0\0" + b"x" * 100,
    "no terminator": b"\0\0\0\x0e\0\x03\0\0user\0x",
    "protocol 2": b"\0\0\0\x0d\0\x02\0\0user\0",
    "protocol 4": b"\0\0\0\x09\0\x04\0\0\0",
    "no user": b"\0\0\0\x09\0\x03\0\0\0",
    "a cancel key too long": b"\0\0\x01\x20\x04\xd2\x16\x2e\0\0\0\x01" + b"k" * 276,
    "TLS asked for twice": SSLRequest.encode() * 2,
    "encryption asked for twice": GSSENCRequest.encode() * 2,
    "a query behind the request for TLS": SSLRequest.encode() + query("SELECT 1"),
    "a query behind the request for encryption": GSSENCRequest.encode() + query("SELECT 1"),
    "a web browser": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", PACKETS)
def test_what_is_no_startup_ends_the_connection(name: str, world: Threats) -> None:
    answer = _knock(world, PACKETS[name])
    assert b"Z\0\0\0\x05I" not in answer
    assert b"R\0\0\0\x08\0\0\0\0" not in answer


def test_a_session_needs_a_token(world: Threats) -> None:
    pairs = (("user", "postgres"), ("database", world.sides[0].world.database))
    hello = StartupMessage(3, 0, pairs).encode()
    for password in (b"", b"wrong", world.sides[0].world.server.password.encode(), b"agent\0agent"):
        answer = _knock(world, hello, b"p" + (len(password) + 5).to_bytes(4) + password + b"\0")
        assert b"Z\0\0\0\x05I" not in answer
    assert b"Z\0\0\0\x05I" not in _knock(world, hello, query("SELECT 1"))


# ---------------------------------------------------------------- frames

FRAMES = {
    "a length of zero": b"Q\0\0\0\0",
    "a length of three": b"Q\0\0\0\x03",
    "a negative length": b"Q\xff\xff\xff\xf0SELECT 1\0",
    "two gigabytes announced": b"Q\x7f\xff\xff\xffSELECT",
    "no terminator": b"Q\0\0\0\x0cSELECT 1",
    "two terminators": b"Q\0\0\0\x0eSELECT 1\0\0",
    "an unknown type": b"!\0\0\0\x04",
    "a message of the server's": b"D\0\0\0\x0b\0\x01\0\0\0\x01x",
    "a password, late": b"p\0\0\0\x06x\0",
    "a parameter beyond its message": message(b"B", b"\0\0", b"\0\0\0\x01", b"\0\0\0\xff", b"\0\0"),
    "a negative count": message(b"B", b"\0\0", b"\0\0\xff\xff", b"\0\0"),
    "more formats than parameters": message(b"B", b"\0\0", b"\0\x02\0\0\0\x01", b"\0\0", b"\0\0"),
    "a format that is none": message(b"B", b"\0\0", b"\0\x01\0\x07", b"\0\0", b"\0\0"),
    "bytes behind the body": message(b"P", b"\0SELECT 1\0", b"\0\0", b"\0"),
    "a startup packet": StartupMessage(3, 0, (("user", "x"),)).encode(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_not_one_ends_the_session(name: str, world: Threats) -> None:
    client = world.sides[0].connect()
    client.send(FRAMES[name], SYNC, query("SELECT 1"))
    with pytest.raises(Gone) as gone:
        client.until("Z") and client.until("~")
    said = b"".join(gone.value.left)
    assert b"C08P01\0" in said or not said
    client.close()


def test_bytes_one_by_one_and_thousands_of_flushes_change_nothing(world: Threats) -> None:
    client = world.sides[0].connect()
    for byte in query("SELECT ssn FROM customers LIMIT 1"):
        client.send(bytes((byte,)))
    assert client.until_ready().rows == [b"\0\x01\0\0\0\x0a[redacted]"]
    client.send(FLUSH * 5000, SYNC)
    assert client.until_ready().kinds == "Z"
    client.close()


def test_a_function_called_by_its_number_is_judged_like_any_other(world: Threats) -> None:
    for number in (2923, 2924, 964, 1598, 2625):  # table_to_xml, query_to_xml, lo_unlink, random, pg_ls_dir
        call = frontend.FunctionCall(number, (), (b"secrets", b"t", b"t", b""), 0).encode()
        seen = world.both(f"function {number}", lambda client: _sent(client, call))  # noqa: B023
        assert seen.error["C"] in {"42501", "0A000", "42883", "08P01"}
        assert not seen.gone


# ---------------------------------------------------------------- statements and portals

Step = bytes
FLOWS: dict[str, tuple[Step, ...]] = {
    "a name given by PREPARE is bound": (
        query("PREPARE p1 AS SELECT ssn FROM customers"),
        Bind("", "p1").encode() + Execute("", 0).encode() + SYNC,
    ),
    "a name given by Parse is executed in SQL": (
        Parse("p2", b"SELECT ssn, note FROM customers c LEFT JOIN orders o ON o.id = c.id").encode() + SYNC,
        query("EXECUTE p2"),
    ),
    "a name is given away and given anew": (
        Parse("p3", b"SELECT 1").encode() + SYNC,
        query("DEALLOCATE p3"),
        query("PREPARE p3 AS SELECT ssn FROM customers"),
        Bind("", "p3").encode() + Execute("", 0).encode() + SYNC,
    ),
    "DISCARD ALL and the name again": (
        Parse("p4", b"SELECT 1").encode() + SYNC,
        query("DISCARD ALL"),
        Parse("p4", b"SELECT v FROM secrets").encode() + SYNC,
        Bind("", "p4").encode() + Execute("", 0).encode() + SYNC,
    ),
    "the unnamed statement replaced in one pipeline": (
        Parse("", b"SELECT 1").encode() + Bind("", "").encode() + Execute("", 0).encode()
        + Parse("", b"SELECT ssn FROM customers").encode() + Bind("", "").encode() + Execute("", 0).encode()
        + SYNC,
    ),
    "a Parse that the server skips": (
        Parse("p5", b"SELECT 1 / 0").encode() + Bind("", "p5").encode() + Execute("", 0).encode()
        + Parse("p6", b"SELECT ssn FROM customers").encode() + SYNC,
        Bind("", "p6").encode() + Execute("", 0).encode() + SYNC,
    ),
    "a failed statement's name, taken by another": (
        Parse("p7", b"SELECT nothing").encode() + SYNC,
        Parse("p7", b"SELECT note FROM orders").encode() + SYNC,
        Bind("", "p7").encode() + Execute("", 0).encode() + SYNC,
    ),
    "portals in turn": (
        Parse("p8", b"SELECT ssn FROM customers ORDER BY id").encode()
        + Parse("p9", b"SELECT note FROM orders ORDER BY id").encode()
        + Bind("a", "p8").encode() + Bind("b", "p9").encode()
        + b"".join(Execute(name, 1).encode() for name in "abab") + SYNC,
    ),
    "several Binds of one statement, in text and binary": (
        Parse("p10", b"SELECT ssn, score, birth FROM customers WHERE id > $1", (23,)).encode()
        + Bind("c", "p10", (), (b"1",), (1,)).encode() + Bind("d", "p10", (1,), (b"\0\0\0\x02",), ()).encode()
        + Bind("e", "p10", (), (b"3",), (1, 0, 1)).encode()
        + b"".join(Execute(name, 0).encode() for name in "cde") + SYNC,
    ),
    "FETCH from a portal of the protocol": (
        query("BEGIN"),
        Parse("", b"SELECT ssn FROM customers").encode() + Bind("f", "").encode() + SYNC,
        query("FETCH 2 FROM f"),
        query("ROLLBACK"),
    ),
    "Execute of a portal made by DECLARE": (
        query("BEGIN"),
        query("DECLARE g CURSOR FOR SELECT ssn FROM customers"),
        Execute("g", 2).encode() + SYNC,
        query("ROLLBACK"),
    ),
    "a binary cursor": (
        query("BEGIN"),
        query("DECLARE h BINARY CURSOR FOR SELECT ssn, score FROM customers"),
        query("FETCH ALL FROM h"),
        query("ROLLBACK"),
    ),
    "a cursor WITH HOLD": (
        query("BEGIN"),
        query("DECLARE i CURSOR WITH HOLD FOR SELECT note FROM orders"),
        query("COMMIT"),
        query("FETCH ALL FROM i"),
        query("CLOSE i"),
    ),
    "Flush instead of Sync": (
        Parse("p11", b"SELECT ssn FROM customers").encode() + Bind("", "p11").encode()
        + Describe("P", "").encode() + Execute("", 0).encode() + FLUSH + SYNC,
    ),
    "a Query inside a sequence without Sync": (
        Parse("p12", b"SELECT 1").encode() + query("SELECT ssn FROM customers"),
        SYNC,
    ),
    "a name in quotes": (
        query('PREPARE "P13" AS SELECT ssn FROM customers'),
        query("PREPARE p13 AS SELECT 1"),
        Bind("", "P13").encode() + Execute("", 0).encode() + SYNC,
    ),
    "names longer than the server keeps": (
        Parse(LONG + "X", b"SELECT 1").encode() + SYNC,
        Parse(LONG + "Y", b"SELECT v FROM secrets").encode() + SYNC,
        Bind("", LONG + "X").encode() + Execute("", 0).encode() + SYNC,
    ),
    "PREPARE survives a rollback": (
        query("BEGIN"),
        query("PREPARE p14 AS SELECT ssn FROM customers"),
        query("ROLLBACK"),
        query("EXECUTE p14"),
    ),
    "Close, and the name again": (
        Parse("p15", b"SELECT 1").encode() + SYNC,
        Close("S", "p15").encode() + Parse("p15", b"SELECT ssn FROM customers").encode()
        + Bind("", "p15").encode() + Execute("", 0).encode() + SYNC,
    ),
    "parameters as guesses": (
        Parse("p16", b"SELECT count(*) FROM customers WHERE ssn LIKE $1").encode()
        + Bind("", "p16", (), (b"%ALPHA%",)).encode() + Execute("", 0).encode() + SYNC,
    ),
    "types of parameters that fail on values": (
        Parse("p17", b"SELECT id FROM customers WHERE ssn::int = $1", (23,)).encode()
        + Bind("", "p17", (), (b"1",)).encode() + Execute("", 0).encode() + SYNC,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_statements_and_portals_show_nothing_whichever_way_they_are_named(name: str, world: Threats) -> None:
    for side in world.sides:
        if "agent" in side.sessions:
            side.drop("agent")
    seen = world.both(name, lambda client: [answer for step in FLOWS[name] for answer in _sent(client, step)])
    assert not seen.gone
    assert seen.answers[-1].kinds.endswith("Z")


def test_four_queries_in_one_segment_are_four_decisions(world: Threats) -> None:
    texts = (
        "SELECT 1",
        "SELECT ssn FROM customers LIMIT 1",
        "SELECT v FROM secrets",
        "SELECT count(*) FROM orders",
    )
    seen = world.both("four", lambda client: client.pipeline(*map(query, texts)))
    assert [one.error.get("C") for one in seen.answers] == [None, None, "42501", None]


def test_a_changed_policy_binds_what_was_prepared_opened_and_held_before(world: Threats) -> None:
    client = world.sides[0].connect("free")
    client.query("PREPARE held AS SELECT ssn FROM customers")
    client.query("BEGIN")
    client.query("DECLARE open CURSOR WITH HOLD FOR SELECT ssn FROM customers")
    client.query("COMMIT")
    client.send(Parse("named", b"SELECT ssn FROM customers").encode() + SYNC)
    client.until_ready()
    assert b"ALPHA" in client.query("EXECUTE held").data
    in_force = world.sides[0].guarded.in_force
    assert in_force.offer(bundle_text({**POLICIES, "free": POLICIES["agent"]}))
    try:
        later = [
            client.query("EXECUTE held"),
            client.query("FETCH ALL FROM open"),
            *_sent(client, Bind("", "named").encode() + Execute("", 0).encode() + SYNC),
        ]
    finally:
        assert in_force.offer(bundle_text(POLICIES))
        client.close()
    assert not any(b"ALPHA" in answer.data for answer in later)


def test_a_view_redefined_behind_a_prepared_statement_is_masked(world: Threats) -> None:
    side = world.sides[0]
    client = side.connect()
    with side.direct() as dba:
        dba.execute("CREATE VIEW moving AS SELECT id, name AS x FROM customers")
        client.send(Parse("m", b"SELECT x FROM moving").encode() + SYNC)
        client.until_ready()
        dba.execute("CREATE OR REPLACE VIEW moving AS SELECT id, ssn AS x FROM customers")
        answers = [
            *_sent(client, Bind("", "m").encode() + Execute("", 0).encode() + SYNC),
            client.query("SELECT x FROM moving"),
        ]
        dba.execute("DROP VIEW moving")
    client.close()
    assert not any(b"SSN-ALPHA" in answer.data for answer in answers[1:])


# ---------------------------------------------------------------- COPY, cancel


def test_nothing_but_copy_data_is_taken_while_copying_in(world: Threats) -> None:
    for wrong in (query("SELECT ssn FROM customers"), Parse("", b"SELECT 1").encode()):
        client = world.sides[0].connect()
        client.send(query("COPY scratch FROM STDIN"))
        client.until("G")
        client.send(frontend.CopyData(b"9\tx\n").encode(), wrong, frontend.COPY_DONE_MESSAGE, SYNC)
        try:
            said = client.until("Z").data
        except Gone as gone:
            said = b"".join(gone.left)
        client.close()
        assert b"[redacted]" not in said
        assert b"08P01" in said or b"57014" in said or b"E" in said[:1]


def test_copied_data_out_of_place_goes_nowhere(world: Threats) -> None:
    seen = world.both(
        "CopyData", lambda client: _sent(client, frontend.CopyData(b"1\tx\n").encode() + query("SELECT 1"))
    )
    assert len(seen.rows) == 1


def test_a_cancel_with_a_guessed_key_stops_nothing_and_says_nothing(world: Threats) -> None:
    for pid in (1, 0, 2**31):
        assert _knock(world, CancelRequest(pid, b"\0\0\0\0").encode()) == b""
    assert _still_there(world)


# ---------------------------------------------------------------- tools


def _sent(client: RawClient, step: bytes) -> list[Answer]:
    client.send(step)
    return [client.until_ready(SYNC)]


def _knock(world: Threats, *pieces: bytes) -> bytes:
    """What a bare connection is told until it is closed or nothing more comes."""
    side = world.sides[0]
    with socket.create_connection((side.world.host, side.world.port), timeout=5) as knocking:
        return b"".join(_answers(knocking, pieces))


def _answers(knocking: socket.socket, pieces: Iterable[bytes]) -> Iterable[bytes]:
    for piece in pieces:
        try:
            knocking.sendall(piece)
            said = knocking.recv(1 << 16)
        except ConnectionError:
            return
        if not said:
            return
        yield said
    knocking.shutdown(socket.SHUT_WR)
    while said := knocking.recv(1 << 16):
        yield said


def _still_there(world: Threats) -> bool:
    with world.sides[0].direct() as direct:
        row = direct.execute("SELECT count(*) FROM secrets").fetchone()
    return row == (2,)
