"""The targets of `make fuzz` run, and see what is wrong."""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path

import pytest

from tollhouse_proxy.protocols.postgres.wire.backend import DataRow

ROOT = Path(__file__).parents[2]
PURE = ("content", "conversation", "template", "wire")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setitem(sys.modules, "fuzz", importlib.import_module("fuzz"))


@pytest.mark.parametrize("name", PURE)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    module, campaign = importlib.import_module(f"fuzz.{name}"), importlib.import_module("fuzz.campaign")
    tried = campaign.Campaign(tmp_path)
    target, rng = module.Target(), random.Random(7)
    for _ in range(60):
        target.step(rng, tried)
    assert tried.inputs >= 60
    assert not tried.findings


def test_a_parser_that_leaves_bytes_behind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire, campaign = importlib.import_module("fuzz.wire"), importlib.import_module("fuzz.campaign")

    def careless(body: bytes) -> DataRow:
        return DataRow((body[6:7],))

    monkeypatch.setitem(wire.PARSERS, "DataRow", careless)
    tried = campaign.Campaign(tmp_path)
    target, rng = wire.Target(), random.Random(7)
    for _ in range(400):
        target.step(rng, tried)
    assert tried.findings
    kept = next(tmp_path.iterdir()).read_bytes()
    assert wire.replay(kept)


def test_every_target_is_run_by_the_command() -> None:
    whole = importlib.import_module("fuzz.__main__")
    assert {*PURE, "loop", "rewriter"} <= set(whole.targets())
