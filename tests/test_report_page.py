"""The risk report for a person: as text, and as a page that needs nothing but itself."""

import math
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from fluxhero.core import exposure
from fluxhero.core.exposure import Account, Bounds, Tripped
from fluxhero.core.stakes import Line
from fluxhero.ink import plots as ink
from fluxhero.ink.text import usd as dollars
from fluxhero.messages import Micros, Nanos, Shares
from fluxhero.operate import riskplots, riskreport
from fluxhero.operate.riskpage import page
from fluxhero.store.stakes import told
from tests.pages import Reading

T = Nanos(1_711_461_600_000_000_000)
BOUNDS = Bounds(
    position_cap=0.2, deployed_cap=0.5, slots=5, day_loss=0.03, soft_drawdown=0.15, hard_drawdown=0.2, correlated=0.7,
    crowded=0.8, crowded_slots=3,
)  # fmt: skip
Answer = dict[str, Any]


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def line(slot: int, qty: int, mark: float, stop: float, state: str = "held", guarded: int | None = None) -> Line:
    return Line(
        slot=slot, qty=Shares(qty), mark=usd(mark), worst=usd(mark), stop=usd(stop), state=state,
        guarded=Shares(abs(qty) if guarded is None else guarded),
    )  # fmt: skip


def answer(
    *lines: Line, symbols: tuple[str, ...] = ("IBM", "AIG", "SPY"), equity: float = 100_000, r: float = math.nan,
    trips: tuple[Tripped, ...] = (), points: int = 0, **more: Any,
) -> Answer:  # fmt: skip
    account = Account(
        equity=usd(equity), cash=usd(equity), day_base=usd(100_000), peak=usd(100_000), crest=usd(100_000)
    )
    matrix = [[r] * len(symbols)] * len(symbols)
    made = told(exposure.report(account, lines, BOUNDS, matrix, trips), symbols)
    curve = [
        {"time": f"2024-03-26 1{i % 10}:00:00 ET", "equity": 1e5 - 40 * i, "drawdown_ratio": 0.0004 * i}
        for i in range(points)
    ]
    return {
        "ok": True, "market_time": "2024-03-26 16:00:00 ET", "session": "2024-03-26", "rung": "NORMAL", "trips": [],
        **made, "refusals": [], "points": curve, **more,
    }  # fmt: skip


GOOD = answer(line(0, 300, 50, 48), line(1, -100, 40, 41), r=0.45, points=30)
BAD = answer(
    line(0, 300, 50, 0), line(1, -100, 40, 39), line(2, 150, 100, 98, "unknown"), equity=84_000, r=-0.75,
    trips=(Tripped(trip="day_loss", ts=T, value=0.04, limit=0.03),), points=3, rung="FLATTEN",
    refusals=[{"gate": "rung", "count": 4, "last": "2024-03-26 12:00:00 ET"}],
)  # fmt: skip
BARE = answer()
BROKE = answer(line(0, 1, 50, 48), equity=-5, points=1)
UNBORN = {**answer(), "market_time": None, "session": None}
ALL = {"good": GOOD, "bad": BAD, "bare": BARE, "broke": BROKE, "unborn": UNBORN}


# -- text


def test_text_says_all_of_it_in_one_look() -> None:
    assert riskreport.text({**GOOD, "refusals": BAD["refusals"]}).splitlines() == [
        "risk report of 2024-03-26, at the closes of 2024-03-26 16:00:00 ET, NORMAL",
        "",
        "everything is within its limits",
        "",
        "equity           100,000.00",
        "cash             100,000.00",
        "day base         100,000.00",
        "day result       +0.00 (+0.00 %)",
        "peak             100,000.00",
        "drawdown         0.00 (0.00 %)",
        "deployed         19,000.00 (19.00 %)",
        "net              11,000.00 (11.00 %)",
        "entering         0.00 (0.00 %)",
        "largest symbol   IBM",
        "largest          15,000.00 (15.00 %)",
        "risk deployed    700.00 (0.70 %)",
        "loss if stopped  700.00 (0.70 %)",
        "loss if gapped   1,400.00 (1.40 %)",
        "without stop     0.00 (0.00 %)",
        "",
        "limit             now       most      used                         beyond it",
        "largest position   15.00 %   20.00 %  ███████████████░░░░░   75 %  no larger entry",
        "deployed           19.00 %   50.00 %  ████████░░░░░░░░░░░░   38 %  no more entries",
        "positions                2         5  ████████░░░░░░░░░░░░   40 %  no more entries",
        "day loss            0.00 %    3.00 %  ░░░░░░░░░░░░░░░░░░░░    0 %  flattens, no entries until released",
        "soft drawdown       0.00 %   15.00 %  ░░░░░░░░░░░░░░░░░░░░    0 %  smaller sizes, tighter stops",
        "hard drawdown       0.00 %   20.00 %  ░░░░░░░░░░░░░░░░░░░░    0 %  flattens, no trading until released",
        "correlation          -0.45      0.70  ░░░░░░░░░░░░░░░░░░░░    0 %  a new one is smaller",
        "crowd                    -      0.80                               no more of the crowd",
        "",
        "symbol  state   qty   mark   stop  distance      value    share  at risk  risk share    gapped",
        "IBM     held    300  50.00  48.00    4.00 %  15,000.00  15.00 %   600.00      0.60 %  1,200.00",
        "AIG     held   -100  40.00  41.00    2.50 %   4,000.00   4.00 %   100.00      0.10 %    200.00",
        "",
        "correlation  IBM    AIG",
        "IBM              1  +0.45",
        "AIG          +0.45      1",
        "",
        "gate  count  last",
        "rung      4  2024-03-26 12:00",
    ]


def test_text_begins_with_what_should_not_be() -> None:
    assert riskreport.text(BAD).splitlines()[:12] == [
        "risk report of 2024-03-26, at the closes of 2024-03-26 16:00:00 ET, FLATTEN",
        "",
        "4 breaches, 3 to watch",
        "  BROKEN  trip day_loss at 2024-03-26 10:00:00 ET, still held",
        "  BROKEN  IBM: 300 shares held without a stop",
        "  BROKEN  AIG: the price 40.00 is beyond its stop 39.00, which should have filled",
        "  BROKEN  day loss 16.00 %, 3.00 % is the most",
        "  over    SPY: nobody knows whether an entry of 150 shares stands",
        "  over    soft drawdown 16.00 %, 15.00 % is the most",
        "  over    correlation 0.75, 0.70 is the most",
        "",
        "equity           84,000.00",
    ]


def test_text_of_nothing_held_and_of_nothing_to_compare_with() -> None:
    assert "nothing held or sought" in riskreport.text(BARE).splitlines()
    said = riskreport.text(BROKE)
    assert "  BROKEN  deployed has nothing to be compared with, 50.00 % is the most" in said
    assert "deployed         50.00 (-)" in said
    assert riskreport.text(UNBORN).startswith("risk report of no session yet, before the first close, NORMAL")


@pytest.mark.parametrize(
    ("used", "shown"),
    [
        (None, ""), (0.0, "░" * 20 + "    0 %"), (0.5, "█" * 10 + "░" * 10 + "   50 %"), (1.0, "█" * 20 + "  100 %"),
        (1.004, "█" * 20 + "▶ 100 %"), (7.5, "█" * 20 + "▶ 750 %"),
    ],
)  # fmt: skip
def test_a_bar_is_full_at_its_limit_and_says_when_it_is_passed(used: float | None, shown: str) -> None:
    assert riskreport.bar(used) == shown


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([], "everything is within its limits"), (["broken"], "1 breach"), (["over"], "1 to watch"),
        (["broken", "broken", "over"], "2 breaches, 1 to watch"),
    ],
)  # fmt: skip
def test_a_verdict_counts(levels: list[str], said: str) -> None:
    assert riskreport.verdict([{"level": level} for level in levels]) == said


# -- the page

VOID = {"meta", "rect", "line", "polyline", "polygon"}


@pytest.mark.parametrize("which", ALL)
def test_a_page_is_whole_and_needs_nothing_but_itself(which: str) -> None:
    html = page(ALL[which])
    found = Reading(html)
    assert found.open == []
    assert {"script", "link", "img", "iframe", "object", "form", "a"} & {*found.tags} == set()
    assert {name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href")} == set()
    assert re.findall(r"url\(|@import|https?:", html) == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert not re.search(r"\bnan\b|\binf\b|None", html)


@pytest.mark.parametrize("answer", [GOOD, BAD], ids=["good", "bad"])
def test_a_page_shows_what_the_report_says(answer: Answer) -> None:
    text = " ".join(Reading(page(answer)).text.split())
    for s in (*answer["positions"], *answer["entries"]):
        for value in (s["symbol"], dollars(s["value"]), dollars(s["risk"]), dollars(s["gapped"])):
            assert value in text
    for x in answer["limits"]:
        assert x["limit"].lower() in text.lower()
        assert x["then"] in text
    for name in ("equity", "day_result", "deployed", "risk_deployed", "loss_if_stopped", "loss_if_gapped", "largest"):
        assert dollars(answer[name]) in text
    for b in answer["breaches"]:
        assert b["text"][1:] in text


def test_a_page_shows_the_figures_of_the_day_and_what_was_refused() -> None:
    text = " ".join(Reading(page(BAD)).text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert "Risk report 2024-03-26 FLATTEN at the closes of 2024-03-26 16:00:00 ET, USD 4 breaches, 3 to watch" in text
    assert "Day \N{MINUS SIGN}16,000.00 \N{MINUS SIGN}16.00 % of 100,000.00" in text
    assert "Refused today Gate Last Entries rung 2024-03-26 12:00:00 4" in text
    assert "SPY entry, unknown 150 100.00 98.00 2.00 2.00 % 15,000.00" in text


@pytest.mark.parametrize(
    ("which", "absent"),
    [
        ("bare", {"heat", "stake", "equity", "drawdown", "scroll"}), ("good", set()), ("broke", {"heat", "equity"}),
    ],
)  # fmt: skip
def test_what_says_nothing_is_left_out(which: str, absent: set[str]) -> None:
    classes = {
        word for name, value in Reading(page(ALL[which])).attributes if name == "class" for word in str(value).split()
    }
    assert {"heat", "stake", "equity", "drawdown", "scroll"} - classes >= absent
    assert absent & classes == set()


def test_what_others_wrote_cannot_become_markup() -> None:
    evil = "<script>alert('&\"x')</script>"
    hostile = answer(
        line(0, 300, 50, 0, evil), line(1, 10, 50, 48), symbols=(evil, evil), r=0.5, points=3, rung=evil, session=evil,
        market_time=evil, refusals=[{"gate": evil, "count": 1, "last": evil}],
    )  # fmt: skip
    for p in hostile["points"]:
        p["time"] = evil
    found = Reading(page(hostile))
    assert (found.open, "script" in found.tags) == ([], False)
    assert evil in found.text


def test_every_color_is_there_for_light_and_for_dark() -> None:
    from fluxhero.ink import style
    from fluxhero.operate.riskstyle import CSS, DARK, LIGHT

    names = [set(re.findall(r"(--[a-z-]+):", theme)) for theme in (style.LIGHT + LIGHT, style.DARK + DARK)]
    used = set(re.findall(r"var\((--[a-z-]+)\)", CSS)) - {"--r"}
    assert names[0] == names[1] == used
    assert all(f"@media {kind}" in CSS for kind in ("print", "screen and (prefers-color-scheme: dark)", "(max-width"))
    assert CSS.count("{") == CSS.count("}")


# -- plots


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (99_800, 100_400, [99_800, 100_000, 100_200, 100_400]), (-0.031, 0.0, [-0.04, -0.03, -0.02, -0.01, 0.0]),
        (0.0, 1.0, [0.0, 0.5, 1.0]), (100_000, 100_000, [99_500, 100_000, 100_500]),
        (0.0, 0.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (-50.0, 1e6, [-500_000, 0, 500_000, 1_000_000]),
    ],
)  # fmt: skip
def test_ticks_are_round_and_around_all_values(low: float, high: float, ticks: list[float]) -> None:
    found = ink.ticks(low, high)
    assert found == pytest.approx(ticks)
    assert (found[0] <= low, found[-1] >= high) == (True, True)


def test_a_bar_ends_with_its_track_and_has_no_fill_for_nothing() -> None:
    assert riskplots.bar((2.0, "gap"), (0.25, "")) == (
        '<div class="track"><u class="gap" style="width:100.00%"></u><u class="" style="width:25.00%"></u></div>'
    )
    assert riskplots.limit(None, "within") == (
        '<div class="track"><u class="within zero" style="width:0.00%"></u><s></s></div>'
    )
    assert 'style="width:80.00%"' in riskplots.limit(1.0, "within")


def test_a_drawdown_shows_the_limits_that_it_comes_near() -> None:
    def bounds(deepest: float) -> list[str]:
        points = [{"time": "t", "drawdown_ratio": r} for r in (0.0, deepest, 0.01)]
        return re.findall(r'class="bound (\w+)"', riskplots.drawdown(points, 0.15, 0.2))

    assert [bounds(x) for x in (0.01, 0.1, 0.13, 0.2)] == [[], ["over"], ["over", "broken"], ["over", "broken"]]


def test_a_curve_reaches_from_edge_to_edge() -> None:
    points = [{"time": f"2024-03-2{i} 16:00:00 ET", "equity": x} for i, x in enumerate((100.0, 102.0, 101.0))]
    found = riskplots.curve(points)
    assert '<polyline class="curve" points="0.00,100.00 50.00,0.00 100.00,50.00"/>' in found
    assert re.findall(r'<rect class="hover" x="([\d.]+)" y="0" width="([\d.]+)"', found) == [
        ("0.00", "25.00"), ("25.00", "50.00"), ("75.00", "25.00"),
    ]  # fmt: skip
    assert "<title>2024-03-21 16:00: 102.00 USD</title>" in found


def test_the_client_renders_without_a_heavy_library() -> None:
    script = (
        "import json, sys; from fluxhero.operate import riskpage, riskreport; a = json.load(sys.stdin);"
        " assert riskpage.page(a) and riskreport.text(a);"
        " print(sorted({'numba', 'numpy', 'pyarrow', 'trio', 'httpx', 'sqlite3'} & {*sys.modules}))"
    )
    sent = msgspec.json.encode(BAD).decode()
    ran = subprocess.run([sys.executable, "-c", script], input=sent, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
