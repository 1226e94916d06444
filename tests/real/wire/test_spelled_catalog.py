"""The catalog is the same however a session has its values written."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from kit.postgres import Postgres
from kit.wire_world import WireWorld

pytestmark = pytest.mark.postgres

DATED = """
CREATE TABLE dated (
  n int, at timestamptz DEFAULT '2030-01-02 03:04:05+00'::timestamptz,
  wait interval DEFAULT '1 day 2 hours'::interval,
  share float8 DEFAULT 0.1::float8, raw bytea DEFAULT '\\x00ff'::bytea);
CREATE VIEW late AS SELECT n FROM dated WHERE at > '2030-01-02 03:04:05+00'::timestamptz;
"""
AWAY_AND_BACK = """
CREATE OR REPLACE VIEW late AS SELECT n FROM dated WHERE at > '2030-01-02 03:04:05+00'::timestamptz;
ALTER TABLE dated ALTER at SET DEFAULT now(), ALTER wait SET DEFAULT NULL, ALTER share DROP DEFAULT,
  ALTER raw DROP DEFAULT;
ALTER TABLE dated ALTER at SET DEFAULT '2030-01-02 03:04:05+00'::timestamptz,
  ALTER wait SET DEFAULT '1 day 2 hours'::interval, ALTER share SET DEFAULT 0.1::float8,
  ALTER raw SET DEFAULT '\\x00ff'::bytea;
"""
SPELLINGS = (
    "SET TimeZone = 'Asia/Tokyo'",
    "SET DateStyle = 'German'",
    "SET IntervalStyle = 'iso_8601'",
    "SET extra_float_digits = -5",
    "SET bytea_output = 'escape'",
)


def test_definitions_are_read_alike_whatever_a_session_has_set(
    postgres: Postgres, serve: Callable[[WireWorld], WireWorld]
) -> None:
    database = postgres.create_database(sql=DATED)
    world = serve(WireWorld(postgres, database))
    with (
        psycopg.connect(world.dsn(), autocommit=True) as owner,
        psycopg.connect(world.dsn(), autocommit=True) as client,
    ):
        for spelling in SPELLINGS:
            client.execute(spelling)
            client.execute("SELECT n FROM late")
            # Somebody else's change, and back again: everything that is printed is read anew.
            owner.execute(AWAY_AND_BACK)
            client.execute("SELECT n FROM dated; SELECT n FROM late", prepare=False)
            settings = client.execute("SHOW TimeZone").fetchone()
            assert settings == ("Asia/Tokyo",)
        catalogs = list(world.shelf._found.values())
    assert len(catalogs) > len(SPELLINGS)
    assert len({str(catalog.rows["defaults"].rows) for catalog in catalogs}) == 1
    assert len({str([row[2:] for row in catalog.rows["views"].rows.values()]) for catalog in catalogs}) == 1
