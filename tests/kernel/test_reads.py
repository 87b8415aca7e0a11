"""What a strategy says that it never reads is not computed, and nothing else is otherwise."""

from collections.abc import Set
from pathlib import Path

import numpy as np
import pytest

from fluxhero.kernel.codes import ENTER, EXIT, FLAT
from fluxhero.kernel.compile import bind, entry
from fluxhero.kernel.indicators import MATURE
from fluxhero.kernel.plug import find
from fluxhero.kernel.reads import GROUPS, observing
from fluxhero.kernel.rows import observe as whole_observe
from fluxhero.kernel.state import READING, Array, Rec
from tests.kernel.drive import bars_of, beside, fresh, records, rules, thinker, tuned, walk

pytestmark = pytest.mark.nojit

ALWAYS = {"close", "atr", "mid", "sd", "atr_mean", "volume_mean"}
EVERY = set(READING.names or ())


def observe(m: Rec, v: Rec, bar: Rec, p: Rec) -> None:
    """`bind` puts it here."""


def _observed(rows: Array, bars: Array, readings: Array, params: Array) -> None:
    for t in range(bars.size):
        observe(rows[0].market, rows[0].reading, bars[t], params[0].rules)
        readings[t] = rows[0].reading


def observed(bars: Array, reads: Set[str], **said: float) -> tuple[Array, Array]:
    """Readings of every bar, and the row that they leave."""
    rows, out = fresh(), records(bars.size, READING)
    name = "reads_" + "_".join(sorted(reads))
    bind(_observed, name, entry, observe=observing(name, reads))(rows, bars, out, tuned(rules(), **said))
    return out, rows


@pytest.mark.parametrize("group", [*GROUPS, "none"])
@pytest.mark.parametrize("said", [{}, {"adaptive": 1, "kama": 1}], ids=["as it is", "adaptive"])
def test_what_is_read_is_as_if_all_were_and_the_rest_is_unknown(group: str, said: dict[str, float]) -> None:
    reads = GROUPS.get(group, set())
    bars = walk(3, 700)
    whole, _ = observed(bars, EVERY, **said)
    part, _ = observed(bars, reads, **said)
    for name in EVERY:
        if name in reads | ALWAYS:
            assert part[name].tobytes() == whole[name].tobytes(), name
        else:
            assert np.isnan(part[name]).all(), name
            assert not np.isnan(whole[name][MATURE:]).any(), name


def test_who_reads_all_is_bound_to_what_is_there() -> None:
    assert observing("any", EVERY) is whole_observe


KEEPS = """
from fluxhero.kernel.compile import step
from fluxhero.kernel.trade import enter, leave, trail
{reads}
@step
def decide(row, bar, p, stop_atr):
    v = row.reading
    if row.trade.qty != 0:
        if bar.close < v.kama - v.atr:
            leave(row)
        else:
            trail(row, bar, p.rules, stop_atr)
    elif bar.close > v.kama + 0.5 * v.atr:
        enter(row, bar, p.rules, 1, 7, stop_atr * v.atr, 0.01, 1.0)
"""


@pytest.fixture
def keepers(tmp_path: Path) -> list[str]:
    """One that reads all, and one that says what it reads."""
    paths = [tmp_path / kind / "keeper.py" for kind in ("all", "some")]
    for path, said in zip(paths, ("", 'READS = ("atr", "kama")'), strict=True):
        path.parent.mkdir()
        path.write_text(KEEPS.format(reads=said))
    assert [find(str(path)).reads for path in paths] == [EVERY, {"atr", "kama"}]
    return [str(path) for path in paths]


def decided(keeper: str, bars: Array) -> list[tuple[int, ...]]:
    mind, rows = thinker(keeper), fresh(keeper)
    return [
        rows["decision"][["action", "side", "stop", "raised", "gate"]][0].item()
        for _ in mind.trade(rows, beside(bars))
    ]  # fmt: skip


def test_decisions_are_the_same(keepers: list[str]) -> None:
    whole, part = (decided(keeper, walk(5, 900)) for keeper in keepers)
    actions = [action for action, *_ in whole]
    assert min(actions.count(ENTER), actions.count(EXIT)) > 3
    assert part == whole


def test_a_market_that_stands_still_says_nothing_to_either(keepers: list[str]) -> None:
    """From its first bar on, or from a bar on at which a position is held."""
    bars = walk(5, 400)
    for name in ("open", "high", "low", "close"):
        bars[name][150:300] = bars["close"][149]
    for still in (bars_of(np.full(200, 50.0)), bars):
        whole, part = (decided(keeper, still) for keeper in keepers)
        assert part == whole
        assert [action for action, *_ in whole].count(FLAT) > 100
