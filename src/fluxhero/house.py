"""What the daemon tells of itself: to Prometheus, to probes, to the control socket, to systemd and to a person."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fluxhero import __version__
from fluxhero.actors.http import Page
from fluxhero.config import Config
from fluxhero.core import journal
from fluxhero.core.calendar import CalendarEnd, nyse
from fluxhero.core.explain import when
from fluxhero.kernel.compile import DIGEST
from fluxhero.kernel.warm import compiled
from fluxhero.metrics import Metrics
from fluxhero.outset import Outset
from fluxhero.ports import Clock, Host, Notify, Source
from fluxhero.restore import Minds
from fluxhero.runtime.channels import Inbox
from fluxhero.runtime.vitals import Vitals
from fluxhero.store.sqlite import FILE
from fluxhero.tally import Tally

Answer = dict[str, Any]
Witness = Callable[[Sequence[journal.Row]], None]
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
READINGS = ("close", "ema", "rsi", "atr", "adx", "kama", "mid", "sd", "slope", "r2")


@dataclass(frozen=True)
class Life:
    """What a life of the actors shows of itself."""

    mind: Minds
    clock: Clock
    source: Source
    boxes: Mapping[str, Inbox[Any]]
    actors: tuple[str, ...]


class House:
    def __init__(
        self, config: Config, outset: Outset, host: Host, notify: Notify, narrator: Witness | None = None,
        opened: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`narrator` tells durable rows to a person; `opened` is called when all actors have begun, once."""
        self.vitals, self.metrics = Vitals(), Metrics()
        self.serves = ""  # where HTTP answers
        self._config, self._outset, self._host, self._notify = config, outset, host, notify
        self._narrator, self._opened = narrator, opened
        self._tally = Tally(self.metrics, outset.symbols)
        self._life: Life | None = None
        self._began, self._compiled = host.now(), (0, 0)
        self._seen: dict[str, int] = {}
        self._lasting: dict[str, int] = {}
        self._names: set[str] = set()  # of all actors that ever lived
        self.metrics.build.labels(__version__, DIGEST, platform.python_version()).set(1)
        self.metrics.config.labels(config.hash(), config.strategy.name).set(1)
        for name in ("position_cap", "deployed_cap", "day_loss", "soft_drawdown", "hard_drawdown"):
            self.metrics.limit.labels(name).set(getattr(config.risk, name))
        self.pages: dict[str, Callable[[], Page]] = {
            "/metrics": self._metrics, "/livez": self._livez, "/readyz": self._readyz,
        }  # fmt: skip
        self.answers: dict[str, Callable[[], Answer]] = {
            "status": self._status, "actors": self._actors, "limits": self._limits, "config": self._settings,
            "metrics": lambda: {"metrics": self._metrics().body.decode()}, "version": self._version,
        }  # fmt: skip

    # -- what the actors tell

    def born(self, life: Life, safe: str) -> None:
        self._life, self._seen = life, {}
        self._names.update(life.actors)
        self.vitals.safe = safe
        self.vitals.born(life.boxes, lambda: life.source.beats, self._host.now())

    def ready(self) -> None:
        """All actors have begun."""
        if not any(self._compiled):
            self._compiled = compiled()
            self._notify("READY=1")
            self._opened()

    def leaving(self) -> None:
        self.vitals.leaving = True
        self._notify("STOPPING=1\nSTATUS=leaving")

    def late(self, seconds: float) -> None:
        self.metrics.lag.observe(max(0.0, seconds))

    def witness(self, rows: Sequence[journal.Row], seconds: float) -> None:
        self.metrics.commits.observe(seconds)
        self._tally.rows(rows)
        if self._narrator is not None:
            self._narrator(rows)

    def counted(self, cmd: str, result: str) -> None:
        self.metrics.commands.labels(cmd, result).inc()

    # -- pages

    def _metrics(self) -> Page:
        self._refresh()
        return Page(200, self.metrics.text(), PROMETHEUS)

    def _livez(self) -> Page:
        """Alive: the loop answers, and every actor gets on."""
        stuck = self.vitals.stuck
        return Page(503, f"stuck: {', '.join(stuck)}\n".encode()) if stuck else Page(200, b"alive\n")

    def _readyz(self) -> Page:
        trouble = self.vitals.trouble
        return Page(503, f"{trouble}\n".encode()) if trouble else Page(200, b"ready\n")

    # -- answers

    def _status(self) -> Answer:
        life, v = self._life, self.vitals
        return {
            "running": True,
            "pid": os.getpid(),
            "state": v.trouble or "ready",
            "uptime_seconds": round(self._host.now() - self._began, 1),
            "market_time": when(life.clock.now()) if life and life.clock.now() else None,
            "feed_age_seconds": round(v.ages.get("feed", 0.0), 1),
            "http": self.serves or None,
            **({"rung": life.mind.risk.rung.name} if life else {}),
        }

    def _actors(self) -> Answer:
        v, alive = self.vitals, set(self._life.actors) if self._life else set()
        boxes = {name: (box.taken, box.depth) for name, box in v.boxes.items()}
        rows = [
            {
                "actor": name, "up": name in alive, "restarts": v.crashes[name], "taken": boxes.get(name, (None,))[0],
                "waiting": boxes.get(name, (None,))[-1], "stuck_seconds": round(v.ages.get(name, 0.0), 1),
            }
            for name in sorted(self._names)
        ]  # fmt: skip
        return {"actors": rows}

    def _limits(self) -> Answer:
        if self._life is None:
            return {"limits": []}
        r, risk = self._config.risk, self._life.mind.risk
        now = self._ratios()
        rows = [
            ("day loss", max(0.0, -now["day_result"]), r.day_loss),
            ("soft drawdown", now["drawdown"], r.soft_drawdown),
            ("hard drawdown", now["drawdown"], r.hard_drawdown),
            ("deployed", now["exposure"], r.deployed_cap),
            ("positions", len(self._life.mind.desk.book.positions), r.slots),
        ]
        return {
            "rung": risk.rung.name,
            "paused": [self._outset.symbols[slot] for slot in sorted(risk.paused)],
            "limits": [{"limit": name, "now": round(value, 6), "most": most} for name, value, most in rows],
        }

    def _settings(self) -> Answer:
        return {"hash": self._config.hash(), "config": msgspec.to_builtins(self._config)}

    def _version(self) -> Answer:
        return {"version": __version__, "code": DIGEST, "python": platform.python_version()}

    # -- gauges, read when they are asked for

    def _ratios(self) -> dict[str, float]:
        assert self._life is not None
        a, risk = self._life.mind.risk.account[0], self._life.mind.risk
        equity = risk.equity()
        worth = equity - risk.book.cash
        return {
            "day_result": equity / int(a["day_base"]) - 1.0 if a["day_base"] else 0.0,
            "drawdown": max(0.0, 1.0 - equity / int(a["crest"])) if a["crest"] else 0.0,
            "exposure": worth / equity if equity else 0.0,
        }

    def _refresh(self) -> None:
        m, v = self.metrics, self.vitals
        m.ready.set(not v.trouble)
        m.safe.set(bool(v.safe))
        alive = self._life.actors if self._life else ()
        for name in self._names:
            m.actor_up.labels(name).set(name in alive)
            self._rise(f"restarts of {name}", v.crashes[name], m.restarts.labels(name), lasting=True)
        for name, age in v.ages.items():
            m.progress.labels(name).set(age)
        for name, box in v.boxes.items():
            m.depth.labels(name).set(box.depth)
            m.capacity.labels(name).set(box.size)
            self._rise(f"messages of {name}", box.taken, m.messages.labels(name))
        self._rise("pings", v.pings, m.pings, lasting=True)
        if any(self._compiled):
            m.compiled.set(sum(compiled()) - sum(self._compiled))
        self._files()
        if self._life is not None:
            self._market(self._life)
            self._orders(self._life)
            self._risk(self._life)

    def _rise(self, name: str, value: int, counter: Any, lasting: bool = False) -> None:
        """Brings a counter up to what is counted elsewhere, by this life alone or, `lasting`, by all of them."""
        seen = self._lasting if lasting else self._seen
        counter.inc(value - seen.get(name, 0))
        seen[name] = value

    def _files(self) -> None:
        folder = self._outset.directory
        sizes = [p.stat().st_size for p in (folder / FILE, folder / f"{FILE}-wal") if p.exists()]
        self.metrics.state_bytes.set(sum(sizes))
        disk = os.statvfs(folder)
        self.metrics.disk_free.set(disk.f_bavail * disk.f_frsize)

    def _market(self, life: Life) -> None:
        m, now = self.metrics, life.clock.now()
        self._rise("events", life.source.given, m.events)
        m.feed_age.set(self.vitals.ages.get("feed", 0.0))
        m.market_time.set(now / 1e9)
        m.session.set(_open(now))
        m.late.set(life.mind.candles.late)
        rows = life.mind.strategy.rows
        for slot, symbol in enumerate(self._outset.symbols):
            m.regime.labels(symbol).set(int(rows["regime"]["now"][slot]))
            for name in READINGS:
                m.indicator.labels(symbol, name).set(float(rows["reading"][name][slot]))

    def _orders(self, life: Life) -> None:
        m, desk = self.metrics, life.mind.desk
        states = [x.state.value for x in desk.lives.values()]
        for state in ("sent", "live", "partial"):
            m.open_orders.labels(state).set(states.count(state))
        for slot, symbol in enumerate(self._outset.symbols):
            m.position.labels(symbol).set(desk.book.held(slot))
            m.stop.labels(symbol).set(desk.stop_of(slot) / 1e6)
            m.paused.labels(symbol).set(slot in life.mind.risk.paused)

    def _risk(self, life: Life) -> None:
        m, a, ratios = self.metrics, life.mind.risk.account[0], self._ratios()
        m.equity.set(life.mind.risk.equity() / 1e6)
        m.cash.set(life.mind.risk.book.cash / 1e6)
        m.peak.set(int(a["peak"]) / 1e6)
        m.day_result.set(ratios["day_result"])
        m.drawdown.set(ratios["drawdown"])
        m.exposure.set(ratios["exposure"])
        m.positions.set(len(life.mind.desk.book.positions))
        m.rung.set(int(life.mind.risk.rung))


def _open(now: Any) -> bool:
    try:
        return nyse().at(now) is not None
    except CalendarEnd:
        return False
