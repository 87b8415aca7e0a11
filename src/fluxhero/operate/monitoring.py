"""`fluxhero monitoring`: what Prometheus and Grafana need to watch a daemon of this machine."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from fluxhero.config import Config, ConfigError, load
from fluxhero.operate.exits import CONFIG, OK, USAGE

DASHBOARD, RULES, SCRAPE = "fluxhero-dashboard.json", "fluxhero-rules.yml", "prometheus.yml"

PROMETHEUS = """\
# Scrapes the FluxHero daemon of this machine, as `fluxhero monitoring` wrote it.
global:
  scrape_interval: 5s
  evaluation_interval: 5s

rule_files:
  - RULES

scrape_configs:
  - job_name: fluxhero
    static_configs:
      - targets: ["127.0.0.1:PORT"]

# To be told of alerts, name an Alertmanager:
# alerting:
#   alertmanagers:
#     - static_configs:
#         - targets: ["127.0.0.1:9093"]
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help=f"where to write {SCRAPE}, {RULES} and {DASHBOARD}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the daemon's config.toml (default: the defaults)")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the daemon's, for the commands that alerts name")
    parser.add_argument("--force", action="store_true", help="overwrite files that differ")


def run(args: argparse.Namespace) -> int:
    try:
        config = load(args.config) if args.config else Config()
    except ConfigError as e:
        return _fail(e, CONFIG)
    if not config.metrics.port:
        return _fail("metrics.port = 0 is any free port, which Prometheus cannot know: name one", CONFIG)
    wanted = files(config.metrics.port, args.config, args.state)
    folder: Path = args.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        differ = [name for name, text in wanted.items() if not _may_write(folder / name, text)]
        if differ and not args.force:
            return _fail(f"{folder} has another {', '.join(differ)}: --force overwrites", USAGE)
        for name, text in wanted.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as e:
        return _fail(f"cannot write: {e}", USAGE)
    print(_told(folder))
    return OK


def files(port: int, config: Path | None = None, state: Path | None = None) -> dict[str, str]:
    """What is written, by name; `config` and `state` as the daemon was started with."""
    from fluxhero.operate import alerts, dashboard

    at = f" --state {shlex.quote(str(state.absolute()))}" if state else ""
    of = f" --config {shlex.quote(str(config.absolute()))}" if config else ""
    return {
        SCRAPE: PROMETHEUS.replace("RULES", RULES).replace("PORT", str(port)),
        RULES: alerts.yaml(ctl=f"fluxhero ctl{at}", run=f"fluxhero run{of}{at}"),
        DASHBOARD: dashboard.text(),
    }


def _may_write(path: Path, text: str) -> bool:
    return not path.exists() or path.read_bytes() == text.encode()


def _told(folder: Path) -> str:
    def at(name: str) -> str:
        return shlex.quote(str(folder / name))

    return (
        f"wrote   {at(SCRAPE)}, {at(RULES)}, {at(DASHBOARD)}\n"
        f"start   prometheus --config.file={at(SCRAPE)} --storage.tsdb.path={at('data')}"
        " --web.listen-address=127.0.0.1:9090\n"
        f"look    http://127.0.0.1:9090/alerts; in Grafana: Dashboards, New, Import, {DASHBOARD}"
    )


def _fail(error: object, code: int) -> int:
    print(f"fluxhero: {error}", file=sys.stderr)
    return code
