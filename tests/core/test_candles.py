from datetime import date

import numpy as np
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.core.candles import KEEP, CandleBuffer, Candles
from fluxhero.kernel.state import BAR
from fluxhero.messages import MINUTE, NO_QUOTE, SECOND, Array, Bars, Nanos, Quality, Shares, Trade

[DAY] = nyse().between(date(2024, 3, 26), date(2024, 3, 26))
[HALF_DAY] = nyse().between(date(2024, 7, 3), date(2024, 7, 3))
OPEN, CLOSE = DAY.open, DAY.close


def bar(n: int) -> np.void:
    made = np.zeros(1, BAR)
    made["ts"], made["close"] = n, n / 2
    record: np.void = made[0]
    return record


def trade(ts: int, price: float = 100.0, size: int = 10, slot: int = 0) -> Trade:
    return Trade(index=0, ts=Nanos(ts), slot=slot, price=price, size=Shares(size))


def record(*fields: float) -> tuple[float, ...]:
    """Of a bar without a quote: what is given, and the minute of New York's day at its end."""
    *_, session, left, _ = fields
    closes = 13 * 60 if session == HALF_DAY.index else 16 * 60
    return (*fields, closes - left if session >= 0 else 0, NO_QUOTE)


def sealed_by(keeper: Candles) -> list[tuple[float, ...]]:
    return [tuple(b) for b in keeper.seal().bars.tolist()]


NONE = (0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0)

# -- the buffer


def test_an_empty_buffer_gives_nothing() -> None:
    buffer = CandleBuffer(2)
    assert (len(buffer), buffer.last(0).tolist(), buffer.last(1, 7).tolist()) == (0, [], [])


@pytest.mark.parametrize("pushed", [1, 499, 500, 501, 999, 1000, 1001, 1500, 1501, 2345])
def test_the_newest_500_bars_are_kept_oldest_first(pushed: int) -> None:
    buffer = CandleBuffer(1)
    for n in range(1, pushed + 1):
        buffer.push(0, bar(n))
    kept = list(range(max(1, pushed - KEEP + 1), pushed + 1))
    assert buffer.last(0)["ts"].tolist() == kept
    assert buffer.last(0)["close"].tolist() == [n / 2 for n in kept]
    assert buffer.last(0, 10_000)["ts"].tolist() == kept
    assert buffer.last(0, 3)["ts"].tolist() == kept[-3:]
    assert buffer.last(0, 0)["ts"].tolist() == []
    assert len(buffer) == len(kept)


def test_at_every_length_the_last_bars_are_one_contiguous_view_and_no_copy() -> None:
    buffer = CandleBuffer(2, keep=4)
    for n in range(1, 30):
        buffer.push(1, bar(n))
        last = buffer.last(1)
        assert last["ts"].tolist() == list(range(max(1, n - 3), n + 1))
        assert last.flags.c_contiguous
        assert last.base is not None
        assert (last.shape, last.dtype) == ((min(n, 4),), BAR)


def test_symbols_have_buffers_of_their_own() -> None:
    buffer = CandleBuffer(2)
    for n in range(1, 11):
        buffer.push(0, bar(n))
    buffer.push(1, bar(77))
    assert (buffer.last(0, 2)["ts"].tolist(), buffer.last(1)["ts"].tolist(), len(buffer)) == ([9, 10], [77], 10)


# -- the minute grid


def test_a_minute_of_trades_becomes_one_bar_on_the_grid() -> None:
    keeper = Candles(1, nyse())
    start = OPEN + 5 * MINUTE
    assert keeper.trade(trade(start + 3 * SECOND, 100.0, 10)) == start + MINUTE
    assert keeper.trade(trade(start + 9 * SECOND, 103.0, 20)) is None
    assert keeper.trade(trade(start + 30 * SECOND, 99.0, 5)) is None
    assert keeper.trade(trade(start + MINUTE - 1, 101.0, 1)) is None
    assert sealed_by(keeper) == [record(start, 100.0, 103.0, 99.0, 101.0, 36.0, DAY.index, 384, Quality.FULL)]


def test_a_seal_bears_the_end_of_its_minute() -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(OPEN))
    assert keeper.seal().ts == OPEN + MINUTE


def test_a_trade_at_the_end_of_a_minute_belongs_to_the_next() -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(OPEN, 100.0))
    keeper.seal()
    assert keeper.trade(trade(OPEN + MINUTE, 101.0)) == OPEN + 2 * MINUTE
    assert sealed_by(keeper) == [record(OPEN + MINUTE, 101.0, 101.0, 101.0, 101.0, 10.0, DAY.index, 388, 1)]


def test_a_minute_without_trades_has_no_bar() -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(OPEN))
    keeper.seal()
    assert keeper.trade(trade(OPEN + 7 * MINUTE + 1)) == OPEN + 8 * MINUTE
    keeper.seal()
    assert keeper.buffer.last(0)["ts"].tolist() == [OPEN, OPEN + 7 * MINUTE]


def test_symbols_seal_together_and_one_without_a_trade_has_an_empty_record() -> None:
    keeper = Candles(3, nyse())
    assert keeper.trade(trade(OPEN + SECOND, 50.0, 1, slot=2)) == OPEN + MINUTE
    assert keeper.trade(trade(OPEN + 2 * SECOND, 70.0, 2, slot=0)) is None
    assert sealed_by(keeper) == [
        record(OPEN, 70.0, 70.0, 70.0, 70.0, 2.0, DAY.index, 389, 1),
        NONE,
        record(OPEN, 50.0, 50.0, 50.0, 50.0, 1.0, DAY.index, 389, 1),
    ]
    assert [len(keeper.buffer.last(slot)) for slot in range(3)] == [1, 0, 1]


# -- what comes late


def test_a_trade_of_a_sealed_minute_is_counted_and_changes_nothing() -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(OPEN, 100.0))
    keeper.seal()
    assert keeper.trade(trade(OPEN + MINUTE - 1, 1.0)) is None
    assert keeper.late == 1
    keeper.trade(trade(OPEN + MINUTE, 101.0))
    assert sealed_by(keeper) == [record(OPEN + MINUTE, 101.0, 101.0, 101.0, 101.0, 10.0, DAY.index, 388, 1)]


def test_after_a_restart_what_was_sealed_before_is_late() -> None:
    keeper = Candles(1, nyse(), sealed=Nanos(OPEN + 2 * MINUTE))
    assert keeper.trade(trade(OPEN + 2 * MINUTE - 1)) is None
    assert keeper.trade(trade(OPEN + 2 * MINUTE)) == OPEN + 3 * MINUTE
    assert keeper.late == 1


# -- the session


@pytest.mark.parametrize(
    ("start", "session", "left", "quality"),
    [
        (OPEN - MINUTE, -1, 0, Quality.EXTENDED),
        (OPEN, DAY.index, 389, Quality.FULL),
        (CLOSE - MINUTE, DAY.index, 0, Quality.FULL),
        (CLOSE, -1, 0, Quality.EXTENDED),
        (HALF_DAY.close - 16 * MINUTE, HALF_DAY.index, 15, Quality.FULL),
        (HALF_DAY.close - MINUTE, HALF_DAY.index, 0, Quality.FULL),
        (HALF_DAY.close, -1, 0, Quality.EXTENDED),
        (OPEN + 4 * 24 * 60 * MINUTE, -1, 0, Quality.EXTENDED),  # a Saturday
    ],
)
def test_a_bar_knows_its_session_and_how_much_of_it_is_left(
    start: int, session: int, left: int, quality: Quality
) -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(start + 1))
    assert sealed_by(keeper) == [record(start, 100.0, 100.0, 100.0, 100.0, 10.0, session, left, quality)]


# -- ready-made bars


def test_ready_made_bars_pass_as_they_are_and_are_kept() -> None:
    keeper, bars = Candles(2, nyse()), np.zeros(2, BAR)
    bars[1] = record(OPEN, 1.0, 2.0, 0.5, 1.5, 9.0, DAY.index, 389, 1)
    sealed = keeper.bars(Bars(index=3, ts=Nanos(OPEN + MINUTE), bars=bars))
    assert sealed.ts == OPEN + MINUTE
    assert sealed.bars.tolist() == bars.tolist()
    assert keeper.buffer.last(0).tolist() == []
    assert keeper.buffer.last(1).tolist() == bars[1:].tolist()


def test_what_is_sealed_does_not_change_when_later_bars_arrive() -> None:
    keeper = Candles(1, nyse())
    keeper.trade(trade(OPEN, 100.0))
    first = keeper.seal()
    before = first.bars.copy()
    for n in range(1, 1200):
        keeper.trade(trade(OPEN + n * MINUTE, 100.0 + n))
        keeper.seal()
    assert first.bars.tolist() == before.tolist()


def test_a_regular_minute_whose_beginning_the_tape_missed_is_partial() -> None:
    session = nyse().between(date(2024, 3, 26), date(2024, 3, 26))[0]
    start = Nanos(session.open + 5 * MINUTE)
    qualities = []
    for late in (SECOND, SECOND + 1):
        keeper = Candles(1, nyse(), begins=Nanos(start + late))
        keeper.trade(Trade(index=0, ts=Nanos(start + late), slot=0, price=10.0, size=Shares(1)))
        qualities.append(int(keeper.seal().bars["quality"][0]))
    assert qualities == [Quality.FULL, Quality.PARTIAL]


# -- higher timeframes


def minutes(n: int, session: int = 0, missing: tuple[int, ...] = ()) -> list[Array]:
    """The first n minutes of a session, one symbol; prices count them."""
    day = nyse().sessions[DAY.index + session]
    tape = []
    for i in (i for i in range(n) if i not in missing):
        left = (day.close - day.open) // MINUTE - 1 - i
        bars = np.zeros(1, BAR)
        bars[0] = record(
            day.open + i * MINUTE, i + 1.0, i + 1.75, i + 0.5, i + 1.25, 10.0, day.index, left, Quality.FULL
        )
        tape.append(bars)
    return tape


def fed(keeper: Candles, tape: list[Array]) -> None:
    for bars in tape:
        keeper.bars(Bars(index=0, ts=Nanos(int(bars["ts"][0]) + MINUTE), bars=bars))


def test_five_minutes_and_hours_are_made_from_minutes_on_the_grid_of_the_open() -> None:
    keeper = Candles(1, nyse())
    fed(keeper, minutes(71))
    assert {span // MINUTE: h.buffer.last(0)["ts"].tolist() for span, h in keeper.higher.items()} == {
        5: [OPEN + 5 * i * MINUTE for i in range(14)],
        60: [OPEN],
    }
    hour = keeper.higher[60 * MINUTE].buffer.last(0)[0]
    assert [hour[k] for k in ("open", "high", "low", "close", "volume")] == [1.0, 60.75, 0.5, 60.25, 600.0]


def test_the_last_hour_of_a_session_is_short_and_seals_with_it() -> None:
    keeper = Candles(1, nyse())
    fed(keeper, minutes(390))
    hours = keeper.higher[60 * MINUTE].buffer.last(0)
    assert hours["ts"].tolist() == [OPEN + 60 * i * MINUTE for i in range(7)]
    assert hours["volume"].tolist() == [600.0] * 6 + [300.0]


def test_a_higher_bar_whose_last_minute_never_came_seals_with_the_symbols_next() -> None:
    keeper = Candles(1, nyse())
    fed(keeper, minutes(12, missing=(4, 9)))
    fives = keeper.higher[5 * MINUTE].buffer
    assert (fives.last(0)["close"].tolist(), fives.last(0)["volume"].tolist()) == ([4.25, 9.25], [40.0, 40.0])
    fed(keeper, minutes(390, session=1)[:1])
    assert fives.last(0)["ts"].tolist()[-1] == OPEN + 10 * MINUTE


def test_bars_that_are_longer_make_no_shorter_ones() -> None:
    assert list(Candles(1, nyse(), length=Nanos(60 * MINUTE)).higher) == [60 * MINUTE]
    assert list(Candles(1, nyse(), length=Nanos(24 * 60 * MINUTE)).higher) == []
