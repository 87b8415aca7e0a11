"""The tear sheet: what it says is what the result and its metrics say, and it needs nothing but itself."""

import hashlib
import html
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from fluxhero.ink import plots as inkplots
from fluxhero.ink import style as ink
from fluxhero.ink.text import percent, usd
from fluxhero.kernel import calculate_atr, calculate_kama, codes
from fluxhero.kernel.ledger import DECIDED, ROUND, TRIP
from fluxhero.lab.intervals import intervals
from fluxhero.lab.metrics import of
from fluxhero.lab.result import Mark, Result
from fluxhero.lab.statistics import sharpe
from fluxhero.lab.tearsheet import chart, page, plots, reasons, series, style, tables
from fluxhero.messages import Array, Nanos
from tests.lab.tearsheets import OPEN, SECOND, synthetic
from tests.pages import Reading

VENDOR = Path(chart.__file__).parent / "vendor"
NEW_YORK = ZoneInfo("America/New_York")
LARGEST = 10_000_000  # characters of a page
SYMBOLS = tuple(f"S{chr(65 + i)}" for i in range(20))

ONE, NONE, BAR = synthetic(), synthetic(100, every=0), synthetic(1, every=0)
SHORT, HELD = synthetic(short=True), synthetic(60, every=100, hold=50)
MANY, MINUTES = synthetic(300, SYMBOLS), synthetic(2_000, timeframe="1m")
ALL = {"one": ONE, "none": NONE, "bar": BAR, "short": SHORT, "held": HELD, "many": MANY, "minutes": MINUTES}


def made(result: Result) -> str:
    return page(result, of(result))


def unpacked(text: str, kind: str) -> Array:
    return np.frombuffer(b64decode(text), kind)


# -- the page


@pytest.mark.parametrize("which", ALL)
def test_a_page_is_whole_and_needs_nothing_but_itself(which: str) -> None:
    text = made(ALL[which])
    found = Reading(text)
    own = re.sub(r"<script.*?</script>|<!--.*?-->", "", text, flags=re.S)
    assert found.open == []
    assert {"link", "img", "iframe", "object", "form"} & {*found.tags} == set()
    assert {name for name, _ in found.attributes if name.startswith("on") or name == "src"} == set()
    assert re.findall(r"url\(|@import|https?://[^\"]*", own) == ["https://www.tradingview.com/"]
    assert not re.search(r"\bnan\b|\binf\b|None|NaN|Infinity", own)


def test_only_the_scripts_of_the_page_may_run() -> None:
    text = made(ONE)
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    hashes = " ".join(f"'sha256-{_hash(x)}'" for x in scripts)
    assert policy == [f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}"]
    assert len(scripts) == 3


def _hash(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_head_says_what_was_tried_and_how_it_stands_beside_buying_and_holding() -> None:
    m, found = of(ONE), Reading(made(ONE)).words
    assert "dual_mode on SPY backtest 1d sizing risk costs spec 2020-01-03 to 2021-08-24, 600 sessions" in found
    assert f"It made {plain(percent(m.total_return, '+'))} ," in found
    assert "buying and holding the same." in found
    for value in (percent(m.cagr, "+"), percent(m.max_drawdown), usd(m.expectancy, "+"), percent(m.exposure, digits=1)):
        assert plain(value) in found


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_doubtful_is_said_in_the_head() -> None:
    said = {name: Reading(made(ALL[name])).words for name in ("none", "one", "held")}
    few = synthetic(600, every=200)
    assert "It never traded." in said["none"]
    assert "never traded" not in said["one"]
    assert "3 trades, fewer than 30: too few to tell skill from luck." in Reading(made(few)).words
    opened = replace(few, fills=few.fills[:-1], rounds=few.rounds[:-1])
    assert "1 position still open at the end: in equity, not among the trades." in Reading(made(opened)).words


def test_intervals_and_remarks_stand_beside_the_figures() -> None:
    known = intervals(np.concatenate(([ONE.setup.cash], ONE.equity[ONE.closes])), samples=200)
    assert known.sharpe is not None
    found = Reading(page(ONE, of(ONE), known, ["The best of 240 trials & more."])).words
    low, high = (f"{x:,.2f}".replace("-", "\N{MINUS SIGN}") for x in (known.sharpe.low, known.sharpe.high))
    assert f"95 % between {low} and {high}; buy and hold" in found
    assert "The best of 240 trials & more." in found


def test_what_others_wrote_cannot_become_markup() -> None:
    evil = "</script><script>alert('&\"x')</script><!--"
    hostile = synthetic(200, (evil, "SPY"), said=evil)
    setup = msgspec.structs.replace(
        hostile.setup, strategy=evil, params={evil: evil}, sizing=evil, costs=evil, data=evil, source=evil,
        timeframe=evil,
    )  # fmt: skip
    found = Reading(page(replace(hostile, setup=setup), of(hostile), remarks=[evil]))
    assert (found.open, found.tags.count("script")) == ([], 6)
    assert evil in found.text
    assert found.data["chart0"]["symbol"] == evil
    assert found.data["chart0"]["marks"][0][3] == evil


def test_a_result_without_a_session_is_refused() -> None:
    bare = replace(ONE, closes=ONE.closes[:0])
    with pytest.raises(ValueError, match="the result has 0 sessions: a tear sheet needs one at least"):
        page(bare, of(ONE))


def test_every_color_is_there_for_light_and_for_dark() -> None:
    names = [set(re.findall(r"(--[a-z]+):", a + b)) for a, b in ((ink.LIGHT, style.LIGHT), (ink.DARK, style.DARK))]
    used = set(re.findall(r"var\((--[a-z]+)\)", style.CSS)) - {"--r"}
    asked = re.findall(r"const NAMES = \[(.*?)\]", (VENDOR.parent / "chart.js").read_text())[0]
    drawn = {f"--{name}" for name in re.findall(r'"(\w+)"', asked)}
    assert names[0] == names[1] == used | drawn
    assert all(f"@media {kind}" in style.CSS for kind in ("print", "screen and (prefers-color-scheme: dark)"))
    assert style.CSS.count("{") == style.CSS.count("}")


# -- tables


def test_each_group_of_trades_stands_with_its_numbers() -> None:
    m, found = of(ONE), Reading(made(ONE)).words
    for name, group in {**m.modes, **m.regimes}.items():
        assert f"{name} {group.trades} {plain(percent(group.win_rate, digits=1))} {usd(group.result, '+')}" in found


def test_costs_are_shares_of_what_there_was_before_them() -> None:
    found = Reading(f"<body>{tables.costs(ONE, of(ONE))}</body>").words
    m = of(ONE)
    turnover = sum(f["qty"] * f["price"] / 1e6 for f in ONE.fills)
    assert f"Commission {usd(m.commission)} USD Borrow 0.00 USD Both {usd(m.commission)} USD" in found
    assert plain(percent(m.commission / (m.result + m.fees))) in found or m.result + m.fees <= 0
    assert f"Turnover {usd(turnover)} USD of the turnover {1e4 * m.commission / turnover:.2f} basis points" in found


def test_refusals_are_counted_by_gate() -> None:
    found = Reading(f"<body>{tables.refusals(ONE)}</body>").words
    assert found == f"Gate Entries volume {-(-len(ONE.decisions) // 3)}"


def test_trips_and_releases_are_told_with_their_times() -> None:
    table, _ = tables.trips(ONE)
    assert [w for w in ("trip", "release") if f"{w}: the day" in Reading(f"<body>{table}</body>").words] == [
        "trip",
        "release",
    ]
    assert tables.trips(NONE)[0] == ""


def test_a_trade_leads_to_its_candles() -> None:
    found = re.findall(r'<tr data-chart="(\d+)" data-from="(\d+)" data-to="(\d+)">.*?</tr>', made(ONE))
    first, last = ONE.rounds[-1]["opened"], ONE.rounds[-1]["closed"]
    assert found[0] == ("0", *(str(np.flatnonzero(ONE.ts == ts)[0]) for ts in (first, last)))
    assert len(found) == len(ONE.rounds)


def test_a_long_list_of_trades_is_cut_and_says_so() -> None:
    many = synthetic(6_000)
    text = made(many)
    assert len(re.findall(r"<tr data-chart", text)) == tables.ROUNDS
    assert f"The newest {tables.ROUNDS} of {len(many.rounds)}." in text


# -- numbers of the plots


def test_months_and_years_compound_to_the_whole() -> None:
    for seed in range(5):
        result = synthetic(700, seed=seed)
        found = list(series.months(series.sessions(result)))
        whole = result.equity[-1] / result.setup.cash
        for kind in (True, False):
            parts = [1.0 + r for _, month, r in found if (month == 0) is kind and r is not None]
            assert np.prod(parts) == pytest.approx(whole, rel=1e-12)


def test_a_rolling_ratio_is_that_of_its_sessions() -> None:
    moved = np.random.default_rng(3).normal(0, 0.01, 300)
    window, found = series.rolling(moved)
    assert (window, found.size) == (126, 175)
    assert found[7] == sharpe(moved[7 : 7 + 126])
    assert [series.rolling(moved[:n])[0] for n in (252, 251, 126, 125, 42, 41, 0)] == [126, 63, 63, 21, 21, 0, 0]


def test_a_rolling_ratio_without_a_size_does_not_hide_the_others() -> None:
    ratios = np.append(np.linspace(-1.0, 2.0, 99), -3_000.0)
    assert (plots.far(ratios), plots.far(10 * ratios[:-1]), plots.far(np.full(3, np.nan))) == (4.0, 21.0, 4.0)


def test_thinned_curves_keep_their_ends_and_extremes() -> None:
    for seed in range(10):
        values = np.random.default_rng(seed).normal(size=5_000)
        kept = series.thinned(values, 1_000)
        assert (kept[0], kept[-1], kept.size <= 1_000) == (0, 4_999, True)
        assert {values.argmin(), values.argmax()} <= {*kept.tolist()}
    assert series.thinned(np.zeros(1_000), 1_000).tolist() == list(range(1_000))


def test_a_benchmark_that_runs_away_is_drawn_in_ratios() -> None:
    flat = series.sessions(ONE)
    assert "Equal heights are equal ratios." not in made(ONE)
    away = replace(ONE, benchmark=ONE.benchmark * np.geomspace(1.0, 300.0, ONE.benchmark.size))
    assert (plots.steep(flat), plots.steep(series.sessions(away))) == (False, True)
    assert "Equal heights are equal ratios." in made(away)
    assert not plots.steep(replace(flat, equity=np.minimum(flat.equity, -1.0)))


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (90_000, 600_000, [5e4, 1e5, 2e5, 5e5, 1e6]), (1.0, 10.0, [1, 2, 5, 10]),
        (300.0, 4e7, [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]), (0.03, 0.2, [0.02, 0.05, 0.1, 0.2]),
    ],
)  # fmt: skip
def test_marks_of_ratios_are_around_all_values(low: float, high: float, marks: list[float]) -> None:
    assert inkplots.powers(low, high) == pytest.approx(marks)


def test_times_are_new_yorks_over_both_changes_of_the_clock() -> None:
    for day in (datetime(2024, 3, 10, 4), datetime(2024, 11, 3, 3), datetime(1999, 7, 1)):
        first = int(day.replace(tzinfo=ZoneInfo("UTC")).timestamp())
        ts = np.arange(first, first + 86_400, 900) * SECOND
        wall = [datetime.fromtimestamp(t // SECOND, NEW_YORK).replace(tzinfo=None) for t in ts.tolist()]
        assert series.local(ts).tolist() == wall


def test_a_histogram_counts_every_trade_once() -> None:
    for result in (ONE, SHORT, MANY, synthetic(6_000)):
        text, unit = plots.spread(result.rounds)
        counts = [int(n.replace(",", "")) for n in re.findall(r": ([\d,]+)</title>", text)]
        assert (sum(counts), unit) == (len(result.rounds), "R")
    rounds = ONE.rounds.copy()
    rounds["stop"] = 0
    assert plots.spread(rounds)[1] == "%"
    assert plots.spread(np.ones(1, ROUND))[0].count("<title>") == 1


# -- the data of the charts


def test_a_chart_has_the_bars_and_the_kernels_bands() -> None:
    (found,) = chart.charts(ONE).found
    bars = ONE.bars[:, 0]
    for name in ("open", "high", "low", "close"):
        assert unpacked(getattr(found, name), "<f4").tolist() == bars[name].astype("f4").tolist()
    kama, atr = calculate_kama(bars["close"]), calculate_atr(bars["high"], bars["low"], bars["close"])
    assert np.array_equal(unpacked(found.kama, "<f4"), kama.astype("f4"), equal_nan=True)
    assert np.array_equal(unpacked(found.atr, "<f4"), atr.astype("f4"), equal_nan=True)
    assert (found.band, found.intraday) == ((0.5, 0.3), False)
    first = unpacked(found.time, "<u4")[0].item()
    assert str(np.datetime64(first, "s")) == "2020-01-03T09:30:00"


def test_a_chart_has_every_fill_round_and_level_in_its_candle() -> None:
    (found,) = chart.charts(ONE).found
    place = {ts: i for i, ts in enumerate(ONE.ts.tolist())}
    fills, rounds, levels = ONE.fills, ONE.rounds, ONE.levels
    assert unpacked(found.fills["at"], "<i4").tolist() == [place[ts] for ts in fills["ts"].tolist()]
    assert unpacked(found.fills["qty"], "<i4").tolist() == (fills["side"] * fills["qty"]).tolist()
    assert unpacked(found.rounds["from"], "<i4").tolist() == [place[ts] for ts in rounds["opened"].tolist()]
    assert unpacked(found.rounds["result"], "<f4").tolist() == (rounds["result"] / 1e6).astype("f4").tolist()
    assert unpacked(found.levels["stop"], "<f4").tolist() == (levels["stop"] / 1e6).astype("f4").tolist()
    assert {at for at, *_ in found.marks} == {place[m.ts] for m in ONE.marks}


def test_a_symbol_with_missing_and_extended_bars_has_its_own_candles() -> None:
    result = synthetic(200, ("AAA", "BBB", "CCC"), every=0)
    result.bars[::2, 1]["ts"] = 0
    result.bars[:, 2]["ts"] = 0
    result.bars[5::10, 0]["quality"] = 2
    found = chart.charts(result)
    full = np.flatnonzero(result.bars[:, 0]["quality"] == 1)
    kama = np.full(200, np.nan)
    kama[full] = calculate_kama(result.bars[full, 0]["close"])
    assert [x.symbol for x in found.found] == ["AAA", "BBB"]
    assert unpacked(found.found[1].close, "<f4").tolist() == result.bars[1::2, 1]["close"].astype("f4").tolist()
    assert np.array_equal(unpacked(found.found[0].kama, "<f4"), kama.astype("f4"), equal_nan=True)


@pytest.mark.parametrize("most", [50, 200, 900])
def test_merged_candles_keep_the_sessions_and_the_extremes(most: int) -> None:
    sessions = np.repeat(np.arange(6), 390)[:2_000]
    starts = chart._starts(sessions, most)
    assert starts[0] == 0
    assert starts.size <= most
    spans = [{*sessions[a:b].tolist()} for a, b in pairwise([*starts.tolist(), sessions.size])]
    assert all(len(span) == 1 for span in spans)
    assert chart._starts(np.arange(1_000), 100).tolist() == list(range(0, 1_000, 10))


def test_what_does_not_fit_is_merged_or_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {"CANDLES": 1_000, "MARKS": 50, "ROUNDS": 20, "FILLS": 40, "LEVELS": 30, "CHARTS": 2}
    for name, bound in bounds.items():
        monkeypatch.setattr(chart, name, bound)
    result = synthetic(2_000, ("AAA", "BBB", "CCC"), timeframe="1m", every=30)
    found = chart.charts(result)
    counts = [unpacked(x.time, "<u4").size for x in found.found]
    assert max(counts) <= 500
    assert [len(x.marks) for x in found.found] == [25, 25]
    assert found.notes == [
        "1 symbols that traded less have no chart: a page has at most 2.",
        f"The 4,000 bars of 2 symbols are merged into {sum(counts)} candles: a page has at most 1,000.",
        f"Of {len(result.rounds)} trade boxes the charts show the newest 20.",
        f"Of {len(result.fills)} fills the charts show the newest 40.",
        f"Of {len(result.levels)} moves of stops the charts show the newest 30.",
        f"Of {sum(m.slot in found.slots for m in result.marks)} explanations the charts show the newest 50.",
    ]
    assert all(html.escape(note) in made(result) for note in found.notes)
    assert unpacked(found.found[0].high, "<f4").max() == result.bars[:, found.slots[0]]["high"].max().astype("f4")


def test_trades_are_explained_before_refusals() -> None:
    marks = tuple(
        Mark(ts=Nanos(OPEN + i), slot=0, kind="refused" if i % 2 else "enter", price=1.0, text="x")
        for i in range(3 * chart.MARKS)
    )
    found, many = reasons.marks(replace(ONE, marks=marks), [0], chart.MARKS)
    assert (len(found), sum(m.kind == "enter" for m in found), many) == (chart.MARKS, chart.MARKS, 3 * chart.MARKS)


def test_what_a_result_does_not_explain_itself_its_decisions_do() -> None:
    decisions = np.zeros(4, DECIDED)
    decisions["ts"], decisions["side"], decisions["mode"] = ONE.ts[60:64], 1, codes.TREND
    decisions["value"] = decisions["limit"] = np.nan
    decisions["action"] = codes.ENTER, codes.EXIT, codes.REFUSED, codes.ENTER
    decisions["ruled"], decisions["verdict"] = (1, 1, 0, 1), (codes.OPEN, codes.OPEN, 0, codes.SLOTS)
    decisions["gate"], decisions["stop"], decisions["factor"], decisions["peer"] = codes.VOLUME, 97_000_000, 1.0, -1
    decisions["value"][2, codes.C_VOLUME], decisions["limit"][2, codes.C_VOLUME] = 0.2, 0.5
    decisions["qty"], decisions["by_risk"], decisions["by_cap"], decisions["by_room"] = 400, 500, 400, 900
    decisions["over"], decisions["bound"], decisions["correlation"] = 5.0, 5.0, np.nan
    trips = np.array([(ONE.ts[62], codes.DAY_LOSS, 96_000_000_000, ONE.ts[63], 0.04, 0.03)], TRIP)
    found, many = reasons.marks(replace(ONE, marks=(), decisions=decisions, trips=trips), [0], 10)
    said = [(m.kind, m.text.split("ET: ")[-1]) for m in found]
    assert (many, [m.ts for m in found]) == (6, [*ONE.ts[[60, 61, 62, 62, 63, 63]].tolist()])
    assert [kind for kind, _ in said] == ["enter", "exit", "trip", "refused", "release", "refused"]
    assert said[0][1].startswith("ordered 400 in trend mode (regime neutral: close 0.00, KAMA 0.00")
    assert said[0][1].endswith("400 is the least of 500 by risk, 400 by the position cap, 900 by the room left.")
    assert said[1][1].startswith("left the trend position (")
    assert said[2][1] == "the day has lost more than its limit: 4.00%, 3.00% is the most; equity 96,000.00"
    assert said[3][1].startswith("no trend entry, for its volume was 0.20 of the mean of the 20 bars before")
    assert said[5][1].startswith("no trend entry, for 5 positions were held or sought, 5 is the most")


def test_an_entry_that_was_not_sized_by_risk_says_nothing_of_sizes() -> None:
    decisions = np.zeros(1, DECIDED)
    decisions["ts"], decisions["side"], decisions["mode"] = ONE.ts[60], 1, codes.CROSS
    decisions["action"], decisions["ruled"], decisions["qty"] = codes.ENTER, 1, 100
    decisions["value"] = decisions["limit"] = np.nan
    setup = msgspec.structs.replace(ONE.setup, risk=False, sizing="fixed:100")
    (found,), _ = reasons.marks(replace(ONE, marks=(), decisions=decisions, setup=setup), [0], 10)
    assert found.text.endswith("sought a cross entry (close 0.00, ATR 0.000).")


@pytest.mark.parametrize(("symbols", "every"), [(1, 20), (20, 300)])
def test_a_hundred_thousand_bars_make_a_page_of_bounded_size(symbols: int, every: int) -> None:
    result = synthetic(100_000, SYMBOLS[:symbols], timeframe="1m", every=every, said="x" * 300)
    assert len(made(result)) < LARGEST


# -- what is not ours


def test_the_library_is_the_one_that_was_taken() -> None:
    listed = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in listed}
    assert found == listed
    assert {path.name for path in VENDOR.iterdir()} == {*listed, "NOTICE", "SHA256SUMS", "VERSION"}
    version = (VENDOR / "VERSION").read_text().split()[1]
    assert f"Lightweight Charts™ v{version}" in (VENDOR / "lightweight-charts.standalone.production.js").read_text()


def test_the_page_names_its_maker() -> None:
    text = made(ONE)
    assert (VENDOR / "NOTICE").read_text().strip() in text
    assert 'href="https://www.tradingview.com/"' in text


def test_the_package_carries_all_that_a_page_is_made_of() -> None:
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(Path(__file__).parents[2]))
    packed = {x.distribution_path for x in builder.recurse_included_files()}
    ours = {str(Path("fluxhero/lab/tearsheet") / path.relative_to(VENDOR.parent)) for path in VENDOR.iterdir()}
    assert ours | {f"fluxhero/lab/tearsheet/{name}.js" for name in ("boxes", "chart")} <= packed
