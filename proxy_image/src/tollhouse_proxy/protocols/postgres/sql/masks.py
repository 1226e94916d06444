"""Masks as SQL expressions that keep a column's type and can never fail.

Only functions of pg_catalog are called, each by its qualified name, and no operator is used: no
search_path can redirect them. NULL stays NULL; where a type cannot carry a mask the expression is
a NULL of that type. Domains give values of their base type, as the wire shows them anyway.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from tollhouse_core.masks import (
    Bucket,
    Detector,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    TokenScope,
    Truncate,
)

from .catalog import Catalog, Type
from .coarser import bucket, truncated
from .content_masks import content_expression
from .quoting import call, cast, literal, type_name

TEXT = "pg_catalog.text"
_TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
_JSONS = frozenset({"json", "jsonb"})
_PLAIN = frozenset("BDTNEIG")
"""Categories (pg_type.typcategory) of types that cannot carry a mask: truth values, dates, spans of time,
numbers, enums, addresses of the network, geometry."""
_WIDE = frozenset({"int8", "numeric", "float8"})
"""Numbers with room for a card number."""
_BLOCK = 64
UNSEEN = "\\u"
"""How an escape begins in JSON that may stand for any character."""


@dataclass(frozen=True, slots=True)
class MaskKeys:
    """The keys of Token masks, one for each scope. At least 32 random bytes each."""

    namespace: bytes = field(repr=False)
    connection: bytes = field(repr=False)

    def of(self, scope: TokenScope) -> bytes:
        """The key for a scope."""
        return self.namespace if scope is TokenScope.NAMESPACE else self.connection


@dataclass(frozen=True, slots=True)
class Masker:
    """Makes mask expressions for one catalog and one set of keys."""

    catalog: Catalog
    keys: MaskKeys

    def expression(
        self, value: str, type_oid: int, typmod: str, mask: Mask, content: Sequence[Detector] = ()
    ) -> str:
        """The masked form of the SQL expression `value`, of the type `type_oid`."""
        kind = self.catalog.base_type(type_oid)
        if kind is None:
            return "NULL"
        roomy = kind.name == "numeric" and isinstance(mask, Token) and not content
        typmod = "" if roomy else typmod  # a token is larger than numeric(10,2)
        target = type_name(kind, typmod)
        null = cast("NULL", target)
        if kind.is_array:
            return self._array(value, kind, typmod, mask, content, null)
        if content:
            return self._content(value, kind, target, mask, content, null)
        masked = self._scalar(value, kind, mask, typmod)
        return null if masked is None else cast(masked, target)

    def _array(
        self, value: str, kind: Type, typmod: str, mask: Mask, content: Sequence[Detector], null: str
    ) -> str:
        if isinstance(mask, Nullify) and not content:
            return null
        element = self.expression("m.e", kind.element, typmod, mask, content)
        made = (
            f"ARRAY(SELECT {element} FROM pg_catalog.unnest({value}) WITH ORDINALITY AS m(e, n) ORDER BY m.n)"
        )
        return f"CASE WHEN {value} IS NULL THEN {null} ELSE {cast(made, type_name(kind))} END"

    def _content(
        self, value: str, kind: Type, target: str, mask: Mask, content: Sequence[Detector], null: str
    ) -> str:
        if kind.name in _TEXTS:
            return cast(content_expression(cast(value, TEXT), content, mask), target)
        if kind.name in _JSONS:
            # Only a document whose text holds nothing passes as it is: a hit masks all of it.
            text = cast(value, TEXT)
            found = content_expression(text, content, mask)
            whole = self._scalar(value, kind, mask)
            instead = null if whole is None else cast(whole, target)
            clean = call("texteq", found, text)
            if kind.name == "json":
                # Its text is the client's own: a digit may be written as an escape, where no pattern sees it.
                clean = f"({clean} AND {call('int4eq', call('strpos', text, literal(UNSEEN)), '0')})"
            return f"CASE WHEN {clean} THEN {value} ELSE {instead} END"
        if kind.category in _PLAIN or kind.name == "uuid":
            # What would change as text becomes NULL. Our own detectors know what only wide numbers can hold:
            # in a date or an address of the network they would find what is none.
            looked = content if kind.name in _WIDE else [one for one in content if one.name is None]
            if not looked:
                return value
            text = cast(value, TEXT)
            found = content_expression(text, looked, Redact(""))
            return f"CASE WHEN {call('texteq', found, text)} THEN {value} ELSE {null} END"
        masked = self._scalar(value, kind, mask)
        return null if masked is None else cast(masked, target)

    def _scalar(self, value: str, kind: Type, mask: Mask, typmod: str = "") -> str | None:
        match mask:
            case Nullify():
                return None
            case Redact(text=text):
                return self._fixed(value, kind, text)
            case Partial():
                return self._partial(value, kind, mask)
            case Token(scope=scope):
                return self._token(value, kind, self.keys.of(scope))
            case Truncate(to=to):
                return truncated(value, kind, to)
            case Bucket(width=width):
                return bucket(value, kind, width, typmod)

    @staticmethod
    def _fixed(value: str, kind: Type, text: str) -> str | None:
        if kind.name in _TEXTS:
            made = cast(literal(text), TEXT)
        elif kind.name in _JSONS:
            made = call("to_json" if kind.name == "json" else "to_jsonb", cast(literal(text), TEXT))
        elif kind.name == "bytea":
            made = call("convert_to", cast(literal(text), TEXT), literal("UTF8"))
        else:
            return None
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE {made} END"

    @staticmethod
    def _partial(value: str, kind: Type, mask: Partial) -> str | None:
        text = cast(value, TEXT)
        if kind.name in _TEXTS:
            return partial(text, mask)
        if kind.name in _JSONS:
            return call("to_json" if kind.name == "json" else "to_jsonb", partial(text, mask))
        return None

    @staticmethod
    def _token(value: str, kind: Type, key: bytes) -> str | None:
        digest = _hmac(call("convert_to", cast(value, TEXT), literal("UTF8")), key)
        hexed = call("encode", digest, literal("hex"))
        number = cast(
            cast(call("textcat", literal("x"), call("left", hexed, "16")), "pg_catalog.bit(64)"),
            "pg_catalog.int8",
        )
        if kind.name in _TEXTS:
            return call("textcat", literal("tok_"), call("left", hexed, "32"))
        if kind.name in _JSONS:
            made = call("textcat", literal("tok_"), call("left", hexed, "32"))
            return call("to_json" if kind.name == "json" else "to_jsonb", made)
        if kind.name == "uuid":
            return call("left", hexed, "32")
        if kind.name == "bytea":
            return digest
        bits = {
            "int2": 2**15 - 1,
            "int4": 2**31 - 1,
            "int8": 2**63 - 1,
            "numeric": 2**53 - 1,
            "float8": 2**53 - 1,
        }
        if kind.name in bits:
            return call("int8and", number, cast(literal(str(bits[kind.name])), "pg_catalog.int8"))
        return None


def partial(text: str, mask: Partial) -> str:
    """The first and last characters stay; a text with no more than these is masked whole."""
    length = call("length", text)
    kept = mask.keep_first + mask.keep_last
    character = cast(literal(mask.character), TEXT)
    middle = call("repeat", character, call("int4mi", length, str(kept)))
    made = call(
        "textcat",
        call("textcat", call("left", text, str(mask.keep_first)), middle),
        call("right", text, str(mask.keep_last)),
    )
    short = call("int4le", length, str(kept))
    return f"CASE WHEN {short} THEN {call('repeat', character, length)} ELSE {made} END"


def _hmac(message: str, key: bytes) -> str:
    """HMAC-SHA-256 (RFC 2104) of a bytea expression, written with pg_catalog.sha256."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = _bytes(bytes(byte ^ 0x36 for byte in block))
    outer = _bytes(bytes(byte ^ 0x5C for byte in block))
    return call("sha256", call("byteacat", outer, call("sha256", call("byteacat", inner, message))))


def _bytes(value: bytes) -> str:
    return cast(literal("\\x" + value.hex()), "pg_catalog.bytea")


def token_of(text: str, key: bytes) -> str:
    """The token a text column shows for `text`: the readable twin of the SQL expression."""
    return "tok_" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
