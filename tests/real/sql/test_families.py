"""Partitions, children, views and generated columns: one rule binds wherever the data shows."""

from __future__ import annotations

import pytest

from kit.sql_shop import Session, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Nullify, Redact, Token

pytestmark = pytest.mark.postgres

T9 = ("public", "events_t9")
EVENTS = ("public", "events")


def test_a_filter_on_one_partition_binds_when_read_through_the_parent(shop: Session) -> None:
    shop.under(Obligations(filters=(row_filter("id = 1", path=T9),)))
    assert shop.run("SELECT id FROM events ORDER BY 1").rows == ["(1,)", "(2,)", "(4,)", "(6,)"]
    assert shop.run("SELECT id FROM events_t9").rows == ["(1,)"]


def test_a_mask_on_one_partition_binds_when_read_through_the_parent(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("payload", Nullify(), T9),)))
    seen = shop.run("SELECT payload FROM events e WHERE e.id < 5")
    assert sorted(seen.rows) == ["('mine 2',)", "('mine 4',)", "(None,)", "(None,)"]
    assert shop.run("UPDATE events SET payload = 'x'").kind == "cannot rewrite"


def test_a_rule_on_the_parent_binds_on_its_partitions(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("payload", Redact(), EVENTS),)))
    assert shop.run("SELECT DISTINCT payload FROM events_t9").rows == ["('[redacted]',)"]


def test_a_mask_on_a_child_binds_when_read_through_the_parent(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("ssn", Nullify(), ("public", "customers_archive")),)))
    assert shop.run("SELECT ssn FROM customers WHERE id = 100").rows == ["(None,)"]
    assert shop.run("SELECT ssn FROM ONLY customers WHERE id = 1").rows == ["('SSN-ALPHA-0001',)"]


def test_a_filter_on_a_view_binds_on_the_view_only(shop: Session) -> None:
    shop.under(Obligations(filters=(row_filter("id = $1", 1, path=("public", "customers_v")),)))
    assert shop.run("SELECT id FROM customers_v").rows == ["(1,)"]
    assert shop.run("SELECT id FROM customers_vv").rows == ["(1,)"]
    shop.under(Obligations())
    assert len(shop.run("SELECT id FROM customers").rows) == 6


def test_a_mask_that_names_a_materialised_view_opens_it(shop: Session) -> None:
    base = mask("email", Redact())
    shop.under(Obligations(columns=(base,)))
    assert shop.run("SELECT * FROM customers_mv").kind == "cannot rewrite"
    shop.under(Obligations(columns=(base, mask("email", Nullify(), ("public", "customers_mv")))))
    assert shop.run("SELECT DISTINCT email FROM customers_mv").rows == ["(None,)"]


def test_a_generated_column_shows_the_mask_of_what_it_is_made_from(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("email", Redact()),)))
    assert shop.run("SELECT DISTINCT email_norm FROM customers").rows == ["('[redacted]',)"]


def test_equal_values_of_two_tables_join_by_their_tokens(shop: Session) -> None:
    shop.connection.execute("INSERT INTO newsletter (email) SELECT email FROM customers WHERE id < 3")
    both = Obligations(columns=(mask("email", Token()), mask("email", Token(), ("public", "newsletter"))))
    shop.under(both)
    assert shop.run("SELECT c.id FROM customers c JOIN newsletter n USING (email)").rows == ["(1,)", "(2,)"]


def test_group_by_a_primary_key_still_lets_other_columns_stand(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("ssn", Redact()),)))
    seen = shop.run(
        "SELECT c.id, c.name, c.ssn, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id"
        " GROUP BY c.id HAVING count(*) > 0"
    )
    assert seen.kind == "rows"
    assert seen.rows[0] == "(1, 'name1', '[redacted]', 2)"


def test_filters_of_several_rules_all_hold(shop: Session) -> None:
    shop.under(Obligations(filters=(row_filter("tenant_id = ANY($1)", ["7", "8"]), row_filter("id > $1", 8))))
    assert shop.run("SELECT id FROM orders").rows == ["(10,)", "(9,)"]


def test_a_filter_may_look_into_other_tables(shop: Session) -> None:
    where = "customer_id IN (SELECT id FROM customers WHERE name = $1)"
    shop.under(Obligations(filters=(row_filter(where, "name1"),)))
    assert shop.run("SELECT id FROM orders").rows == ["(10,)", "(5,)"]
    assert shop.run("UPDATE orders SET note = 'x'").tag == "UPDATE 2"


@pytest.mark.parametrize("value", ["7' OR 'a'='a", "7); DELETE FROM orders; --", "\\", "7'--", "'"])
def test_an_identity_value_is_a_constant_whatever_it_holds(value: str, shop: Session) -> None:
    shop.under(Obligations(filters=(row_filter("note = $1", value),)))
    assert shop.run("SELECT * FROM orders").rows == []
    shop.under(Obligations(filters=(row_filter("note = ANY($1)", [value, '"', "{,}"]),)))
    assert shop.run("SELECT * FROM orders").rows == []


def test_a_search_path_with_look_alikes_cannot_change_a_filter(shop: Session) -> None:
    shop.connection.execute("CREATE SCHEMA evil")
    shop.connection.execute(
        "CREATE FUNCTION evil.always(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'"
    )
    shop.connection.execute("CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.always)")
    shop.read()
    shop.under(Obligations(filters=(row_filter("tenant_id = 7"),)))
    seen = shop.understand("SET search_path = evil, pg_catalog, public; SELECT * FROM orders")
    shop.settings = seen[1].plan.names.settings  # type: ignore[attr-defined]
    shop.connection.execute("SET LOCAL search_path = evil, pg_catalog, public")
    assert len(shop.run("SELECT * FROM orders").rows) == 5
    shop.under(Obligations(filters=(row_filter("tenant_id IN (7, 77)"),)))
    assert shop.run("SELECT * FROM orders").kind == "cannot rewrite"
    shop.connection.execute("SET LOCAL search_path = public")
    shop.settings = type(shop.settings)()
    assert len(shop.run("SELECT * FROM orders").rows) == 5
    shop.connection.execute("ROLLBACK")
    shop.connection.execute("BEGIN")
    shop.read()


@pytest.mark.parametrize(
    ("make", "read"),
    [
        ("CREATE VIEW leak AS SELECT ssn FROM customers", "SELECT * FROM leak"),
        ("CREATE SCHEMA z CREATE VIEW leak AS SELECT ssn FROM public.customers", "SELECT * FROM z.leak"),
        ("CREATE TABLE kid () INHERITS (customers)", "SELECT ssn FROM kid"),
        ("CREATE TEMP TABLE leak AS SELECT ssn FROM customers", "SELECT * FROM leak"),
    ],
)
def test_what_a_client_makes_of_masked_data_is_masked_too(make: str, read: str, shop: Session) -> None:
    shop.under(Obligations(columns=(mask("ssn", Redact()),)))
    assert shop.run(make).kind == "rows"
    shop.read()
    if "kid" in make:
        shop.connection.execute("INSERT INTO kid (id, name, ssn) VALUES (1000, 'x', 'SSN-ALPHA-9')")
    seen = shop.run(read)
    if seen.kind == "cannot rewrite":  # the copy holds no masked column any more: nothing binds
        shop.under(Obligations())
        seen = shop.run(read)
    assert seen.rows
    assert "SSN" not in repr(seen.rows)
    shop.connection.execute("ROLLBACK")
    shop.connection.execute("BEGIN")
    shop.read()
