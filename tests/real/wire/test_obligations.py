"""Masks and filters on the wire: every protocol, every format, and what happens when they move."""

from __future__ import annotations

import asyncio

import asyncpg
import psycopg
import pytest

from kit.wire_world import RULE, TOKEN, WireWorld
from tollhouse_core.decision import ColumnMask, ContentMask, Obligations, RowFilter, WriteCheck
from tollhouse_core.masks import Detector, DetectorName, Partial, Redact

pytestmark = pytest.mark.postgres

CUSTOMERS = ("public", "customers")
MASKED = Obligations(columns=(ColumnMask(CUSTOMERS, "email", Redact("[hidden]"), RULE),))
OTHER_MASK = Obligations(columns=(ColumnMask(CUSTOMERS, "email", Redact("[gone]"), RULE),))
FILTERED = Obligations(filters=(RowFilter(CUSTOMERS, "tenant = $1", (1,), WriteCheck.CHECK, RULE),))
CARDS = Obligations(
    content=(ContentMask((Detector(DetectorName.PAYMENT_CARD),), Partial(keep_last=4), RULE),)
)


@pytest.fixture
def client(world: WireWorld) -> psycopg.Connection:
    with psycopg.connect(world.dsn(), autocommit=True) as made:
        yield made  # type: ignore[misc]


def test_a_masked_column_is_masked_in_every_way_of_asking(
    client: psycopg.Connection, world: WireWorld
) -> None:
    world.gate.obligations = MASKED
    assert client.execute("SELECT id, email FROM customers WHERE id = 1").fetchall() == [(1, "[hidden]")]
    assert client.execute("SELECT email FROM customers WHERE id = %s", (1,)).fetchall() == [("[hidden]",)]
    assert client.execute("SELECT email FROM customers WHERE id = %b", (1,), binary=True).fetchall() == [
        ("[hidden]",)
    ]
    with client.cursor().copy("COPY (SELECT email FROM customers WHERE id = 1) TO STDOUT") as copy:
        assert list(copy.rows()) == [("[hidden]",)]
    client.execute("PREPARE one AS SELECT email FROM customers WHERE id = 1")
    assert client.execute("EXECUTE one").fetchall() == [("[hidden]",)]
    with client.transaction(), client.cursor("walk") as cursor:
        cursor.execute("SELECT email FROM customers WHERE id = 1")
        assert cursor.fetchall() == [("[hidden]",)]


def test_a_filter_holds_below_joins_and_for_prepared_statements(
    client: psycopg.Connection, world: WireWorld
) -> None:
    world.gate.obligations = FILTERED
    assert client.execute("SELECT count(*) FROM customers").fetchone() == (2,)
    assert client.execute("SELECT name FROM customers WHERE id = %s", (2,), prepare=True).fetchall() == []


def test_error_positions_are_mapped_back_through_a_rewrite(
    client: psycopg.Connection, world: WireWorld
) -> None:
    world.gate.obligations = FILTERED
    with pytest.raises(psycopg.Error) as found:
        client.execute("SELECT c.id FROM customers c WHERE c.name = 1")
    assert found.value.diag.statement_position == "43"


def test_errors_on_masked_tables_quote_no_value(client: psycopg.Connection, world: WireWorld) -> None:
    world.gate.obligations = MASKED
    with pytest.raises(psycopg.Error) as found:
        client.execute("SELECT name::int FROM customers")
    said = found.value.diag
    assert "ann" not in f"{said.message_primary} {said.message_detail} {said.context}"
    assert found.value.sqlstate == "22P02"


def test_a_mask_that_comes_later_binds_prepared_statements_and_portals(
    client: psycopg.Connection, world: WireWorld
) -> None:
    ask = "SELECT email FROM customers WHERE id = %s"
    assert client.execute(ask, (1,), prepare=True).fetchall() == [("ann@shop.example",)]
    world.gate.obligations, world.gate.revision = MASKED, "sha256:two"
    assert client.execute(ask, (1,), prepare=True).fetchall() == [("[hidden]",)]
    assert client.execute(ask, (1,), prepare=True).fetchall() == [("[hidden]",)]
    world.gate.obligations, world.gate.revision = OTHER_MASK, "sha256:three"
    assert client.execute(ask, (1,), prepare=True).fetchall() == [("[gone]",)]
    world.gate.obligations, world.gate.revision = Obligations(), "sha256:four"
    assert client.execute(ask, (1,), prepare=True).fetchall() == [("ann@shop.example",)]


def test_cursors_and_sql_prepared_statements_of_an_older_policy_are_refused(
    client: psycopg.Connection, world: WireWorld
) -> None:
    client.execute("PREPARE one AS SELECT email FROM customers WHERE id = 1")
    client.execute("BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers ORDER BY id")
    assert client.execute("FETCH 1 FROM c").fetchall() == [("ann@shop.example",)]
    world.gate.obligations, world.gate.revision = MASKED, "sha256:two"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("FETCH 1 FROM c")
    client.execute("ROLLBACK")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("EXECUTE one")
    assert client.execute("SELECT 1").fetchone() == (1,)


def test_content_is_masked_in_text_json_arrays_and_copy(client: psycopg.Connection, world: WireWorld) -> None:
    world.gate.obligations = CARDS
    row = client.execute("SELECT body, extra, tags FROM notes").fetchone()
    assert row == ("card ***************1111 ok", {"card": "************1111"}, ["x", "************1111"])
    row = client.execute("SELECT body, extra FROM notes", binary=True).fetchone()
    assert row == ("card ***************1111 ok", {"card": "************1111"})
    with client.cursor().copy("COPY (SELECT body FROM notes) TO STDOUT") as copy:
        assert list(copy.rows()) == [("card ***************1111 ok",)]


def test_content_in_a_type_that_cannot_carry_a_mask_becomes_null(
    client: psycopg.Connection, world: WireWorld
) -> None:
    world.gate.obligations = CARDS
    for binary in (False, True):
        rows = client.execute(
            "SELECT id, card, card::numeric FROM customers ORDER BY id", binary=binary
        ).fetchall()
        assert rows == [(1, None, None), (2, None, None), (3, None, None)]
        assert client.execute("SELECT tags FROM notes", binary=True).fetchone() == (None,)


def test_content_masks_hold_for_clients_that_never_describe(world: WireWorld) -> None:
    async def ask() -> object:
        client = await asyncpg.connect(
            host=world.host,
            port=world.port,
            user="triage",
            database=world.database,
            password=TOKEN,
            ssl=False,
        )
        try:
            statement = await client.prepare("SELECT body FROM notes")
            world.gate.obligations, world.gate.revision = CARDS, "sha256:two"
            return await statement.fetchval()
        finally:
            await client.close()

    assert asyncio.run(ask()) == "card ***************1111 ok"


def test_a_column_that_shows_up_though_hidden_ends_the_session(
    client: psycopg.Connection, world: WireWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second line: the rewriter is broken on purpose, RowDescription tells."""
    from tollhouse_proxy.protocols.postgres.desk import Desk
    from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten

    honest = Desk.rewritten

    def broken(self: Desk, statement: object, obligations: Obligations) -> Rewritten:
        found = honest(self, statement, obligations)  # type: ignore[arg-type]
        return Rewritten(statement.text, (), found.forbidden_origins, found.guards_errors)  # type: ignore[attr-defined]

    monkeypatch.setattr(Desk, "rewritten", broken)
    world.gate.obligations = MASKED
    for parameters in ((), (1,)):
        with psycopg.connect(world.dsn(), autocommit=True) as other:
            with pytest.raises(psycopg.OperationalError) as found:
                other.execute(
                    "SELECT email FROM customers" + (" WHERE id = %s" if parameters else ""), parameters
                )
            assert "ann" not in str(found.value)
            assert other.closed


def test_asyncpg_reads_masked_columns_in_binary(world: WireWorld) -> None:
    world.gate.obligations = MASKED

    async def ask() -> object:
        client = await asyncpg.connect(
            host=world.host,
            port=world.port,
            user="triage",
            database=world.database,
            password=TOKEN,
            ssl=False,
        )
        try:
            return await client.fetchval("SELECT email FROM customers WHERE id = $1", 1)
        finally:
            await client.close()

    assert asyncio.run(ask()) == "[hidden]"
