"""What the daemon tells of itself: to Prometheus, to probes, to the control socket, to systemd and to a person."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from typing import Any

from fluxhero import __version__
from fluxhero.actors.http import Page
from fluxhero.config import Config, plain
from fluxhero.core import journal
from fluxhero.core.explain import when
from fluxhero.core.ladder import Trip
from fluxhero.gauges import Gauges, Life
from fluxhero.kernel.plug import find
from fluxhero.messages import Sensed
from fluxhero.metrics import Metrics
from fluxhero.outset import Outset
from fluxhero.ports import Ports
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.vitals import Vitals
from fluxhero.tally import Tally

Answer = dict[str, Any]
Witness = Callable[[Sequence[journal.Row]], None]
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class House:
    def __init__(
        self, config: Config, outset: Outset, ports: Ports, narrator: Witness | None = None,
        opened: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`narrator` tells durable rows to a person; `opened` is called when all actors have begun, once."""
        self.vitals, self.metrics = Vitals(), Metrics()
        self.serves = ""  # where HTTP answers
        self.brake = Brake(ports.sentinel)
        self._config, self._outset, self._host, self._notify = config, outset, ports.host, ports.notify
        self._narrator, self._opened = narrator, opened
        self._tally = Tally(self.metrics, outset.symbols)
        self._gauges = Gauges(self.metrics, outset, self.vitals)
        self._life: Life | None = None
        self._began, self._told = ports.host.now(), False
        self._code = find(config.strategy.name).code
        self.metrics.build.labels(__version__, self._code, platform.python_version()).set(1)
        self.metrics.config.labels(config.hash(), config.strategy.stem).set(1)
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
        self._life = life
        self.vitals.safe = safe
        self.vitals.known.update(life.actors)
        self.vitals.born(life.boxes, lambda: life.source.beats, self._host.now())

    def ready(self) -> None:
        """All actors have begun."""
        if not self._told:
            self._told = True
            self._gauges.ready()
            self._notify("READY=1")
            self._opened()

    def leaving(self) -> None:
        self.vitals.leaving = True
        self._notify("STOPPING=1\nSTATUS=leaving")

    def late(self, seconds: float) -> None:
        self.metrics.lag.observe(max(0.0, seconds))

    def witness(self, rows: Sequence[journal.Row], seconds: float) -> None:
        """Rows have become durable, which took so long."""
        released = any(isinstance(row, journal.Released) and row.trip == Trip.HALT for row in rows)
        self.brake.heard(rows, released)
        self.metrics.commits.observe(seconds)
        self._tally.rows(rows)
        if self._narrator is not None:
            self._narrator(rows)

    def sensed(self, looked: Sequence[Sensed]) -> None:
        """What the machine has noticed at its last look."""
        for s in looked:
            if s.trip == Trip.CLOCK:
                self.metrics.skew.set(s.value)

    def counted(self, cmd: str, result: str) -> None:
        self.metrics.commands.labels(cmd, result).inc()

    # -- pages

    def _metrics(self) -> Page:
        self.metrics.deaf.set(self.brake.deaf)
        self._gauges.refresh(self._life)
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
            for name in sorted(v.known)
        ]  # fmt: skip
        return {"actors": rows}

    def _limits(self) -> Answer:
        if self._life is None:
            return {"limits": []}
        life, r, risk = self._life, self._config.risk, self._life.mind.risk
        rows = [
            ("day loss", max(0.0, -life.day_result), r.day_loss),
            ("soft drawdown", life.drawdown, r.soft_drawdown),
            ("hard drawdown", life.drawdown, r.hard_drawdown),
            ("deployed", life.exposure, r.deployed_cap),
            ("positions", len(life.mind.desk.book.positions), r.slots),
        ]
        return {
            "rung": risk.rung.name,
            "paused": [self._outset.symbols[slot] for slot in sorted(risk.paused)],
            "limits": [{"limit": name, "now": round(value, 6), "most": most} for name, value, most in rows],
        }

    def _settings(self) -> Answer:
        return {"hash": self._config.hash(), "config": plain(self._config)}

    def _version(self) -> Answer:
        return {"version": __version__, "code": self._code, "python": platform.python_version()}
