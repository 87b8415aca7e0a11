"""An order's life: every cell written out, what holds of the table as a whole, and Alpaca's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core.states import EVENTS, OPEN, STATUSES, TABLE, UNPROVEN, State, after, diagram
from fluxhero.messages import Says

TERMINAL = [s for s in State if s not in OPEN]
# Late, or about something else: no state takes offence at these, save one that they contradict.
STALE = {"accepted", "pending", "partial_fill", "fill", "cancel_rejected", "unanswered"}

BEGINNING = {
    "accepted": "live", "pending": "live", "partial_fill": "partial", "fill": "filled", "canceled": "canceled",
    "replaced": "replaced", "rejected": "rejected", "unanswered": "unknown", "absent": "unknown",
}  # fmt: skip
STANDING = {"fill": "filled", "canceled": "canceled", "replaced": "replaced", "rejected": "rejected"}
CELLS = {
    "sent": BEGINNING | {"cancel_rejected": "sent"},
    "unknown": BEGINNING | {"cancel_rejected": "unknown"},
    "live": STANDING | dict.fromkeys(["accepted", "pending", "cancel_rejected", "unanswered"], "live")
    | {"partial_fill": "partial"},
    "partial": STANDING
    | dict.fromkeys(["accepted", "pending", "partial_fill", "cancel_rejected", "unanswered"], "partial"),
    "filled": dict.fromkeys(STALE, "filled"),
    "canceled": dict.fromkeys(STALE | {"canceled"}, "canceled"),
    "rejected": dict.fromkeys(STALE - {"accepted", "pending"} | {"rejected", "absent"}, "rejected"),
    "replaced": dict.fromkeys(STALE | {"replaced"}, "replaced"),
}  # fmt: skip


@pytest.mark.parametrize("says", Says)
@pytest.mark.parametrize("state", State)
def test_every_cell_is_what_is_written_here(state: State, says: Says) -> None:
    assert after(state, says) == CELLS[state].get(says)


def test_the_names_are_those_of_the_journals() -> None:
    assert [s.value for s in State] == [*CELLS]
    assert {"sent", "unknown", "live", "partial"} == OPEN
    assert {"sent", "unknown"} == UNPROVEN


def test_every_state_is_reached_from_the_first() -> None:
    reached = {State.SENT}
    for _ in State:
        reached |= {then for (state, _), then in TABLE.items() if state in reached}
    assert reached == set(State)


def test_every_open_order_can_still_end_in_every_way() -> None:
    for state in OPEN:
        assert {then for (s, _), then in TABLE.items() if s is state} >= set(TERMINAL)


def test_nothing_leaves_an_end_and_nothing_goes_back() -> None:
    order = [State.SENT, State.UNKNOWN, State.LIVE, State.PARTIAL]
    for (state, _), then in TABLE.items():
        if state in TERMINAL:
            assert then is state
        elif then in OPEN:
            assert order.index(then) >= order.index(state)


def test_a_fill_is_taken_in_every_state() -> None:
    assert {s for s, says in TABLE if says is Says.FILL} == set(State)
    assert {s for s, says in TABLE if says is Says.PARTIAL_FILL} == set(State)


def test_silence_and_absence_end_nothing_and_prove_nothing() -> None:
    silent = {(s, then) for (s, says), then in TABLE.items() if says in (Says.UNANSWERED, Says.ABSENT)}
    assert {(s, then) for s, then in silent if s is not then} == {(State.SENT, State.UNKNOWN)}


def test_what_a_short_costs_is_of_no_order() -> None:
    assert [says for _, says in TABLE if says is Says.CHARGED] == []


@given(st.lists(st.sampled_from(Says)))
def test_whatever_is_said_an_end_stays_and_life_only_goes_on(words: list[Says]) -> None:
    rank = dict.fromkeys(TERMINAL, 4) | {State.SENT: 0, State.UNKNOWN: 1, State.LIVE: 2, State.PARTIAL: 3}
    state = State.SENT
    for says in words:
        then = after(state, says) or state
        assert rank[then] >= rank[state]
        assert then is state or state in OPEN
        state = then


@given(st.sampled_from([State.FILLED, State.CANCELED, State.REPLACED]), st.integers(0, 5), st.data())
def test_in_whatever_order_its_words_come_every_fill_is_taken_and_the_end_is_the_same(
    end: State, fills: int, data: st.DataObject
) -> None:
    last = {State.FILLED: Says.FILL, State.CANCELED: Says.CANCELED, State.REPLACED: Says.REPLACED}[end]
    said = [Says.UNANSWERED, Says.ACCEPTED, *[Says.PARTIAL_FILL] * fills, Says.PENDING, last, Says.CANCEL_REJECTED]
    state: State | None = State.SENT
    for says in data.draw(st.permutations(said)):
        assert state
        state = after(state, says)
    assert state is end


STATUS = {
    "accepted": ["accepted", "accepted_for_bidding", "calculated", "done_for_day", "held", "new", "pending_new",
                 "pending_review", "stopped", "suspended"],
    "pending": ["pending_cancel", "pending_replace"],
    "partial_fill": ["partially_filled"],
    "fill": ["filled"],
    "canceled": ["canceled", "expired"],
    "rejected": ["rejected"],
    "replaced": ["replaced"],
}  # fmt: skip
EVENT: dict[str | None, list[str]] = {
    "accepted": ["accepted", "calculated", "done_for_day", "held", "new", "pending_new", "stopped", "suspended"],
    "pending": ["pending_cancel", "pending_replace"],
    "partial_fill": ["partial_fill"],
    "fill": ["fill"],
    "canceled": ["canceled", "expired"],
    "rejected": ["rejected"],
    "replaced": ["replaced"],
    None: ["order_cancel_rejected", "order_replace_rejected", "restated"],
}


def test_each_of_alpacas_eighteen_statuses_is_one_of_our_words() -> None:
    assert {word: says for says, words in STATUS.items() for word in words} == STATUSES
    assert len(STATUSES) == 18


def test_each_of_alpacas_events_is_one_of_our_words_or_says_read_again() -> None:
    assert {word: says for says, words in EVENT.items() for word in words} == EVENTS
    assert len(EVENTS) == 19


@pytest.mark.parametrize("word", ["", "FILLED", "filled ", "pending_fill", "trade_bust"])
def test_a_word_that_nobody_knows_says_read_again(word: str) -> None:
    assert (STATUSES.get(word), EVENTS.get(word)) == (None, None)


@pytest.mark.parametrize("words", [STATUSES, EVENTS], ids=["statuses", "events"])
def test_every_end_that_alpaca_has_ends_an_order_and_no_other_word_does(words: dict[str, Says | None]) -> None:
    ends = {word for word, says in words.items() if says and after(State.LIVE, says) in TERMINAL}
    assert ends == {"canceled", "expired", "rejected", "replaced"} | ({"filled", "fill"} & words.keys())


def test_the_diagram_has_every_change_of_the_table_and_nothing_else() -> None:
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> sent"]
    assert [line for line in lines if line.endswith("--> [*]")] == [f"    {s} --> [*]" for s in TERMINAL]
    drawn = set()
    for line in lines[2 : -len(TERMINAL)]:
        arrow, words = line.strip().split(": ")
        a, b = arrow.split(" --> ")
        drawn |= {(a, word, b) for word in words.split(", ")}
    assert drawn == {(s.value, says.value, then.value) for (s, says), then in TABLE.items() if s is not then}
