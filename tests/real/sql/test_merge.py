"""MERGE into relations with row filters and column masks, on real servers."""

from __future__ import annotations

import pytest

from kit.sql_shop import HIDE, Session, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Redact
from tollhouse_proxy.protocols.postgres.sql import OUTSIDE_FILTER

pytestmark = pytest.mark.postgres

TENANT = Obligations(filters=(row_filter("tenant_id = $1", "7"),))
STAGING = """
CREATE TABLE staging (id int, tenant_id int, note text);
INSERT INTO staging VALUES (2, 7, 'two'), (50, 7, 'fifty')
"""
ON = "MERGE INTO orders o USING staging s ON s.id = o.id "
INSIDE = [
    (ON + "WHEN MATCHED THEN UPDATE SET note = s.note", "MERGE 1"),
    (ON + "WHEN MATCHED THEN UPDATE SET tenant_id = s.tenant_id, note = s.note", "MERGE 1"),
    (ON + "WHEN MATCHED THEN UPDATE SET (tenant_id, note) = (s.tenant_id + 0, s.note || '!')", "MERGE 1"),
    (ON + "WHEN MATCHED THEN UPDATE SET (note, tenant_id) = (SELECT s.note, 7)", "MERGE 1"),
    (ON + "WHEN MATCHED AND CASE WHEN o.amount > 1 THEN true END THEN DELETE", "MERGE 1"),
    (ON + "WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN DO NOTHING", "MERGE 0"),
    (
        ON + "WHEN MATCHED THEN UPDATE SET note = s.note WHEN NOT MATCHED THEN"
        " INSERT (id, tenant_id, note) VALUES (s.id, s.tenant_id, s.note)",
        "MERGE 2",
    ),
    (ON + "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.tenant_id + 0, NULL, 3, DEFAULT)", "MERGE 1"),
    (
        "MERGE INTO ONLY public.orders USING (VALUES (2, 'x'), (60, 'y')) v (i, n) ON orders.id = v.i"
        " WHEN MATCHED THEN UPDATE SET note = v.n WHEN NOT MATCHED AND v.i > 3 THEN"
        " INSERT (tenant_id, id) VALUES (7, v.i)",
        "MERGE 2",
    ),
    (
        "WITH w AS (SELECT * FROM orders) MERGE INTO orders o USING w JOIN staging s ON s.id = w.id"
        " ON w.id = o.id WHEN MATCHED THEN UPDATE SET amount = s.id",
        "MERGE 1",
    ),
]
OUTSIDE = [
    ON + "WHEN MATCHED THEN UPDATE SET tenant_id = 8",
    ON + "WHEN MATCHED THEN UPDATE SET tenant_id = 8 - (random() * 0)::int",
    ON + "WHEN MATCHED THEN UPDATE SET (tenant_id, note) = (SELECT 8, 'x')",
    ON + "WHEN MATCHED THEN UPDATE SET (note, tenant_id) = ROW('x', NULL)",
    ON + "WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (s.id, 8)",
    ON + "WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (s.id, (SELECT 8))",
    ON + "WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (s.id, NULL)",
]
HIDDEN = [
    # A hidden row matches nothing, whatever is asked of it; nor does an error tell of it.
    "MERGE INTO orders o USING staging s ON o.note LIKE 'SECRET%' WHEN MATCHED THEN DELETE",
    "MERGE INTO orders o USING staging s ON o.id = 1 WHEN MATCHED THEN UPDATE SET note = 'x'",
    "MERGE INTO orders o USING (SELECT 1) s ON o.note::int = 1 AND o.id = 1 WHEN MATCHED THEN DELETE",
    "MERGE INTO orders o USING (SELECT 1) s ON true WHEN MATCHED AND o.amount > 22 AND o.tenant_id = 8"
    " THEN DELETE",
]
BY_SOURCE = [
    (ON + "WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), o.id", 4),
    (ON + "WHEN NOT MATCHED BY SOURCE AND o.id > 4 THEN UPDATE SET note = 'x' RETURNING o.id", 3),
    (ON + "WHEN NOT MATCHED BY SOURCE AND o.note::int = 1 THEN DELETE WHEN NOT MATCHED BY TARGET THEN"
     " INSERT (id, tenant_id) VALUES (s.id, 7) RETURNING *", None),
    (ON + "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET tenant_id = 7 WHEN NOT MATCHED BY TARGET THEN"
     " INSERT (id, tenant_id) VALUES (s.id, 7) RETURNING merge_action(), s.note, o.*", 5),
]  # fmt: skip


@pytest.fixture
def staged(shop: Session) -> Session:
    shop.connection.execute(STAGING.encode())
    shop.read()
    shop.under(TENANT)
    return shop


@pytest.mark.parametrize(("sql", "tag"), INSIDE)
def test_rows_inside_the_filter_are_merged_as_always(sql: str, tag: str, staged: Session) -> None:
    seen = staged.run(sql)
    assert (seen.kind, seen.tag) == ("rows", tag), seen


@pytest.mark.parametrize("sql", OUTSIDE)
def test_no_merge_makes_a_row_outside_the_filter(sql: str, staged: Session) -> None:
    made = staged.rewrite(staged.understand(sql)[0])
    with pytest.raises(Exception, match=OUTSIDE_FILTER):
        staged.connection.execute(made.text.encode())


@pytest.mark.parametrize("sql", HIDDEN)
def test_hidden_rows_are_not_there_for_a_merge(sql: str, pair: tuple[Session, Session]) -> None:
    seen = []
    for session in pair:
        session.connection.execute(STAGING.encode())
        session.read()
        session.under(TENANT)
        seen.append(session.run(sql))
    assert seen[0] == seen[1]
    assert seen[0].kind == "failed" or seen[0].tag in ("MERGE 0", "MERGE 1")
    if seen[0].kind == "rows":
        left = pair[0].connection.execute("SELECT count(*) FROM orders WHERE tenant_id = 8").fetchone()
        assert left == (5,)


@pytest.mark.parametrize(("sql", "rows"), BY_SOURCE)
def test_what_no_source_matches_is_meant_of_visible_rows_only(
    sql: str, rows: int | None, staged: Session
) -> None:
    if staged.catalog.server_version < 170000:
        assert staged.run(sql).kind == "failed"
        return
    before = staged.connection.execute("SELECT * FROM orders WHERE tenant_id = 8 ORDER BY id").fetchall()
    seen = staged.run(sql)
    if rows is not None:
        assert (seen.kind, len(seen.rows)) == ("rows", rows), seen
        after = staged.connection.execute("SELECT * FROM orders WHERE tenant_id = 8 ORDER BY id").fetchall()
        assert after == before
    else:
        assert seen.kind == "failed"  # on a row of one's own


def test_an_insert_that_leaves_out_what_the_filter_reads_is_refused_with_words(staged: Session) -> None:
    seen = staged.run(ON + "WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)")
    assert seen.kind == "cannot rewrite"
    assert "tenant_id" in seen.text


def test_masked_columns_can_be_merged_into_but_not_read(staged: Session) -> None:
    staged.under(HIDE)
    to = "MERGE INTO customers c USING staging s ON s.id = c.id WHEN MATCHED THEN "
    assert staged.run(to + "UPDATE SET name = s.note, ssn = s.note").tag == "MERGE 1"
    assert staged.run(
        "MERGE INTO customers c USING customers s ON s.id = c.id WHEN MATCHED THEN UPDATE SET name = s.ssn"
    ).kind == "rows"  # fmt: skip
    shown = staged.connection.execute("SELECT DISTINCT name FROM customers WHERE id <= 5").fetchall()
    assert shown == [("[redacted]",)]
    for sql in (
        to + "UPDATE SET name = c.ssn",
        to + "UPDATE SET name = c.to_jsonb::text",
        "MERGE INTO customers c USING staging s ON s.note = c.ssn WHEN MATCHED THEN DO NOTHING",
        "MERGE INTO customers c USING staging s ON s.id = c.id WHEN MATCHED AND c.ssn LIKE 'S%' THEN DELETE",
        to + "UPDATE SET email = s.note",
    ):
        assert staged.run(sql).kind == "cannot rewrite", sql


def test_what_a_merge_returns_is_masked(staged: Session) -> None:
    staged.under(Obligations(columns=(mask("ssn", Redact()),)))
    to = "MERGE INTO customers c USING staging s ON s.id = c.id WHEN MATCHED THEN UPDATE SET name = 'x' "
    if staged.catalog.server_version < 170000:
        assert staged.run(to + "RETURNING c.*").kind == "failed"
        return
    assert "SSN-" not in repr(staged.run(to + "RETURNING c.*"))
    assert staged.run(to + "RETURNING merge_action(), c.ssn").rows == ["('UPDATE', '[redacted]')"]
    assert staged.run(to + "RETURNING *").kind == "cannot rewrite"
    assert staged.run(to + "RETURNING c").kind == "cannot rewrite"
