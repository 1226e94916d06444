"""Makes the machine of each client; what the registry knows of this protocol."""

from __future__ import annotations

from tollhouse_proxy.exchange import Close, EndReason, Input, Machine, Outbox, Tools
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.conversation import PostgresMachine, Surroundings


class PostgresFactory:
    """`exchange.MachineFactory` of PostgreSQL."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def __call__(self, address: str, *, secure: bool, can_secure: bool, tools: Tools) -> Machine:
        """See the protocol."""
        served = self._around.served()
        if served is None:
            return Unserved(self._around, address)
        return PostgresMachine(self._around, served, address, tools, secure=secure, can_secure=can_secure)


class Unserved:
    """Answers the first bytes of a client while no bundle is in force."""

    def __init__(self, around: Surroundings, address: str) -> None:
        self.outbox = Outbox()
        self._around = around
        self._address = address

    @property
    def idle(self) -> bool:
        """Always."""
        return True

    @property
    def busy(self) -> bool:
        """Never."""
        return False

    @property
    def unfinished(self) -> int:
        """Nothing is read."""
        return 0

    def client_data(self, data: bytes) -> None:
        """A refusal in words, whatever was asked."""
        words = "no policy is in force for this connection yet"
        if not self.outbox.effects:
            self._around.gate.refused(self._address, words)
            self.outbox.client.append(refuse.fatal("08006", words, "", "Try again in a moment."))
            self.outbox.effects.append(Close(EndReason.REFUSED, words))

    def backend_data(self, data: bytes) -> None:
        """There is no backend."""

    def receive(self, happening: Input) -> None:
        """Nothing matters."""
