"""How the suites' own reports are read."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from suites.compared import Compared, differences
from suites.regress import results_of
from suites.suite import Outcome, Result

from suites import pytests

OLD = """\
test tablespace                   ... ok         5433 ms
parallel group (2 tests):  money pg_lsn
     money                        ... ok           84 ms
     pg_lsn                       ... FAILED       95 ms
test stats                        ... failed (ignored)      10 ms
 1 of 4 tests failed.
"""
TAP = """\
# parallel group (2 tests):  money pg_lsn
ok 1         - tablespace                               5433 ms
ok 2         + money                                      84 ms
not ok 3     + pg_lsn                                     95 ms
# 1 of 3 tests failed.
"""


def test_both_spellings_of_pg_regress_are_read() -> None:
    passed, failed = Result.PASSED, Result.FAILED
    assert results_of(OLD) == {"tablespace": passed, "money": passed, "pg_lsn": failed, "stats": failed}
    assert results_of(TAP) == {"tablespace": passed, "money": passed, "pg_lsn": failed}


JUNIT = """\
<testsuites><testsuite name="pytest">
<testcase classname="tests.a" name="passes"/>
<testcase classname="tests.a" name="fails"><failure message="no"/></testcase>
<testcase classname="tests.a" name="skips"><skipped type="pytest.skip"/></testcase>
<testcase classname="tests.a" name="leaves a mess"/>
<testcase classname="tests.a" name="leaves a mess"><error message="at teardown"/></testcase>
</testsuite></testsuites>
"""


def test_what_pytest_reports_is_read_and_the_worse_of_two_counts() -> None:
    assert pytests.results_of(JUNIT) == {
        "tests.a::passes": Result.PASSED,
        "tests.a::fails": Result.FAILED,
        "tests.a::skips": Result.IGNORED,
        "tests.a::leaves a mess": Result.FAILED,
    }


def test_what_was_ignored_is_not_counted() -> None:
    outcome = Outcome({"a": Result.PASSED, "b": Result.FAILED, "c": Result.IGNORED})
    assert outcome.counted == "1/2"


def test_a_test_that_did_not_run_through_the_proxy_is_a_difference() -> None:
    direct = Outcome({"a": Result.PASSED, "b": Result.FAILED})
    found = Compared("demo", direct, Outcome({"b": Result.FAILED}), 1.0, 1.0, 0.1, (1.0, 1.0))
    assert found.differing == ["a"]
    assert differences([found]) == "demo: a: passed directly, did not run through the proxy"
