"""The tear sheet in a real browser: nothing complains, everything is drawn, and what is pointed at explains itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxhero.lab.metrics import of
from fluxhero.lab.result import Result
from fluxhero.lab.tearsheet import page
from tests.lab.browser import FOUND, Browser, browser
from tests.lab.tearsheets import synthetic

pytestmark = pytest.mark.skipif(FOUND is None, reason="needs Chromium")

SAID = "ordered 100 in trend mode (regime strong trend: close 100.00), <b>stop</b> 97.00"
ALL = {
    "one": synthetic(said=SAID), "none": synthetic(100, every=0), "bar": synthetic(1, every=0),
    "many": synthetic(120, tuple(f"S{chr(65 + i)}" for i in range(20)), said=SAID),
    "minutes": synthetic(100_000, timeframe="1m", every=200),
}  # fmt: skip
SIZES = {"desk": 1400, "tablet": 820, "phone": 390}

# How many pixels of the chart's canvases have that color of the style, in the scheme that is in force.
PIXELS = """((name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
  probe.remove();
  let count = 0;
  for (const canvas of document.querySelectorAll("%s canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 250 && wanted.every((c, k) => Math.abs(c - data[i + k]) < 3)) count++;
  }
  return count;
})"""
TOLD = "document.getElementById('told').textContent"
PLACE = """(() => {
  const chart = document.getElementById("chart");
  chart.scrollIntoView({ block: "center" });
  const { x, y, width, height } = chart.getBoundingClientRect();
  return [x, y, width, height];
})()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sheets")
    return {name: _written(folder / f"{name}.html", result) for name, result in ALL.items()}


def _written(path: Path, result: Result) -> Path:
    path.write_text(page(result, of(result)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def pixels(chromium: Browser, color: str, where: str = "#chart") -> int:
    found: int = chromium.run(f"{PIXELS % where}('{color}')")
    return found


def drawn(chromium: Browser) -> bool:
    return pixels(chromium, "gain") + pixels(chromium, "loss") > 20


@pytest.mark.parametrize("which", ALL)
def test_a_page_draws_its_candles_complains_of_nothing_and_asks_for_nothing(
    chromium: Browser, pages: dict[str, Path], which: str
) -> None:
    chromium.open(pages[which])
    assert (chromium.troubles, chromium.asked) == ([], [pages[which].as_uri()])
    assert drawn(chromium)
    assert pixels(chromium, "card") > 10_000
    assert bool(pixels(chromium, "kama")) == (which != "bar")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_page_fits_its_window(chromium: Browser, pages: dict[str, Path], size: str, dark: bool) -> None:
    width = SIZES[size]
    chromium.open(pages["one"], width, dark=dark)
    chromium.run("document.getElementById('whole').click()")
    chromium.drawn()
    assert chromium.run("document.documentElement.scrollWidth") == width
    assert chromium.run("document.getElementById('chart').getBoundingClientRect().right") < width
    ink = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert (ink == "rgb(15, 18, 22)") == dark
    assert drawn(chromium)
    assert chromium.troubles == []


def test_a_chart_follows_the_scheme_when_it_changes(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["one"])
    for scheme in ("dark", "light"):
        chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        chromium.drawn()
        assert drawn(chromium)
        assert pixels(chromium, "card") > 10_000


def test_resting_on_a_candle_explains_it(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["one"])
    said = _swept(chromium, 16)
    assert any(SAID in text for text in said)
    assert any("Bought 100 at " in text and ", entry, commission 0.50." in text for text in said)
    assert any("Trade: long 100, " in text and " R)." in text for text in said)
    assert any("stop " in text.split("C ")[1] for text in said)
    assert all("O " in text and "KAMA " in text and "ATR " in text for text in said)
    assert chromium.run("document.querySelectorAll('#told b').length") == 0
    assert chromium.troubles == []


def _swept(chromium: Browser, bars: int) -> list[str]:
    """What is told on the way over a trade and beyond, from the left."""
    row = "document.querySelector('tr[data-chart]')"
    chromium.run(f"{row}.click()")
    chromium.drawn()
    x, y, width, height = chromium.run(PLACE)
    said = []
    for i in range(3 * bars):
        chromium.point(x + (width - 80) * i / (3 * bars), y + height / 2)
        said.append(chromium.run(TOLD))
    return said


def test_leaving_the_chart_tells_of_the_newest_candle_again(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["one"])
    newest = chromium.run(TOLD)
    x, y, width, height = chromium.run(PLACE)
    chromium.point(x + width / 4, y + height / 2)
    other = chromium.run(TOLD)
    chromium.point(x + width / 4, y - 30)
    assert newest.startswith("2021-08-24  O ")
    assert other != newest
    assert chromium.run(TOLD) == newest


def test_another_symbol_has_another_chart(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["many"])
    told = {chromium.run(TOLD)}
    for i in (7, 19):
        chromium.run(
            f"(() => {{ const s = document.getElementById('symbol'); s.value = '{i}';"
            " s.dispatchEvent(new Event('change')); })()"
        )
        chromium.drawn()
        told.add(chromium.run(TOLD))
        assert drawn(chromium)
    assert len(told) == 3
    assert chromium.troubles == []


def test_a_row_of_a_trade_leads_to_its_symbol_and_place(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["many"])
    row = "[...document.querySelectorAll('tr[data-chart]')].find((row) => row.dataset.chart === '5')"
    closed = chromium.run(f"{row}.cells[2].textContent")
    chromium.run(f"{row}.click()")
    chromium.drawn()
    assert chromium.run("document.getElementById('symbol').value") == "5"
    assert chromium.run(TOLD).startswith(closed)
    assert "Trade: long 100" in chromium.run(TOLD)


def test_what_is_switched_off_is_not_drawn(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["one"])
    before = {color: pixels(chromium, color) for color in ("kama", "series", "stop")}
    for name in ("bands", "trades", "stops"):
        chromium.run(f"document.getElementById('{name}').click()")
    chromium.drawn()
    after = {color: pixels(chromium, color) for color in before}
    assert all(before.values())
    assert after == {"kama": 0, "series": 0, "stop": 0}


def test_a_crowd_of_trades_does_not_hide_the_candles(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["minutes"])
    hidden = "document.getElementById('crowd').hidden"
    assert chromium.run(hidden) is True
    chromium.run("document.getElementById('whole').click()")
    chromium.drawn()
    chromium.drawn()
    assert chromium.run(hidden) is False
    assert (drawn(chromium), pixels(chromium, "series")) == (True, 0)
    chromium.run("document.getElementById('newest').click()")
    chromium.drawn()
    chromium.drawn()
    assert (chromium.run(hidden), pixels(chromium, "series") > 0) == (True, True)


def test_paper_has_the_chart_in_light_colors(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["one"], dark=True)
    paper = chromium.paper()
    assert paper[:5] == b"%PDF-"
    assert drawn(chromium)
    chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    chromium.drawn()
    assert pixels(chromium, "card", ".card > ") > 10_000
    assert pixels(chromium, "gain", ".card > ") > 20
    assert chromium.troubles == []
