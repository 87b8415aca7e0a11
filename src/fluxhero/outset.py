"""What a state is made for, and with: the account, its symbols, its rules as the kernel takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from fluxhero.config import Config
from fluxhero.kernel import dual_mode, metronome
from fluxhero.kernel.state import ACCOUNT, BAR, RULES, row
from fluxhero.kernel.think import build
from fluxhero.messages import Array, Micros, Model, Nanos, micros
from fluxhero.store.sqlite import OtherState

STRATEGIES: dict[str, ModuleType] = {"dual_mode": dual_mode, "metronome": metronome}
FOR_EVER = 2**62  # ns: marks in `bar` are consecutive however far apart
MARKS_APART = 5_000_000_000  # ns: in `quote` they are not beyond this


def nothing(symbols: int) -> Array:
    return np.zeros((0, symbols), BAR)


@dataclass(frozen=True)
class Outset:
    directory: Path
    symbols: tuple[str, ...]
    model: Model
    cash: Micros
    identity: dict[str, str]  # what must be the same for as long as the state lives
    settings: str  # hash of the trading keys
    auto_release: bool
    begins: Nanos  # the tape's first event
    params: Array
    rows: Callable[[], Array]
    think: Callable[..., int]
    history: Callable[[], Array] = field(default=lambda: nothing(0))  # bars before the account, (times, symbols)

    def check(self, opened: Any) -> None:
        """Refuses a state that was made for something else, naming the first difference."""
        if opened is None:
            return
        for key in {**self.identity, **opened.identity}:
            was, now = opened.identity.get(key, "nothing"), self.identity.get(key, "nothing")
            if was != now:
                raise OtherState(
                    f"{self.directory} was made with another {key}: {was}, and now it is {now};"
                    " give this one its own --state"
                )


def outset(
    config: Config, directory: Path, symbols: tuple[str, ...], model: Model, begins: Nanos, identity: dict[str, str],
    *, daily: bool = False, raw: bool = True, auto_release: bool = False, history: Callable[[], Array] | None = None,
) -> Outset:  # fmt: skip
    """`identity`: what else must be the same, beside what every state is made for."""
    strategy = STRATEGIES[config.strategy.name]
    dtype = row(strategy.OWN)
    layout = hashlib.blake2b(repr((dtype, ACCOUNT)).encode(), digest_size=6).hexdigest()
    return Outset(
        directory=directory,
        symbols=symbols,
        model=model,
        cash=micros(config.paper.cash),
        identity={
            "symbols": ",".join(symbols),
            "model": model.value,
            "strategy": config.strategy.name,
            **identity,
            "kernel layout": layout,
        },
        settings=config.hash(),
        auto_release=auto_release,
        begins=begins,
        params=parameters(config, model, daily=daily, raw=raw),
        rows=lambda: np.zeros(len(symbols), dtype),
        think=build(strategy),
        history=history or (lambda: nothing(len(symbols))),
    )


def parameters(config: Config, model: Model, *, daily: bool = False, raw: bool = True) -> Array:
    """The kernel's PARAMS record of a strategy: rules of the account and the strategy's own."""
    strategy = STRATEGIES[config.strategy.name]
    p = np.zeros(1, strategy.PARAMS)
    for section in (config.risk, config.gates, config.costs):
        for key, value in msgspec.structs.asdict(section).items():
            if key in (RULES.names or ()):
                p["rules"][key] = value
    p["rules"]["fee"] = micros(config.costs.commission)
    p["rules"]["raw"] = raw
    p["rules"]["strikes"] = 1 if daily else 2
    p["rules"]["strike_window"] = FOR_EVER if model is Model.BAR else MARKS_APART
    for key, value in msgspec.structs.asdict(getattr(config.strategy, config.strategy.name)).items():
        p["own"][key] = value
    return p
