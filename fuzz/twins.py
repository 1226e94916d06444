"""The compiled kernel against its readable twins: `python -m fuzz.twins --seconds 60 --seed 1`.

Rows of values that are, or nearly are, what the detectors look for go through three ways that must agree to
the byte, or raise the same: every value scanned by itself, the Python twin, the compiled kernel. Beside
them, statements for templates and streams of messages for header walks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

from fuzz.campaign import Campaign, main
from fuzz.template import grown
from tollhouse_core.masks import Detector, DetectorName, Mask, Nullify, Partial, Redact, Token
from tollhouse_proxy.kits import batches, frames, kernel, rows
from tollhouse_proxy.kits import template as template_twin
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import BITS, TooMany, finder
from tollhouse_proxy.kits.content_sheet import sheet_of
from tollhouse_proxy.kits.rows import Masked, RowError, Sheet, Way
from tollhouse_proxy.protocols.postgres.content import mask_value
from tollhouse_proxy.protocols.postgres.sql_dialect import Scanners
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

_PIECES = (
    *(Path(__file__).parent / "value_words.txt").read_text().split(),
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "\u00a0",
    "\u2009",
    "\u202f",
)
_OWN = (
    r"EMP-\d{6}",
    r"\bword\b",
    r"^a",
    r"9$",
    r"(?i)WORD_\d",
    r"\d{6}",
    r"[^$]é",
    r"\Qa.\E",
    r"x*",
    r"\Aq|^$|EMP",
)
_KINDS = tuple(Way)
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_FILE_HEADS = (
    b"",
    _SIGNATURE + b"\0" * 8,
    _SIGNATURE + b"\0" * 7 + b"\x03abc",
    _SIGNATURE + b"\0\0\0\0\xff\xff\xff\xff",
    _SIGNATURE + b"\0" * 6 + b"\x7f\0",
    _SIGNATURE,
)
"""What may stand before the first row of a binary COPY; nothing, mostly."""


def value(rng: random.Random, way: int) -> bytes:
    """Something that a column may hold, or should not."""
    if way == Way.INTEGER_BINARY and rng.random() < 0.9:
        number = rng.choice((5, 10**12, 10**12 - 1, 4111111111111111, 123456, 10**18, 378282246310005))
        return pack("!q", rng.choice((number, -number)))
    if way == Way.NUMERIC_BINARY and rng.random() < 0.9:
        groups = rng.choice(((4111, 1111, 1111, 1111), (5,), (), (1, 2, 3, 4, 5)))
        return pack(f"!hhhh{len(groups)}H", len(groups), rng.randrange(-2, 6), 0, 0, *groups)
    text = "".join(
        rng.choice(_PIECES).strip() + rng.choice(("", "", " ", " ", "-", ".", "@", "\n", "  "))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 12)))
    )
    if way in {Way.JSON, Way.JSONB_BINARY} and rng.random() < 0.8:
        text = f'{{"a": "{text}", "b": [{rng.choice(("1", "4111111111111111", "null"))}]}}'
    if rng.random() < 0.02:
        text *= rng.choice((50, 1000, 4000))
    data = text.encode()
    if rng.random() < 0.05:
        at = rng.randrange(len(data) + 1)
        data = (
            data[:at]
            + rng.choice((b"\xff", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\0", b""))
            + data[at + 1 :]
        )
    return b"\x01" + data if way == Way.JSONB_BINARY else data


def stream(rng: random.Random, ways: tuple[int, ...] | None, kind: bytes = b"D") -> bytes:
    """A run of rows, sometimes a broken one; of kind `d` those of a binary COPY."""
    parts: list[bytes] = []
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if ways is None:
            body = value(rng, Way.TEXT)
            parts.append(b"d" + pack("!I", len(body) + 4) + body)
            continue
        fields = [None if rng.random() < 0.1 else value(rng, way) for way in ways]
        body = pack("!H", len(fields) + (rng.random() < 0.005)) + b"".join(
            b"\xff\xff\xff\xff" if one is None else pack("!I", len(one)) + one for one in fields
        )
        if rng.random() < 0.01:
            at = rng.randrange(len(body))
            body = body[:at] + rng.randbytes(rng.randrange(3)) + body[at + rng.randrange(3) :]
        if kind == b"d":
            body = _FILE_HEADS[rng.randrange(len(_FILE_HEADS)) if rng.random() < 0.2 else 0] + body
            body = rng.choice((b"", b"\xff\xff", b"\xff", b"\0")) if rng.random() < 0.02 else body
        parts.append(kind + pack("!I", len(body) + 4) + body)
    return b"".join(parts)


def scanners(rng: random.Random) -> Scanners:
    """Content masks as policies may ask for them."""
    made = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        names = rng.sample(tuple(DetectorName), rng.choice((1, 1, 2, 6)))
        detectors = [Detector(name) for name in names]
        if rng.random() < 0.3:
            detectors.append(Detector(pattern=rng.choice(_OWN)))
        mask: Mask = rng.choice(
            (
                Redact(rng.choice(("[x]", "", "4111111111111111", "longer than what it was, é"))),
                Partial(rng.randrange(6), rng.randrange(6), rng.choice("*é#")),
                Nullify(),
                Token(),
            )
        )
        made.append(ContentScanner(detectors, mask, b"k" * 32 if isinstance(mask, Token) else b""))
    return Scanners(made, sheet_of(made))


def outcome(function: Callable[..., Any], *given: Any) -> Any:
    """What a function gives or raises."""
    try:
        return function(*given)
    except (RowError, ProtocolError) as error:
        return "rows", str(error)
    except TooMany:
        return "too many"
    except frames.FrameError as error:
        return error.args


class Target:
    """Rows, templates, header walks, whole answers and batches."""

    name = "twins"
    steps = 10

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """One run of rows, one statement, one stream, one answer, one batch."""
        self._rows(rng, campaign)
        text = grown(rng).encode()
        if rng.random() < 0.3 and text:
            at = rng.randrange(len(text))
            text = text[:at] + rng.randbytes(1) + text[at + 1 :]
        campaign.tried(1)
        if kernel.template(text) != template_twin.template(text):
            campaign.found(b"template\n" + text)
        self._frames(rng, campaign)
        self._batches(rng, campaign)

    def _rows(self, rng: random.Random, campaign: Campaign) -> None:
        ways = None if rng.random() < 0.15 else tuple(rng.choices(_KINDS, k=rng.randrange(5)))
        data = stream(rng, ways)
        scanner = scanners(rng)

        def masked(one: bytes, way: int) -> bytes | None:
            return mask_value(one, way, scanner)

        slow = Sheet(every=lambda _: None)
        campaign.tried(6)
        wanted = masking(rows.mask_rows, data, ways, slow, masked)
        for function in (rows.mask_rows, kernel.mask_rows):
            made = masking(function, data, ways, scanner.sheet, masked)
            if made != wanted:
                campaign.found(repr((function.__module__, data, ways, scanner.each, wanted, made)).encode())
        copied = stream(rng, (Way.OPAQUE,) * rng.randrange(5), b"d")
        wanted = outcome(rows.mask_copied, copied, 0, len(copied), slow, masked)
        for function in (rows.mask_copied, kernel.mask_copied):
            made = outcome(function, copied, 0, len(copied), scanner.sheet, masked)
            if made != wanted:
                campaign.found(repr((function.__module__, copied, "d", scanner.each, wanted, made)).encode())

        self._spans(value(rng, Way.TEXT), campaign)

    @staticmethod
    def _spans(data: bytes, campaign: Campaign) -> None:
        """All that is found in a value at once, against each finder by itself."""
        campaign.tried(1)
        for name, bit in BITS.items():
            slow = outcome(lambda find: sorted(find(data)), finder(Detector(name)))
            found = outcome(kernel.content_spans, data, bit)
            if found != "too many" and not found[1]:
                found = sorted(found[0])
            elif found != "too many":
                continue
            if found != slow:
                campaign.found(repr(("spans", name, data, slow, found)).encode())

    def _frames(self, rng: random.Random, campaign: Campaign) -> None:
        data = b"".join(
            bytes(rng.choices(b"DDDdTCZEq"))
            + pack("!I", rng.choice((4, 4, 5, 9, 9, rng.randrange(40), 2**32 - 1)))
            + rng.randbytes(rng.choice((0, 1, 5, 5)))
            for _ in range(rng.randrange(30))
        )
        kinds = kernel.kinds(b"Dd")
        caps = kernel.table({kind: rng.choice((5, 1 << 30)) for kind in b"DdTCZE"})
        at = rng.randrange(len(data) + 1)
        campaign.tried(2)
        if kernel.run(data, at, kinds) != frames.run(data, at, kinds):
            campaign.found(b"run\n" + data)
        if outcome(kernel.survey, data, at, caps) != outcome(frames.survey, data, at, caps):
            campaign.found(b"survey\n" + data)
        shapes = frozenset((b"TDCZ", b"DCZ", b"CZ", b"dCZ", b"TCZ"))
        body = rng.choice((b"SELECT 1\0", b"\0", b"", b"a\0b\0", b"\xff\0"))
        data = data[: rng.choice((0, 0, 20))] + b"C" + pack("!I", len(body) + rng.choice((4, 4, 4, 5)))
        data += body + rng.choice((b"Z\0\0\0\5I", b"Z\0\0\0\5I", b"Z\0\0\0\4", b"Z\0\0\0\6IZ"))
        campaign.tried(1)
        if kernel.answered(data, caps, shapes, 73) != frames.answered(data, caps, shapes, 73):
            campaign.found(b"answered\n" + data)

    def _batches(self, rng: random.Random, campaign: Campaign) -> None:
        values = b"".join(
            pack("!i", len(one)) + one if one is not None else b"\xff" * 4
            for one in rng.choices((b"", b"1", b"abc", None), k=rng.randrange(4))
        )
        formats = b"".join(pack("!H", rng.choice((0, 1, 1, 2))) for _ in range(rng.randrange(3)))
        body = rng.choice((b"\0", b"\0", b"p\0")) + rng.choice((b"\0", b"s\0", b"\xc3\0"))
        body += pack("!H", len(formats) // 2) + formats + pack("!H", rng.randrange(4)) + values
        body += rng.choice((b"\0\0", b"\0\1\0\1", b"\0\1\0\2", b"\0\1", b""))
        data = rng.choice((b"", b"P\0\0\0\x07\0a\0", b"P\0\0\0\x08s\0a\0")) + b"B"
        data += pack("!I", len(body) + 4) + body + rng.choice((b"", b"D\0\0\0\6P\0", b"D\0\0\0\6S\0"))
        data += b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"
        if rng.random() < 0.3:
            at = rng.randrange(len(data))
            data = data[:at] + rng.randbytes(rng.randrange(3)) + data[at + rng.randrange(2) :]
        campaign.tried(1)
        if kernel.parts(data) != batches.parts(data):
            campaign.found(b"parts\n" + data)


def masking(function: Any, data: bytes, ways: Any, sheet: Sheet, masked: Masked) -> Any:
    """What one of the three ways makes of a run."""
    return outcome(function, data, 0, len(data), ways, sheet, masked)


if __name__ == "__main__":
    main(Target())
