"""Old journals, refusals that are no storm, and one word that counts once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fluxhero.actors.orders import Wire
from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.core.ladder import Trip
from fluxhero.core.orders import Desk
from fluxhero.core.rate import Rate
from fluxhero.messages import (
    SECOND,
    Cid,
    Entry,
    Granted,
    Micros,
    Model,
    Nanos,
    Order,
    Role,
    Says,
    Sensed,
    Shares,
    Side,
    Update,
)
from fluxhero.runtime.brake import Brake
from fluxhero.store.sentinel import HaltFile
from tests.core.test_rate import Heard
from tests.core.watching import CASH, held, minute, quote, risk, sealed, usd


def desk(model: Model) -> Desk:
    return Desk(Book(CASH), model, lambda i, a: Cid(f"fh-papr-00-{i}-{a}"), lambda ts: ts)


def test_an_adoption_of_an_older_program_is_read() -> None:
    row = ["adopted", 1, 0, 5, 100, 1000, 1, 90]  # as schema 5 had it
    assert journal.read(journal.Adopted, msgspec.msgpack.encode(row)).flow == 0


def enter(slot: int) -> Entry:
    return Entry(
        slot=slot,
        side=Side.BUY,
        qty=Shares(10),
        mode=1,
        price=usd(50),
        stop=usd(48),
        limit=usd(0),
        cap=usd(0),
        wide=1.0,
        volume=5e4,
    )


def test_entries_that_gap_through_their_stops_are_no_storm() -> None:
    """At the open of a bar: five of one batch; `simulate` knows of no such halt."""
    d, watch = desk(Model.BAR), risk(Model.BAR)
    plan = d.granted(Granted(ts=minute(1), entries=tuple(map(enter, range(5)))))
    for n, o in enumerate([o for o in plan.sends if isinstance(o, Order) and o.role is Role.ENTRY], 1):
        d.update(
            Update(
                seq=n, ts=minute(2), cid=o.cid, says=Says.REJECTED, reason="gapped through the stop: open 40, stop 48"
            )
        )
    watch.on_book(d.booked(minute(2)))
    assert not watch.trips.held(Trip.REJECTS)


def test_a_refusal_is_counted_once_though_a_cancel_is_under_way() -> None:
    d = desk(Model.QUOTE)
    (o,) = d.granted(
        Granted(ts=minute(1), entries=(msgspec.structs.replace(enter(0), limit=usd(50), cap=usd(51)),))
    ).sends
    d.granted(Granted(ts=minute(1), cancel_entries=True))
    d.update(Update(seq=1, ts=minute(1), cid=o.cid, says=Says.REJECTED, reason="no"))
    d.update(Update(seq=2, ts=minute(1), cid=o.cid, says=Says.CANCEL_REJECTED, reason="too late"))
    assert d.booked().rejects == (minute(1),)


def test_one_print_of_the_brokers_is_one_mark() -> None:
    """It had our equity 4 % lower once; its word stands for a minute, and every quote of that minute asks."""
    watch = risk(Model.QUOTE)
    book = msgspec.structs.replace(held((0, 1000)), cash=Micros(0))
    watch.on_book(book)
    watch.on_sealed(sealed(minute(1), {0: 100.0}))
    watch.on_book(
        msgspec.structs.replace(book, ts=Nanos(minute(1) + SECOND), theirs=usd(96_000), told=Nanos(minute(1) + SECOND))
    )
    watch.on_quote(quote(minute(1) + 2 * SECOND, 100.0))
    watch.on_quote(quote(minute(1) + 3 * SECOND, 100.0))
    assert not watch.trips.held(Trip.DAY_LOSS)


def test_a_withdrawal_that_waits_to_be_adopted_is_no_loss() -> None:
    """Cash drifts by 5,000: entries rest, and nothing is sold."""
    watch = risk(Model.QUOTE)
    book = held((0, 500), cash=50_000)
    watch.on_book(book)
    watch.on_sealed(sealed(minute(1), {0: 100.0}))
    for n in (1, 31, 61):  # statements
        ts = Nanos(minute(1) + n * SECOND)
        watch.on_book(msgspec.structs.replace(book, ts=ts, frozen=(-1,) if n > 1 else (), theirs=usd(95_000), told=ts))
        for k in (1, 2):
            watch.on_quote(quote(ts + k * SECOND, 100.0))
    assert {row.trip for row in watch.trips} == {Trip.DRIFT}


async def test_an_entry_held_back_leaves_no_stop_that_waits_for_it(tmp_path: Path) -> None:
    """In `bar` the stop travels with its entry; what never left has none."""
    d, brake, told = desk(Model.BAR), Brake(HaltFile(tmp_path)), list[Sensed | Update]()
    brake.stands(3)
    wire = Wire(Heard(), Rate(), brake, lambda: minute(1), told.append)
    await wire.send(d.granted(Granted(ts=minute(1), entries=(enter(0),))).sends[0], True)
    for u in told:
        assert isinstance(u, Update)
        d.update(u)
    assert (list(d.lives), d.slots[0].stop) == ([], None)


def test_drift_is_told_though_the_symbol_is_silent_too() -> None:
    watch = risk(Model.QUOTE)
    watch._trip(Trip.STALE, minute(1), "x", slot=0)
    watch._trip(Trip.DRIFT, minute(1), "x", slot=0)
    from fluxhero.kernel import codes

    assert watch._shut(0, minute(1))[0] == codes.FROZEN
