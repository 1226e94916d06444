"""Honest messages of the protocol to start from, and how bytes are spoilt."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tollhouse_proxy.protocols.postgres.wire import backend, frontend

PARSERS: dict[str, Callable[[bytes], Any]] = {
    "Query": frontend.Query.parse,
    "Parse": frontend.Parse.parse,
    "Bind": frontend.Bind.parse,
    "Describe": frontend.Describe.parse,
    "Close": frontend.Close.parse,
    "Execute": frontend.Execute.parse,
    "PasswordMessage": frontend.PasswordMessage.parse,
    "SASLInitialResponse": frontend.SASLInitialResponse.parse,
    "SASLResponse": frontend.SASLResponse.parse,
    "CopyData": frontend.CopyData.parse,
    "CopyFail": frontend.CopyFail.parse,
    "FunctionCall": frontend.FunctionCall.parse,
    "Authentication": backend.Authentication.parse,
    "BackendKeyData": backend.BackendKeyData.parse,
    "ParameterStatus": backend.ParameterStatus.parse,
    "ReadyForQuery": backend.ReadyForQuery.parse,
    "NegotiateProtocolVersion": backend.NegotiateProtocolVersion.parse,
    "RowDescription": backend.RowDescription.parse,
    "ParameterDescription": backend.ParameterDescription.parse,
    "DataRow": backend.DataRow.parse,
    "CommandComplete": backend.CommandComplete.parse,
    "ErrorResponse": lambda body: backend.Report.parse("E", body),
    "NoticeResponse": lambda body: backend.Report.parse("N", body),
    "NotificationResponse": backend.NotificationResponse.parse,
    "CopyInResponse": lambda body: backend.CopyResponse.parse("G", body),
    "CopyOutResponse": lambda body: backend.CopyResponse.parse("H", body),
}
_FIELD = backend.Field(b"note", 16384, 2, 25, -1, -1, 0)
_MESSAGES: dict[str, tuple[Any, ...]] = {
    "Query": (frontend.Query(b"SELECT 1"), frontend.Query(b"")),
    "Parse": (frontend.Parse("", b"SELECT $1", (23,)), frontend.Parse("name", b"BEGIN")),
    "Bind": (
        frontend.Bind("", "", (), (b"7", None), ()),
        frontend.Bind("p", "s", (1,), (b"\0\0\0\x07",), (1,)),
        frontend.Bind("p", "s", (0, 1), (b"7", b"\x01"), (0, 1)),
    ),
    "Describe": (frontend.Describe("S", ""), frontend.Describe("P", "p")),
    "Close": (frontend.Close("S", "s"),),
    "Execute": (frontend.Execute("", 0), frontend.Execute("p", 100)),
    "PasswordMessage": (frontend.PasswordMessage(b"token"),),
    "SASLInitialResponse": (
        frontend.SASLInitialResponse("OAUTHBEARER", b"n,,\x01auth=Bearer x\x01\x01"),
        frontend.SASLInitialResponse("SCRAM-SHA-256", None),
    ),
    "SASLResponse": (frontend.SASLResponse(b"c=biws,r=x,p=y"),),
    "CopyData": (frontend.CopyData(b"1\tann\n"),),
    "CopyFail": (frontend.CopyFail("no"),),
    "FunctionCall": (frontend.FunctionCall(2923, (1,), (b"x", None), 1),),
    "Authentication": (
        backend.Authentication(0),
        backend.Authentication(5, b"salt"),
        backend.Authentication(10, b"SCRAM-SHA-256\0\0"),
    ),
    "BackendKeyData": (backend.BackendKeyData(4711, b"bkey"), backend.BackendKeyData(1, b"k" * 32)),
    "ParameterStatus": (backend.ParameterStatus("TimeZone", "UTC"),),
    "ReadyForQuery": (backend.ReadyForQuery("I"), backend.ReadyForQuery("T")),
    "NegotiateProtocolVersion": (backend.NegotiateProtocolVersion(196610, ("_pq_.x",)),),
    "RowDescription": (backend.RowDescription((_FIELD, _FIELD)), backend.RowDescription(())),
    "ParameterDescription": (backend.ParameterDescription((23, 25)),),
    "DataRow": (backend.DataRow((b"1", None, b"")), backend.DataRow(())),
    "CommandComplete": (backend.CommandComplete("SELECT 1"),),
    "ErrorResponse": (backend.Report("E", {"S": "ERROR", "C": "42601", "M": "syntax", "P": "7"}),),
    "NoticeResponse": (backend.Report("N", {"S": "NOTICE", "C": "00000", "M": "hi"}),),
    "NotificationResponse": (backend.NotificationResponse(7, "news", "hi"),),
    "CopyInResponse": (backend.CopyResponse("G", 0, (0, 0)),),
    "CopyOutResponse": (backend.CopyResponse("H", 1, (1,)),),
}
BODIES: dict[str, tuple[bytes, ...]] = {
    name: tuple(one.encode()[5:] for one in messages) for name, messages in _MESSAGES.items()
}
_EDGES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0\0",
    b"\xff\xff",
    b"\x7f\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
)


def grown(rng: random.Random, data: bytes) -> bytes:
    """The bytes with up to four things changed."""
    made = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 4))):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(6):
            case 0:
                made[at:at] = rng.choice(_EDGES)
            case 1:
                edge = rng.choice(_EDGES)
                made[at : at + len(edge)] = edge
            case 2:
                del made[at : at + rng.randrange(1, 5)]
            case 3:
                made[at:at] = made[at : at + rng.randrange(1, 9)]
            case 4 if at < len(made):
                made[at] ^= 1 << rng.randrange(8)
            case _:
                made[at:at] = rng.randbytes(rng.randrange(1, 5))
    return bytes(made)
