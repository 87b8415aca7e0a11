"""The strategy that trades by the beat."""

from fluxhero.kernel.codes import ENTER, EXIT, HOURS, METRONOME, REFUSED
from tests.kernel.drive import Thinker, fields, fresh, thinker, walk

BARS = 380  # one session, almost


def beats(think: Thinker, bars: int = BARS) -> list[tuple[int, int]]:
    """(count of bars, action) wherever one was taken; orders fill at once."""
    rows = fresh("metronome")
    tape = walk(1, bars)[:, None]
    actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, tape)]
    return [(count, action) for count, action in enumerate(actions, 1) if action in (ENTER, EXIT, REFUSED)]


def test_it_enters_on_every_fifteenth_bar_once_warm_and_leaves_ten_bars_later() -> None:
    expected = [(n, ENTER) for n in range(75, 373, 15)] + [(n, EXIT) for n in range(85, 373, 15)]
    assert beats(thinker("metronome"), 372) == sorted(expected)


def test_the_hours_refuse_it_too() -> None:
    assert beats(thinker("metronome"), 390)[-1] == (390, REFUSED)


def test_its_entry_has_the_stop_and_the_risk_of_a_trend() -> None:
    rows, bars, think = fresh("metronome"), walk(1, 75), thinker("metronome")
    list(think.trade(rows, bars[:74, None]))
    think(rows, bars[74:])
    stop = float(bars["close"][74]) - 2.5 * float(rows["reading"]["atr"][0])
    assert fields(rows["decision"][0]) == {
        "action": ENTER, "mode": METRONOME, "gate": 0, "stop": int(stop * 100) * 10_000, "raised": 0, "value": 0.0,
        "limit": 0.0, "risk": 0.01, "scale": 1.0,
    }  # fmt: skip


def test_its_stop_trails() -> None:
    rows, think = fresh("metronome"), thinker("metronome")
    raised = [int(rows["decision"]["raised"][0]) for _ in think.trade(rows, walk(1, BARS)[:, None])]
    assert sum(r > 0 for r in raised) > 10


def test_it_says_exit_at_every_bar_until_it_is_flat() -> None:
    rows, bars, think = fresh("metronome"), walk(1, 100), thinker("metronome")
    list(think.trade(rows, bars[:84, None]))
    seen = []
    for t in range(84, 90):
        think(rows, bars[t : t + 1])
        seen.append(int(rows["decision"]["action"][0]))
    assert seen == [EXIT] * 6


def test_a_refusal_carries_gate_value_and_limit() -> None:
    rows, bars, think = fresh("metronome"), walk(1, 390), thinker("metronome")
    list(think.trade(rows, bars[:, None]))
    assert fields(rows["decision"][0]) | {"stop": 0} == {
        "action": REFUSED, "mode": METRONOME, "gate": HOURS, "stop": 0, "raised": 0, "value": 0.0, "limit": 15.0,
        "risk": 0.01, "scale": 1.0,
    }  # fmt: skip
