"""Content masks at the source: what detectors find in a text, masked in SQL.

A value is cut at the matches of one pattern; each match becomes its mask, the rest stays. An own
pattern is RE2; only the part of that syntax which means the same to PostgreSQL is translated, and
for anything else the whole value is masked.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
)

from .quoting import call, cast, literal

TEXT = "pg_catalog.text"

CARD_RUN = r"[0-9](?:[^[:cntrl:]!-,/-~]?[0-9]){12,}"
"""Digits with at most one of blank, hyphen, full stop and all that is not ASCII between two of them: more
than the finder of `kits` takes, in words that every server encoding has."""
_NAME, _HOST = r"[^[:cntrl:][:space:]!-$&(-*,/:-@[-^`{-~]", r"[^[:cntrl:][:space:]!-,./:-@[-`{-~]"
"""What stands before and behind the @ of an e-mail address: [[:alnum:]] is ASCII under the locale C."""
_PATTERNS: dict[DetectorName, str] = {
    DetectorName.PAYMENT_CARD: CARD_RUN,
    DetectorName.EMAIL: rf"{_NAME}+@{_HOST}+(?:\.{_HOST}+)+",
    DetectorName.PHONE: r"(?:\+|00)[1-9][0-9]{0,2}(?:[ ./()-]{0,2}[0-9]){6,13}"
    r"|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}|0[1-9][0-9]{1,4}[ /-][0-9](?:[ -]?[0-9]){4,9}",
    DetectorName.IBAN: r"[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}",
    DetectorName.PRIVATE_KEY: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
    r"(?:[^-]|-(?!----END))*(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----)?",
    DetectorName.ACCESS_KEY: r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|sk_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|sk-[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}",
}


def content_expression(text: str, detectors: Sequence[Detector], mask: Mask) -> str:
    """`text` (an SQL expression of type text) with every detected part masked."""
    for detector in detectors:
        pattern = pattern_of(detector)
        if pattern is None:
            return _masked(text, mask)
        text = _replace(text, pattern, detector.name, mask)
    return text


def pattern_of(detector: Detector) -> str | None:
    """PostgreSQL's form of a detector's pattern; None where it has none."""
    if detector.name is not None:
        return _PATTERNS[detector.name]
    return translate(detector.pattern or "")


def _replace(text: str, pattern: str, detector: DetectorName | None, mask: Mask) -> str:
    """Pieces between matches and masked matches, put together again in order."""
    whole = literal(pattern)
    group = literal(f"({pattern})")
    hit = _checked("h.hit", detector, mask)
    return (
        f"CASE WHEN {text} IS NULL THEN NULL ELSE (SELECT pg_catalog.string_agg("
        f"{call('textcat', 's.piece', 'COALESCE(' + hit + ', ' + literal('') + ')')}, '' ORDER BY s.n)"
        f" FROM pg_catalog.regexp_split_to_table({text}, {whole}) WITH ORDINALITY AS s(piece, n)"
        f" LEFT JOIN (SELECT x.hits[1] AS hit, x.n AS n FROM pg_catalog.regexp_matches({text}, {group}, 'g')"
        f" WITH ORDINALITY AS x(hits, n)) AS h ON (h.n OPERATOR(pg_catalog.=) s.n)) END"
    )


def _checked(hit: str, detector: DetectorName | None, mask: Mask) -> str:
    masked = _masked(hit, mask)
    if detector is not DetectorName.PAYMENT_CARD:
        return masked
    return f"CASE WHEN {_holds_card(hit)} THEN {masked} ELSE {hit} END"


def _holds_card(hit: str) -> str:
    """Whether some 13 to 19 digits in a row of digits pass Luhn (ISO/IEC 7812-1). A row of more
    than 64 digits is taken to hold one."""
    digits = call("regexp_replace", hit, literal("[^0-9]"), literal(""), literal("g"))
    luhn = (
        "SELECT pg_catalog.int8mod(pg_catalog.sum(CASE WHEN pg_catalog.int4eq(pg_catalog.int4mod(k.i, 2), 0)"
        " THEN pg_catalog.int4pl(pg_catalog.int4div(pg_catalog.int4mul(k.d, 2), 10),"
        " pg_catalog.int4mod(pg_catalog.int4mul(k.d, 2), 10)) ELSE k.d END), 10)"
        " FROM (SELECT g.i AS i, CAST(pg_catalog.substr(w.t,"
        " pg_catalog.int4pl(pg_catalog.int4mi(pg_catalog.length(w.t), g.i), 1), 1) AS pg_catalog.int4) AS d"
        " FROM pg_catalog.generate_series(1, pg_catalog.length(w.t)) AS g(i)) AS k"
    )
    windows = (
        f"SELECT pg_catalog.substr(r.t, p.i, q.l) AS t FROM (SELECT {digits} AS t) AS r,"
        " pg_catalog.generate_series(13, 19) AS q(l),"
        " LATERAL pg_catalog.generate_series(1, pg_catalog.int4pl(pg_catalog.int4mi("
        "pg_catalog.length(r.t), q.l), 1)) AS p(i)"
    )
    long = call("int4gt", call("length", digits), "64")
    return (
        f"CASE WHEN {long} THEN true ELSE EXISTS (SELECT FROM ({windows}) AS w"
        f" WHERE pg_catalog.textregexeq(w.t, {literal(ISSUERS)}) AND pg_catalog.int8eq(({luhn}), 0)) END"
    )


ISSUERS = r"^(?:4|5[1-5]|2[2-7]|3[0-9]|6)"
"""First digits of payment cards (Visa, Mastercard, Amex, Diners, JCB, Discover, Maestro, UnionPay)."""


def _masked(text: str, mask: Mask) -> str:
    match mask:
        case Redact(text=fixed):
            return f"CASE WHEN {text} IS NULL THEN NULL ELSE {cast(literal(fixed), TEXT)} END"
        case Partial():
            from .masks import partial

            return partial(text, mask)
        case Nullify() | Token() | Truncate() | Bucket():
            return f"CASE WHEN {text} IS NULL THEN NULL ELSE {cast(literal(''), TEXT)} END"


_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r"\t\n\f\r "}
"""RE2's classes are ASCII; PostgreSQL's own of the same name ask the locale."""
_EDGE = "(?:(?<![A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<=[A-Za-z0-9_])(?![A-Za-z0-9_]))"


def translate(pattern: str) -> str | None:
    """RE2 syntax to PostgreSQL's, where both mean the same; None where that is not certain.

    Taken: literals, `.` is not (it differs on newlines), classes, groups, alternation, greedy
    quantifiers, \\d \\w \\s \\b and escaped punctuation. A pattern that may match nothing is not.
    """
    out: list[str] = []
    index, in_class = 0, False
    while index < len(pattern):
        char = pattern[index]
        follow = pattern[index + 1 : index + 2]
        if char == "\\":
            escaped = _escaped(follow, in_class)
            if escaped is None:
                return None
            out.append(escaped)
            index += 2
            continue
        if in_class:
            if char == "[":
                return None
            in_class = char != "]"
        elif char == "[":
            in_class = True
            if follow == "]" or pattern[index + 1 : index + 3] == "^]":
                return None
        elif (
            (char == "(" and follow == "?" and pattern[index : index + 3] != "(?:")
            or char == "."
            or (char in "*+?}" and follow == "?")
        ):
            return None
        elif char == "(" and follow != "?":
            out.append("(?:")
            index += 1
            continue
        out.append(char)
        index += 1
    made = "".join(out)
    return None if in_class or _may_be_empty(pattern) else made


def _escaped(char: str, in_class: bool) -> str | None:
    """What a backslash and this character mean, in PostgreSQL's words."""
    if char.lower() in _CLASSES and char:
        if in_class:
            return _CLASSES[char] if char.islower() else None
        return f"[{'' if char.islower() else '^'}{_CLASSES[char.lower()]}]"
    if char == "b" and not in_class:
        return _EDGE
    return "\\" + char if char and not char.isalnum() else None


def _may_be_empty(pattern: str) -> bool:
    import re

    try:
        compiled = re.compile(pattern)
    except re.error:
        return True
    return any(not found.group() for text in ("", "a 0-") for found in compiled.finditer(text))
