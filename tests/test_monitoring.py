"""`fluxhero monitoring`: what it writes is right by Prometheus' own tools, and works against a daemon that trades."""

import argparse
import json
import math
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from fluxhero import cli
from fluxhero.metrics import Metrics
from fluxhero.operate import alerts, dashboard, monitoring
from fluxhero.operate.exits import CONFIG, OK, USAGE
from tests.test_metrics import PATIENCE, Daemon, wait_for

NAMES = {"prometheus.yml", "fluxhero-rules.yml", "fluxhero-dashboard.json"}
PROCESS = {"resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds", "start_time_seconds"}
LABELS = {name: set(labels) for name, _, labels, _ in Metrics().names} | {f"process_{n}": set() for n in PROCESS}
LABELS |= {f"{n}_bucket": {"le"} for n, kind, _, _ in Metrics().names if kind == "histogram"}
QUERIES = [(p.title, legend, query) for p in dashboard.PANELS for legend, query in p.queries.items()]
EXPRESSIONS = [query for _, _, query in QUERIES] + [a.expr for a in alerts.ALERTS]

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="needs Debian's package prometheus"
)


def monitor(*words: object) -> int:
    parser = argparse.ArgumentParser()
    monitoring.arguments(parser)
    return monitoring.run(parser.parse_args([str(word) for word in words]))


def promtool(*words: object, stdin: str = "") -> str:
    done = subprocess.run(["promtool", *map(str, words)], input=stdin, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# The command.


def test_it_writes_three_files_and_says_what_to_do_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a b" / "deep"
    assert monitor(folder) == OK
    assert {path.name for path in folder.iterdir()} == NAMES
    out, err = capsys.readouterr()
    wrote, start, look = out.splitlines()
    assert set(shlex.split(wrote.replace(",", ""))[1:]) == {str(folder / name) for name in NAMES}
    assert shlex.split(start)[1:3] == ["prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    assert "Grafana" in look
    assert err == ""


def test_written_again_nothing_changes_and_what_differs_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert monitor(tmp_path) == monitor(tmp_path) == OK
    rules, scrape = tmp_path / "fluxhero-rules.yml", tmp_path / "prometheus.yml"
    was = rules.read_text()
    rules.write_text("mine")
    scrape.unlink()
    capsys.readouterr()
    assert monitor(tmp_path) == USAGE
    assert capsys.readouterr() == ("", f"fluxhero: {tmp_path} has another fluxhero-rules.yml: --force overwrites\n")
    assert (rules.read_text(), scrape.exists()) == ("mine", False)
    assert monitor(tmp_path, "--force") == OK
    assert (rules.read_text(), scrape.exists()) == (was, True)


def test_the_port_and_the_commands_are_those_of_the_daemon(tmp_path: Path) -> None:
    config = tmp_path / "its config.toml"
    config.write_text("[metrics]\nport = 9999\n")
    assert monitor(tmp_path, "--config", config, "--state", tmp_path / "its state") == OK
    assert '["127.0.0.1:9999"]' in (tmp_path / "prometheus.yml").read_text()
    rules = (tmp_path / "fluxhero-rules.yml").read_text()
    assert f"`fluxhero ctl --state '{tmp_path}/its state' status`" in rules
    assert f"`fluxhero run --config '{config}' --state '{tmp_path}/its state'`" in rules


@pytest.mark.parametrize(
    ("config", "says"),
    [("[metrics]\nport = 0\n", "metrics.port = 0 is any free port"), ("[metrics]\nports = 1\n", "unknown 'ports'")],
)
def test_a_config_without_a_port_to_scrape_is_refused(
    config: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text(config)
    assert monitor(tmp_path / "out", "--config", tmp_path / "config.toml") == CONFIG
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert monitor(tmp_path / "file" / "folder") == USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_its_arguments_cost_no_heavy_import() -> None:
    heavy = ("numpy", "prometheus_client", "fluxhero.operate.alerts", "fluxhero.operate.dashboard")
    code = f"import sys, fluxhero.operate.monitoring; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


# The dashboard and the rules by themselves.


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    for query in EXPRESSIONS:
        bare = re.sub(r'"[^"]*"', '""', query)
        asked = set(re.findall(r"\b(?:fluxhero|process)_\w+", bare))
        assert asked <= LABELS.keys(), query
        for metric, matchers in re.findall(r"\b((?:fluxhero|process)_\w+)\{(.*?)\}", bare):
            assert set(re.findall(r"(\w+)[!=~]+", matchers)) <= LABELS[metric] | {"job"}, query
        for grouped, metric in re.findall(r"by \((\w+)\) \((?:rate|increase)\((\w+)", bare):
            assert grouped in LABELS[metric], query
        ignored = set(re.findall(r"(?:ignoring|on)\((\w+)\)", bare))
        assert not ignored or ignored <= set().union(*(LABELS[metric] for metric in asked)), query


def test_what_a_legend_names_is_left_of_its_query() -> None:
    for _, legend, query in QUERIES:
        for label in re.findall(r"{{(\w+)}}", legend):
            by = re.search(r"by \((.*?)\)", query)
            kept = {by[1]} if by else set().union(*(LABELS[m] for m in re.findall(r"fluxhero_\w+", query)))
            assert label in kept, (legend, query)


def test_the_panels_fill_the_grid_without_overlap_and_differ_in_id_and_title() -> None:
    panels = dashboard.dashboard()["panels"]
    taken = Counter(
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )
    assert set(taken.values()) == {1}
    assert {x for x, _ in taken} == set(range(24))
    assert len(taken) == 24 * (1 + max(y for _, y in taken))
    for field in ("id", "title"):
        assert len({panel[field] for panel in panels}) == len(panels)


def test_every_panel_asks_the_data_source_that_the_viewer_chose() -> None:
    board = json.loads(dashboard.text())
    (variable,) = board["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert (board["schemaVersion"], board["uid"]) == (39, "fluxhero")
    for panel in board["panels"]:
        assert panel["description"]
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_an_override_means_a_legend_that_its_panel_has() -> None:
    for panel in dashboard.dashboard()["panels"]:
        legends = {target["legendFormat"] for target in panel["targets"]}
        assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= legends


def test_every_command_that_an_alert_names_parses(tmp_path: Path) -> None:
    for state, config in ((None, None), (tmp_path / "a b", tmp_path / "c d")):
        rules = monitoring.files(9464, config, state)["fluxhero-rules.yml"]
        commands = set(re.findall(r"`(fluxhero .*?)`", re.sub("#.*", "", rules)))
        assert len(commands) > 15
        for command in commands:
            words = shlex.split(command.replace("{{ $labels.symbol }}", "IBM"))
            cli._parser().parse_args(words[1:])


def test_every_alert_says_what_to_do() -> None:
    assert len({a.name for a in alerts.ALERTS}) == len(alerts.ALERTS)
    for a in alerts.ALERTS:
        assert a.severity in (alerts.CRITICAL, alerts.WARNING)
        assert re.fullmatch(r"\d+[sm]", a.wait)
        assert a.summary[-1] not in ".!"
        assert a.what.endswith(".")
        assert "`" in a.what or a.name == "DiskLow"


# The rules in Prometheus' unit tests: a healthy daemon, and one that has one thing wrong from the tenth minute on.

STEP, STRIDE = 5, 60  # s
AT = 'instance="127.0.0.1:9464", job="fluxhero"'
HEALTHY = {
    "up": "1+0x400",
    "fluxhero_ready": "1+0x400",
    "fluxhero_safe": "0+0x400",
    'fluxhero_actor_restarts_total{actor="feed"}': "0+0x400",
    "fluxhero_rung": "0+0x400",
    "fluxhero_day_result_ratio": "-0.019+0x400",
    "fluxhero_drawdown_ratio": "0.149+0x400",
    'fluxhero_limit_ratio{limit="day_loss"}': "0.03+0x400",
    'fluxhero_limit_ratio{limit="soft_drawdown"}': "0.15+0x400",
    'fluxhero_limit_ratio{limit="hard_drawdown"}': "0.2+0x400",
    "fluxhero_feed_age_seconds": "29+0x400",
    "fluxhero_session_open": "1+0x400",
    'fluxhero_position_shares{symbol="IBM"}': "100+0x400",
    'fluxhero_position_shares{symbol="AIG"}': "0+0x400",
    'fluxhero_stop_price_dollars{symbol="IBM"}': "50+0x400",
    'fluxhero_stop_price_dollars{symbol="AIG"}': "0+0x400",
    'fluxhero_open_orders{state="sent"}': "0 1 0 2 0+0x400",
    'fluxhero_open_orders{state="live"}': "3+0x400",
    'fluxhero_evidence_total{says="rejected"}': "0+0x400",
    'fluxhero_evidence_total{says="accepted"}': "0+1x400",
    "fluxhero_odd_evidence_total": "0+0x400",
    "fluxhero_journal_rows_total": "0+3x400",
    "fluxhero_disk_free_bytes": "2e9+0x400",
    'fluxhero_commit_seconds_bucket{le="0.005"}': "0+5x400",
    'fluxhero_commit_seconds_bucket{le="0.5"}': "0+5x400",
    'fluxhero_commit_seconds_bucket{le="+Inf"}': "0+5x400",
    'fluxhero_loop_lag_seconds_bucket{le="0.005"}': "0+5x400",
    'fluxhero_loop_lag_seconds_bucket{le="0.5"}': "0+5x400",
    'fluxhero_loop_lag_seconds_bucket{le="+Inf"}': "0+5x400",
    "process_start_time_seconds": "0+0x400",
    "process_resident_memory_bytes": "2e8+6e4x400",
    "fluxhero_kernel_compilations_after_ready": "0+0x400",
}
NIGHT = {
    "fluxhero_session_open": "0+0x400",
    "fluxhero_feed_age_seconds": "0+5x400",
    "fluxhero_journal_rows_total": "1000+0x400",
}


class Case(NamedTuple):
    """From 600 s on the series are such; not yet an alert at `quiet`, but at `fires`."""

    alert: str
    series: dict[str, str]
    quiet: int
    fires: int
    labels: dict[str, str] = {}  # noqa: RUF012
    says: str = ""


CASES = (
    Case("Down", {"up": "1+0x119 0+0x400"}, 625, 635),
    Case("Down", {"up": "1+0x119 stale"}, 625, 635),
    Case("NotReady", {"fluxhero_ready": "1+0x119 0+0x400"}, 715, 725),
    Case("Safe", {"fluxhero_safe": "0+0x119 1+0x400"}, 595, 600),
    Case(
        "ActorRestarted", {'fluxhero_actor_restarts_total{actor="feed"}': "0+0x119 1+0x400"}, 595, 605,
        {"actor": "feed"}, "The actor feed crashed",
    ),
    Case(
        "Rung", {"fluxhero_rung": "0+0x119 3+0x400"}, 595, 600,
        says="Trading is cut down to rung 3 (1 reducing, 2 safe, 3 halted, 4 flatten)",
    ),
    Case(
        "SymbolRung", {'fluxhero_symbol_rung{symbol="IBM"}': "0+0x119 1+0x400"}, 715, 720, {"symbol": "IBM"},
        "IBM is cut down to rung 1 (1 reducing, 4 flatten)",
    ),
    Case(
        "ClockSkew", {"fluxhero_clock_skew_seconds": "0+0x119 -3+0x400"}, 595, 600,
        says="The machine's clock has jumped by 3s",
    ),
    Case("JournalDeaf", {"fluxhero_journal_deaf": "0+0x119 1+0x400"}, 595, 600),
    Case(
        "DayLoss", {"fluxhero_day_result_ratio": "-0.019+0x119 -0.021+0x400"}, 595, 600,
        says="The day has lost 2.1%, two thirds of its limit",
    ),
    Case(
        "Drawdown", {"fluxhero_drawdown_ratio": "0.149+0x119 0.15+0x400"}, 595, 600,
        says="The drawdown is 15%, over its soft limit",
    ),
    Case(
        "FeedSilent", {"fluxhero_feed_age_seconds": "0+0x119 31+5x400"}, 625, 630,
        says="The session is open, and nothing has come in for 1m 1s",
    ),
    Case(
        "PositionWithoutStop", {'fluxhero_naked_seconds{symbol="IBM"}': "0+0x117 5 10 15+5x400"}, 595, 600,
        {"symbol": "IBM"}, "IBM has been without its whole stop for 15s",
    ),
    Case(
        "Drift", {'fluxhero_drifts{symbol="IBM"}': "0+0x119 1+0x400"}, 595, 600,
        {"symbol": "IBM"}, "The broker has something else of IBM than we, and no order explains it",
    ),
    Case(
        "OrderUnanswered", {'fluxhero_open_orders{state="sent"}': "0 1 2 0+0x116 2+0x400"}, 625, 630,
        {"state": "sent"}, "2 orders are sent and not answered",
    ),
    Case(
        "OrderRejected", {'fluxhero_evidence_total{says="rejected"}': "0+0x119 1+0x400"}, 595, 605,
        {"says": "rejected"},
    ),
    Case("OddEvidence", {"fluxhero_odd_evidence_total": "0+0x119 1+0x400"}, 595, 605),
    Case("JournalStalls", {"fluxhero_journal_rows_total": "0+3x119 357+0x400"}, 880, 905),
    Case(
        "DiskLow", {"fluxhero_disk_free_bytes": "2e9+0x119 5e8+0x400"}, 655, 660,
        says="476.8MiB are left on the disk of the state",
    ),
    Case("CommitsSlow", {'fluxhero_commit_seconds_bucket{le="0.005"}': "0+5x119 595+0x400"}, 895, 930),
    Case("LoopLags", {'fluxhero_loop_lag_seconds_bucket{le="0.005"}': "0+5x119 595+0x400"}, 895, 930),
    Case("ProcessRestarted", {"process_start_time_seconds": "0+0x119 590+0x400"}, 595, 600),
    Case("KernelCompiled", {"fluxhero_kernel_compilations_after_ready": "0+0x119 2+0x400"}, 595, 600),
)  # fmt: skip
SLOW = (
    Case(
        "MemoryGrows", {"process_resident_memory_bytes": "2e8+1.2e6x400"}, 9000, 9120,
        says="Memory grows by 68.66MiB an hour",
    ),
)  # fmt: skip


def series(name: str) -> str:
    return f"{name[:-1]}, {AT}}}" if name.endswith("}") else f"{name}{{{AT}}}"


def firing(at: int, *names: str) -> dict[str, Any]:
    """A PromQL test: at that time those alerts fire, and no others."""
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{at}s",
        "exp_samples": [{"labels": f'{{alertname="FluxHero{name}"}}', "value": 1} for name in names],
    }


def given(ill: dict[str, str]) -> dict[str, Any]:
    return {"input_series": [{"series": series(n), "values": v} for n, v in {**HEALTHY, **ill}.items()]}


def unit_test(case: Case) -> dict[str, Any]:
    """In promtool's words. What is told is compared as well, so that the YAML says what the table says."""
    (alert,) = (a for a in alerts.ALERTS if a.name == case.alert)
    what = re.sub("`(CTL|RUN)", lambda m: f"`fluxhero {m[1].lower()}", alert.what)
    expected = {
        "exp_labels": {
            "severity": alert.severity,
            "job": "fluxhero",
            **({} if "stale" in "".join(case.series.values()) else {"instance": "127.0.0.1:9464"}),
            **case.labels,
        },
        "exp_annotations": {
            "summary": case.says or alert.summary,
            "description": what.replace("{{ $labels.symbol }}", case.labels.get("symbol", "")),
        },
    }
    told = [{"eval_time": f"{case.fires}s", "alertname": f"FluxHero{case.alert}", "exp_alerts": [expected]}]
    return {
        **given(case.series),
        "promql_expr_test": [firing(case.quiet), firing(case.fires, case.alert)],
        **({"alert_rule_test": told} if case.says or "{{" not in alert.summary else {}),
    }


@needs_prometheus
def test_prometheus_finds_nothing_to_object_to(tmp_path: Path) -> None:
    assert monitor(tmp_path) == OK
    config = promtool("check", "config", "--lint=all", "--lint-fatal", tmp_path / "prometheus.yml")
    assert "1 rule files found" in config
    rules = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "fluxhero-rules.yml")
    assert f"{len(alerts.ALERTS)} rules found" in rules


@needs_prometheus
def test_each_alert_fires_when_it_should_and_alone_and_none_at_a_healthy_daemon(tmp_path: Path) -> None:
    assert monitor(tmp_path) == OK
    assert {case.alert for case in CASES + SLOW} == {a.name for a in alerts.ALERTS}
    for step, cases in ((STEP, CASES), (STRIDE, SLOW)):
        silence = {"promql_expr_test": [firing(n * step) for n in (1, 10, 100, 400)]}
        healthy = [given({}) | silence, given(NIGHT) | silence]
        tests = [{"interval": f"{step}s", **test} for test in (*healthy, *map(unit_test, cases))]
        file = {"rule_files": ["fluxhero-rules.yml"], "evaluation_interval": f"{step}s", "tests": tests}
        (tmp_path / "tests.yml").write_text(json.dumps(file))  # which is YAML too
        promtool("test", "rules", tmp_path / "tests.yml")


# A daemon that trades, and a Prometheus that looks at it.


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("daemon"))
    yield running
    running.kill()


class Prometheus:
    def __init__(self, folder: Path) -> None:
        port = free_port()
        words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(["prometheus", *words], stdout=log, stderr=log)
        self._http = httpx.Client(trust_env=False, timeout=PATIENCE, base_url=f"http://127.0.0.1:{port}")
        try:
            wait_for(self._trouble)
        except BaseException:
            self.kill()
            raise

    def query(self, text: str) -> list[tuple[dict[str, str], float]]:
        answer = self._http.get("/api/v1/query", params={"query": text}).json()
        assert answer["status"] == "success", answer
        return [(found["metric"], float(found["value"][1])) for found in answer["data"]["result"]]

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Those that fire, by name."""
        found = self._http.get("/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
        return {a["labels"]["alertname"]: a for a in found if a["state"] == "firing"}

    def kill(self) -> None:
        self._http.close()
        self.process.kill()
        self.process.wait(PATIENCE)

    def _trouble(self) -> str:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return "" if self._http.get("/-/ready").is_success else "Prometheus"
        except httpx.TransportError as e:
            return f"Prometheus: {e}"


def free_port() -> int:
    """Below those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def hurried(folder: Path) -> None:
    """A copy's times for a test's patience: looks every second, and takes a daemon for down after three."""
    scrape, rules = folder / "prometheus.yml", folder / "fluxhero-rules.yml"
    scrape.write_text(scrape.read_text().replace("interval: 5s", "interval: 1s"))
    text, times = re.subn(r"(alert: FluxHeroDown\n.*\n +for: )30s", r"\g<1>3s", rules.read_text())
    assert times == 1
    rules.write_text(text)


@needs_prometheus
def test_promtool_finds_nothing_to_object_to_in_what_a_daemon_shows(daemon: Daemon) -> None:
    assert promtool("check", "metrics", stdin=daemon.text()) == ""


@needs_prometheus
def test_every_panel_shows_a_daemon_that_trades_nothing_fires_and_its_death_does(
    daemon: Daemon, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f"[metrics]\nport = {daemon.port}\n")
    assert monitor(tmp_path, "--config", config, "--state", daemon.state) == OK
    hurried(tmp_path)
    prometheus = Prometheus(tmp_path)
    try:

        def empty() -> list[tuple[str, str]]:
            asked = {(title, legend): q.replace("$__rate_interval", "10s") for title, legend, q in QUERIES}
            values = {at: prometheus.query(q.replace("$__range", "10m")) for at, q in asked.items()}
            return [at for at, found in values.items() if not any(math.isfinite(value) for _, value in found)]

        wait_for(empty)
        assert prometheus.alerts() == {}
        assert prometheus.query("fluxhero_ready + fluxhero_rung")[0][1] == 1.0
        daemon.kill()
        wait_for(lambda: {"FluxHeroDown"} - prometheus.alerts().keys())
        (down,) = prometheus.alerts().values()
    finally:
        prometheus.kill()
    assert down["labels"]["severity"] == "critical"
    assert f"`fluxhero run --config {config} --state {daemon.state}`" in down["annotations"]["description"]
