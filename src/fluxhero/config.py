"""config.toml as frozen Structs. The tables of strategies stay as they are until their strategies are known."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fluxhero.section import ConfigError as ConfigError
from fluxhero.section import (
    Count,
    Factor,
    Glance,
    Key,
    Level,
    Multiple,
    Ratio,
    Section,
    Share,
    checked,
    describe,
    key,
    rule,
    shown,
    unknown,
)

SYMBOL = r"[A-Z]{1,5}([.][A-Z]{1,2})?"
Symbol = Annotated[str, Meta(pattern=rf"^{SYMBOL}\Z")]

FIRST, LAST = date(1998, 2, 1), date(2029, 12, 1)  # where a market may begin: within the calendar, with room to trade
TRADING = ("risk", "regime", "indicators", "gates", "costs", "paper", "strategy")  # sections that can change a trade


class Risk(Section, frozen=True, kw_only=True):
    trade_risk: Annotated[Share, key("share of equity", "the most that one trade may lose down to its stop")] = 0.01
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
    entry_reach: Annotated[Ratio, key("ATR", "how far past its close a decision may be chased")] = 0.25
    correlated: Annotated[Ratio, key("correlation", "beyond it with a position held, a new one is smaller")] = 0.7
    correlated_size: Annotated[Share, key("factor", "on the size of such a one")] = 0.5
    crowded: Annotated[Ratio, key("correlation", "all positions beyond it on average are a crowd")] = 0.8
    crowded_slots: Annotated[Count, key("positions", "the most in a crowd")] = 3
    weight_trades: Annotated[Count, key("trades", "closed in a mode before its results weigh on its sizes")] = 20
    weight_floor: Annotated[Share, key("factor", "the least that results make of a mode's sizes")] = 0.5


class Regime(Section, frozen=True, kw_only=True):
    strong_adx: Annotated[Level, key("ADX", "above it, with strong_r2: a strong trend")] = 25.0
    strong_r2: Annotated[Ratio, key("R2", "above it, with strong_adx: a strong trend")] = 0.6
    quiet_adx: Annotated[Level, key("ADX", "below it, with quiet_r2: mean reversion", under="strong_adx")] = 20.0
    quiet_r2: Annotated[Ratio, key("R2", "below it, with quiet_adx: mean reversion", under="strong_r2")] = 0.4
    confirm: Annotated[Count, key("bars", "in a row that confirm a regime")] = 3
    high_vol: Annotated[Factor, key("mean ATR", "an ATR above it is high volatility")] = 1.5
    low_vol: Annotated[Factor, key("mean ATR", "an ATR below it is low volatility", under="high_vol")] = 0.7


class Indicators(Section, frozen=True, kw_only=True):
    kama: Annotated[
        Literal["fixed", "regime"], key("variant", "regime: KAMA leans to slow in noise, to fast in a trend")
    ] = "fixed"
    adaptive: Annotated[bool, key("flag", "periods shorten in high volatility, lengthen in low")] = False
    spike_ratio: Annotated[Factor, key("hourly ATR", "a 5-minute ATR (x sqrt 12) beyond it is a spike")] = 2.0
    spike_stop: Annotated[Factor, key("factor", "on stop distances entered in a spike")] = 1.5
    spike_size: Annotated[Share, key("factor", "on sizes entered in a spike")] = 0.7


class Gates(Section, frozen=True, kw_only=True):
    last_minutes: Annotated[int, Meta(ge=0, le=390), key("minutes", "the last of a session: no entries")] = 15
    gap_limit: Annotated[Share, key("share of the close", "a larger gap at the open: no entries that session")] = 0.02
    volume_floor: Annotated[Multiple, key("mean volume", "a bar of no more: no entry")] = 0.5
    volume_breakout: Annotated[Multiple, key("mean volume", "the same for a close above the last 20 highs")] = 1.5
    spread_max: Annotated[Factor, key("deviations of 5 m closes", "a wider spread: no entry")] = 0.25
    spread_noon: Annotated[Factor, key("deviations of 5 m closes", "the same from 12:00 to 13:00 New York")] = 0.15
    fresh: Annotated[Glance, key("s", "the age up to which a quote is fresh", under="quiet")] = 5.0
    quiet: Annotated[Glance, key("s", "the same for one that stands while others come")] = 60.0
    collar: Annotated[Share, key("share of the close", "a quote further from the last close is no price")] = 0.05
    day_trades: Annotated[
        int, Meta(ge=0, le=1000), key("round trips", "within a day, of five sessions: then no entries; 0: no bound")
    ] = 0
    shorts: Annotated[bool, key("flag", "short positions too")] = False
    hard_to_borrow: Annotated[
        tuple[Symbol, ...], key("symbols", "never sold short", range='like "BRK.B", none twice')
    ] = ()


class Costs(Section, frozen=True, kw_only=True):
    commission: Annotated[Ratio, key("USD per share", "of every fill")] = 0.005
    slip: Annotated[Ratio, key("share of the price", "each side, bar model only")] = 0.0001
    impact: Annotated[Ratio, key("share of the price", "on top of it when the order is a crowd")] = 0.0005
    crowd: Annotated[Share, key("share of average volume", "an order beyond it is a crowd")] = 0.10
    borrow: Annotated[Ratio, key("share of the value a year", "for shorts")] = 0.003


class Paper(Section, frozen=True, kw_only=True):
    cash: Annotated[float, Meta(ge=1.0, le=1e12), key("USD", "to begin with")] = 100_000.0
    latency_ms: Annotated[int, Meta(ge=1, le=60_000), key("ms", "from send to arrival, quote model only")] = 50


class Strategy(Section, frozen=True, kw_only=True):
    name: Annotated[
        str, key("name", "of the strategy that decides", range="of a shipped one, an entry point, or a file.py")
    ] = "dual_mode"
    tables: dict[str, Any] = {}  # noqa: RUF012  by name: as the file has them, Sections once settled

    @property
    def stem(self) -> str:
        """What its table is called."""
        return Path(self.name).stem if self.name.endswith(".py") else self.name

    @property
    def params(self) -> Section:
        table = self.tables.get(self.stem)
        assert isinstance(table, Section), "kernel.plug.settled comes first"
        return table


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
    profile: Annotated[
        Literal["default", "original"], key("profile", "original: its values where they differ and nothing is said")
    ] = "default"
    risk: Risk = Risk()
    regime: Regime = Regime()
    indicators: Indicators = Indicators()
    gates: Gates = Gates()
    costs: Costs = Costs()
    paper: Paper = Paper()
    strategy: Strategy = Strategy()
    market: Market = Market()
    metrics: Metrics = Metrics()

    def hash(self) -> str:
        """Of the keys that can change a trade, of strategies those of the one that decides."""
        trading = {name: getattr(self, name) for name in TRADING}
        trading["strategy"] = [self.strategy.stem, self.strategy.params]
        return hashlib.blake2b(msgspec.json.encode(trading), digest_size=8).hexdigest()


TABLES: dict[str, type[Section]] = {
    name: type(value) for name, value in msgspec.structs.asdict(Config()).items() if isinstance(value, Section)
}

# The original's values where they differ from ours.
ORIGINAL: dict[str, Any] = {
    "gates": {"spread_max": 0.05, "spread_noon": 0.025},
    "strategy": {"dual_mode": {"neutral": "both"}},
}


def sections(config: Config) -> Iterator[tuple[str, Section]]:
    """Those of the file by name, in its order; its top level, without a name, comes first. `config` is settled."""
    yield "", config
    for name in TABLES:
        yield name, getattr(config, name)
        if name == "strategy":
            yield from ((f"strategy.{stem}", table) for stem, table in config.strategy.tables.items())


def keys(config: Config) -> Iterator[tuple[Key, Any]]:
    """Every key of the file with its value."""
    for name, section in sections(config):
        yield from ((k, getattr(section, k.name)) for k in describe(type(section), name))


def plain(config: Config) -> dict[str, Any]:
    """As in the file."""
    made: dict[str, Any] = msgspec.to_builtins(config)
    return {**made, "strategy": {"name": config.strategy.name, **made["strategy"]["tables"]}}


def load(path: Path) -> Config:
    """A configuration, checked but for its strategies. Raises ConfigError."""
    return parse(read(path), str(path), path.parent)


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} cannot be read: {e}") from None


def parse(text: str, name: str = "config.toml", folder: Path = Path()) -> Config:
    """`folder`: where a strategy's file is looked for."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # a ValueError too where a number has thousands of digits
        raise ConfigError(f"{name} is no TOML: {e}") from None
    try:
        return _checked(raw, folder)
    except ConfigError as e:
        raise ConfigError(f"{name}: {e}") from None


def _checked(raw: dict[str, Any], folder: Path) -> Config:
    top = {name: value for name, value in raw.items() if name not in TABLES}
    for name in top:
        if name not in Config.__struct_fields__:
            raise unknown("", name, ["profile", *(f"[{table}]" for table in TABLES)])
    profile = checked(top, Config, "").profile
    if profile == "original":
        raw = _over(ORIGINAL, raw)
    made: dict[str, Any] = {
        name: checked(raw.get(name, {}), kind, name) for name, kind in TABLES.items() if name != "strategy"
    }
    config = Config(profile=profile, strategy=_strategy(raw.get("strategy", {}), folder), **made)
    _begins(config.market)
    return config


def _over(under: dict[str, Any], raw: Any) -> Any:
    """What is said, and below it what is not."""
    if not isinstance(raw, dict):
        return raw
    said = {name: _over(under[name], v) if isinstance(under.get(name), dict) else v for name, v in raw.items()}
    return {**under, **said}


def _strategy(raw: Any, folder: Path) -> Strategy:
    if not isinstance(raw, dict):
        return checked(raw, Strategy, "strategy")
    tables = dict(raw)
    name = checked({"name": tables.pop("name")} if "name" in raw else {}, Strategy, "strategy").name
    return Strategy(name=str((folder / name).absolute()) if name.endswith(".py") else name, tables=tables)


def _begins(market: Market) -> None:
    try:
        day = date.fromisoformat(market.first)
    except ValueError:
        day = date.min
    if not FIRST <= day <= LAST or day.isoformat() != market.first:  # one spelling: fromisoformat takes 20000103 too
        (k,) = (k for k in describe(Market, "market") if k.name == "first")
        raise ConfigError(f"{k.path} = {shown(market.first)}: {rule(k)}")
