"""The examples are what they seem: every policy of them compiles for its Connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.decision import PreviewMode
from tollhouse_dialects import LANGUAGES
from tollhouse_operator.standalone.compiled import compile_files
from tollhouse_operator.standalone.documents import read_folder

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_an_example_makes_a_bundle_of_all_its_policies(name: str) -> None:
    files = read_folder(EXAMPLES / name)
    compiled = compile_files(files, LANGUAGES)
    assert [str(one) for one in compiled.complaints] == []
    written = [one for one in files.documents if one.kind == "AccessPolicy"]
    (bundle,) = compiled.bundles.values()
    assert bundle.text is not None
    assert bundle.policies == len(written) > 0


def test_the_example_of_approvals_has_each_way_to_ask() -> None:
    documents = read_folder(EXAMPLES / "approvals").documents
    (policy,) = [parse_object(one.data) for one in documents if one.kind == "AccessPolicy"]
    assert isinstance(policy, AccessPolicy)
    asked = [rule.require_approval for rule in policy.spec.rules if rule.require_approval is not None]
    assert [(one.preview is PreviewMode.EXECUTE, one.max_rows, one.credential) for one in asked] == [
        (True, None, None),
        (True, 10, None),
        (False, None, "eraser"),
    ]
