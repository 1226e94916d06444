"""Replaces parts of a statement's text and proves that nothing else changed.

Every edit is made twice: in the text, and in a copy of the tree. The text that will be sent is
parsed again, and its tree must equal the copy.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from tollhouse_dialects.postgres.parse import MAX_SQL_BYTES, SqlSyntaxError, parse

from .nodes import Body, wrapped
from .statement import CannotRewrite, Edit
from .tokens import Tokens

_LONGEST = 4 * MAX_SQL_BYTES
_REPLACED = "\0replaced"
_LOCATIONS = frozenset({"location", "stmt_location", "stmt_len", "list_start", "list_end", "rexpr_list_start",
                        "rexpr_list_end", "arg_location", "name_location"})  # fmt: skip
_SIMPLER = "Write it in a simpler way, with plain table names."


@dataclass
class Splice:
    """Edits of one statement. `kind`, `body`: its tree, locations relative to `text`."""

    text: str
    kind: str
    body: Body
    tokens: Tokens = field(init=False)
    edits: list[Edit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.text)
        self._memo: dict[int, Any] = {}
        self._copy: Body = copy.deepcopy(self.body, self._memo)

    def twin(self, node: Body) -> Body:
        """The copy of a node of `body`."""
        found: Body = self._memo[id(node)]
        return found

    def seek(self, word: str, start: int, depth: int, stop: int | None = None) -> int:
        """Index of a keyword that must be there at that depth. Raises CannotRewrite."""
        found = self.tokens.find(word, start, depth, stop)
        if found is None:
            raise CannotRewrite(f"the {word} could not be read safely", _SIMPLER)
        return found

    def replace_text(self, start: int, end: int, replacement: str) -> None:
        """Characters `start` to `end` of the text."""
        self.edits.append(Edit(start, end, replacement))

    def replace_node(self, node: Body, tree: Any) -> None:
        """The (wrapped) node whose body is `node` becomes `tree`, a wrapped node."""
        self.twin(node)[_REPLACED] = tree

    def finish(self) -> tuple[str, tuple[Edit, ...]]:
        """The new text and its edits. Raises CannotRewrite if it does not read as intended."""
        edits = sorted(self.edits, key=lambda edit: (edit.start, edit.end))
        parts, position = [], 0
        for edit in edits:
            if edit.start < position:
                raise CannotRewrite("the statement could not be rewritten safely (edits overlap)")
            parts += [self.text[position : edit.start], edit.replacement]
            position = edit.end
        made = "".join([*parts, self.text[position:]])
        if len(made.encode()) > _LONGEST:
            raise CannotRewrite(
                "the statement becomes too long with its masks", "Ask for fewer columns or tables."
            )
        if bare(tree_of(made)) != bare({self.kind: self._copy}):
            raise CannotRewrite("the statement could not be rewritten safely", _SIMPLER)
        return made, tuple(edits)


def tree_of(text: str) -> Body:
    """The tree of exactly one statement. Raises CannotRewrite."""
    try:
        statements = parse(text, _LONGEST)
    except SqlSyntaxError as error:
        raise CannotRewrite(f"the rewritten statement does not parse: {error}") from None
    if len(statements) != 1:
        raise CannotRewrite("the rewritten statement is not one statement")
    return statements[0].tree


def expression_tree(text: str) -> Body:
    """The tree of an expression."""
    _, body = wrapped(tree_of(f"SELECT {text}"))
    found: Body = body["targetList"][0]["ResTarget"]["val"]
    return found


def from_tree(text: str) -> Body:
    """The tree of a FROM item."""
    _, body = wrapped(tree_of(f"SELECT FROM {text}"))
    found: Body = body["fromClause"][0]
    return found


def bare(value: Any) -> Any:
    """A tree without locations, with replacements carried out."""
    if isinstance(value, dict):
        if len(value) == 1:
            inner = next(iter(value.values()))
            if isinstance(inner, dict) and _REPLACED in inner:
                return bare(inner[_REPLACED])
        return {key: bare(item) for key, item in value.items() if key not in _LOCATIONS}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value
