"""The interactive chart's place in the page, what it is drawn from, and the scripts that draw it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

import msgspec

from fluxhero.core.explain import MODES
from fluxhero.ink import html
from fluxhero.lab.tearsheet.chart import ROLES, Charts

HERE = Path(__file__).parent
LIBRARY = HERE / "vendor" / "lightweight-charts.standalone.production.js"
NOTICE = HERE / "vendor" / "NOTICE"
OURS = HERE / "boxes.js", HERE / "chart.js"
SWITCHES = (
    ("bands", "KAMA and ATR bands"), ("trades", "Trades"), ("stops", "Stops"), ("refusals", "Refused entries"),
)  # fmt: skip


def card(c: Charts) -> str:
    if not c.found:
        return ""
    chosen = "".join(f'<option value="{i}">{escape(x.symbol)}</option>' for i, x in enumerate(c.found))
    switches = "".join(f'<label><input type="checkbox" id="{name}"> {said}</label>' for name, said in SWITCHES)
    enter, leave = c.found[0].band
    note = (
        f"KAMA with its bands, {enter:g} ATR above and {leave:g} ATR below; New York's time. Rest on a candle to read"
        f" what was done there, and why. {' '.join(map(escape, c.notes))}"
    )
    body = (
        f'<div class="tools"><label>Symbol <select id="symbol">{chosen}</select></label>{switches}'
        '<button id="newest" type="button">Newest</button><button id="whole" type="button">Whole</button>'
        '<span id="crowd" hidden>Too many trades to draw: look closer.</span></div>'
        '<div class="chart" id="chart"><div class="told" id="told"></div></div>'
        '<canvas class="shot" id="shot" aria-label="The chart as it was last looked at"></canvas>'
    )
    return html.card("Candles, trades and reasons", note, body)


def end(c: Charts) -> tuple[str, str]:
    """What the page may do for it, and what stands at its end."""
    if not c.found:
        return "", ""
    sources = [_source(path) for path in (LIBRARY, *OURS)]
    notice = f"\n<!--\n{NOTICE.read_text(encoding='utf-8').strip()}\n-->"
    run = "".join(f"\n<script>{source}</script>" for source in sources)
    return f"; script-src {' '.join(map(_hashed, sources))}", f"{_data(c)}{notice}{run}\n"


def _data(c: Charts) -> str:
    words = {"modes": {str(k): v for k, v in MODES.items()}, "roles": {str(k): v for k, v in ROLES.items()}}
    return _json("words", words) + "".join(_json(f"chart{i}", chart) for i, chart in enumerate(c.found))


def _json(name: str, of: object) -> str:
    """Nothing in it can end the element."""
    made = msgspec.json.encode(of).decode().replace("<", "\\u003c")
    return f'\n<script type="application/json" id="{name}">{made}</script>'


def _source(path: Path) -> str:
    return f"\n{path.read_text(encoding='utf-8').strip()}\n"


def _hashed(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"
