"""The compiled twin of `template`, `frames` and `rows`."""

from collections.abc import Container
from typing import TypeVar

from tollhouse_core.audit.chain import Encode
from tollhouse_core.audit.event import Brief, Event
from tollhouse_proxy.kits.batches import Parts
from tollhouse_proxy.kits.rows import Masked, Sheet, Span
from tollhouse_proxy.kits.tally import Intake as Intake
from tollhouse_proxy.kits.tally import Tally as Tally

Known = TypeVar("Known")

SOURCE: str

def template(text: bytes) -> tuple[bytes, tuple[tuple[int, int], ...]] | None: ...
def find(message: bytes, exact: dict[bytes, Known], forms: dict[bytes, Known]) -> Known | None: ...
def run(data: bytes, at: int, kinds: bytes, until: int | None = None) -> tuple[int, int, int]: ...
def survey(data: bytes, at: int, caps: bytes) -> tuple[int, bytes, int, int, int, int]: ...
def answered(
    data: bytes, caps: bytes, shapes: Container[bytes], status: int
) -> tuple[int, int, str] | None: ...
def parts(data: bytes) -> Parts | None: ...
def content_spans(data: bytes, detectors: int) -> tuple[list[Span], int]: ...
def mask_copied(data: bytes, at: int, stop: int, sheet: Sheet, masked: Masked) -> bytes | None: ...
def mask_rows(
    data: bytes, at: int, stop: int, ways: tuple[int, ...] | None, sheet: Sheet, masked: Masked
) -> bytes | None: ...
def press(
    batch: list[Event | Brief],
    at: int,
    until: int,
    encode: Encode,
    writer: bytes,
    heads: dict[str, str],
    line: int,
    trail: str,
) -> tuple[int, bytes, int, str]: ...
