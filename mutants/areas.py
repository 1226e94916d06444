"""What is broken, and which tests must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "proxy_image/src/tollhouse_core"
PROXY = ROOT / "proxy_image/src/tollhouse_proxy"
POSTGRES = PROXY / "protocols/postgres"


@dataclass(frozen=True, slots=True)
class Area:
    """`sources` are files, `tests` what pytest is given."""

    name: str
    sources: tuple[Path, ...]
    tests: tuple[str, ...]


def _sql(*names: str) -> tuple[Path, ...]:
    return tuple(POSTGRES / "sql" / f"{name}.py" for name in names)


_SQL_TESTS = ("tests/proxy/postgres/sql", "tests/real/sql")
_CONTENT_TESTS = (
    *("content", "content_json", "content_numbers", "content_scanner", "content_sheet", "content_spans"),
    "rows",
)
_WIRE_TESTS = ("tests/proxy/postgres/wire", "tests/fuzz")

AREAS = {
    area.name: area
    for area in (
        Area(
            "policy", tuple(sorted((CORE / "policy").glob("*.py"))), ("tests/core/policy", "tests/dialects")
        ),
        Area(
            "classify",
            _sql("understand", "reader", "findings", "names", "nodes", "utility", "commands", "calls")
            + _sql("definitions", "consequences", "schemas", "sensitive", "session_settings", "values")
            + _sql("target_reads", "cascades", "constants", "where"),
            _SQL_TESTS,
        ),
        Area(
            "rewrite",
            _sql("rewrite", "binding", "sources", "splice", "tokens", "filters", "pinned", "quoting", "keys")
            + _sql("writes", "inserts", "guards", "assignments", "merges", "copying", "placing", "unmoved")
            + _sql("shadows"),
            _SQL_TESTS,
        ),
        Area(
            "mask",
            _sql("masks", "coarser", "content_masks", "blanks")
            + tuple(sorted((PROXY / "kits").glob("content*.py"))),
            (
                *(f"tests/proxy/kits/test_{name}.py" for name in _CONTENT_TESTS),
                "tests/proxy/postgres/sql",
                "tests/proxy/postgres/wire/test_content.py",
                "tests/proxy/postgres/wire/test_rows_in_turns.py",
                "tests/fuzz",
                "tests/real/sql/test_masks.py",
            ),
        ),
        Area("wire", tuple(sorted((POSTGRES / "wire").glob("*.py"))), _WIRE_TESTS),
    )
}
