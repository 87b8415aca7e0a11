"""What a state is made for, and with: the account, its symbols, its rules as the kernel takes them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fluxhero.config import Config
from fluxhero.core.marks import FRESH, QUIET
from fluxhero.core.terms import parameters
from fluxhero.kernel.plug import Strategy, find, settled
from fluxhero.kernel.state import ACCOUNT, BAR, TAPE, row
from fluxhero.kernel.think import build
from fluxhero.messages import MINUTE, SECOND, Array, Micros, Model, Nanos, micros
from fluxhero.section import ConfigError
from fluxhero.store.sqlite import OtherState


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
    strategy: str  # its name; of a file, the stem
    auto_release: bool
    begins: Nanos  # the tape's first event
    params: Array
    rows: Callable[[], Array]
    think: Callable[..., int]
    history: Callable[[], Array] = field(default=lambda: nothing(0))  # bars before the account, (times, symbols)
    unshortable: frozenset[int] = frozenset()  # slots never sold short
    fresh: Nanos = FRESH  # as core.marks
    quiet: Nanos = QUIET
    collar: float = math.inf  # share of the close

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
    *, daily: bool = False, raw: bool = True, auto_release: bool = False, span: Nanos = MINUTE,
    history: Callable[[], Array] | None = None,
) -> Outset:  # fmt: skip
    """`identity`: what else must be the same, beside what every state is made for. Raises ConfigError."""
    config = settled(config)
    strategy = runnable(find(config.strategy.name))
    dtype = row(strategy.own)
    layout = hashlib.blake2b(repr((dtype, ACCOUNT, TAPE, strategy.params)).encode(), digest_size=6).hexdigest()
    return Outset(
        directory=directory,
        symbols=symbols,
        model=model,
        cash=micros(config.paper.cash),
        identity={
            "symbols": ",".join(symbols),
            "model": model.value,
            "strategy": strategy.name,
            **identity,
            "kernel layout": layout,
        },
        settings=config.hash(),
        strategy=strategy.name,
        auto_release=auto_release,
        begins=begins,
        params=parameters(config, model, daily=daily, raw=raw, span=span),
        rows=lambda: np.zeros(len(symbols), dtype),
        think=build(strategy).think,
        history=history or (lambda: nothing(len(symbols))),
        unshortable=frozenset(slot for slot, symbol in enumerate(symbols) if symbol in config.gates.hard_to_borrow),
        fresh=Nanos(round(config.gates.fresh * SECOND)),
        quiet=Nanos(round(config.gates.quiet * SECOND)),
        collar=config.gates.collar,
    )


def runnable(strategy: Strategy) -> Strategy:
    """By the daemon: every position has a stop, and its size comes from the distance to it."""
    if strategy.sizing == "risk":
        return strategy
    raise ConfigError(
        f"strategy.name = {strategy.name!r}: it sizes by {strategy.sizing!r}, without stops and caps; only the lab runs"
        ' it, the daemon needs SIZING = "risk"'
    )
