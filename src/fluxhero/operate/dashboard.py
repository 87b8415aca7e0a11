"""What the owner of an unattended account looks at: a Grafana dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

STAT, LINES = "stat", "timeseries"
WIDE = 24  # grid columns
GREEN, ORANGE, RED = "green", "orange", "red"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    title: str
    kind: str
    width: int
    unit: str
    queries: dict[str, str]  # PromQL by legend
    meaning: str
    words: dict[int, tuple[str, str]] = {}  # a value's word and color  # noqa: RUF012
    steps: tuple[tuple[float, str], ...] = ()  # from this value on, this color
    right: dict[str, str] = {}  # units of legends that have an axis of their own, on the right  # noqa: RUF012
    log: bool = False


def _minutely(by: str, metric: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval])) * 60"


def _quantile(q: float, metric: str, window: str) -> str:
    return f"histogram_quantile({q}, sum by (le) (rate({metric}_bucket[{window}])))"


FIRING = 'count by (alertname) (ALERTS{alertname=~"FluxHero.+", alertstate="firing"})'
NONE = 'label_replace(vector(0), "alertname", "none", "", "")'
CLOSE = 'fluxhero_indicator{name="close"}'
VALUE = f"fluxhero_position_shares * ignoring(name) {CLOSE}"

PANELS = (
    Panel(
        "Daemon", STAT, 4, "none", {"ready": "fluxhero_ready or on() vector(0)"},
        "Ready: every actor has begun and gets on.", words={0: ("not ready", RED), 1: ("ready", GREEN)},
    ),
    Panel(
        "Trading", STAT, 4, "none", {"rung": "fluxhero_rung"},
        "How far trading is cut down; `fluxhero ctl trips` says by what.",
        words={
            0: ("normal", GREEN), 1: ("reducing", ORANGE), 2: ("SAFE", ORANGE), 3: ("halted", RED), 4: ("flatten", RED),
        },
    ),
    Panel(
        "Alerts that fire", STAT, 7, "none", {"{{alertname}}": f"{FIRING} or on() {NONE}"},
        "Their descriptions say what to do.", steps=((0, GREEN), (1, RED)),
    ),
    Panel(
        "The market's time", STAT, 5, "dateTimeAsIso", {"market": "fluxhero_market_time_seconds * 1000"},
        "A synthetic or recorded market has a clock of its own.",
    ),
    Panel(
        "Restarts in view", STAT, 4, "none",
        {
            "actors": "sum(increase(fluxhero_actor_restarts_total[$__range]))",
            "process": 'sum(changes(process_start_time_seconds{job="fluxhero"}[$__range]))',
        },
        "Of all actors after a crash of one, and of the process.", steps=((0, GREEN), (0.5, ORANGE)),
    ),
    Panel(
        "Equity", LINES, 8, "currencyUSD",
        {"equity": "fluxhero_equity_dollars", "peak": "fluxhero_equity_peak_dollars", "cash": "fluxhero_cash_dollars"},
        "Cash and positions at the last closes.",
    ),
    Panel(
        "Day result", LINES, 8, "percentunit",
        {"day result": "fluxhero_day_result_ratio", "limit": '-fluxhero_limit_ratio{limit="day_loss"}'},
        "Of the day's base. At the limit all is sold, and trading ends until it is released.",
    ),
    Panel(
        "Drawdown", LINES, 8, "percentunit",
        {
            "drawdown": "fluxhero_drawdown_ratio",
            "soft limit": 'fluxhero_limit_ratio{limit="soft_drawdown"}',
            "hard limit": 'fluxhero_limit_ratio{limit="hard_drawdown"}',
        },
        "At the soft limit sizes shrink and stops tighten; at the hard one all is sold.",
    ),
    Panel(
        "Positions, and what their stops leave at stake", LINES, 9, "currencyUSD",
        {
            "{{symbol}}": VALUE,
            "{{symbol}} at stake": f"{VALUE} - fluxhero_position_shares * fluxhero_stop_price_dollars",
            "limit of all": 'fluxhero_limit_ratio{limit="deployed_cap"} * ignoring(limit) fluxhero_equity_dollars',
        },
        "At stake is what is lost from the last close down to the stop: without a stop, all.",
    ),
    Panel(
        "Orders a minute", LINES, 9, "cpm",
        {
            "{{role}} sent": _minutely("role", "fluxhero_intents_total"),
            "cancel sent": "rate(fluxhero_cancels_total[$__rate_interval]) * 60",
            "{{role}} filled": _minutely("role", "fluxhero_fills_total"),
            "{{says}}": _minutely("says", 'fluxhero_evidence_total{says!~"fill|partial_fill"}'),
            "not understood": "rate(fluxhero_odd_evidence_total[$__rate_interval]) * 60",
        },
        "What was sent, and what the broker said of it; a minute of ours, however fast the market goes.",
    ),
    Panel("Orders open", LINES, 6, "none", {"{{state}}": "fluxhero_open_orders"}, "Sent ones have no answer yet."),
    Panel(
        "Decisions a minute", LINES, 8, "cpm", {"{{outcome}}": _minutely("outcome", "fluxhero_decisions_total")},
        "What thinking about each full bar came to.",
    ),
    Panel(
        "Refusals a minute", LINES, 8, "cpm", {"{{gate}}": _minutely("gate", "fluxhero_refusals_total")},
        "Which gate held an entry or an exit back; `fluxhero ctl signals` has them in words.",
    ),
    Panel(
        "Feed", LINES, 8, "s",
        {"age": "fluxhero_feed_age_seconds", "events": "rate(fluxhero_feed_events_total[$__rate_interval])"},
        "Time since the last event, and trades, quotes and bars a second.", right={"events": "eps"},
    ),
    Panel(
        "Actors that do not get on", LINES, 8, "s", {"{{actor}}": "fluxhero_actor_progress_age_seconds"},
        "Time for which an actor has had something to do and done nothing; at 10 s it is stuck.",
    ),
    Panel(
        "Queues, processor and files in use", LINES, 8, "percentunit",
        {
            "queue of {{actor}}": "fluxhero_channel_depth / fluxhero_channel_capacity",
            "processor": 'rate(process_cpu_seconds_total{job="fluxhero"}[$__rate_interval])',
            "files": 'process_open_fds{job="fluxhero"} / process_max_fds{job="fluxhero"}',
        },
        "A full queue of candles or recorder makes others wait; one of the others is a crash.",
    ),
    Panel(
        "Commit time and loop lag", LINES, 8, "s",
        {
            "commit, half": _quantile(0.5, "fluxhero_commit_seconds", "$__rate_interval"),
            "commit, 99 of 100": _quantile(0.99, "fluxhero_commit_seconds", "$__rate_interval"),
            "lag, 99 of 100": _quantile(0.99, "fluxhero_loop_lag_seconds", "$__rate_interval"),
        },
        "Orders wait for the commit of what they follow from; all wait for the loop.", log=True,
    ),
    Panel(
        "Memory, state and disk", LINES, 8, "bytes",
        {
            "memory": 'process_resident_memory_bytes{job="fluxhero"}',
            "state": "fluxhero_state_bytes",
            "disk free": "fluxhero_disk_free_bytes",
        },
        "The state is the journal and its write-ahead log.", log=True,
    ),
    Panel(
        "Entry slippage in view", STAT, 8, "percentunit",
        {
            "half": _quantile(0.5, "fluxhero_entry_slippage_ratio", "$__range"),
            "9 of 10": _quantile(0.9, "fluxhero_entry_slippage_ratio", "$__range"),
        },
        "Price over the close that the entry was decided at; above 0 it cost. Half of the entries were below.",
    ),
    Panel(
        "Fill time in view", STAT, 8, "s",
        {
            "filled, half": _quantile(0.5, "fluxhero_fill_seconds", "$__range"),
            "filled, 9 of 10": _quantile(0.9, "fluxhero_fill_seconds", "$__range"),
            "answered, 9 of 10": _quantile(0.9, "fluxhero_acknowledge_seconds", "$__range"),
        },
        "Market time from the decision to the broker's first word and to each execution, stops left out.",
    ),
)  # fmt: skip


def text() -> str:
    """The dashboard's JSON, to be imported."""
    return json.dumps(dashboard(), indent=2) + "\n"


def dashboard() -> dict[str, Any]:
    """As Grafana 11 has it; the data source is chosen in the dashboard."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}
    return {
        "id": None, "uid": "fluxhero", "title": "FluxHero", "tags": ["fluxhero"], "schemaVersion": 39, "version": 1,
        "editable": True, "graphTooltip": 1, "timezone": "browser", "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"}, "annotations": {"list": []}, "links": [],
        "templating": {"list": [source]},
        "panels": list(_placed()),
    }  # fmt: skip


def _placed() -> Iterator[dict[str, Any]]:
    """From left to right, row by row; the first one is low."""
    x = y = 0
    for number, panel in enumerate(PANELS, 1):
        high = 8 if y else 4
        yield {"id": number, "gridPos": {"x": x, "y": y, "w": panel.width, "h": high}, **_panel(panel)}
        x += panel.width
        if x == WIDE:
            x, y = 0, y + high


def _panel(p: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": expr, "legendFormat": legend,
         "range": p.kind == LINES, "instant": p.kind == STAT}
        for n, (legend, expr) in enumerate(p.queries.items())
    ]  # fmt: skip
    return {
        "title": p.title, "description": p.meaning, "type": p.kind, "datasource": SOURCE, "interval": "5s",
        "targets": targets, "fieldConfig": {"defaults": _defaults(p), "overrides": _overrides(p)},
        "options": _options(p),
    }  # fmt: skip


def _options(p: Panel) -> dict[str, Any]:
    if p.kind == STAT:
        named = len(p.queries) > 1 or any("{{" in legend for legend in p.queries)
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "values": False, "fields": ""},
            "colorMode": "background" if p.words or p.steps else "none",
            "textMode": "value_and_name" if named else "value",
            "graphMode": "none",
        }
    return {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _defaults(p: Panel) -> dict[str, Any]:
    steps = [{"value": None, "color": "text"}, *({"value": value, "color": color} for value, color in p.steps)]
    words = {str(value): {"text": word, "color": color} for value, (word, color) in p.words.items()}
    found: dict[str, Any] = {"unit": p.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if words:
        found["mappings"] = [{"type": "value", "options": words}]
    if p.kind == STAT:
        return {**found, "color": {"mode": "thresholds"}, **({"decimals": 0} if p.unit == "none" else {})}
    scale = {"type": "log", "log": 10} if p.log else {"type": "linear"}
    lines = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "scaleDistribution": scale}
    return {**found, "color": {"mode": "palette-classic"}, "custom": lines}


def _overrides(p: Panel) -> list[dict[str, Any]]:
    red = {"color": {"mode": "fixed", "fixedColor": RED}, "custom.lineStyle": {"fill": "dash", "dash": [10, 10]}}
    found: dict[str, dict[str, Any]] = {legend: red for legend in p.queries if "limit" in legend}
    found |= {legend: {"unit": unit, "custom.axisPlacement": "right"} for legend, unit in p.right.items()}
    return [
        {"matcher": {"id": "byName", "options": legend}, "properties": [{"id": k, "value": v} for k, v in like.items()]}
        for legend, like in found.items()
    ]
