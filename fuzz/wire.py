"""What comes over the wire is parsed or refused: `python -m fuzz.wire --seconds 60 --seed 1`.

Messages of both sides, startup packets and SCRAM messages are made, cut, mixed up and mended. A parser must
take a body to its last byte (what it read, written again, is that very body) or raise ProtocolError, and
nothing else; a stream of them must be cut the same way in whatever pieces it comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from fuzz.campaign import Campaign, main
from fuzz.wire_messages import BODIES, PARSERS, grown
from tollhouse_proxy.protocols.postgres.scram import ScramClient, ScramFailed
from tollhouse_proxy.protocols.postgres.wire import backend, frontend
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.startup import StartupReader

_NAMES = tuple(PARSERS)
_LOOSE = frozenset({"Authentication", "NegotiateProtocolVersion", "ErrorResponse", "NoticeResponse"})
"""They end in what other messages read for themselves, or are not passed on as they came."""

Cut = Callable[[Framer], list[bytes]]


class Target:
    """Keeps bodies that were taken, to grow others from."""

    name = "wire"
    steps = 50

    def __init__(self) -> None:
        self._bodies: dict[str, list[bytes]] = {name: list(BODIES[name]) for name in _NAMES}

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """Sixteen bodies, now and then a stream, a beginning, a log-in."""
        name = rng.choice(_NAMES)
        known = self._bodies[name]
        for _ in range(16):
            body = grown(rng, rng.choice(known))
            campaign.tried(1)
            try:
                taken = parsed(name, body)
            except Exception:
                campaign.found(_kept(name, body))
                continue
            if taken and len(known) < 400:
                known.append(body)
        dice = rng.random()
        if dice < 0.05:
            self._stream(rng, campaign)
        elif dice < 0.10:
            _beginning(rng, campaign)
        elif dice < 0.101:
            _login(rng, campaign)

    def _stream(self, rng: random.Random, campaign: Campaign) -> None:
        """Frames of one side, perhaps spoilt, whole and in pieces."""
        caps = rng.choice(({**frontend.CAPS, **frontend.LOGIN_CAPS}, backend.CAPS))
        frames = []
        for _ in range(rng.randrange(1, 12)):
            body = rng.choice(self._bodies[rng.choice(_NAMES)])
            kind = bytes((rng.choice(tuple(caps)),))
            frames.append(kind + (len(body) + 4).to_bytes(4) + body)
        data = b"".join(frames)
        if rng.random() < 0.3:
            data = grown(rng, data)
        campaign.tried(len(frames))
        whole = framed(data, len(data) or 1, caps)
        for size in (1, rng.randrange(1, 9), rng.randrange(1, 70)):
            if framed(data, size, caps) != whole:
                campaign.found(_kept("stream", data))


def parsed(name: str, body: bytes) -> bool:
    """Whether the body was taken. Raises AssertionError where it was not read as it stands."""
    try:
        message = PARSERS[name](body)
    except ProtocolError:
        return False
    again: bytes = message.encode()[5:]
    assert again == body or name in _LOOSE, f"{name}: {body!r} was read as {again!r}"
    return True


def framed(data: bytes, size: int, caps: Any) -> list[bytes | str]:
    """The messages of a stream that comes in pieces of `size`, and how it ended."""
    framer, found = Framer("a fuzzer", caps), list[bytes | str]()
    try:
        for at in range(0, len(data), size):
            framer.feed(data[at : at + size])
            while (one := framer.next()) is not None:
                found.append(one)
    except ProtocolError as error:
        found.append(str(error))
    return found


_STARTS = (
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\0\0\0\x08\x04\xd2\x16\x30",
    b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01abcd",
    b"\0\0\0\x21\0\x03\0\0user\0ann\0database\0orders\0\0",
    b"\0\0\0\x29\0\x03\0\x02user\0ann\0_pq_.x\x001\0options\0-c a=b\0\0",
)


def _beginning(rng: random.Random, campaign: Campaign) -> None:
    data = grown(rng, rng.choice(_STARTS)) + grown(rng, rng.choice(_STARTS))
    campaign.tried(2)
    results = []
    for size in (len(data), 1, 3):
        reader, found = StartupReader(), list[Any]()
        try:
            for at in range(0, len(data), max(size, 1)):
                reader.feed(data[at : at + max(size, 1)])
                while (packet := reader.next()) is not None:
                    found.append(packet)
        except ProtocolError:
            found.append("refused")
        except Exception:
            campaign.found(_kept("startup", data))
        results.append(found)
    if any(one != results[0] for one in results):
        campaign.found(_kept("startup", data))


_SERVER_FIRST = b"r=nonceSERVER,s=c2FsdHNhbHQ=,i=1"
_SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def _login(rng: random.Random, campaign: Campaign) -> None:
    campaign.tried(2)
    client = ScramClient("secret", "nonce", None, plus=False)
    words = grown(rng, _SERVER_FIRST) + b"|" + grown(rng, _SERVER_FINAL)
    first, _, final = words.partition(b"|")
    try:
        client.first()
        client.final(first)
        client.finish(final)
    except ScramFailed as failed:
        if "secret" in str(failed):
            campaign.found(_kept("scram", words))
    except Exception:
        campaign.found(_kept("scram", words))
    else:
        campaign.found(_kept("scram", words))  # nobody but the server can make that signature


def _kept(name: str, data: bytes) -> bytes:
    return name.encode() + b"\n\0\n" + data


def replay(data: bytes) -> bool:
    """Whether a kept body of a message is still a finding."""
    name, _, body = data.partition(b"\n\0\n")
    try:
        parsed(name.decode(), body)
    except Exception:
        return True
    return False


if __name__ == "__main__":
    main(Target())
