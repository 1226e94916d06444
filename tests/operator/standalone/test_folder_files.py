"""A folder's files: documents with their lines, and what becomes of broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollhouse_dialects import LANGUAGES
from tollhouse_operator.standalone.compiled import Compiled, compile_files
from tollhouse_operator.standalone.documents import line_of, read_folder

Write = Callable[..., None]

CONNECTION = """\
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {name: shop-db}
spec:
  postgres: {host: db, database: shop}
  credentials: {secretRef: {name: login}}
"""
OTHER = CONNECTION.replace("shop-db", "other-db")
POLICY = """\
apiVersion: tollhouse.dev/v1alpha1
kind: AccessPolicy
metadata: {name: readers}
spec:
  connections: {names: [shop-db]}
  subjects: [{group: readers}]
  rules:
  - name: read
    allow: {sql: {access: [Select], tables: [orders]}}
"""
SHOP, OTHERS = ("default", "shop-db"), ("default", "other-db")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(**files: str) -> None:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)

    return write


def compiled(folder: Path) -> Compiled:
    return compile_files(read_folder(folder), LANGUAGES)


def test_several_documents_of_a_file_are_read_each_with_its_line(tmp_path: Path, write: Write) -> None:
    write(all=f"# a comment\n---\n{CONNECTION}---\n---\n{POLICY}")
    documents = read_folder(tmp_path).documents
    assert [(one.title, one.line) for one in documents] == [
        ("Connection default/shop-db", 3),
        ("AccessPolicy default/readers", 11),
    ]
    assert line_of(documents[1].node, "spec.rules[0].allow.sql") == 19
    assert line_of(documents[1].node, "spec.rules[7].allow") == 17
    assert line_of(documents[1].node, "nowhere") == 11


def test_hidden_files_people_and_other_names_are_no_objects(tmp_path: Path, write: Write) -> None:
    write(people="people: []", **{".hidden": "{"})
    (tmp_path / "notes.txt").write_text("{")
    files = read_folder(tmp_path)
    assert files.documents == ()
    assert not files.unreadable


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("kind: [", 1, "expected YAML"),
        ("a: 1\nb: {\nc", 3, "expected YAML"),
        ("kind: A\nkind: B\n", 2, "'kind' stands here twice"),
        ("spec:\n  rules:\n  - name: a\n    name: b\n", 4, "'name' stands here twice"),
        ("- a\n- b\n", 1, "expected an object"),
        ("kind: !!python/object:os.system {}\n", 1, "expected YAML"),
        ("a: &x [*x]\n", 1, ""),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(
    tmp_path: Path, write: Write, text: str, line: int, words: str
) -> None:
    write(bad=text)
    outcome = compiled(tmp_path)
    assert outcome.held_all
    assert outcome.complaints[0].line == line
    assert words in outcome.complaints[0].message


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"kind: \xff")
    assert "expected UTF-8" in str(read_folder(tmp_path).complaints[0])


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abk:-[]{}&*!|>\"'\n \t#%@", max_size=60))
def test_nothing_people_write_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("folder")
    (folder / "a.yaml").write_text(text)
    compiled(folder)


def test_a_good_folder_makes_a_bundle_for_each_connection(tmp_path: Path, write: Write) -> None:
    write(connections=f"{CONNECTION}---\n{OTHER}", policies=POLICY)
    outcome = compiled(tmp_path)
    assert outcome.complaints == ()
    assert outcome.bundles[SHOP].policies == 1
    assert outcome.bundles[SHOP].text
    assert outcome.bundles[OTHERS].policies == 0


def test_a_bad_policy_is_told_at_its_line_and_holds_back_its_own_connection_only(
    tmp_path: Path, write: Write
) -> None:
    write(connections=f"{CONNECTION}---\n{OTHER}", policies=POLICY.replace("allow: {sql", "alow: {sql"))
    outcome = compiled(tmp_path)
    assert outcome.bundles[SHOP].text is None
    assert outcome.bundles[OTHERS].text is not None
    assert any(one.path.name == "policies.yaml" and one.line >= 8 for one in outcome.complaints)


def test_a_condition_that_does_not_compile_is_told_at_its_line(tmp_path: Path, write: Write) -> None:
    write(connections=CONNECTION, policies=POLICY + '    when: "operation.nonsense"\n    mode: Enforce\n')
    outcome = compiled(tmp_path)
    assert outcome.bundles[SHOP].text is None
    assert [str(one).split(":", 1)[0] for one in outcome.complaints] != []


def test_a_file_that_is_no_yaml_holds_back_every_bundle(tmp_path: Path, write: Write) -> None:
    write(connections=f"{CONNECTION}---\n{OTHER}", policies="kind: [")
    outcome = compiled(tmp_path)
    assert outcome.bundles[SHOP].text is None
    assert outcome.bundles[OTHERS].text is None


def test_a_connection_that_cannot_be_read_is_held_not_removed(tmp_path: Path, write: Write) -> None:
    write(connections=CONNECTION.replace("database: shop", "database: [shop]"))
    outcome = compiled(tmp_path)
    assert outcome.held == {SHOP}
    assert not outcome.held_all


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{CONNECTION}---\n{CONNECTION}", "is there already"),
        (
            "apiVersion: tollhouse.dev/v1alpha1\nkind: Conection\nmetadata: {name: a}\n",
            "did you mean Connection",
        ),
        ("metadata: {name: a}\n", "kind: required, but missing"),
        (
            "apiVersion: tollhouse.dev/v1alpha1\nkind: ApprovalRequest\nmetadata: {name: a}\n",
            "made by proxies",
        ),
        ("apiVersion: tollhouse.dev/v1alpha1\nkind: AccessPolicy\nspec: {}\n", ""),
    ],
)
def test_objects_that_cannot_be_told_apart_or_named_hold_back_everything(
    tmp_path: Path, write: Write, text: str, words: str
) -> None:
    write(a=text)
    outcome = compiled(tmp_path)
    assert outcome.held_all
    assert any(words in one.message for one in outcome.complaints)


def test_an_object_of_an_unknown_version_is_told_and_held(tmp_path: Path, write: Write) -> None:
    write(a=CONNECTION.replace("v1alpha1", "v1"))
    outcome = compiled(tmp_path)
    assert "expected tollhouse.dev/v1alpha1" in outcome.complaints[0].message
    assert outcome.held == {SHOP}


def test_objects_of_kubernetes_itself_are_passed_over(tmp_path: Path, write: Write) -> None:
    write(all=f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n{CONNECTION}")
    outcome = compiled(tmp_path)
    assert outcome.complaints == ()
    assert list(outcome.bundles) == [SHOP]


def test_a_connection_can_be_adjusted_before_it_is_compiled(tmp_path: Path, write: Write) -> None:
    write(connections=CONNECTION)

    outcome = compile_files(
        read_folder(tmp_path),
        LANGUAGES,
        lambda one: one.model_copy(
            update={
                "spec": one.spec.model_copy(
                    update={"postgres": one.spec.postgres.model_copy(update={"port": 6543})}  # type: ignore[union-attr]
                )
            }
        ),
    )
    assert '"port":6543' in (outcome.bundles[SHOP].text or "")
