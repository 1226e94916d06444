"""What is remembered of decisions does not outlive the bundle it was decided under."""

from __future__ import annotations

from kit.wire_transcript import Transcript, done, query, ready, result
from tollhouse_proxy.protocols.postgres.decisions import Decisions, Known


def test_books_of_a_bundle_that_is_no_longer_in_force_are_let_go() -> None:
    decisions = Decisions()
    former = [decisions.book((name, "sha256:one"), "sha256:one") for name in ("ann", "bob")]
    held = decisions.bytes
    assert len(decisions) == 2
    newer = decisions.book(("ann", "sha256:two"), "sha256:two")
    assert len(decisions) == 1
    assert decisions.bytes < held
    assert all(book.retired for book in former)
    assert not newer.retired
    assert decisions.book(("ann", "sha256:two"), "sha256:two") is newer


def test_a_session_under_many_bundles_leaves_one_book() -> None:
    talk = Transcript().log_in()
    decisions = talk.machine._around.decisions
    for number in range(20):
        talk.gate.revision = f"sha256:{number}"
        talk.client(query("SELECT 1"))
        talk.backend(result("1"), done("SELECT 1"), ready())
    assert len(decisions) <= 1


def test_books_of_catalogs_that_are_gone_do_not_fill_the_memory() -> None:
    """An entry takes about eight kilobytes: it was once counted as two, and a proxy before a database whose
    catalog changes all the time grew by hundreds of megabytes."""
    decisions, known = Decisions(), Known(b"", (), None)
    books = []
    for epoch in range(2000):
        books.append(decisions.book(("ann", epoch)))
        for number in range(10):
            decisions.keep_exact(books[-1], f"SELECT {number}".encode(), known)
    assert 7000 < sum(len(book.exact) for book in books) <= 8192
    assert decisions.bytes <= 64 * 1024 * 1024
