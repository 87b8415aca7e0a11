"""config.toml as frozen Structs: every key has a default, a range, a unit and a meaning; an unknown one is an error."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, inspect


class ConfigError(Exception):
    """One line: the key, the value, the range."""


Share = Annotated[float, Meta(gt=0.0, le=1.0)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Factor = Annotated[float, Meta(gt=0.0, le=100.0)]
Level = Annotated[float, Meta(gt=0.0, lt=100.0)]
Count = Annotated[int, Meta(ge=1, le=1000)]
SYMBOL = r"[A-Z]{1,5}([.][A-Z]{1,2})?"
Symbol = Annotated[str, Meta(pattern=rf"^{SYMBOL}\Z")]

StrategyName = Literal["dual_mode", "metronome"]

FIRST, LAST = date(1998, 2, 1), date(2029, 12, 1)  # where a market may begin: within the calendar, with room to trade
TRADING = ("risk", "gates", "costs", "paper", "strategy")  # the sections that can change a trade


def key(unit: str, meaning: str, **more: str) -> Meta:
    """`range`: what the type alone cannot say; `under`: the key of the same section that must be larger."""
    return Meta(description=meaning, extra={"unit": unit, **more})


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Risk(Section, frozen=True, kw_only=True):
    position_cap: Annotated[Share, key("share of equity", "the most in one position")] = 0.20
    deployed_cap: Annotated[Share, key("share of equity", "the most in all positions")] = 0.50
    slots: Annotated[Count, key("positions", "the most at one time")] = 5
    day_loss: Annotated[Share, key("share of the day's base", "a loss beyond it flattens")] = 0.03
    soft_drawdown: Annotated[
        Share, key("share of the peak", "a drawdown of it shrinks sizes and tightens stops", under="hard_drawdown")
    ] = 0.15
    hard_drawdown: Annotated[Share, key("share of the peak", "a drawdown of it flattens")] = 0.20
    soft_size: Annotated[Share, key("factor", "on sizes past the soft drawdown")] = 0.5
    soft_stop_atr: Annotated[Factor, key("ATR", "stop distance past the soft drawdown")] = 2.0
    stop_atr: Annotated[Factor, key("ATR", "stop distance")] = 2.5
    stop_step: Annotated[Ratio, key("ATR", "the least that a stop is moved by")] = 0.25


class Gates(Section, frozen=True, kw_only=True):
    last_minutes: Annotated[int, Meta(ge=0, le=390), key("minutes", "the last of a session: no entries")] = 15
    gap_limit: Annotated[Share, key("share of the close", "a larger gap at the open: no entries that session")] = 0.02
    confirm: Annotated[Count, key("bars", "in a row that confirm a regime")] = 3


class Costs(Section, frozen=True, kw_only=True):
    commission: Annotated[Ratio, key("USD per share", "of every fill")] = 0.005
    slip: Annotated[Ratio, key("share of the price", "each side, bar model only")] = 0.0001
    impact: Annotated[Ratio, key("share of the price", "on top of it when the order is a crowd")] = 0.0005
    crowd: Annotated[Share, key("share of average volume", "an order beyond it is a crowd")] = 0.10


class Paper(Section, frozen=True, kw_only=True):
    cash: Annotated[float, Meta(ge=1.0, le=1e12), key("USD", "to begin with")] = 100_000.0
    latency_ms: Annotated[int, Meta(ge=1, le=60_000), key("ms", "from send to arrival, quote model only")] = 50


class DualMode(Section, frozen=True, kw_only=True):
    enter_atr: Annotated[Factor, key("ATR", "above KAMA: a trend is entered")] = 0.5
    exit_atr: Annotated[Factor, key("ATR", "below KAMA: a trend is left")] = 0.3
    stop_share: Annotated[Share, key("share of the close", "stop distance, mean reversion")] = 0.03
    trend_risk: Annotated[Share, key("share of equity", "risked by a trade, trend")] = 0.01
    mean_risk: Annotated[Share, key("share of equity", "risked by a trade, mean reversion and neutral")] = 0.0075
    neutral_scale: Annotated[Share, key("factor", "on sizes in the neutral regime")] = 0.7
    oversold: Annotated[Level, key("RSI", "below it a dip is bought", under="overbought")] = 30.0
    overbought: Annotated[Level, key("RSI", "above it a dip is sold, no neutral trend entered")] = 70.0
    width: Annotated[Factor, key("standard deviations", "of the Bollinger bands, each side")] = 2.0


class Metronome(Section, frozen=True, kw_only=True):
    every: Annotated[Count, key("bars", "from entry to entry")] = 15
    keep: Annotated[Count, key("bars", "that a position is kept")] = 10
    risk: Annotated[Share, key("share of equity", "risked by a trade")] = 0.01


class Strategy(Section, frozen=True, kw_only=True):
    name: Annotated[StrategyName, key("name", "of the strategy that decides")] = "dual_mode"
    dual_mode: DualMode = DualMode()
    metronome: Metronome = Metronome()


class Market(Section, frozen=True, kw_only=True):
    """The synthetic market."""

    symbols: Annotated[
        tuple[Symbol, ...], Meta(min_length=1, max_length=32),
        key("symbols", "of the synthetic market", range='1 to 32 like "BRK.B", none twice'),
    ] = ("ALFA", "BRAVO", "DELTA")  # fmt: skip
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1), key("number", "same seed, same market")] = 28
    first: Annotated[str, key("date", "its first session", range=f'"{FIRST}" to "{LAST}"')] = "2000-01-03"
    speed: Annotated[
        float, Meta(ge=0.0, le=1e6), key("x host time", "of the market's clock; 0: as fast as it goes")
    ] = 60.0


class Metrics(Section, frozen=True, kw_only=True):
    port: Annotated[
        int, Meta(ge=0, le=65_535), key("TCP port", "/metrics, /livez, /readyz on 127.0.0.1; 0: any free one")
    ] = 9464


class Config(Section, frozen=True, kw_only=True):
    risk: Risk = Risk()
    gates: Gates = Gates()
    costs: Costs = Costs()
    paper: Paper = Paper()
    strategy: Strategy = Strategy()
    market: Market = Market()
    metrics: Metrics = Metrics()

    def hash(self) -> str:
        """Of the keys that can change a trade."""
        trading = {name: getattr(self, name) for name in TRADING}
        return hashlib.blake2b(msgspec.json.encode(trading), digest_size=8).hexdigest()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key; `section` as in the file, such as strategy.dual_mode."""

    section: str
    name: str
    default: Any
    unit: str
    range: str
    meaning: str
    trading: bool
    under: str  # the key of the same section that must be larger, or nothing

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    def of(self, config: Config) -> Any:
        return attrgetter(self.path)(config)


def describe() -> list[Key]:
    """Every key, in the file's order."""
    return list(_keys(inspect.type_info(Config), ""))


def _keys(section: inspect.Type, path: str) -> Iterator[Key]:
    assert isinstance(section, inspect.StructType)
    for field in section.fields:
        if isinstance(field.type, inspect.StructType):
            yield from _keys(field.type, _below(path, field.name))
        else:
            yield _key(field, path)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _key(field: inspect.Field, section: str) -> Key:
    assert isinstance(field.type, inspect.Metadata)
    extra, schema = field.type.extra or {}, field.type.extra_json_schema or {}
    under = extra.get("under", "")
    bounds = extra.get("range") or _range(field.type.type)
    return Key(
        section=section, name=field.name, default=field.default, unit=extra["unit"], meaning=schema["description"],
        range=f"{bounds}, under {under}" if under else bounds, trading=section.split(".")[0] in TRADING, under=under,
    )  # fmt: skip


def _range(t: inspect.Type) -> str:
    if isinstance(t, inspect.LiteralType):
        return " or ".join(str(value) for value in t.values)
    assert isinstance(t, inspect.IntType | inspect.FloatType)
    if t.ge is not None and t.le is not None:
        return f"{t.ge:_.15g} to {t.le:_.15g}"
    bounds = ((">", t.gt), (">=", t.ge), ("<", t.lt), ("<=", t.le))
    return ", ".join(f"{sign} {bound:_.15g}" for sign, bound in bounds if bound is not None)


def load(path: Path) -> Config:
    """A checked configuration. Raises ConfigError."""
    return parse(read(path), str(path))


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} cannot be read: {e}") from None


def parse(text: str, name: str = "config.toml") -> Config:
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # a ValueError too where a number has thousands of digits
        raise ConfigError(f"{name} is no TOML: {e}") from None
    try:
        return _checked(raw)
    except ConfigError as e:
        raise ConfigError(f"{name}: {e}") from None


def _checked(raw: dict[str, Any]) -> Config:
    _known(raw, inspect.type_info(Config), "")
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as e:
        raise _invalid(raw, str(e)) from None
    _sound(config)
    return config


def _known(raw: dict[str, Any], section: inspect.Type, path: str) -> None:
    """Before anything else is looked at: every key has a field."""
    assert isinstance(section, inspect.StructType)
    fields = {field.name: field.type for field in section.fields}
    for name, value in raw.items():
        if name not in fields:
            there = (f"[{_below(path, n)}]" if isinstance(t, inspect.StructType) else n for n, t in fields.items())
            raise ConfigError(f"{path or 'top level'}: unknown {_shown(name)}; there are {', '.join(there)}")
        if isinstance(value, dict) and isinstance(fields[name], inspect.StructType):
            _known(value, fields[name], _below(path, name))


def _invalid(raw: dict[str, Any], error: str) -> ConfigError:
    """Of msgspec's error only the place counts; the rest is said as it is for every key."""
    place = re.search(r"`\$\.([\w.]+)(?:\[(\d+)\])?`\Z", error)
    assert place, error
    value: Any = raw
    for part in place[1].split("."):
        value = value[part]
    if place[2]:
        return ConfigError(f"{place[1]} has {_shown(value[int(place[2])])}: {_rule(place[1])}")
    return ConfigError(f"{place[1]} = {_shown(value)}: {_rule(place[1])}")


KINDS = {int: "a whole number", float: "a number", str: "text", tuple: "a list"}


def _rule(path: str) -> str:
    for k in describe():
        if k.path == path:
            return f"must be {KINDS[type(k.default)]}, {k.range} ({k.unit})"
    return f"must be a section, [{path}]"


def _shown(value: Any) -> str:
    try:
        text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    except ValueError:  # thousands of digits
        return "a huge number"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _sound(config: Config) -> None:
    """What no type can say."""
    for k in describe():
        if k.under and k.of(config) >= (large := getattr(attrgetter(k.section)(config), k.under)):
            raise ConfigError(f"{k.path} = {k.of(config)!r}: {_rule(k.path)}; {k.section}.{k.under} is {large!r}")
    first, symbols = config.market.first, config.market.symbols
    if not _begins(first):
        raise ConfigError(f"market.first = {_shown(first)}: {_rule('market.first')}")
    for i, symbol in enumerate(symbols):
        if symbol in symbols[:i]:
            raise ConfigError(f"market.symbols has {symbol!r} twice: {_rule('market.symbols')}")


def _begins(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return FIRST <= day <= LAST and day.isoformat() == text  # one spelling: fromisoformat takes 20000103 too
