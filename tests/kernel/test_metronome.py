"""The strategy that trades by the beat."""

import pytest

from fluxhero.kernel.codes import ENTER, EXIT, GAP, HOURS, LONG, METRONOME, OPEN, REFUSED, SHORT
from fluxhero.kernel.state import Array
from tests.kernel.drive import Thinker, fresh, thinker, walk

pytestmark = pytest.mark.nojit

BARS = 372  # of one session, whose last minutes are refused
DECISION = ["action", "side", "mode", "gate", "stop", "raised", "risk", "scale", "wide"]
Beat = tuple[int, int, int]  # count of bars, action, side


def beats(think: Thinker, bars: Array | None = None) -> list[Beat]:
    """Wherever something was sought; orders fill at once."""
    rows, tape = fresh("metronome"), walk(1, BARS) if bars is None else bars
    told = [rows["decision"][["action", "side"]][0].item() for _ in think.trade(rows, tape[:, None])]
    return [(count, *d) for count, d in enumerate(told, 1) if d[0] in (ENTER, EXIT, REFUSED)]


def test_it_enters_on_every_fifteenth_bar_once_warm_and_leaves_ten_bars_later() -> None:
    entries = [(n, ENTER, LONG) for n in range(75, BARS + 1, 15)]
    exits = [(n, EXIT, LONG) for n in range(85, BARS + 1, 15)]
    assert beats(thinker("metronome")) == sorted(entries + exits)


def test_where_shorts_are_allowed_every_other_beat_is_a_short_one() -> None:
    sides = {n: SHORT if n // 15 % 2 == 0 else LONG for n in range(75, BARS + 1, 15)}
    entries = [(n, ENTER, side) for n, side in sides.items()]
    exits = [(n + 10, EXIT, side) for n, side in sides.items() if n + 10 <= BARS]
    assert beats(thinker("metronome", shorts=1)) == sorted(entries + exits)
    assert set(sides.values()) == {LONG, SHORT}


@pytest.mark.parametrize(("every", "keep"), [(15, 10), (7, 3), (20, 30), (1, 1)])
def test_how_often_and_for_how_long_is_configured(every: int, keep: int) -> None:
    expected: list[Beat] = []
    opened = 0
    for n in range(64, BARS + 1):
        if opened and n - opened >= keep:
            expected.append((n, EXIT, LONG))
            opened = 0
        elif not opened and n % every == 0:
            expected.append((n, ENTER, LONG))
            opened = n
    assert beats(thinker("metronome", every=every, keep=keep)) == expected


def test_its_entry_has_the_stop_and_the_risk_of_a_trend() -> None:
    for bars_, side in ((75, LONG), (90, SHORT)):
        rows, bars, think = fresh("metronome"), walk(1, bars_), thinker("metronome", shorts=1)
        for t in range(bars_):
            think(rows, bars[t : t + 1])
        stop = float(bars["close"][-1]) - side * 2.5 * float(rows["reading"]["atr"][0])
        cents = int(stop * 100) + (side == SHORT)
        expected = (ENTER, side, METRONOME, OPEN, cents * 10_000, 0, 0.01, 1.0, 1.0)
        assert rows["decision"][DECISION][0].item() == expected


@pytest.mark.parametrize("shorts", [0, 1])
def test_its_stop_trails(shorts: int) -> None:
    rows, think, moves = fresh("metronome"), thinker("metronome", shorts=shorts), []
    stop = 0
    for _ in think.trade(rows, walk(1, BARS)[:, None]):
        qty, raised = int(rows["trade"]["qty"][0]), int(rows["decision"]["raised"][0])
        if raised:
            assert raised == rows["trade"]["stop"][0]
            moves.append((1 if qty > 0 else -1, raised > stop))
        stop = int(rows["trade"]["stop"][0])
    assert len(moves) > 10
    assert set(moves) == {(LONG, True)} | ({(SHORT, False)} if shorts else set())


def test_it_says_exit_at_every_bar_until_it_is_flat() -> None:
    rows, bars, think, seen = fresh("metronome"), walk(1, 100), thinker("metronome"), []
    list(think.trade(rows, bars[:84, None]))
    for t in range(84, 100):
        think(rows, bars[t : t + 1])
        seen.append(rows["decision"][["action", "side", "mode"]][0].item())
    assert seen == [(EXIT, LONG, METRONOME)] * 16


@pytest.mark.parametrize(("name", "value", "gate"), [("left", 15, HOURS), ("open", 110.0, GAP)])
def test_hours_and_gaps_refuse_it_too(name: str, value: float, gate: int) -> None:
    rows, bars, think = fresh("metronome"), walk(1, 75), thinker("metronome")
    bars["session"][70:] = 1
    bars[name][70:] = value
    list(think.trade(rows, bars[:, None]))
    assert rows["decision"][["action", "side", "mode", "gate"]][0].item() == (REFUSED, LONG, METRONOME, gate)
    assert rows["trade"]["qty"][0] == 0


def test_a_beat_that_was_refused_is_not_made_up_for() -> None:
    bars = walk(1, 200)
    bars["left"][74] = 0
    counts = [count for count, action, _ in beats(thinker("metronome"), bars) if action == ENTER]
    assert counts == [90, 105, 120, 135, 150, 165, 180, 195]
