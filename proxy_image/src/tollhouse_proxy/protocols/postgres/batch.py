"""A batch of the extended protocol in one chunk, as drivers send it: [Parse] Bind [Describe] Execute Sync,
all unnamed but for the statement that is bound.

Read as strictly as `wire.frontend` reads it, in fewer steps (`kits.batches`); whatever is not exactly this is
no batch here, and `wire.frontend` says what is wrong with it, if anything is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_proxy.kits.kernel import parts
from tollhouse_proxy.protocols.postgres import parameters
from tollhouse_proxy.protocols.postgres.wire.frontend import Describe, Execute

DESCRIBE = Describe("P", "").encode()
EXECUTE = Execute("").encode()


@dataclass(slots=True)
class Batch:
    """Where the parts are. `parse`: the Parse message, b"" where there is none. `statement`: what is bound.
    `bind`: where the Bind message ends (it begins behind Parse)."""

    data: bytes
    parse: bytes
    statement: str
    bind: int
    described: bool
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]

    @property
    def bind_message(self) -> bytes:
        """The Bind message."""
        return self.data[len(self.parse) : self.bind]

    def shown(self, types: tuple[int, ...]) -> tuple[str | None, ...]:
        """The bound values as text."""
        if not any(self.formats):
            try:
                return tuple([None if value is None else value.decode() for value in self.values])
            except UnicodeDecodeError:
                pass
        return parameters.shown(self.values, self.formats, types)


def read(data: bytes) -> Batch | None:
    """The batch that fills the chunk; None: it is something else."""
    found = parts(data)
    if found is None:
        return None
    parse, statement, bind, described, formats, values = found
    return Batch(data, data[:parse], statement, bind, described, formats, values)
