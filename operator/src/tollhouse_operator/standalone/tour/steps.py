"""The steps, in the order in which they are played."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tollhouse_core.secret import Secret
from tollhouse_operator.standalone.tour.stage import Command, Differs, Stage

Rows = list[tuple[object, ...]]
Session = psycopg.AsyncConnection[tuple[object, ...]]

OPEN_ENDS = 3
"""The exit status of `tollhouse audit verify` while a session has no end."""

POLICY_SECONDS = 1.0
"""Within this time an edited policy must bind open sessions."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the tour."""

    title: str
    play: Callable[[Stage], Awaitable[None]]


async def masked_and_filtered(stage: Stage) -> None:
    """SELECT, by a driver over TLS and by psql."""
    sql = "SELECT id, name, email FROM customers ORDER BY id"
    stage.say("agent tries", sql)
    stage.say("policy says", "rows of the agent's own tenant only; e-mail addresses show four characters")
    token = stage.token("triage", tenant=1)
    async with await stage.connect(token) as session:
        rows = await _ask(session, sql)
    stage.say("came back", _table(rows))
    stage.expect("customers 1, 2 and 3 of tenant 1", [row[0] for row in rows] == [1, 2, 3], rows)
    stage.expect("the name in the clear", rows[0][1] == "Ines Roth", rows[0])
    for row in rows:
        mask = str(row[2])
        stage.expect("masked e-mail addresses", mask.endswith("mple") and mask.count("*") > 8, row)
    answer = await stage.psql(token, sql)
    shown = [line.split("|") for line in answer.out.splitlines()]
    same = [[str(value) for value in row] for row in rows]
    stage.expect("the same from psql", shown == same, answer.said)
    stage.say("psql", "the same")


async def oracles_are_closed(stage: Stage) -> None:
    """A mask holds where a value is compared, not only where it is shown."""
    sql = "SELECT count(*) FROM customers WHERE email = 'ines.roth@mail.example'"
    stage.say("agent tries", sql)
    stage.say("policy says", "masked at the source: a predicate sees the mask, so guessing tells nothing")
    async with await stage.connect(stage.token("triage", tenant=1)) as session:
        rows = await _ask(session, sql)
    stage.say("came back", str(rows[0][0]))
    stage.expect("no match, though the address is right", rows == [(0,)], rows)


async def cards_in_free_text(stage: Stage) -> None:
    """Content masks find card numbers wherever they stand."""
    sql = "SELECT note FROM payments ORDER BY id"
    stage.say("agent tries", sql)
    stage.say("policy says", "card numbers show four digits, wherever people wrote them")
    async with await stage.connect(stage.token("triage", tenant=1)) as session:
        notes = [str(row[0]) for row in await _ask(session, sql)]
    stage.say("came back", "\n".join(notes))
    stage.expect("three notes", len(notes) == 3, notes)
    stage.expect("other words untouched", notes[0] == "paid at once", notes[0])
    stage.expect("text around the number", notes[1].startswith("called in"), notes[1])
    everything = "".join(notes).replace(" ", "").replace("-", "")
    for number in ("4111111111111111", "5500000000000004"):
        stage.expect("no card number", number not in everything, notes)
        stage.expect("its last four digits", number[-4:] in everything, notes)


async def refused(stage: Stage) -> None:
    """What no rule allows, and what a rule denies; the session goes on."""
    async with await stage.connect(stage.token("triage", tenant=1)) as session:
        for sql, says, rule in (
            ("DELETE FROM customers WHERE id = 1", "no rule allows it, so it is denied", ""),
            ("DROP DATABASE shop", "rule never: nothing is dropped here", "never"),
        ):
            stage.say("agent tries", sql)
            stage.say("policy says", says)
            error = await _refusal(stage, session, sql, "42501")
            detail = json.loads(error.diag.message_detail or "{}")
            stage.expect(f"rule {rule!r} in DETAIL", detail.get("rule") == rule, detail)
            stage.expect("a hint", bool(error.diag.message_hint), error.diag.message_hint)
            stage.say("came back", f"{error.sqlstate} {error.diag.message_primary}")
            stage.say("hint", error.diag.message_hint or "")
        rows = await _ask(session, "SELECT count(*) FROM customers")
        stage.expect("a session that goes on", rows == [(3,)], rows)
        stage.say("afterwards", "the session goes on, and all three customers are there")


async def sixty_first(stage: Stage) -> None:
    """A limit counts each identity by itself."""
    stage.say("agent tries", "61 queries in a minute")
    stage.say("policy says", "60 in a minute")
    async with await stage.connect(stage.token("hasty", tenant=1)) as session:
        for number in range(1, 61):
            rows = await _ask(session, "SELECT count(*) FROM orders")
            stage.expect(f"an answer to query {number}", len(rows) == 1, rows)
        error = await _refusal(stage, session, "SELECT count(*) FROM orders", "53400")
    detail = json.loads(error.diag.message_detail or "{}")
    stage.expect("retryAfter in DETAIL", bool(detail.get("retryAfter")), detail)
    stage.say("came back", f"60 answers, then {error.sqlstate} {error.diag.message_primary}")
    stage.say("hint", error.diag.message_hint or "")


async def approved(stage: Stage) -> None:
    """A statement waits on its connection until a person agrees, and runs once."""
    sql = "DELETE FROM orders WHERE id = 7"
    stage.say("agent tries", sql)
    stage.say("policy says", "a manager must agree")
    async with await stage.connect(stage.token("triage", tenant=1)) as session:
        notices: list[str] = []
        session.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        deleting = asyncio.create_task(_run_statement(session, sql))
        try:
            request = await _request_of(stage, deleting)
            stage.say("waits", f"{request}; the agent reads: {notices[0] if notices else '(no notice)'}")
            stage.expect("a NOTICE that names the request", any(request in text for text in notices), notices)
            await _nobody_else_may(stage, request)
            voted = await stage.tollhouse(
                "approvals", "approve", request, "--as", "dana", "--reason", "customer called"
            )
            stage.say("dana", f"tollhouse approvals approve {request} --as dana\n{voted.said}")
            stage.expect("a vote that counts", voted.status == 0, voted.said)
            count = await asyncio.wait_for(deleting, 30)
        finally:
            deleting.cancel()
        stage.expect("one row deleted", count == 1, count)
        stage.say("came back", "DELETE 1, on the same connection")
        left = await _ask(session, "SELECT count(*) FROM orders WHERE id = 7")
        stage.expect("the order gone", left == [(0,)], left)
        await _second_needs_another(stage, session, sql, request)


async def policy_edited(stage: Stage) -> None:
    """An open session obeys an edited file from its next statement on."""
    sql = "SELECT count(*) FROM payments"
    path = stage.folder.root / "policies.yaml"
    before = path.read_text()
    edited = before.replace("tables: [customers, orders, payments]}", "tables: [customers, orders]}")
    stage.expect("a policy that allows payments", edited != before, before)
    stage.say("agent tries", f"{sql}, again and again in one session")
    async with await stage.connect(stage.token("editor", tenant=1)) as session:
        stage.expect("an answer", len(await _ask(session, sql)) == 1, "none")
        path.write_text(edited)
        stage.say("edited", "policies.yaml: payments is no longer among the tables one may read")
        taken = await _until_refused(stage, session, sql)
        stage.say("came back", f"refused after {taken * 1000:.0f} ms, in the session that was open")
        stage.expect(f"less than {POLICY_SECONDS:g} s", taken < POLICY_SECONDS, f"{taken:.2f} s")
        path.write_text(before + "\n  - name: broken\n")
        await asyncio.sleep(0.5)
        error = await _refusal(stage, session, sql, "42501")
        stage.say("broken file", f"the last good policies stay in force: still {error.sqlstate}")
        path.write_text(before)
        await _until_allowed(stage, session, sql)
        stage.say("put back", "allowed again")


async def never_had(stage: Stage) -> None:
    """The backend's credential is the proxy's alone."""
    token, password = stage.token("triage", tenant=1), stage.backend_password()
    port = stage.connection.spec.postgres.port if stage.connection.spec.postgres else 0
    stage.say("agent tries", "its token at the database itself, past the proxy")
    stage.say("policy says", "nothing: it never gets that far, the database knows no such password")
    try:
        direct = await psycopg.AsyncConnection.connect(
            host="127.0.0.1", port=port, dbname="shop", user="shop_db_app", password=token.reveal()
        )
    except psycopg.OperationalError as error:
        stage.say("came back", str(error).strip().splitlines()[-1])
    else:
        await direct.close()
        raise Differs("expected the database to refuse the token; found an open door")
    _expect_unseen(stage, "the database's password", [password])
    _expect_unseen(stage, "a token", stage.tokens)
    stage.say(
        "looked", "the real password and the tokens are in no log, bundle, audit line or process's arguments"
    )


async def audit_verified(stage: Stage) -> None:
    """The chain holds, and breaks at the line where one byte is changed."""
    trail = stage.folder.audit_file(*stage.proxy.key)
    stage.say("anybody", "tollhouse audit verify")
    sound = await _verified(stage)
    stage.say("came back", sound.said)
    stage.expect("a sound chain", sound.status == 0, sound.said)
    content = bytearray(trail.read_bytes())
    at = content.index(b"DELETE FROM")
    content[at + 1] ^= 1
    forged = stage.folder.state / "audit" / "copy" / trail.name
    forged.parent.mkdir()
    forged.write_bytes(content)
    stage.say("a forger", f"a copy in which one letter of a DELETE is another (byte {at + 1})")
    key = str(stage.folder.audit_public_key)
    broken = await stage.tollhouse("audit", "verify", str(forged), "--key", key)
    shown = broken.said.replace(str(forged), forged.name)
    stage.say("came back", shown)
    line = content[:at].count(b"\n") + 1
    stage.expect("a broken chain", broken.status == 1, broken.said)
    stage.expect(f"line {line} named", f"{forged.name}:{line}: " in shown, shown)
    sessions = await stage.tollhouse("audit", "sessions")
    stage.say("who did what", sessions.said)
    stage.expect("the sessions listed", "triage" in sessions.out and "hasty" in sessions.out, sessions.said)


STEPS = (
    Step("A SELECT comes back masked and filtered", masked_and_filtered),
    Step("A guess learns nothing", oracles_are_closed),
    Step("A card number in free text is masked", cards_in_free_text),
    Step("A DELETE and a DROP DATABASE are refused, with a hint", refused),
    Step("The sixty-first query of a minute", sixty_first),
    Step("A DELETE waits, is approved, and runs once", approved),
    Step("A policy is edited while a session is open", policy_edited),
    Step("The credential that the agent never had", never_had),
    Step("The audit is proved, and refused after one byte is changed", audit_verified),
)


async def _ask(session: Session, sql: str) -> Rows:
    cursor = await session.execute(sql.encode())
    return await cursor.fetchall()


async def _run_statement(session: Session, sql: str) -> int:
    cursor = await session.execute(sql.encode())
    return cursor.rowcount


async def _refusal(stage: Stage, session: Session, sql: str, sqlstate: str) -> psycopg.Error:
    try:
        rows = await _run_statement(session, sql)
    except psycopg.Error as error:
        stage.expect(f"SQLSTATE {sqlstate}", error.sqlstate == sqlstate, f"{error.sqlstate} {error}")
        return error
    raise Differs(f"expected SQLSTATE {sqlstate} for {sql}; found {rows} rows")


async def _request_of(stage: Stage, deleting: asyncio.Task[int]) -> str:
    """The name of the request, unless the statement ends first."""
    looking = asyncio.create_task(stage.waiting_request())
    await asyncio.wait({looking, deleting}, return_when=asyncio.FIRST_COMPLETED)
    if deleting.done():
        looking.cancel()
        raise Differs(f"expected the DELETE to wait; found {deleting.exception() or deleting.result()}")
    return (await looking).name


async def _nobody_else_may(stage: Stage, request: str) -> None:
    """Who runs the demo is no manager, and nobody may speak for the agent."""
    for options in ([], ["--as", "triage"]):
        vote = await stage.tollhouse("approvals", "approve", request, *options)
        stage.expect("a vote refused", vote.status == 1, vote.said)
        said = vote.said.replace(f"{stage.folder.root}/", "")
        stage.say(options[-1] if options else "somebody", said)


async def _second_needs_another(stage: Stage, session: Session, sql: str, used: str) -> None:
    again = asyncio.create_task(_run_statement(session, sql))
    try:
        request = await _request_of(stage, again)
        stage.expect("another request", request != used, request)
        denied = await stage.tollhouse(
            "approvals", "deny", request, "--as", "dana", "--reason", "once is enough"
        )
        stage.expect("a vote that counts", denied.status == 0, denied.said)
        await asyncio.wait_for(again, 30)
    except psycopg.Error as error:
        stage.expect("SQLSTATE 42501", error.sqlstate == "42501", f"{error.sqlstate} {error}")
        stage.say("once more", f"needs a new approval ({request}); dana denies: {error.diag.message_primary}")
        return
    finally:
        again.cancel()
    raise Differs("expected the second DELETE to be denied; it ran")


async def _until_refused(stage: Stage, session: Session, sql: str) -> float:
    started = time.monotonic()
    while time.monotonic() - started < 10:
        try:
            await _ask(session, sql)
        except psycopg.Error as error:
            stage.expect("SQLSTATE 42501", error.sqlstate == "42501", f"{error.sqlstate} {error}")
            return time.monotonic() - started
        await asyncio.sleep(0.2)
    raise Differs("expected the open session to be refused within 10 s; it was not")


async def _until_allowed(stage: Stage, session: Session, sql: str) -> None:
    started = time.monotonic()
    while time.monotonic() - started < 10:
        try:
            await _ask(session, sql)
        except psycopg.Error:
            await asyncio.sleep(0.2)
        else:
            return
    raise Differs("expected the open session to be allowed again within 10 s; it was not")


async def _verified(stage: Stage) -> Command:
    """Once every session has its end; the last ones end as their clients leave."""
    started = time.monotonic()
    while True:
        answer = await stage.tollhouse("audit", "verify")
        if answer.status != OPEN_ENDS or time.monotonic() - started > 10:
            return answer
        await asyncio.sleep(0.1)


def _expect_unseen(stage: Stage, what: str, values: list[Secret]) -> None:
    """In no file but the proxy's Secret, and in nothing that any program was told when it began."""
    secrets = stage.folder.state / "secrets"
    places = {
        str(path.relative_to(stage.folder.root)): path.read_bytes()
        for path in stage.folder.root.rglob("*")
        if path.is_file() and not path.is_relative_to(secrets)
    }
    places |= {f"{path}": content for path, content in _processes()}
    for value in values:
        wanted = value.reveal().encode()
        found = [place for place, content in places.items() if wanted in content]
        stage.expect(f"{what} nowhere to be read", not found, ", ".join(found))


def _processes() -> Iterator[tuple[Path, bytes]]:
    """Arguments and environments of all processes we can see."""
    for name in ("cmdline", "environ"):
        for path in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                yield path, path.read_bytes()
            except OSError:
                continue


def _table(rows: Rows) -> str:
    return "\n".join(" | ".join(map(str, row)) for row in rows)
