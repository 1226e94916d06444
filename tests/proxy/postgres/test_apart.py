"""What comes back from the process that reads long texts is made of known classes only, or refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from kit.hard_texts import HARD
from tollhouse_core.decision import Obligations
from tollhouse_proxy.ports.aside import Shared
from tollhouse_proxy.protocols.postgres.apart import LONG_TEXT, Apart, BadAnswer
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings, Statement


class Catalog:
    epoch = "one"
    rows: dict[str, list[list[str]]] = {}  # noqa: RUF012


class Answering:
    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def ask(self, request: bytes, shared: Shared, *, patient: bool = False) -> bytes:
        return self.answer


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (os.mkdir, (str(self.path),))


def apart(answer: bytes) -> Apart:
    return Apart(Answering(answer), MaskKeys(b"n" * 32, b"c" * 32))


async def test_an_answer_that_would_do_something_does_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for answer in (pickle.dumps(("found", Evil(made))), pickle.dumps(("found", [pickle.dumps(Evil(made))]))):
        with pytest.raises(BadAnswer):
            await apart(answer).understand("SELECT 1", Catalog(), SessionSettings())
        assert not made.exists()


async def test_an_answer_of_another_shape_is_none() -> None:
    with pytest.raises(BadAnswer):
        await apart(pickle.dumps(("permitted", None))).split("SELECT 1", Catalog())


async def test_a_statement_that_nobody_understood_is_not_rewritten() -> None:
    from tollhouse_proxy.protocols.postgres.sql.statement import CannotRewrite

    statement = Statement("SELECT 1", 0, "SELECT", operation=None)  # type: ignore[arg-type]
    with pytest.raises(CannotRewrite):
        await apart(b"").rewrite(statement, Obligations(), Catalog())


@pytest.mark.parametrize("name", sorted(HARD))
def test_every_hard_text_is_read_apart_before_it_is_long(name: str) -> None:
    assert Apart.is_long(HARD[name](LONG_TEXT * 2))
