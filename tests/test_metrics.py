"""What a daemon that trades shows to Prometheus: `fluxhero run` in a process of its own, asked over HTTP."""

import math
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fluxhero.config import parse
from fluxhero.core import journal as j
from fluxhero.core.explain import GATE_NAMES, OUTCOMES
from fluxhero.core.ladder import Trip
from fluxhero.gauges import READINGS
from fluxhero.kernel import codes
from fluxhero.kernel.plug import settled
from fluxhero.messages import Quality, Role, Says
from fluxhero.metrics import Metrics
from fluxhero.operate.line import Line, Unanswered
from fluxhero.store.queries import Reader
from fluxhero.tally import Tally

PATIENCE = 120.0  # s, for what another process must do; the first start on a machine compiles
CONFIG = """
[strategy]
name = "metronome"
[strategy.metronome]
every = 4
keep = 3
[risk]
position_cap = 0.05
[market]
speed = 600.0
[metrics]
port = 0
"""
TABLE = {name: (kind, labels, meaning) for name, kind, labels, meaning in Metrics().names}
SUFFIXES = {"gauge": [""], "counter": [""], "histogram": ["_bucket", "_count", "_sum"]}

Series = tuple[str, frozenset[tuple[str, str]]]
Sight = dict[Series, float]


class Daemon:
    """`fluxhero run` on a fresh state."""

    def __init__(self, folder: Path) -> None:
        self.state, config = folder / "state", folder / "daemon.toml"
        config.write_text(CONFIG)
        words = [sys.executable, "-m", "fluxhero", "run", "--config", config, "--state", self.state]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        self._http = httpx.Client(trust_env=False, timeout=PATIENCE)
        self.url = ""
        try:
            wait_for(self._trouble)
        except BaseException:
            self.kill()
            raise

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return self._log.read_text()

    def text(self) -> str:
        assert self.process.poll() is None, self.log
        return self._http.get(f"{self.url}/metrics").raise_for_status().text

    def see(self) -> Sight:
        return sight(self.text())

    def stop(self) -> None:
        self._http.close()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log

    def kill(self) -> None:
        self._http.close()
        self.process.kill()
        self.process.wait(PATIENCE)

    def _trouble(self) -> str:
        """Why it cannot be asked yet."""
        assert self.process.poll() is None, self.log
        try:
            with Line(self.state / "control.sock", PATIENCE) as line:
                (status,) = line.ask({"cmd": "status"})
        except Unanswered as e:
            return str(e)
        self.url = status["http"]
        return "" if status["state"] == "ready" else str(status["state"])


def wait_for(missing: Callable[[], object]) -> None:
    """Until nothing is."""
    deadline = time.monotonic() + PATIENCE
    while left := missing():
        assert time.monotonic() < deadline, f"waited too long for {left}"
        time.sleep(0.05)


def sight(text: str) -> Sight:
    """Every series with its value, none twice."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    found = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(found) == len(samples)
    return found


def of(seen: Sight, name: str) -> dict[str, float]:
    """The values of a metric with one label, by it."""
    return {dict(labels).popitem()[1]: value for (n, labels), value in seen.items() if n == f"fluxhero_{name}"}


def one(seen: Sight, name: str) -> float:
    """The value of a metric that has no labels."""
    return seen[f"fluxhero_{name}", frozenset()]


def untraded(seen: Sight) -> list[str]:
    """What has not happened yet of all that this market can bring."""
    names = ("trades_total", "fills_total", "intents_total")
    return [f"{label} in {name}" for name in names for label, n in of(seen, name).items() if n == 0]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that has won and lost, and sold at a stop and without."""
    running = Daemon(tmp_path_factory.mktemp("daemon"))
    try:
        wait_for(lambda: untraded(running.see()))
        yield running
        running.stop()
    finally:
        running.kill()


def test_all_that_the_table_promises_is_there_with_its_type_labels_and_meaning(daemon: Daemon) -> None:
    families = {}
    for family in text_string_to_metric_families(daemon.text()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {tuple(sorted(set(s.labels) - {"le"})) for s in family.samples}
        assert len(labels) == 1, f"{name} has none, or of several kinds: {labels}"
        families[name] = family.type, labels.pop(), family.documentation
    ours = {name: family for name, family in families.items() if not name.startswith("process_")}
    assert ours == {name: (kind, tuple(sorted(labels)), meaning) for name, (kind, labels, meaning) in TABLE.items()}
    wanted = {"resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds", "start_time_seconds"}
    assert {f"process_{name}" for name in wanted} <= families.keys()


def test_their_names_follow_prometheus_conventions() -> None:
    for name, (kind, labels, meaning) in TABLE.items():
        assert re.fullmatch(r"fluxhero_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|us|ns|millis|minutes|percent|usd|cents|kb|mb|count|sum|bucket|gauge)(_|\Z)", name)
        assert not set(labels) & {"le", "quantile", "job", "instance"}, name
        assert meaning
        if kind == "histogram":
            assert name.endswith(("_seconds", "_ratio")), name


def test_infos_are_one(daemon: Daemon) -> None:
    infos = {name: value for (name, _), value in daemon.see().items() if name.endswith("_info")}
    assert infos == {"fluxhero_build_info": 1.0, "fluxhero_config_info": 1.0}


def test_counters_rise_and_never_fall(daemon: Daemon) -> None:
    first = before = daemon.see()
    want = {f"fluxhero_{name}" for name in ("feed_events_total", "journal_rows_total", "bars_total", "intents_total")}
    want |= {
        f"fluxhero_{name}_total" for name in ("decisions", "evidence", "fills", "fees_dollars", "channel_messages")
    }
    want |= {"fluxhero_commit_seconds_count", "fluxhero_loop_lag_seconds_count", "fluxhero_fill_seconds_count"}
    counters = {series for series in first if series[0].endswith(("_total", "_count", "_bucket"))}

    def lazy() -> set[str]:
        nonlocal before
        now = daemon.see()
        fallen = {series for series in counters if now[series] < before[series]}
        assert not fallen
        before = now
        return want - {series[0] for series in counters if now[series] > first[series]}

    wait_for(lazy)


def test_trading_on_makes_no_new_series(daemon: Daemon) -> None:
    first = daemon.see()
    sent = sum(of(first, "intents_total").values())
    wait_for(lambda: sum(of(daemon.see(), "intents_total").values()) < sent + 10)
    assert daemon.see().keys() == first.keys()


def test_labels_are_of_few_words_and_never_of_an_order(daemon: Daemon) -> None:
    config = settled(parse(CONFIG))
    said: dict[str, set[str]] = {}
    text = daemon.text()
    for _, labels in sight(text):
        for label, value in labels:
            said.setdefault(label, set()).add(value)
    assert said.pop("version")
    assert said.pop("code")
    assert said.pop("python")
    assert said.pop("hash") == {config.hash()}
    assert said.pop("le")
    limits = {name for name in said.pop("limit") if isinstance(getattr(config.risk, name), float)}
    assert limits == {"position_cap", "deployed_cap", "day_loss", "soft_drawdown", "hard_drawdown"}
    actors = {
        "recorder",
        "orders",
        "risk",
        "brake",
        "strategy",
        "candles",
        "feed",
        "senses",
        "heart",
        "door",
        "control",
        "http",
    }
    assert said == {
        "actor": actors,
        "symbol": set(config.market.symbols),
        "quality": {"full"},
        "outcome": set(OUTCOMES.values()),
        "gate": {name for code, name in GATE_NAMES.items() if code != codes.OPEN},
        "name": set(READINGS),
        "role": set(Role),
        "trip": set(Trip),
        "says": set(Says),
        "state": {"sent", "unknown", "live", "partial"},
        "result": {"won", "lost", "ok", "sent", "given up"},
        "cmd": {"status"},
        "strategy": {"metronome"},
    }
    with closing(Reader(daemon.state)) as reader:
        cids = [cid for (cid,) in reader.db.execute("SELECT cid FROM orders")]
    assert cids
    assert not [cid for cid in cids if cid in text]


def test_at_a_quiet_moment_they_are_what_the_journal_and_the_tables_say(daemon: Daemon) -> None:
    """Quiet: nothing was written while we looked, and the newest seal is on the disk."""

    def differ() -> dict[object, object]:
        before, seen = kept(daemon.state), shown(daemon.see())
        if before != kept(daemon.state):
            return {"a moment": "at which nothing is written"}
        return {fact: (seen.get(fact), value) for fact, value in before.items() if seen.get(fact) != value}

    wait_for(differ)


Facts = dict[tuple[str, str], float]


def kept(state: Path) -> Facts:
    """What the metrics should be, from what is on the disk; counts begin where the daemon did."""
    with closing(Reader(state)) as reader:
        db, symbols = reader.db, reader.symbols
        db.execute("BEGIN")
        rows = [j.decode(body) for (body,) in db.execute("SELECT body FROM journal")]
        equity, cash = reader.account()
        held = dict(db.execute("SELECT slot, qty FROM positions"))
        stops = dict(
            db.execute("SELECT slot, max(stop) FROM orders WHERE role = 'stop' AND state = 'live' GROUP BY slot")
        )
        facts: Facts = {
            ("equity_dollars", ""): equity / 1e6,
            ("cash_dollars", ""): cash / 1e6,
            ("positions", ""): len(held),
            **{("position_shares", name): held.get(slot, 0) for slot, name in enumerate(symbols)},
            **{("stop_price_dollars", name): stops.get(slot, 0) / 1e6 for slot, name in enumerate(symbols)},
        }
        for state_, n in db.execute("SELECT state, count(*) FROM orders GROUP BY state"):
            if state_ in ("sent", "live", "partial"):
                facts["open_orders", state_] = n
        for name, sql in {
            "intents_total": "SELECT role, count(*) FROM orders GROUP BY role",
            "fills_total": "SELECT role, count(*) FROM fills GROUP BY role",
            "trades_total": "SELECT iif(result > 0, 'won', 'lost'), count(*) FROM trades GROUP BY 1",
            "fees_dollars_total": "SELECT '', sum(fee) / 1e6 FROM fills",
        }.items():
            facts |= {(name, label): n for label, n in db.execute(sql)}
    facts["entry_slippage_ratio_count", ""] = facts.get(("fills_total", "entry"), 0)
    counted = Counter(fact for row in rows for fact in counts(row, symbols))
    facts |= {("bars_total", name): 0 for name in symbols} | {(name, ""): 0 for name in ("cancels_total",)} | counted
    return facts


def counts(row: j.Row, symbols: list[str]) -> Iterator[tuple[str, str]]:
    """The counters that a row makes rise by one."""
    if not isinstance(row, j.Opened | j.Past | j.Settings):
        yield "journal_rows_total", ""
    match row:
        case j.Seal():
            for bar in row.bars:
                yield "bars_total", symbols[bar.slot]
                if bar.quality == Quality.FULL:
                    yield "decisions_total", OUTCOMES[bar.code]
        case j.Canceling():
            yield "cancels_total", ""
        case j.Evidence():
            yield "evidence_total", row.says
        case _:
            pass


def shown(seen: Sight) -> Facts:
    """By metric and its label, money to the micro-dollar."""
    facts: Facts = {}
    for (name, labels), value in seen.items():
        words = {k: v for k, v in labels if k != "quality"}
        if name.startswith("fluxhero_") and len(words) <= 1 and "le" not in words and not math.isnan(value):
            facts[name.removeprefix("fluxhero_"), "".join(words.values())] = round(value, 6)
    return facts


def test_what_has_not_happened_yet_is_zero_from_the_first_look_on() -> None:
    """Rates would miss the first time."""
    metrics = Metrics()
    Tally(metrics, ("IBM",))
    counted = {name for name, _ in sight(metrics.text().decode())}
    later = {"actor_restarts", "channel_messages", "control_commands"}  # they begin with a life and with who asks
    promised = {name for name, (kind, _, _) in TABLE.items() if kind == "counter"}
    assert promised - counted == {f"fluxhero_{name}_total" for name in later}


def test_the_limits_are_those_configured(daemon: Daemon) -> None:
    risk = parse(CONFIG).risk
    limits = of(daemon.see(), "limit_ratio")
    assert limits == {name: getattr(risk, name) for name in limits}
