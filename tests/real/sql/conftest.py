"""The shop on every release of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.postgres import Postgres
from kit.sql_shop import ROWS, SHOP, VARIANTS, Session


@pytest.fixture(scope="session")
def variants(any_postgres: Postgres) -> Iterator[dict[str, str]]:
    """variant -> database of the shop whose hidden data is that variant's."""
    names = {
        variant: any_postgres.create_database(sql=SHOP + ROWS.format(v=variant, **values))
        for variant, values in VARIANTS.items()
    }
    yield {variant: any_postgres.dsn(name) for variant, name in names.items()}
    for name in names.values():
        any_postgres.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def opened(variants: dict[str, str]) -> Iterator[dict[str, Session]]:
    """One session for each variant; its snapshot is read once."""
    sessions = {variant: Session(dsn) for variant, dsn in variants.items()}
    yield sessions
    for session in sessions.values():
        session.connection.close()


@pytest.fixture
def pair(opened: dict[str, Session]) -> Iterator[tuple[Session, Session]]:
    """The two variants, each in a transaction that is rolled back."""
    both = (opened["ALPHA"], opened["OMEGA"])
    for session in both:
        session.begin()
    yield both
    for session in both:
        session.connection.execute("ROLLBACK")


@pytest.fixture
def shop(opened: dict[str, Session]) -> Iterator[Session]:
    """One shop in a transaction that is rolled back. Tests may set its obligations."""
    session = opened["ALPHA"]
    session.begin()
    yield session
    session.connection.execute("ROLLBACK")
