"""Drift: what lasts, what heals, and what is only told once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core.differences import Difference, Kind, What
from fluxhero.core.drifts import APART, MOST, Drifts
from fluxhero.messages import SECOND, Nanos

Told = tuple[list[Difference], list[Difference]]
NOTHING: Told = ([], [])


def odd(slot: int = 0, theirs: int = 90, kind: Kind = Kind.UNEXPLAINED) -> Difference:
    return Difference(kind=kind, what=What.POSITION, slot=slot, ours=100, theirs=theirs)


def feed(drifts: Drifts, second: float, *differences: Difference) -> Told:
    return drifts.feed(Nanos(int(second * SECOND)), differences)


@pytest.mark.parametrize("kind", [Kind.UNEXPLAINED, Kind.FOREIGN])
def test_what_is_seen_twice_five_seconds_apart_is_drift_and_told_once(kind: Kind) -> None:
    drifts, d = Drifts(), odd(kind=kind)
    assert feed(drifts, 0, d) == NOTHING
    assert feed(drifts, 4.9, d) == NOTHING
    assert drifts.held == {}
    assert feed(drifts, 5, d) == ([d], [])
    assert drifts.held == {d.key: d}
    assert feed(drifts, 10, d) == NOTHING
    assert drifts.held == {d.key: d}


def test_how_far_apart_can_be_said() -> None:
    drifts = Drifts(apart=Nanos(10 * SECOND))
    assert [feed(drifts, second, odd()) for second in (1, 6, 11)] == [NOTHING, NOTHING, ([odd()], [])]


def test_a_statement_that_is_not_newer_adds_nothing() -> None:
    drifts = Drifts()
    assert [feed(drifts, 7, odd()) for _ in range(3)] == [NOTHING] * 3
    assert feed(drifts, 1) == NOTHING
    assert feed(drifts, 7) == NOTHING
    assert feed(drifts, 12, odd()) == ([odd()], [])
    assert feed(drifts, 12) == NOTHING
    assert drifts.held == {odd().key: odd()}


def test_what_a_statement_between_does_not_show_begins_anew() -> None:
    drifts = Drifts()
    assert [feed(drifts, 0, odd()), feed(drifts, 3), feed(drifts, 6, odd())] == [NOTHING] * 3
    assert feed(drifts, 10.9, odd()) == NOTHING
    assert feed(drifts, 11, odd()) == ([odd()], [])


def test_what_a_statement_between_explains_begins_anew() -> None:
    drifts, explained = Drifts(), odd(kind=Kind.EXPLAINED)
    assert [feed(drifts, 0, odd()), feed(drifts, 3, explained), feed(drifts, 6, odd())] == [NOTHING] * 3
    assert feed(drifts, 11, odd()) == ([odd()], [])


def test_what_is_explained_is_never_drift_but_heals_none() -> None:
    drifts, explained = Drifts(), odd(kind=Kind.EXPLAINED)
    assert [feed(drifts, second, explained) for second in range(0, 100, 9)] == [NOTHING] * 12
    feed(drifts, 100, odd())
    assert feed(drifts, 105, odd()) == ([odd()], [])
    assert feed(drifts, 110, explained) == NOTHING
    assert drifts.held == {odd().key: odd()}
    assert feed(drifts, 115, odd()) == NOTHING
    assert feed(drifts, 120) == ([], [odd()])


def test_what_matches_again_heals_at_once_and_is_told_once() -> None:
    drifts = Drifts()
    for second in (0, 5):
        feed(drifts, second, odd(0), odd(1))
    assert feed(drifts, 6, odd(1)) == ([], [odd(0)])
    assert drifts.held == {odd(1).key: odd(1)}
    assert feed(drifts, 7, odd(1)) == NOTHING
    assert feed(drifts, 8) == ([], [odd(1)])
    assert (drifts.held, drifts.seen) == ({}, {})
    assert feed(drifts, 9, odd(1)) == NOTHING


def test_it_is_the_same_drift_whatever_its_size_and_the_newest_is_kept() -> None:
    drifts = Drifts()
    feed(drifts, 0, odd(theirs=90))
    assert feed(drifts, 5, odd(theirs=80)) == ([odd(theirs=80)], [])
    assert feed(drifts, 9, odd(theirs=70)) == NOTHING
    assert feed(drifts, 10) == ([], [odd(theirs=70)])


def test_position_order_and_symbol_are_drifts_of_their_own() -> None:
    drifts, same = Drifts(), odd()
    order = msgspec.structs.replace(same, what=What.ORDER, name="fh-1")
    other = msgspec.structs.replace(same, slot=-1, name="ZZZ")
    feed(drifts, 0, same)
    assert feed(drifts, 5, order, other) == NOTHING
    assert feed(drifts, 10, same, order, other) == ([order, other], [])


def test_it_remembers_no_more_than_a_bound_what_is_held_first_and_our_own_next() -> None:
    drifts = Drifts()
    for second in (0, 5):
        feed(drifts, second, odd(9_999, kind=Kind.FOREIGN))
    flood = [odd(slot, kind=Kind.FOREIGN) for slot in range(MOST)]
    ours = [odd(slot) for slot in range(MOST, MOST + 5)]
    held = odd(9_999, kind=Kind.FOREIGN)
    assert feed(drifts, 10, *flood, *ours, held) == NOTHING
    assert len(drifts.seen) == MOST
    assert feed(drifts, 15, *flood, *ours, held) == ([*ours, *flood[: MOST - 6]], [])
    assert len(drifts.held) == MOST


def test_it_can_be_written_down_and_read_again() -> None:
    drifts = Drifts()
    for second in (0, 5, 6):
        feed(drifts, second, odd(0), odd(1, theirs=second))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(drifts), type=Drifts)
    assert again == drifts
    assert feed(again, 7) == feed(drifts, 7) == ([], [odd(0), odd(1, theirs=6)])


@given(st.lists(st.tuples(st.integers(0, 9), st.sets(st.tuples(st.integers(0, 2), st.sampled_from(Kind))))))
def test_drift_and_its_healing_alternate_and_nothing_heals_while_it_differs(
    statements: list[tuple[int, set[tuple[int, Kind]]]],
) -> None:
    drifts, held, ts, begun = Drifts(), set[int](), 0, dict[int, int]()
    for gap, found in statements:
        ts += gap * SECOND
        rows = {slot: odd(slot, kind=kind) for slot, kind in sorted(found)}
        newer = ts > drifts.last
        new, healed = drifts.feed(Nanos(ts), rows.values())
        if newer:
            begun = {s: begun.get(s, ts) for s, d in rows.items() if d.kind is not Kind.EXPLAINED}
        assert {d.slot for d in new} == {s for s, since in begun.items() if newer and ts - since >= APART} - held
        assert {d.slot for d in healed} == (held - rows.keys() if newer else set())
        held = (held | {d.slot for d in new}) - {d.slot for d in healed}
        assert {d.slot for d in drifts.held.values()} == held
