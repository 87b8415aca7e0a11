"""A journal and the ledger of its venue, held against each other."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.cli import main
from fluxhero.exchange.matching import Working
from fluxhero.messages import Says, Shares
from fluxhero.store.counterparty import REPEATED
from fluxhero.store.venue import FILE as VENUE
from tests.store.story import (
    MOVED,
    ROWS,
    STOP,
    VENUES,
    W,
    but,
    found,
    opened,
    usd,
)


def test_every_word_that_was_heard_is_held_against_the_venues(state: Path) -> None:
    with closing(opened(state, VENUE)) as venue:
        for n, row in enumerate(ROWS, 1):
            for name in REPEATED.get(type(row), ()):
                w: Any = W[row.seq]  # type: ignore[attr-defined]
                kept = getattr(w, name)
                value = Says.PENDING if name == "says" else kept + ("?" if isinstance(kept, str) else 1)
                changed = msgspec.structs.replace(w, **{name: value})
                venue.execute("BEGIN")
                venue.execute("UPDATE updates SET body = ? WHERE seq = ?", (msgspec.msgpack.encode(changed), w.seq))
                venue.execute("COMMIT")
                by = f"{name} is {kept}, by the venue's word {w.seq} {value}"
                assert found(state) == f"journal row {n}, {type(row).__name__.lower()}: {by}"
                venue.execute("UPDATE updates SET body = ? WHERE seq = ?", (msgspec.msgpack.encode(w), w.seq))
    assert found(state) == ""


def changed(folder: Path, **changes: Any) -> None:
    account = msgspec.structs.replace(VENUES[-1][2], **changes)
    with closing(opened(folder, VENUE)) as venue:
        venue.execute("UPDATE state SET body = ?", (msgspec.msgpack.encode(account),))


def said(folder: Path, sql: str, *values: Any) -> None:
    with closing(opened(folder, VENUE)) as venue:
        venue.execute(sql, values)


def heard(seq: int) -> str:
    """The row of a word."""
    n, row = next((n, row) for n, row in enumerate(ROWS, 1) if getattr(row, "seq", 0) == seq)
    return f"journal row {n}, {type(row).__name__.lower()}"


LEDGER: dict[str, tuple[Any, str]] = {
    "a word that was heard is gone": (
        lambda p: said(p, "DELETE FROM updates WHERE seq = 7"),
        f"{heard(7)}: the venue has not said its word 7",
    ),
    "the last words are gone": (
        lambda p: said(p, "DELETE FROM updates WHERE seq > 10"),
        f"{heard(11)}: the venue has not said its word 11",
    ),
    "a word in another's place": (
        lambda p: said(p, "UPDATE updates SET seq = 13 WHERE seq = 12"),
        f"{heard(12)}: the number of a venue's word is 12, its place 13",
    ),
    "a total": (
        lambda p: said(
            p, "UPDATE updates SET body = ? WHERE seq = 5", msgspec.msgpack.encode(but(W[5], filled=Shares(61)))
        ),
        f"{heard(5)}: filled is 60, by the venue's word 5 61",
    ),
    "an order that we know nothing of": (
        lambda p: said(p, "INSERT INTO arrivals VALUES ('fh-test-0-9-0')"),
        "fh-test-0-9-0 has come to the venue, and no intent of it is in the journal",
    ),
    "a cancel of an order that we know nothing of": (
        lambda p: said(p, "INSERT INTO arrivals VALUES ('fh-test-0-9-0 cancel 5')"),
        "fh-test-0-9-0 cancel 5 has come to the venue, and no intent of it is in the journal",
    ),
    "an order that never came": (
        lambda p: said(p, "DELETE FROM arrivals WHERE key = 'fh-test-0-4-0'"),
        "the venue has spoken of fh-test-0-4-0, which has not come to it",
    ),
    "its cash": (lambda p: changed(p, cash=usd(94_028)), "cash is 94027750000, at the venue 94028000000"),
    "its positions": (lambda p: changed(p, positions={0: 59}), "positions: qty of slot 0 is 60, at the venue 59"),
    "a position too many": (
        lambda p: changed(p, positions={0: 60, 1: 1}),
        "positions: qty of slot 1 is None, at the venue 1",
    ),
    "its count of words": (
        lambda p: changed(p, seq=13),
        "the number of the venue's words is 12, by its account 13",
    ),
    "a stop that does not rest": (
        lambda p: changed(p, resting=[]),
        f"orders: open shares of cid {MOVED.cid} is 60, at the venue None",
    ),
    "a stop that rests twice": (
        lambda p: changed(p, resting=[Working(order=MOVED), Working(order=STOP)]),
        f"orders: open shares of cid {STOP.cid} is None, at the venue 60",
    ),
    "an order's bytes": (
        lambda p: changed(p, resting=[Working(order=but(MOVED, stop=usd(97)))]),
        f"{MOVED.cid}: stop is {usd(99)}, at the venue {usd(97)}",
    ),
    "what of it is filled": (
        lambda p: changed(p, resting=[Working(order=MOVED, filled=10)]),
        f"orders: open shares of cid {MOVED.cid} is 60, at the venue 50",
    ),
}


@pytest.mark.parametrize("what", LEDGER)
def test_a_ledger_that_does_not_belong_to_the_journal_is_named(what: str, state: Path) -> None:
    tamper, says = LEDGER[what]
    tamper(state)
    assert found(state) == says


def test_without_a_ledger_beside_it_the_journal_is_judged_alone(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / VENUE).unlink()
    assert main(["verify", "--state", str(state)]) == 0
    assert "venue" not in capsys.readouterr().out


def test_a_ledger_that_cannot_be_read_is_not_judged(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / VENUE).write_bytes(b"this is no database" * 1000)
    assert main(["verify", "--state", str(state)]) == 70
    assert capsys.readouterr() == ("", f"fluxhero: {state / VENUE} cannot be read: file is not a database\n")
