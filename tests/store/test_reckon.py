"""The sums that must hold whatever the tables say."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fluxhero.core import journal
from fluxhero.messages import Micros, Role, Says, Shares, Side, Type, Why
from fluxhero.store.reckon import Difference, Reckoning
from fluxhero.store.sqlite import SQLiteStore
from tests.store.story import (
    BUY,
    FEE,
    MOVED,
    ROWS,
    STOP,
    STORY,
    TRIED,
    Rows,
    at,
    but,
    cid,
    decided,
    differs,
    drift,
    evidence,
    execution,
    filled,
    intent,
    opened,
    order,
    usd,
    word,
)


def told(rows: Rows) -> Rows:
    """An account that has just been opened, and rows."""
    return [*STORY[0][1], *rows]


TAKEN = order(1, Role.ENTRY, Side.BUY, Type.MARKET, 100)
ONCE = execution(1, TAKEN, Says.PARTIAL_FILL, 60, 100, 60)
BOUGHT = filled(ONCE, TAKEN, "partial", 93_999.5)
REST = filled(execution(2, TAKEN, Says.FILL, 40, 100, 100), TAKEN, "filled", 89_999)
LEFT = order(2, Role.EXIT, Side.SELL, Type.MARKET, 60)
SOLD = filled(execution(2, LEFT, Says.FILL, 60, 101, 60), LEFT, "filled", 100_059)
AGAIN = order(3, Role.ENTRY, Side.BUY, Type.MARKET, 1)
ANEW = [intent(AGAIN), filled(execution(4, AGAIN, Says.FILL, 1, 100, 1), AGAIN, "filled", 99_958.5)]
CLOSED = journal.Closed(
    ts=at(12), slot=0, mode=0, qty=Shares(60), opened=at(11), entry=usd(100), exit=usd(101), fees=usd(1), result=usd(59)
)

ADOPTED = journal.Adopted(
    ts=at(31), slot=0, qty=Shares(50), price=usd(100.5), cash=usd(93_999.5), mode=0, stop=usd(98), flow=usd(0)
)


# What no desk may ever write, though the tables follow from it.
WRONG: dict[str, tuple[Rows, str]] = {
    "a fill without an intent": ([BOUGHT], f"row 3, filled: no intent of {TAKEN.cid} stands before it"),
    "evidence without an intent": (
        [evidence(word(1, TAKEN, Says.ACCEPTED), "live")],
        f"row 3, evidence: no intent of {TAKEN.cid} stands before it",
    ),
    "evidence before its intent": (
        [evidence(word(1, TAKEN, Says.ACCEPTED), "live"), intent(TAKEN)],
        f"row 3, evidence: no intent of {TAKEN.cid} stands before it",
    ),
    "a cancel without an intent": (
        [journal.Canceling(ts=at(1), cid=TAKEN.cid, why=Why.LATE)],
        f"row 3, canceling: no intent of {TAKEN.cid} stands before it",
    ),
    "an id used twice": ([intent(TAKEN), intent(TAKEN)], f"row 4, intent: {TAKEN.cid} is the id of an earlier order"),
    "a stop moved that never was": ([intent(MOVED)], f"row 3, intent: no intent of {STOP.cid} stands before it"),
    "chased before it is over": (
        [intent(TRIED), evidence(word(1, TRIED, Says.ACCEPTED), "live"), intent(BUY)],
        f"row 5, intent: {BUY.cid} enters while {TRIED.cid} is live",
    ),
    "chased without word": (
        [intent(TRIED), intent(BUY)],
        f"row 4, intent: {BUY.cid} enters while {TRIED.cid} is sent",
    ),
    "chased for more than is left": (
        [
            intent(TRIED), filled(execution(1, TRIED, Says.PARTIAL_FILL, 1, 100, 1), TRIED, "partial", 99_899.5),
            evidence(word(2, TRIED, Says.CANCELED), "canceled"), intent(BUY),
        ],
        f"row 6, intent: {BUY.cid} seeks 100 shares, {TRIED.cid} has left 99",
    ),
    "chased out of nothing": ([intent(BUY)], f"row 3, intent: no intent of {TRIED.cid} stands before it"),
    "one execution twice": (
        [intent(TAKEN), BOUGHT, but(BOUGHT, seq=2, filled=120, cash=usd(87_999))],
        f"row 5, filled: execution x1 of {TAKEN.cid} was booked before",
    ),
    "more than was wanted": (
        [intent(TAKEN), but(BOUGHT, qty=101, filled=101, cash=usd(89_899.5))],
        f"row 4, filled: 101 shares of {TAKEN.cid} are filled, 100 were wanted",
    ),
    "a wrong total": ([intent(TAKEN), but(BOUGHT, filled=61)], "row 4, filled: filled is 61, reckoned 60"),
    "a wrong side": ([intent(TAKEN), but(BOUGHT, side=Side.SELL)], "row 4, filled: side is -1, reckoned 1"),
    "a wrong symbol": ([intent(TAKEN), but(BOUGHT, slot=1)], "row 4, filled: slot is 1, reckoned 0"),
    "a wrong role": ([intent(TAKEN), but(BOUGHT, role=Role.STOP)], "row 4, filled: role is stop, reckoned entry"),
    "wrong cash": (
        [intent(TAKEN), but(BOUGHT, cash=usd(94_000))],
        "row 4, filled: cash is 94000000000, reckoned 93999500000",
    ),
    "wrong cash after a charge": (
        [journal.Charged(ts=at(1), seq=1, slot=0, qty=Shares(1), price=usd(1), fee=FEE, cash=usd(100_000))],
        "row 3, charged: cash is 100000000000, reckoned 99999500000",
    ),
    "a word left out": (
        [intent(TAKEN), BOUGHT, but(REST, seq=3)],
        "row 5, filled: the venue's word 3 follows its word 1",
    ),
    "words out of order": (
        [intent(TAKEN), BOUGHT, REST, evidence(word(1, TAKEN, Says.ACCEPTED), "filled")],
        "row 6, evidence: the venue's word 1 follows its word 2",
    ),
    "over, and then not": (
        [intent(TAKEN), BOUGHT, REST, evidence(word(3, TAKEN, Says.REJECTED), "rejected")],
        f"row 6, evidence: {TAKEN.cid} is rejected after it was filled",
    ),
    "a wrong result": (
        [intent(TAKEN), BOUGHT, intent(LEFT), SOLD, but(CLOSED, result=usd(60))],
        "row 7, closed: result is 60000000, reckoned 59000000",
    ),
    "a round trip without an end": (
        [intent(TAKEN), BOUGHT, intent(LEFT), SOLD, evidence(word(3, TAKEN, Says.CANCELED), "canceled"), *ANEW],
        "row 9, filled: the result of slot 0 that no round trip has told is 59000000, reckoned 0",
    ),
    "over for want of an answer": (
        [intent(TAKEN), evidence(word(0, TAKEN, Says.UNANSWERED), "rejected")],
        f"row 4, evidence: {TAKEN.cid} is rejected because nobody answered, which proves nothing",
    ),
    "two entries of a symbol": (
        [intent(TAKEN), evidence(word(0, TAKEN, Says.UNANSWERED), "unknown"), ANEW[0]],
        f"row 5, intent: {cid(3)} enters while {TAKEN.cid} is unknown",
    ),
    "closed though held": ([intent(TAKEN), BOUGHT, CLOSED], "row 5, closed: what is held is 0, reckoned 60"),
    "opened twice": ([STORY[0][1][0]], "row 3, opened: the account was opened before"),
    "a decision twice": (
        [decided(1, 0)[0]] * 2,
        "row 4, decided: UNIQUE constraint failed: decisions.slot, decisions.ts",
    ),
    "an entry that came to something else": (
        [
            intent(TAKEN), BOUGHT,
            journal.Entered(
                ts=at(12), slot=0, cid=TAKEN.cid, wanted=Shares(100), qty=Shares(59), decided=usd(100), price=usd(100),
                shortfall=usd(0),
            ),
        ],
        "row 5, entered: qty is 59, reckoned 60",
    ),
    "taken over without a drift": ([ADOPTED], "row 3, adopted: no drift of position by 50 stands before it"),
    "taken over otherwise than it drifted": (
        [drift("position", 0, 60, 51), ADOPTED],
        "row 4, adopted: no drift of position by 50 stands before it",
    ),
    "taken over with other cash": (
        [drift("position", 0, 0, 50), but(ADOPTED, cash=usd(93_999))],
        "row 4, adopted: cash is 93999000000, reckoned 100000000000",
    ),
    "healed of nothing": (
        [journal.Healed(ts=at(31), key="cash -1")],
        "row 3, healed: no drift cash -1 stands before it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_rows_that_contradict_each_other_are_named(what: str, tmp_path: Path) -> None:
    rows, says = WRONG[what]
    with SQLiteStore(tmp_path) as store:
        # As a desk and a store would write them that have the same flaw.
        for row in told([]):
            store.commit([row], (), 0, 0)
        head, seq = store.head, store.seq
        for row in rows:
            seq += 1
            line = journal.line(seq, row, head)
            head = line[4]
            store.db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", line)
        assert differs(store.db) == f"journal {says}"


def test_a_last_round_trip_without_an_end_is_named(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        store.commit(told([intent(TAKEN), BOUGHT, intent(LEFT), SOLD]), (), 0, 2)
        assert differs(store.db) == "the result of slot 0 that no round trip has told is 59000000, reckoned 0"


def test_what_the_operator_takes_over_is_reckoned_with(tmp_path: Path) -> None:
    left = but(LEFT, qty=Shares(50))
    rows = [
        intent(TAKEN), BOUGHT, drift("position", 0, 60, 50), ADOPTED, journal.Healed(ts=at(31), key="position 0"),
        drift("cash", -1, usd(93_999.5), usd(95_000)),
        journal.Adopted(
            ts=at(32), slot=-1, qty=Shares(0), price=Micros(0), cash=usd(95_000), mode=0, stop=Micros(0),
            flow=usd(1000.5),
        ),
        journal.Healed(ts=at(32), key="cash -1"), intent(left),
        filled(execution(2, left, Says.FILL, 50, 101, 50), left, "filled", 100_049.5),
        but(CLOSED, qty=Shares(50), opened=at(31), entry=usd(100.5), fees=FEE, result=usd(24.5)),
    ]  # fmt: skip
    with SQLiteStore(tmp_path) as store:
        store.commit(told(rows), (), 0, 2)
        assert differs(store.db) == ""


TABLES_ALONE = {
    "UPDATE orders SET filled = 1 WHERE cid = 'fh-test-0-1-1'": "orders: filled of cid fh-test-0-1-1 is 1, by the executions 60",  # noqa: E501
    "DELETE FROM orders WHERE filled = 0": "orders: filled of cid fh-test-0-1-0 is None, by the executions 0",
    "DELETE FROM fills WHERE exec_id = 'x4'": "fills: qty of cid fh-test-0-1-1 is 40, by the executions 60",
    "UPDATE positions SET qty = 61": "positions: qty of slot 0 is 61, by the executions 60",
    "DELETE FROM trades": "trades: results of slot 1 is None, by the executions 48750000",
    "UPDATE account SET cash = 1": "account: cash of id 1 is 1, by the executions 94027750000",
}


@pytest.mark.parametrize("how", TABLES_ALONE)
def test_the_tables_are_held_against_the_sums_without_the_projection(how: str, state: Path) -> None:
    """Should the projection itself be wrong, both tables would agree."""
    reckoning = Reckoning()
    for row in ROWS:
        reckoning.add(row)
    with closing(opened(state)) as db:
        reckoning.check(db)
        db.execute(how)
        with pytest.raises(Difference) as error:
            reckoning.check(db)
    assert str(error.value) == TABLES_ALONE[how]
