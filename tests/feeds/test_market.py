"""The synthetic market: the same for ever, open at any place, and a market that a strategy finds something to do in."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import math
import os
import random
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import pytest

from fluxhero.core.calendar import Session, nyse
from fluxhero.core.candles import Candles
from fluxhero.feeds import paths
from fluxhero.feeds.market import LOT, QUOTES, TRADES, Market
from fluxhero.kernel.codes import ENTER, GAP, NEUTRAL, REFUSED, REVERSION, TREND
from fluxhero.kernel.gates import looks_split
from fluxhero.messages import MINUTE, SECOND, Array, Nanos, Quality, Quote, Trade
from tests.kernel.drive import fresh, thinker

CALENDAR = nyse()
SYMBOLS = ["ALFA", "BRAVO", "DELTA"]
EVE = datetime.date(2000, 11, 22)  # a whole session, a holiday, a half day
NEW_YEAR = datetime.date(2000, 1, 3)
PER = (QUOTES + TRADES) * len(SYMBOLS)
DEFAULT = 28


def market(first: datetime.date = EVE, seed: int = DEFAULT, symbols: list[str] = SYMBOLS) -> Market:
    return Market(symbols, seed, first, CALENDAR)


def whole_and_half() -> list[Trade | Quote]:
    """Thanksgiving's eve and the day after it, whole, and 30 minutes of the Monday."""
    return list(itertools.islice(market().events(0), PER * (390 + 210 + 30)))


def minutes_of(session: Session) -> list[int]:
    return list(range(session.open, session.close, MINUTE))


def base_of(key: int) -> float:
    return float(paths.chance(key, paths.BASE).uniform(math.log(40.0), math.log(250.0)))


def sealed(events: Iterable[Trade | Quote], begins: Nanos, symbols: int = len(SYMBOLS)) -> Iterator[Array]:
    """The bars of every minute, as the daemon builds them."""
    candles, due = Candles(symbols, CALENDAR, begins=begins), None
    for e in events:
        if due is not None and e.ts >= due:
            due = None
            yield candles.seal().bars
        if isinstance(e, Trade):
            due = candles.trade(e) or due
    if due is not None:
        yield candles.seal().bars


# -- a place in the tape


def test_any_place_in_the_tape_shows_what_the_whole_tape_shows_there() -> None:
    tape, whole, rng = market(), whole_and_half(), random.Random(1)
    assert [e.index for e in whole] == list(range(len(whole)))
    edges = [0, PER, PER * 30, PER * 390 - 1, PER * 390, PER * 600 - 1, PER * 600]
    for at in edges + [rng.randrange(len(whole)) for _ in range(30)]:
        assert list(itertools.islice(tape.events(at), 200)) == whole[at : at + 200]


def test_a_tape_is_the_same_however_often_it_is_made() -> None:
    for at in (0, PER * 12_345 + 7, len(market()) - 100):
        assert list(itertools.islice(market().events(at), 500)) == list(itertools.islice(market().events(at), 500))


def test_a_feed_resumes_with_the_forming_minute_and_the_minute_before_it() -> None:
    tape, rng = market(), random.Random(2)
    times = [e.ts for e in whole_and_half()]
    edges = [1, PER, PER + 1, 2 * PER, PER * 390, PER * 390 + 1, PER * 391 + 1, PER * 600, PER * 600 + 1]
    for cursor in edges + [rng.randrange(1, len(times)) for _ in range(300)]:
        last = times[cursor - 1]
        assert tape.resume(cursor) == bisect_left(times, last - last % MINUTE - MINUTE)
    assert tape.resume(0) == 0


def test_the_tape_ends_with_the_calendar() -> None:
    tape, last = market(), CALENDAR.sessions[-1]
    end = list(tape.events(len(tape) - PER))
    assert [e.index for e in end] == list(range(len(tape) - PER, len(tape)))
    assert (tape.last, len(tape) % PER, list(tape.events(len(tape)))) == (last.close, 0, [])
    assert {e.ts - e.ts % MINUTE for e in end} == {last.close - MINUTE}
    assert tape.resume(len(tape)) == len(tape) - 2 * PER
    assert len(tape) // PER == sum((s.close - s.open) // MINUTE for s in CALENDAR.sessions if s.date >= EVE)


# -- time


def test_events_come_in_order_of_time_quotes_before_trades_then_symbols() -> None:
    order = [(e.ts, isinstance(e, Trade), e.slot) for e in whole_and_half()]
    assert order == sorted(order)


def test_what_happens_at_once_comes_quotes_first_then_by_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxhero.feeds.market.PACE", 3)  # ns: everything of a minute falls together
    events = list(itertools.islice(market().events(0), PER * 30))
    order = [(e.ts, isinstance(e, Trade), e.slot) for e in events]
    assert order == sorted(order)
    assert len({e.ts for e in events}) < len(events) / 2


def test_every_minute_of_a_session_has_its_events_and_closed_hours_have_none() -> None:
    seen = Counter((e.ts - e.ts % MINUTE, e.slot, isinstance(e, Trade)) for e in whole_and_half())
    day, half, monday = (CALENDAR.on(datetime.date(2000, 11, d)) for d in (22, 24, 27))
    assert day
    assert half
    assert monday
    assert (day.early, half.early) == (False, True)
    minutes = minutes_of(day) + minutes_of(half) + minutes_of(monday)[:30]
    assert seen == {(m, slot, t): TRADES if t else QUOTES for m in minutes for slot in range(3) for t in (True, False)}


def test_every_symbol_is_quoted_within_a_minutes_first_second_and_never_older_than_five() -> None:
    last: dict[int, int] = {}
    gaps, firsts = [], set()
    for e in whole_and_half()[: PER * 390]:
        if isinstance(e, Quote):
            gaps.append(e.ts - last.get(e.slot, e.ts))
            last[e.slot] = e.ts
            if e.ts % MINUTE < SECOND:
                firsts.add((e.ts // MINUTE, e.slot))
    assert max(gaps) < 5 * SECOND
    assert len(firsts) == 390 * 3


def test_a_market_begins_with_the_first_session_on_or_after_its_date() -> None:
    for date, begins in ((EVE, EVE), (datetime.date(2000, 11, 23), datetime.date(2000, 11, 24))):
        session = CALENDAR.on(begins)
        assert session
        tape = market(date)
        assert tape.begins == session.open
        assert 0 <= next(tape.events(0)).ts - tape.begins < SECOND


def test_no_market_begins_after_the_calendars_last_session() -> None:
    with pytest.raises(ValueError, match=r"^no session on or after 2030-01-01: the calendar ends on 2029-12-31$"):
        market(datetime.date(2030, 1, 1))


# -- prices


def test_every_quote_can_be_traded_on_and_is_in_whole_cents() -> None:
    quotes = [e for e in whole_and_half() if isinstance(e, Quote)]
    assert all(q.usable and q.bid < q.ask and q.bid > 1_000_000 for q in quotes)
    assert {side % 10_000 for q in quotes for side in (q.bid, q.ask)} == {0}
    assert {size % LOT for q in quotes for size in (q.bid_size, q.ask_size)} == {0}
    spreads = Counter((q.ask - q.bid) // 10_000 for q in quotes)
    assert spreads[1] > len(quotes) / 3
    assert max(spreads) < 20
    assert {type(n) for q in quotes[:10] for n in (q.ts, q.bid, q.ask, q.bid_size, q.ask_size)} == {int}


def test_every_trade_is_at_the_bid_or_the_ask_of_the_quote_before_it() -> None:
    quoted: dict[int, Quote] = {}
    sides: Counter[bool] = Counter()
    for e in whole_and_half():
        if isinstance(e, Quote):
            quoted[e.slot] = e
            continue
        q = quoted[e.slot]
        assert e.price == round(e.price, 2)
        assert round(e.price * 1e6) in (q.bid, q.ask)
        assert 1 <= e.size < 100_000
        sides[round(e.price * 1e6) == q.ask] += 1
    assert 0.9 < sides[True] / sides[False] < 1.1


def test_the_open_and_the_close_are_livelier_than_noon() -> None:
    bars = market(datetime.date(2001, 1, 2)).history(5 * 390)
    at = bars["left"][:, 0]
    morning, noon, evening = at >= 360, (at > 150) & (at < 240), at < 15
    for name, of in (("volume", bars["volume"]), ("range", (bars["high"] - bars["low"]) / bars["close"])):
        assert of[morning].mean() > 1.3 * of[noon].mean(), name
        assert of[evening].mean() > 1.1 * of[noon].mean(), name


def test_prices_stay_within_a_factor_of_two_of_their_base_for_ever() -> None:
    for seed in range(3):
        for symbol in SYMBOLS:
            key = paths.key_of(seed, symbol)
            levels = [paths.opening(key, n) for n in [*range(0, len(CALENDAR.sessions), 61), -100, 10**6, -(10**6)]]
            base = base_of(key)
            assert math.log(40.0) <= base <= math.log(250.0)
            assert max(abs(level - base) for level in levels) < math.log(2.0)
            assert max(levels) - min(levels) > 0.2


def test_far_away_sessions_trade_near_the_base_as_well() -> None:
    for year in range(1998, 2030, 4):
        tape = market(datetime.date(year, 6, 1))
        for e in itertools.islice(tape.events(0), PER):
            if isinstance(e, Trade):
                base = math.exp(base_of(paths.key_of(DEFAULT, SYMBOLS[e.slot])))
                assert base / 2 < e.price < base * 2


def test_within_a_session_nothing_jumps_and_one_night_in_twelve_is_a_large_gap() -> None:
    bars = market(datetime.date(2003, 1, 2)).history(84 * 390)
    for b in bars.T:
        moves = b["open"][1:] / b["close"][:-1] - 1.0
        night = np.diff(b["session"]) == 1
        assert abs(moves[~night]).max() < 0.006
        assert (b["high"] / b["low"]).max() < 1.02
        nights = abs(moves[night])
        large = nights > 0.02
        assert (len(nights), 6 <= large.sum() <= 8) == (84, True)
        assert nights[large].max() < 0.06
        assert nights[~large].max() < 0.008
        assert not any(looks_split(float(1.0 + move)) for move in moves[night])
        assert 0.006 < np.std(np.diff(np.log(b["close"][b["left"] == 0]))) < 0.03


# -- the minutes before


def test_the_history_is_what_a_market_that_began_earlier_would_have_traded() -> None:
    past = market().history(500)
    earlier = market(datetime.date(2000, 11, 20))  # two whole sessions before
    bars = np.array(list(sealed(itertools.islice(earlier.events(0), PER * 780), earlier.begins)))
    assert past.shape == (500, 3)
    assert past.tobytes() == bars[-500:].tobytes()


def test_the_history_leads_up_to_the_first_trade() -> None:
    for first in (EVE, NEW_YEAR, CALENDAR.first):
        tape = market(first)
        past = tape.history(800)
        assert set(past["quality"].ravel()) == {Quality.FULL}
        assert np.diff(past["ts"], axis=0).min() == MINUTE
        assert past["ts"][-1].max() < tape.begins
        assert past["left"][-1].tolist() == [0, 0, 0]
        opened = next(s for s in CALENDAR.sessions if s.date >= first)
        assert sorted(set(past["session"][:, 0]))[-1] == opened.index - 1
        begins: dict[int, float] = {}
        for e in itertools.islice(tape.events(0), PER):
            if isinstance(e, Trade):
                begins.setdefault(e.slot, e.price)
        assert max(abs(begins[slot] / past["close"][-1, slot] - 1.0) for slot in range(3)) < 0.06


def test_a_short_history_is_the_end_of_a_long_one() -> None:
    long = market().history(900)
    for n in (0, 1, 390, 391):
        assert market().history(n).tolist() == long[900 - n :].tolist()


# -- symbols and seeds


def path_of(tape: Market, slot: int) -> list[tuple[float, ...]]:
    """What happens to one symbol, wherever it stands: its first 3000 events."""
    mine = itertools.islice((e for e in tape.events(0) if e.slot == slot), 3000)
    return [tuple(v for k, v in msgspec.structs.asdict(e).items() if k not in ("index", "slot")) for e in mine]


def test_a_symbol_does_the_same_in_other_company_and_no_two_do_the_same() -> None:
    alone = market(symbols=["BRAVO"])
    assert path_of(alone, 0) == path_of(market(), 1) == path_of(market(symbols=["DELTA", "ALFA", "BRAVO"]), 2)
    assert alone.history(100)[:, 0].tolist() == market().history(100)[:, 1].tolist()
    times, prices = zip(*((row[0], row[1]) for row in path_of(alone, 0)), strict=True)
    others = [path_of(market(), 0), path_of(market(), 2), path_of(market(seed=29), 1)]
    for other in others:
        assert len({row[0] for row in other} & set(times)) < 3
        assert [row[1] for row in other] != list(prices)


def test_a_seed_may_be_any_number() -> None:
    seen = {market(seed=seed).history(1).tobytes() for seed in (-1, 0, 1, 2**64, 2**200)}
    assert len(seen) == 5


SHOW = """
import datetime, hashlib, itertools
from fluxhero.core.calendar import nyse
from fluxhero.feeds.market import Market
m = Market(["ALFA", "BRAVO", "DELTA"], 28, datetime.date(2000, 11, 22), nyse())
shown = repr(list(itertools.islice(m.events(40_000), 5000))).encode() + m.history(100).tobytes()
print(hashlib.blake2b(shown, digest_size=8).hexdigest())
"""


def test_another_process_with_other_hashes_sees_the_same_market() -> None:
    tape = market()
    shown = repr(list(itertools.islice(tape.events(40_000), 5000))).encode() + tape.history(100).tobytes()
    digest = hashlib.blake2b(shown, digest_size=8).hexdigest()
    for seed in ("0", "1"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        out = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True, env=env)
        assert out.stdout.strip() == digest


# -- something to do


def decided(seed: int, minutes: int) -> Iterator[tuple[int, int, int, int]]:
    """(minute from 1, regime, action, mode or gate) of every symbol and each of the first whole sessions' minutes."""
    tape, rows, think = market(NEW_YEAR, seed), fresh(symbols=3), thinker()
    for bars in tape.history(500):
        think(rows, bars)
    events = itertools.islice(tape.events(0), PER * minutes)
    minutely = np.array(list(sealed(events, tape.begins)))
    for minute, _ in enumerate(think.trade(rows, minutely), 1):
        for row in rows:
            d = row["decision"]
            what = d["gate"] if d["action"] == REFUSED else d["mode"]
            yield minute, int(row["regime"]["now"]), int(d["action"]), int(what)


def test_a_newcomer_sees_an_entry_within_half_an_hour_and_most_seeds_within_the_hour() -> None:
    def first(seed: int) -> int:
        return next((minute for minute, _, action, _ in decided(seed, 60) if action == ENTER), 9999)

    assert first(DEFAULT) <= 30
    assert sum(first(seed) <= 60 for seed in range(20)) >= 18


def test_there_are_trends_and_ranges_and_gaps_and_neither_too_much_nor_too_little_to_do() -> None:
    regimes: Counter[int] = Counter()
    entries: Counter[int] = Counter()
    daily: Counter[int] = Counter(dict.fromkeys(range(10), 0))
    gaps = 0
    for minute, regime, action, what in decided(DEFAULT, 10 * 390):
        regimes[regime] += 1
        gaps += action == REFUSED and what == GAP
        if action == ENTER:
            entries[what] += 1
            daily[(minute - 1) // 390] += 1
    assert min(regimes[r] for r in (NEUTRAL, TREND, REVERSION)) > 0.1 * regimes.total()
    assert min(entries[TREND], entries[REVERSION]) > 10
    assert 5 <= min(daily.values()) <= max(daily.values()) <= 40
    assert 0 < gaps < 100
