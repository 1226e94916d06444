"""A whole conversation without sockets: the real guard, the real dialect, a pretended server.

Three of them are led through the same things: with lane and cache, with the cache alone, and with neither.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from kit.guard_world import World, bundle_text, policy_document
from kit.pretend_server import PretendServer
from kit.wire_transcript import BACKEND_KEY, TARGET
from kit.wire_world import TOKEN
from tollhouse_core.audit.chain import canonical_json
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import BackendOpened, CredentialLent, Effect, Proven, Tools
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import PostgresMachine, Surroundings
from tollhouse_proxy.protocols.postgres.decisions import Decisions
from tollhouse_proxy.protocols.postgres.ledger import Run
from tollhouse_proxy.protocols.postgres.served import Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql.statement import SessionEffect
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication, ParameterStatus, ReadyForQuery
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

ALLOW = {"name": "read", "allow": {"sql": {"access": ["Select", "Insert", "Update"], "tables": ["*"]}}}
DDL = {"name": "ddl", "allow": {"sql": {"commands": ["CREATE TABLE"]}}}
ALICE = Identity("alice", "corp", Proof.OIDC, groups=("support-agents",))
BOB = Identity("bob", "corp", Proof.OIDC, groups=("support-agents",))
DIALECT = sql_dialect(MaskKeys(b"n" * 32, b"c" * 32))


@cache
def _bundle(rules: str) -> str:
    return bundle_text(policy_document(*json.loads(rules)))


class House:
    """What the sessions of one proxy share. `lane`, `cache`: whether there are any."""

    def __init__(self, *rules: Mapping[str, Any], lane: bool = True, cache: bool = True) -> None:
        self.lane = lane
        self.world = World()
        self.apply(*(rules or (ALLOW, DDL)))
        self.shelf = CatalogShelf()
        self.decisions = Decisions() if cache else Decisions(most_bytes=0)
        self.sessions = 0
        self.around = Surroundings(
            served=lambda: None,
            gate=self.world.gate,
            dialect=DIALECT,
            clock=self.world.clock,
            shelf=self.shelf,
            cancels=CancelRegistry(),
            noise=lambda size: b"k" * size,
            session_id=self._name,
            decisions=self.decisions,
        )

    def _name(self) -> str:
        self.sessions += 1
        return f"session-{self.sessions}"

    def apply(self, *rules: Mapping[str, Any]) -> None:
        """Another policy is in force."""
        self.world.in_force.offer(_bundle(json.dumps(rules)))

    @property
    def admits(self) -> bool:
        """Whether sessions can begin: the audit takes their opening."""
        return not self.world.sink.broken

    def audit(self) -> list[bytes]:
        """Every event, as it is written."""
        return [
            canonical_json([one.session, one.sequence, one.kind, one.time, one.data])
            for one in self.world.sink.events
        ]


class Talk:
    """One client's session with the proxy, and the server behind it. `seed`: what either side sends is cut at
    random; None: it comes whole. `passed` counts the chunks that the lane took."""

    def __init__(self, house: House, identity: Identity = ALICE, seed: int | None = None) -> None:
        self.house = house
        self.server = PretendServer()
        self.said = bytearray()
        self.sent = bytearray()
        self.effects: list[Effect] = []
        self.passed = 0
        self._chance = None if seed is None else random.Random(seed)
        self._asked = b""
        tools = Tools(lambda: None, lambda: None)  # type: ignore[arg-type, return-value]
        served = Served("shop", "orders-db", TARGET, "alpha", requires_tls=False)
        self.machine = PostgresMachine(
            house.around, served, "10.0.0.1:5", tools, secure=False, can_secure=False
        )
        self._log_in(identity)

    def _log_in(self, identity: Identity) -> None:
        machine = self.machine
        machine.client_data(StartupMessage(3, 0, (("user", "ann"), ("database", "alpha"))).encode())
        machine.client_data(frontend.PasswordMessage(TOKEN.encode()).encode())
        machine.receive(Proven(identity))
        machine.receive(CredentialLent("postgres", Secret("pw")))
        machine.receive(BackendOpened())
        machine.outbox.backend.clear()
        machine.backend_data(
            Authentication(0).encode()
            + ParameterStatus("client_encoding", "UTF8").encode()
            + ParameterStatus("standard_conforming_strings", "on").encode()
            + BACKEND_KEY.encode()
            + ReadyForQuery("I").encode()
        )
        self.settle()
        lane = machine._lane
        assert lane is not None, bytes(self.said)
        if not self.house.lane:
            lane.armed = False
            lane.arm = lambda: None  # type: ignore[method-assign]
        self._count(lane)
        self.said.clear()
        self.sent.clear()

    def _count(self, lane: Any) -> None:
        client, server = lane.client, lane.server

        def counted(take: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
            def taking(data: bytes) -> bool:
                took = take(data)
                self.passed += took
                return took

            return taking

        lane.client, lane.server = counted(client), counted(server)

    @property
    def armed(self) -> bool:
        """Whether the lane would take the next chunk."""
        lane = self.machine._lane
        return lane is not None and lane.armed

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return any(type(effect).__name__ == "Close" for effect in self.effects)

    def ask(self, *messages: bytes, answered: bool = True) -> bytes:
        """Sends messages in one go; what the client reads once everybody has had a say."""
        before = len(self.said)
        for piece in self._cut(b"".join(messages)):
            self.machine.client_data(piece)
            self._collect()
        if answered:
            self.settle()
        return bytes(self.said[before:])

    def suspend(self) -> None:
        """Leaves a portal open that has more rows."""
        session = self.machine._session
        assert session is not None
        session.suspended[0] = Run(0, SessionEffect())
        self.machine._after()

    def tell(self, data: bytes) -> bytes:
        """The server says something that nobody asked for."""
        before = len(self.said)
        self._hear(data)
        self.settle()
        return bytes(self.said[before:])

    def settle(self) -> None:
        """Lets the server answer as long as there is something to answer."""
        self._collect()
        while self._asked:
            asked, self._asked = self._asked, b""
            self._hear(self.server.receive(asked))

    def _hear(self, data: bytes) -> None:
        for piece in self._cut(data):
            self.machine.backend_data(piece)
            self._collect()

    def _collect(self) -> None:
        outbox = self.machine.outbox
        asked = b"".join(outbox.backend)
        self._asked += asked
        self.sent += asked
        self.said += b"".join(outbox.client)
        self.effects += outbox.effects
        outbox.backend.clear()
        outbox.client.clear()
        outbox.effects.clear()

    def _cut(self, data: bytes) -> list[bytes]:
        if self._chance is None or not data or self._chance.random() < 0.6:
            return [data] if data else []
        cuts = sorted(self._chance.randrange(len(data) + 1) for _ in range(self._chance.randrange(1, 4)))
        return [piece for piece in map(data.__getitem__, map(slice, [0, *cuts], [*cuts, len(data)])) if piece]
