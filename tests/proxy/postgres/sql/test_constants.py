"""Which constants a decision can do without: by allow-list, and nothing else."""

from __future__ import annotations

import pytest

from tollhouse_proxy.kits.kernel import template
from tollhouse_proxy.protocols.postgres.sql import Catalog, MaskKeys, SessionSettings, understand
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect

DIALECT = sql_dialect(MaskKeys(b"n" * 32, b"c" * 32))

FREE = (
    "SELECT title FROM products WHERE id = 7 AND price < 1.5 OR title LIKE 'a%'",
    "SELECT title FROM products WHERE id IN (1, 2, 3) AND price BETWEEN 1 AND 2",
    "SELECT title FROM products LIMIT 5 OFFSET 3",
    "SELECT 1, 'x', -5, - 6 FROM products",
    "INSERT INTO products (id, title) VALUES (1, 'a'), (-2, 'b')",
    "UPDATE products SET price = price + -3, title = 'x' WHERE id = 2",
    "SELECT lower('A'), length(title), CASE WHEN id > 3 THEN 'x' ELSE 'y' END FROM products",
    "SELECT '2020-01-01'::date, CAST('7' AS int8) FROM products",
    "WITH a AS (SELECT id FROM products WHERE id = 4) SELECT * FROM a WHERE id > (SELECT 3)",
    "SELECT id FROM products WHERE (id, title) = (1, 'x') AND title IS DISTINCT FROM 'y'",
)
BOUND = (
    "SELECT title FROM products ORDER BY 1",
    "SELECT title, count(*) FROM products GROUP BY 1",
    "SELECT DISTINCT ON (1) title FROM products",
    "SELECT 'products'::regclass FROM products",
    "SELECT title::varchar(3) FROM products",
    "SELECT nextval('newsletter_id_seq')",
    "SELECT set_config('work_mem', '1MB', false)",
    "SELECT current_setting('work_mem')",
    "SELECT pg_advisory_lock(7)",
    "SELECT pg_get_serial_sequence('newsletter', 'id')",
    "SELECT get_contact(1)",
    "SELECT relname FROM pg_class WHERE relname = 'x'",
    "SELECT count(*) OVER (ORDER BY id ROWS 3 PRECEDING) FROM products",
    "SELECT id FROM products TABLESAMPLE system (10)",
    "DELETE FROM products WHERE 1 = 1",
)


def constants(text: str, catalog: Catalog) -> tuple[set[int], set[int], bool]:
    """(where constants begin, where free ones do, whether the statement as a whole hangs on them)."""
    [statement] = understand(text, catalog, SessionSettings())
    found = template(text.encode())
    assert found is not None, text
    begins = {begin for begin, _ in found[1]}
    return begins, set(DIALECT.constants(statement)), statement.literal_sensitive


@pytest.mark.parametrize("text", FREE)
def test_constants_that_are_values_are_free(text: str, catalog: Catalog) -> None:
    begins, free, sensitive = constants(text, catalog)
    assert begins
    assert begins <= free
    assert not sensitive


@pytest.mark.parametrize("text", BOUND)
def test_constants_that_name_something_or_stand_elsewhere_are_not(text: str, catalog: Catalog) -> None:
    begins, free, sensitive = constants(text, catalog)
    assert sensitive or not begins <= free
