"""Somebody trades by hand at the broker: it is seen, the symbol rests, nothing is corrected until the operator says."""

from pathlib import Path

import pytest

from fluxhero.cli import main
from fluxhero.core import journal
from fluxhero.messages import SECOND
from tests.simulation.test_arms import Living, Play, by_hand, entries, live, minute, query, walk, write_path

SYMBOLS = ("AAA", "BBB")
BY_HAND = 40  # shares


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calm")
    for n, symbol in enumerate(SYMBOLS):
        write_path(folder, symbol, walk(n))
    return folder


def traded_by_hand(then: str, after: float = 3.0) -> Play:
    """AAA is bought by hand in minute 78, while we hold it; the operator says something later."""

    async def play(d: Living) -> None:
        await d.until(minute(78))
        venue = d.worlds[-1].broker._venue
        venue.positions[0] += BY_HAND
        venue.cash -= BY_HAND * 100_000_000
        await d.until(minute(78 + after))
        if then:
            assert (await d.ask(then, symbol="AAA", reason="it was me"))["ok"]

    return play


def rows(state: Path, *kinds: str) -> list[tuple[str, str]]:
    found = []
    for kind, body in query(state, "SELECT kind, body FROM journal ORDER BY seq"):
        if kind in kinds:
            row = journal.decode(body)
            found.append((kind, getattr(row, "key", "")))
    return found


def test_what_no_order_explains_rests_and_is_never_corrected(calm: Path, tmp_path: Path) -> None:
    live(by_hand(calm, tmp_path / "s", speed=60.0), traded_by_hand(""))
    assert rows(tmp_path / "s", "drift", "healed", "adopted") == [("drift", "position 0"), ("drift", "cash -1")]
    assert query(tmp_path / "s", "SELECT qty FROM fills WHERE slot = 0 ORDER BY n") == [(100,), (100,)]
    assert entries(tmp_path / "s") == [75]  # cash is everybody's: nobody enters any more
    since = query(tmp_path / "s", "SELECT min(ts) FROM journal WHERE kind = 'drift'")[0][0]
    assert minute(78) + 5 * SECOND <= since <= minute(79.5)
    assert main(["verify", "--state", str(tmp_path / "s")]) == 1


def test_the_brokers_word_is_taken_when_the_operator_says_so(calm: Path, tmp_path: Path) -> None:
    live(by_hand(calm, tmp_path / "s", speed=60.0), traded_by_hand("adopt"))
    assert [kind for kind, _ in rows(tmp_path / "s", "drift", "healed", "adopted")] == [
        "drift", "drift", "adopted", "healed", "adopted", "healed",
    ]  # fmt: skip
    sold = query(tmp_path / "s", "SELECT sum(qty) FROM fills WHERE slot = 0 AND side = -1 AND ts < ?", minute(90))
    assert sold == [(100 + BY_HAND,)]  # with the exit at minute 85
    assert entries(tmp_path / "s") == [75, 90, 105]
    assert query(tmp_path / "s", "SELECT count(*) FROM drifts") == [(0,)]
    assert main(["verify", "--state", str(tmp_path / "s")]) == 0


def test_what_is_ignored_freezes_nothing_while_it_stays_what_it_is(calm: Path, tmp_path: Path) -> None:
    live(by_hand(calm, tmp_path / "s", speed=60.0), traded_by_hand("ignore"))
    assert entries(tmp_path / "s") == [75, 90, 105]
    assert query(tmp_path / "s", "SELECT count(*) FROM drifts") == [(2,)]


@pytest.mark.parametrize(("said", "differs"), [("ignore", 1), ("adopt", 0)])
def test_a_restart_forgets_neither_what_was_ignored_nor_what_was_adopted(
    said: str, differs: int, calm: Path, tmp_path: Path
) -> None:
    async def leaves(d: Living) -> None:
        await traded_by_hand(said)(d)
        d.leaving.set()

    live(by_hand(calm, tmp_path / "s", speed=60.0), leaves)
    assert query(tmp_path / "s", "SELECT slot, qty FROM positions") == [(0, 100 if differs else 140), (1, 100)]
    live(by_hand(calm, tmp_path / "s"))
    assert entries(tmp_path / "s") == [75, 90, 105]
    assert main(["verify", "--state", str(tmp_path / "s")]) == differs


def test_nothing_to_adopt_is_said(calm: Path, tmp_path: Path) -> None:
    said = []

    async def asks(d: Living) -> None:
        await d.until(minute(60))
        said.append(await d.ask("adopt", symbol="AAA"))

    live(by_hand(calm, tmp_path / "s", speed=60.0), asks)
    assert (said[0]["ok"], "nothing differs" in said[0]["error"]) == (False, True)
