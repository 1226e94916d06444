"""Wrong objects (`kit.wrong_objects`) and good ones, shown to the models and to a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.wrong_objects import EXAMPLES, SAME, WRONG, Wrong
from tollhouse_core.api import InvalidObject, parse_object


def title(wrong: Wrong) -> str:
    return f"{wrong.path}: {wrong.words}"


@pytest.mark.parametrize("wrong", WRONG, ids=title)
def test_a_wrong_object_is_refused_with_the_path_and_words_that_help(wrong: Wrong) -> None:
    with pytest.raises(InvalidObject) as refusal:
        parse_object(wrong.document)
    problem = refusal.value.problems[0]
    assert problem.path == wrong.path
    assert wrong.words in problem.message
    assert problem.object.startswith(wrong.document["kind"])


@pytest.mark.apiserver
@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong.server is not None], ids=title)
def test_the_api_server_refuses_it_too(wrong: Wrong, api_server: Any) -> None:
    message = api_server.refusal(wrong.document)
    expected = wrong.words.partition(";")[0] if wrong.server == SAME else wrong.server
    assert expected in message
    shown = wrong.path.rpartition(".")[0] if "Duplicate" in message else wrong.path
    assert shown.removesuffix(".nullify") in message or wrong.path.startswith("metadata")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_taken(path: Path) -> None:
    parse_object(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.apiserver
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_takes_it_too(path: Path, api_server: Any) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert api_server.refusal(document) == ""
