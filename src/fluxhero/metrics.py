"""Every metric, in one place. Seconds, dollars, ratios, shares and bytes; labels are bounded, never an order id."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter began nobody asks

LAGS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)  # s
COMMITS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1)  # s
WAITS = (0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 3600)  # s of market time
RUNGS = "0 normal, 1 reducing, 2 safe, 3 halted, 4 flatten"
SLIPS = (-0.005, -0.002, -0.001, -0.0005, -0.0002, 0, 0.0002, 0.0005, 0.001, 0.002, 0.005)


class Metrics:
    """The metrics of one daemon, over all lives of its actors."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.names: list[tuple[str, str, tuple[str, ...], str]] = []  # name, type, labels, meaning
        ProcessCollector(registry=self.registry)

        # the process and its actors
        self.build = self._gauge("build_info", "version, code digest and Python; always 1", "version code python")
        self.config = self._gauge("config_info", "trading keys' hash and strategy; always 1", "hash strategy")
        self.ready = self._gauge("ready", "1 when every actor has begun and gets on, and nothing stays down")
        self.safe = self._gauge("safe", "1 when feed, candles and strategy stay down after too many crashes")
        self.actor_up = self._gauge("actor_up", "1 while it runs", "actor")
        self.restarts = self._counter("actor_restarts", "crashes after which all actors began anew", "actor")
        self.progress = self._gauge(
            "actor_progress_age_seconds", "host time for which it has had work and has not got on", "actor"
        )
        self.depth = self._gauge(
            "channel_depth", "messages that wait for an actor; at the recorder, for the journal", "actor"
        )
        self.capacity = self._gauge("channel_capacity", "messages that may wait for an actor", "actor")
        self.messages = self._counter(
            "channel_messages", "messages that an actor took; of the recorder, those that somebody waits for", "actor"
        )
        self.lag = self._histogram("loop_lag_seconds", "by how much a sleep of a second was late", LAGS)
        self.pings = self._counter("watchdog_pings", "pings to systemd's watchdog")
        self.compiled = self._gauge("kernel_compilations_after_ready", "kernel functions that were not there at READY")

        # feed and candles
        self.events = self._counter("feed_events", "trades, quotes and bars that came in")
        self.feed_age = self._gauge("feed_age_seconds", "host time since the source of events was last awake")
        self.market_time = self._gauge("market_time_seconds", "the market's clock, Unix time")
        self.session = self._gauge("session_open", "1 while the regular session is open at the market's time")
        self.bars = self._counter("bars", "sealed bars", "symbol quality")
        self.late = self._gauge("late_trades", "trades of this life that came after their bar was sealed")

        # strategy
        self.decisions = self._counter("decisions", "outcomes of thinking about a full bar", "outcome")
        self.refusals = self._counter("refusals", "entries and exits refused", "gate")
        self.regime = self._gauge("regime", "confirmed: 0 neutral, 1 strong trend, 2 mean reversion", "symbol")
        self.indicator = self._gauge("indicator", "as of the last full bar, dollars or its own unit", "symbol name")

        # orders
        self.intents = self._counter("intents", "orders journaled, each before it was sent", "role")
        self.cancels = self._counter("cancels", "cancels journaled, each before it was sent")
        self.evidence = self._counter("evidence", "what the broker said of orders", "says")
        self.odd = self._counter("odd_evidence", "words of the broker that no order's state expects")
        self.open_orders = self._gauge("open_orders", "orders not yet terminal; sent, unknown: no answer", "state")
        self.chases = self._counter("chases", "entries that found nobody: sent anew, or given up", "result")
        self.naked = self._gauge(
            "naked_seconds", "market time for which a position has lacked its whole stop", "symbol"
        )
        self.bared = self._counter("naked_position_seconds", "market time that positions were without their whole stop")
        self.drifts = self._gauge("drifts", "what the broker has otherwise than we, and no order explains", "symbol")
        self.acknowledged = self._histogram("acknowledge_seconds", "market time from decision to first answer", WAITS)
        self.filled = self._histogram("fill_seconds", "market time from decision to execution, stops left out", WAITS)
        self.slippage = self._histogram(
            "entry_slippage_ratio", "entry execution over its decision close, minus 1; above 0 costs", SLIPS
        )
        self.fills = self._counter("fills", "executions", "role")
        self.fees = self._counter("fees_dollars", "commission paid")
        self.trades = self._counter("trades", "round trips", "result")
        self.position = self._gauge("position_shares", "held", "symbol")
        self.stop = self._gauge("stop_price_dollars", "of the protective stop at the broker; 0: none", "symbol")

        # risk
        self.equity = self._gauge("equity_dollars", "cash and positions at the last closes")
        self.cash = self._gauge("cash_dollars", "free of positions")
        self.peak = self._gauge("equity_peak_dollars", "the highest equity at a seal")
        self.day_result = self._gauge("day_result_ratio", "equity over the day's base, minus 1")
        self.drawdown = self._gauge("drawdown_ratio", "of the breaker's reference; 0 at a new high")
        self.exposure = self._gauge("exposure_ratio", "positions at the last closes over equity")
        self.positions = self._gauge("positions", "symbols held")
        self.rung = self._gauge("rung", RUNGS)
        self.symbol_rung = self._gauge("symbol_rung", "by its own trips; 0 normal, 1 reducing, 4 flatten", "symbol")
        self.held = self._gauge("trip_held", "1, or of how many symbols, while it is held", "trip")
        self.trips = self._counter("trips", "what cut trading down", "trip")
        self.skew = self._gauge(
            "clock_skew_seconds", "by which the machine's clock has jumped since it was last told of"
        )
        self.deaf = self._gauge("journal_deaf", "1 while the brake is on and the journal cannot be written")
        self.limit = self._gauge("limit_ratio", "what is configured", "limit")
        self.paused = self._gauge("paused", "1 while the operator wants no new entries", "symbol")

        # what is kept, and who asks
        self.rows = self._counter("journal_rows", "rows that the actors wrote to the journal")
        self.commits = self._histogram("commit_seconds", "host time of a commit, on the disk", COMMITS)
        self.state_bytes = self._gauge("state_bytes", "size of the journal's file and its write-ahead log")
        self.disk_free = self._gauge("disk_free_bytes", "where the state is kept")
        self.commands = self._counter("control_commands", "requests on the control socket", "cmd result")

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, meaning: str, labels: str = "") -> Gauge:
        name, names = self._named(name, "gauge", meaning, labels)
        return Gauge(name, meaning, names, registry=self.registry)

    def _counter(self, name: str, meaning: str, labels: str = "") -> Counter:
        name, names = self._named(f"{name}_total", "counter", meaning, labels)
        return Counter(name, meaning, names, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        name, _ = self._named(name, "histogram", meaning, "")
        return Histogram(name, meaning, buckets=buckets, registry=self.registry)

    def _named(self, name: str, kind: str, meaning: str, labels: str) -> tuple[str, tuple[str, ...]]:
        full, names = f"fluxhero_{name}", tuple(labels.split())
        self.names.append((full, kind, names, meaning))
        return full, names


def table() -> str:
    """The README's."""
    rows = (
        f"| `{name}` | {kind} | {', '.join(labels)} | {meaning} |" for name, kind, labels, meaning in Metrics().names
    )
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows])
