"""PostgreSQL's regression tests once more, with a row filter that is always true on the tables they share.

The filter hides nothing, so every difference is what rewriting did. What makes the tables (and their indexes,
which nobody may make on a filtered table) runs directly before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from suites.places import OfRelease
from suites.regress import BUILT, HOME, run_schedule
from suites.suite import Outcome, Suite, Wants, Way

DATABASE = "regression"
BEFORE = "test_setup create_function_c create_misc create_aggregate create_index"
TABLES = """
char_tbl float8_tbl int2_tbl int4_tbl int8_tbl point_tbl text_tbl varchar_tbl onek onek2 tenk1 tenk2
person emp student stud_emp road ihighway shighway
"""
"""What test_setup makes."""

TESTS = """
char varchar text int2 int4 int8 float8 point select select_distinct select_distinct_on select_having
select_implicit subselect union case join aggregates random portals arrays limit window with groupingsets
tsrf prepare rowtypes
"""
"""Those that read (and some write) these tables, and need nothing else."""

RULES = f"""\
  - name: nothing-hidden
    filter: {{tables: [{", ".join(TABLES.split())}], where: "true"}}
"""


@dataclass(frozen=True, slots=True)
class Filtered(OfRelease):
    """The tests of one release."""

    KIND = "filtered"
    BUILT = BUILT

    def wants(self) -> Wants:
        return Wants(self.tree.programs(), served=(DATABASE,), rules=RULES)

    def run(self, way: Way, folder: Path) -> Outcome:
        home = self.path / HOME
        before, after = folder / "before", folder / "after"
        for made in (before, after):
            made.mkdir()
        directly = replace(way, name="direct", port=way.server_port)
        found = run_schedule(directly, before, home, home / "pg_regress", _schedule(before, BEFORE))
        if not found.all_passed:
            return Outcome({}, f"what makes the tables failed directly: {before / 'run.log'}")
        return run_schedule(way, after, home, home / "pg_regress", _schedule(after, TESTS), "--use-existing")


def _schedule(folder: Path, tests: str) -> Path:
    """One test at a time: what differs is then no matter of what runs beside it."""
    made = folder / "schedule"
    made.write_text("".join(f"test: {test}\n" for test in tests.split()))
    return made


SUITES: tuple[Suite, ...] = (Filtered(15), Filtered(18))
