"""How the actors are: who is at work on what for how long, who crashed, and whether all have begun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from fluxhero.runtime.channels import Inbox

STUCK = 10.0  # s of host time with something to do and nothing done


class Pulse:
    """One actor's progress: a count that rises while it gets on, and whether it has anything to do."""

    def __init__(self, count: Callable[[], int], idle: Callable[[], bool], now: float) -> None:
        self._count, self._idle = count, idle
        self._last, self._since = count(), now

    def age(self, now: float) -> float:
        """Seconds since it last got on, as far as looks tell; 0 while there is nothing to do."""
        count = self._count()
        if count != self._last or self._idle():
            self._last, self._since = count, now
        return now - self._since


class Vitals:
    """Kept over all lives of the actors; `look` every second or so."""

    def __init__(self) -> None:
        self.ready = False  # every actor of this life has begun
        self.safe = ""  # why feed, candles and strategy stay down
        self.leaving = False
        self.known: set[str] = set()  # all actors that ever lived
        self.crashes: Counter[str] = Counter()
        self.boxes: Mapping[str, Inbox[Any]] = {}
        self.ages: dict[str, float] = {}
        self.pings = 0  # to systemd's watchdog
        self._pulses: dict[str, Pulse] = {}

    def born(self, boxes: Mapping[str, Inbox[Any]], beats: Callable[[], int], now: float) -> None:
        """A life begins: `boxes` by actor; `beats` rises while the source of events is awake."""
        self.ready, self.boxes = False, boxes
        self._pulses = {name: Pulse(lambda b=b: b.taken, lambda b=b: b.idle, now) for name, b in boxes.items()}  # type: ignore[misc]
        self._pulses["feed"] = Pulse(beats, lambda: False, now)
        self.ages = dict.fromkeys(self._pulses, 0.0)

    def crashed(self, name: str) -> None:
        self.crashes[name] += 1
        self.ready = False

    def look(self, now: float) -> None:
        self.ages = {name: pulse.age(now) for name, pulse in self._pulses.items()}

    @property
    def stuck(self) -> list[str]:
        """Actors that have had something to do and have not got on."""
        return [f"{name} {age:.0f} s" for name, age in self.ages.items() if age >= STUCK]

    @property
    def trouble(self) -> str:
        """Why we are not ready; empty when we are."""
        if self.leaving:
            return "leaving"
        if not self.ready:
            return "starting"
        if self.safe:
            return f"SAFE: {self.safe}"
        return f"stuck: {', '.join(self.stuck)}" if self.stuck else ""
