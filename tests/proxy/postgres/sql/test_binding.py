"""Which masks and filters bind to which relation: families, views, computed columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.sent import sent
from kit.sql_shop import mask, row_filter
from tollhouse_core.decision import ColumnMask, Obligations, RowFilter
from tollhouse_core.masks import Detector, DetectorName, Nullify, Partial, Redact
from tollhouse_proxy.protocols.postgres.sql import Catalog

EVENTS, PART, ARCHIVE = ("public", "events"), ("public", "events_t7"), ("public", "customers_archive")
EMAILS = (Detector(DetectorName.EMAIL),)
OWN, MORE = row_filter("tenant_id = $1", 7, path=EVENTS), row_filter("id > 1", path=PART)


def shown(sql: str, catalog: Catalog, *bound: ColumnMask | RowFilter) -> str:
    columns = tuple(one for one in bound if isinstance(one, ColumnMask))
    filters = tuple(one for one in bound if isinstance(one, RowFilter))
    return sent(sql, catalog, Obligations(columns=columns, filters=filters))


def test_a_part_with_a_mask_of_its_own_is_read_by_itself(catalog: Catalog) -> None:
    hidden = mask("payload", Nullify(), PART)
    assert shown("SELECT * FROM events WHERE id = 1", catalog, hidden) == (
        "SELECT * FROM ((SELECT id, tenant_id, payload FROM ONLY events)"
        " UNION ALL (SELECT id, tenant_id, payload FROM ONLY events_t9)"
        " UNION ALL (SELECT id, tenant_id, CAST(NULL AS text) AS payload FROM ONLY events_t7)"
        ") AS events WHERE id = 1"
    )
    assert shown("TABLE events_t7", catalog, hidden) == (
        "SELECT * FROM (SELECT id, tenant_id, CAST(NULL AS text) AS payload FROM events_t7) AS events_t7"
    )
    only = shown("SELECT * FROM ONLY events", catalog, hidden)
    assert only == "SELECT * FROM (SELECT id, tenant_id, payload FROM ONLY events) AS events"


def test_a_filter_of_a_part_holds_beside_that_of_its_parent(catalog: Catalog) -> None:
    made = shown("SELECT id FROM events WHERE id = 1", catalog, OWN, MORE)
    assert "ONLY events WHERE «own» OFFSET 0)" in made
    assert "ONLY events_t9 WHERE «own» OFFSET 0)" in made
    assert "ONLY events_t7 WHERE (id OPERATOR(>) 1) AND «own» OFFSET 0)" in made
    assert "WHERE (id OPERATOR(>) 1) AND «own» AND (events_t7.id OPERATOR(=) 1)" in shown(
        "SELECT id FROM events_t7 WHERE id = 1", catalog, OWN, MORE
    )


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM events", "UPDATE events SET payload = 'x'",
     "INSERT INTO events (id, tenant_id) VALUES (1, 7)",
     "MERGE INTO events e USING products p ON p.id = e.id WHEN MATCHED THEN DELETE"],
)  # fmt: skip
def test_a_parent_whose_parts_have_filters_of_their_own_is_not_written(sql: str, catalog: Catalog) -> None:
    assert "some of its partitions have masks or filters of their own" in shown(sql, catalog, OWN, MORE)
    assert "refused" not in shown(sql, catalog, OWN)


def test_the_same_filter_said_twice_holds_once(catalog: Catalog) -> None:
    again = row_filter("tenant_id = $1", 7, path=PART)
    assert shown("TABLE ONLY events", catalog, OWN).startswith("SELECT * FROM (SELECT ")
    assert shown("TABLE events", catalog, OWN, again) == shown("TABLE events", catalog, OWN)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_masks_of_a_column_the_stricter_shows(order: int, catalog: Catalog) -> None:
    masks = [mask("notes", Nullify()), mask("notes", Partial(1, 1)), mask("notes", Redact(), content=EMAILS)]
    made = shown("SELECT notes FROM customers", catalog, *masks[::order])
    assert "CAST(NULL AS text) AS notes," in made
    assert "regexp" not in made


def test_content_masks_of_one_column_hold_one_after_the_other(catalog: Catalog) -> None:
    cards = (Detector(DetectorName.PAYMENT_CARD),)
    both = [mask("notes", Redact("[e]"), content=EMAILS), mask("notes", Redact("[c]"), content=cards)]
    made = shown("SELECT notes FROM customers", catalog, *both)
    assert "'[e]'" in made
    assert "'[c]'" in made


def test_a_computed_column_shows_the_mask_of_what_it_is_computed_from(catalog: Catalog) -> None:
    assert "«no email_norm»" in shown("TABLE customers", catalog, mask("email", Nullify()))
    assert "email_norm FROM" in shown("TABLE customers", catalog, mask("name", Nullify()))
    own = shown("TABLE customers", catalog, mask("email", Nullify()), mask("email_norm", Partial(1, 0)))
    assert "«no email»" in own
    assert "«no email_norm»" not in own


def test_a_child_keeps_its_parents_mask_and_adds_its_own(catalog: Catalog) -> None:
    masks = (mask("email", Redact()), mask("email", Nullify(), ARCHIVE), mask("ssn", Nullify(), ARCHIVE))
    made = shown("TABLE customers", catalog, *masks)
    parent, child = made.split("UNION ALL")
    assert "'[redacted]'" in parent
    assert " ssn, " in parent
    assert "«no email», «no ssn», " in child
    assert shown("TABLE customers_archive", catalog, *masks).count("«no ") == 3


def test_a_mask_of_a_view_is_laid_on_what_the_view_shows(catalog: Catalog) -> None:
    masked = mask("contact", Nullify(), ("public", "customers_v"))
    made = shown("SELECT contact FROM customers_v", catalog, masked)
    assert "CAST(NULL AS varchar(80)) AS contact FROM (SELECT customers.id" in made
    assert "customers_v(id, name, contact) OFFSET 0) AS customers_v" in made
    assert "does not touch" in shown("SELECT email FROM customers", catalog, masked)


def test_a_mask_of_a_column_that_is_not_there_changes_nothing(catalog: Catalog) -> None:
    assert shown("SELECT id FROM customers", catalog, mask("gone", Nullify())) == (
        "SELECT id FROM customers (errors as they are)"
    )


def computed(expression: str) -> Catalog:
    """The shop, where email_norm is computed by something else."""
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    for row in rows["defaults"]:
        row[2] = expression if "lower" in row[2] else row[2]
    return Catalog.from_rows(rows)


@pytest.mark.parametrize("order", [1, -1])
def test_a_column_computed_from_several_shows_the_strictest_of_their_masks(order: int) -> None:
    catalog = computed("lower(email::text || ssn)")

    def norm(*masks: ColumnMask) -> str:
        made = shown("TABLE customers", catalog, *masks[::order])
        return made.rpartition(", uid, ")[2].partition(" FROM customers)")[0]

    assert norm(mask("email", Partial(1, 1)), mask("ssn", Nullify())) == "«no email_norm»"
    assert norm(mask("email", Redact(), content=EMAILS), mask("ssn", Nullify())) == "«no email_norm»"
    assert norm(mask("email", Nullify()), mask("name", Redact())) == "«no email_norm»"
    both = norm(mask("email", Redact("[e]"), content=EMAILS), mask("ssn", Redact("[s]"), content=EMAILS))
    assert "'[e]'" in both
    assert "'[s]'" in both


@pytest.mark.parametrize("expression", ["lower((", "row_to_json(customers.*)::text", "customers.email"])
def test_a_computation_that_cannot_be_read_or_reads_all_shows_the_mask(expression: str) -> None:
    if "lower" not in expression:
        expression = f"lower({expression})"
    catalog = computed(expression)
    assert "«no email_norm»" in shown("TABLE customers", catalog, mask("email", Nullify()))
