"""config.toml as frozen Structs: every key has a default, a range and a unit, and an unknown key is an error."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta


class ConfigError(Exception):
    """One line: the key, the value, the range."""


Share = Annotated[float, Meta(gt=0.0, le=1.0)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Factor = Annotated[float, Meta(gt=0.0, le=100.0)]
Count = Annotated[int, Meta(ge=1, le=1000)]


StrategyName = Literal["dual_mode", "metronome"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Risk(Section, frozen=True, kw_only=True):
    position_cap: Share = 0.20  # of equity, per position
    deployed_cap: Share = 0.50  # of equity, all positions
    slots: Count = 5  # positions
    day_loss: Share = 0.03  # of the day's base: flatten
    soft_drawdown: Share = 0.15  # sizes shrink, stops tighten
    hard_drawdown: Share = 0.20  # flatten
    soft_size: Share = 0.5
    soft_stop_atr: Factor = 2.0
    stop_atr: Factor = 2.5
    stop_step: Ratio = 0.25  # ATR: the least that a stop is moved by


class Gates(Section, frozen=True, kw_only=True):
    last_minutes: Annotated[int, Meta(ge=0, le=390)] = 15  # of a session: no entries
    gap_limit: Share = 0.02  # session open over previous close
    confirm: Count = 3  # bars that confirm a regime


class Costs(Section, frozen=True, kw_only=True):
    commission: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.005  # USD per share
    slip: Ratio = 0.0001  # each side, `bar` only
    impact: Ratio = 0.0005  # more, when the order is a crowd
    crowd: Share = 0.10  # of the average volume


class Paper(Section, frozen=True, kw_only=True):
    cash: Annotated[float, Meta(ge=1.0, le=1e12)] = 100_000.0  # USD
    latency_ms: Annotated[int, Meta(ge=1, le=60_000)] = 50  # send to arrival, `quote` only


class DualMode(Section, frozen=True, kw_only=True):
    enter_atr: Factor = 0.5
    exit_atr: Factor = 0.3
    stop_share: Share = 0.03  # of the decision close, mean reversion
    trend_risk: Share = 0.01  # of equity
    mean_risk: Share = 0.0075
    neutral_scale: Share = 0.7
    oversold: Annotated[float, Meta(gt=0.0, lt=100.0)] = 30.0
    overbought: Annotated[float, Meta(gt=0.0, lt=100.0)] = 70.0
    width: Factor = 2.0  # of the bands, standard deviations


class Metronome(Section, frozen=True, kw_only=True):
    every: Count = 15  # bars
    keep: Count = 10  # bars
    risk: Share = 0.01


class Strategy(Section, frozen=True, kw_only=True):
    name: StrategyName = "dual_mode"
    dual_mode: DualMode = DualMode()
    metronome: Metronome = Metronome()


class Config(Section, frozen=True, kw_only=True):
    risk: Risk = Risk()
    gates: Gates = Gates()
    costs: Costs = Costs()
    paper: Paper = Paper()
    strategy: Strategy = Strategy()

    def hash(self) -> str:
        """Of the keys that can change a trade: all that there are today."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=8).hexdigest()


def load(path: Path) -> Config:
    """A checked configuration. Raises ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} cannot be read: {e}") from None


def parse(text: str, name: str = "config.toml") -> Config:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{name} is no TOML: {e}") from None
    try:
        config = msgspec.convert(raw, Config)
        _ordered(config, name)
        return config
    except msgspec.ValidationError as e:
        what, _, where = str(e).partition(" - at `$")
        key = where.strip("`.")
        value = f" = {_value(raw, key)!r}" if key and not what.startswith("Object") else ""
        raise ConfigError(f"{name}: {key or 'top level'}{value}: {what}{_choices(key)}") from None


def _ordered(c: Config, name: str) -> None:
    """Pairs of which the first must be the smaller."""
    pairs = (
        ("risk.soft_drawdown", c.risk.soft_drawdown, "risk.hard_drawdown", c.risk.hard_drawdown),
        ("strategy.dual_mode.oversold", c.strategy.dual_mode.oversold,
         "strategy.dual_mode.overbought", c.strategy.dual_mode.overbought),
    )  # fmt: skip
    for low, small, high, large in pairs:
        if small >= large:
            raise ConfigError(f"{name}: {low} = {small!r}: must be under {high} = {large!r}")


def _choices(key: str) -> str:
    """What a key may be, where that is a list."""
    struct: Any = Config
    for part in key.split("."):
        fields = (
            {f.name: f.type for f in msgspec.structs.fields(struct)} if hasattr(struct, "__struct_fields__") else {}
        )
        struct = fields.get(part)
    choices = get_args(struct) if get_origin(struct) is Literal else ()
    return f"; it is one of {', '.join(choices)}" if choices else ""


def _value(raw: Any, key: str) -> Any:
    for part in key.split("."):
        raw = raw.get(part) if isinstance(raw, dict) else None
    return raw
