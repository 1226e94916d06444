"""`tollhouse explain` without the backend: from a schema dump, for one statement or a file of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.postgres import Postgres

pytestmark = pytest.mark.postgres

CLI = [sys.executable, "-m", "tollhouse_operator.cli"]
SCHEMA = """
CREATE SCHEMA billing;
CREATE TABLE customers (id int PRIMARY KEY, tenant int, email text);
CREATE TABLE billing.invoices (id int PRIMARY KEY, customer int REFERENCES customers, total numeric(10,2));
CREATE VIEW contacts AS SELECT id, email AS contact FROM customers;
CREATE FUNCTION pay(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN /* ; \\! */ PERFORM 1; END $$;
"""
FOLDER = """
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {name: shop}
spec:
  postgres: {host: nowhere.invalid, database: orders}
  credentials: {secretRef: {name: nobody-has-it}}
---
apiVersion: tollhouse.dev/v1alpha1
kind: AccessPolicy
metadata: {name: support}
spec:
  connections: {names: [shop]}
  subjects: [{group: support}]
  rules:
  - {name: read, allow: {sql: {access: [Select], tables: [customers, contacts]}}}
  - {name: hide, mask: {columns: [customers.email], with: {redact: {}}}}
  - {name: only-here, deny: {sql: {access: [Select], tables: ["*"]}}, when: "session.database != 'orders'"}
"""


@pytest.fixture(scope="module")
def dumped(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with policies, and the schema of a database as pg_dump tells it."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "shop.yaml").write_text(FOLDER)
    database = postgres.create_database(sql=SCHEMA)
    dump = subprocess.run(
        [postgres.bin / "pg_dump", "-s", "-d", postgres.dsn(database)],
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "dump.sql").write_text(dump.stdout + "\nCREATE EXTENSION not_to_be_had;\n")
    return folder


def explained(folder: Path, *arguments: str, said: str = "") -> tuple[int, Any, str]:
    command = [*CLI, "explain", "--dir", str(folder), "--as=group:support", "-o", "json", *arguments]
    path = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def test_a_file_of_statements_is_explained_from_a_dump(dumped: Path) -> None:
    statements = (
        "SELECT contact FROM contacts; -- one\nSELECT nonsense FROM nowhere;\nSELECT * FROM billing.invoices;"
    )
    (dumped / "some.sql").write_text(statements)
    status, told, complaints = explained(
        dumped, "--schema", str(dumped / "dump.sql"), "-f", str(dumped / "some.sql")
    )
    assert status == 1
    assert [one["decision"] for one in told["operations"]] == ["allow", "deny", "deny"]
    assert "[redacted]" in told["operations"][0]["sent"]
    assert "billing.invoices" in told["operations"][2]["message"]
    assert complaints.count("not loaded") == 1
    assert "not_to_be_had" in complaints


def test_standard_input_is_a_file_too(dumped: Path) -> None:
    status, told, _ = explained(
        dumped, "--schema", str(dumped / "dump.sql"), "-f", "-", said="SELECT id FROM customers"
    )
    assert (status, [one["decision"] for one in told["operations"]]) == (0, ["allow"])


def test_what_is_no_plain_dump_is_refused_with_the_line_and_nothing_of_it_runs(dumped: Path) -> None:
    ran = dumped / "ran"
    bad = dumped / "bad.sql"
    bad.write_text(f"CREATE TABLE a ();\n\\! touch {ran}\n")
    status, _, complaints = explained(dumped, "--schema", str(bad), "SELECT 1")
    assert status == 4
    assert "line 2" in complaints
    assert not ran.exists()


def test_one_of_statement_and_file_is_asked_for(dumped: Path) -> None:
    assert explained(dumped)[0] == 2
    assert explained(dumped, "SELECT 1", "-f", "-")[0] == 2
