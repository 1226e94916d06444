"""The compiled twin of `template`, `frames` and `rows`."""

from tollhouse_core.audit.chain import Encode
from tollhouse_core.audit.event import Brief, Event
from tollhouse_proxy.kits.rows import Masked, Sheet

SOURCE: str

def template(text: bytes) -> tuple[bytes, tuple[tuple[int, int], ...]] | None: ...
def run(data: bytes, at: int, kinds: bytes, until: int | None = None) -> tuple[int, int, int]: ...
def survey(data: bytes, at: int, caps: bytes) -> tuple[int, bytes, int, int, int, int]: ...
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
