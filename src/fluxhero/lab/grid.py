"""The points of a strategy's parameters that are tried: all of a grid, or so many drawn at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from msgspec import inspect

from fluxhero.config import Config
from fluxhero.kernel.plug import find, settled
from fluxhero.section import ConfigError, Key, Section, checked, describe, rule, unknown

MOST = 1_000_000  # points
DRAWS = 100  # for each point, before it is believed that there are no more
FORM = "write k=v1,v2,v3 or k=first:last:count, such as fast=10,20,30 or width=1.5:3:7"

Value = int | float | bool | str

KINDS = {inspect.IntType: int, inspect.FloatType: float, inspect.BoolType: bool, inspect.LiteralType: str}


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter. Without values it is drawn from `low` to `high`, both among them."""

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> Value:
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        return int(rng.integers(int(self.low), int(self.high) + 1)) if self.whole else rng.uniform(self.low, self.high)


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Whole sections of the strategy's parameters, no two alike, in the order that they are tried."""

    strategy: str
    axes: tuple[Axis, ...]
    points: tuple[Section, ...]
    left_out: int  # for one parameter must be under another


def grid(config: Config, said: Iterable[str] = ()) -> Grid:
    """Every combination of `k=v1,v2,v3` and `k=first:last:count`; what is not said is as configured. Nothing said: one
    point. Raises ConfigError.
    """
    base, axes = _begun(config, said)
    for axis in axes:
        if not axis.values:
            raise ConfigError(f"{axis.name} has no count: {FORM}; only random points are drawn from first:last")
    wanted = math.prod(len(axis.values) for axis in axes)
    if wanted > MOST:
        raise ConfigError(f"the grid has {wanted:_} points; it may have {MOST:_}: leave values out, or draw at random")
    names = [axis.name for axis in axes]
    combined = (dict(zip(names, values, strict=True)) for values in itertools.product(*(a.values for a in axes)))
    return _made(config, axes, list(_points(base, combined)), wanted)


def drawn(config: Config, said: Iterable[str], points: int, seed: int = 0) -> Grid:
    """So many different points at random, from the values and from ranges `k=first:last`; fewer where there are no
    more. The same seed draws the same. Raises ConfigError.
    """
    if not 1 <= points <= MOST:
        raise ConfigError(f"points = {points:_}: from 1 to {MOST:_} can be drawn")
    base, axes = _begun(config, said)
    rng, found, wanted, stale = np.random.default_rng(seed), dict[Section, None](), 0, 0
    while len(found) < points and stale < DRAWS * points:
        point = {axis.name: axis.draw(rng) for axis in axes}
        before = len(found)
        sound = list(_points(base, [point]))
        found.update(dict.fromkeys(sound))
        wanted += not sound
        stale = 0 if len(found) > before else stale + 1
    return _made(config, axes, list(found), len(found) + wanted)


def _made(config: Config, axes: tuple[Axis, ...], points: list[Section], wanted: int) -> Grid:
    if not points:
        kind = type(settled(config).strategy.params)
        rules = "; ".join(f"{k.name} {rule(k)}" for k in describe(kind, "") if k.under)
        raise ConfigError(f"no point of {wanted:_} is sound: {rules}")
    return Grid(strategy=config.strategy.name, axes=axes, points=tuple(points), left_out=wanted - len(points))


def _begun(config: Config, said: Iterable[str]) -> tuple[Section, tuple[Axis, ...]]:
    """What is not said, and the axes."""
    base = settled(config).strategy.params
    axes = tuple(_axis(text, find(config.strategy.name).Params, config.strategy.stem) for text in said)
    for i, axis in enumerate(axes):
        if axis.name in (other.name for other in axes[:i]):
            raise ConfigError(f"{axis.name} is said twice: put its values into one, {FORM}")
    return base, axes


def _axis(text: str, kind: type[Section], stem: str) -> Axis:
    name, given, values = text.partition("=")
    keys = {k.name: k for k in describe(kind, f"strategy.{stem}")}
    if not given or not values:
        raise ConfigError(f"{text!r} is no parameter: {FORM}")
    if name not in keys:
        raise unknown(f"strategy.{stem}", name, keys)
    if ":" not in values:
        made = [_value(keys[name], kind, one) for one in values.split(",")]
        return Axis(name=name, values=tuple(dict.fromkeys(made)))
    return _range(keys[name], kind, values.split(":"))


def _range(k: Key, kind: type[Section], parts: Sequence[str]) -> Axis:
    """first:last, drawn from, or first:last:count, evenly."""
    of = kinds(kind)[k.name]
    if of not in (int, float) or len(parts) not in (2, 3):
        raise ConfigError(f"{k.path} = {':'.join(parts)}: {rule(k)}; {FORM}")
    low, high = (_value(k, kind, part) for part in parts[:2])
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    if not low < high:
        raise ConfigError(f"{k.path} = {':'.join(parts)}: the first must be less than the last")
    if len(parts) == 2:
        return Axis(name=k.name, low=low, high=high, whole=of is int)
    return Axis(name=k.name, values=_even(k, low, high, parts[2], whole=of is int))


def _even(k: Key, low: float, high: float, count: str, *, whole: bool) -> tuple[Value, ...]:
    """As one would have written them, without the dust of a division."""
    if not count.isdecimal() or not 2 <= int(count) <= MOST:
        raise ConfigError(f"{k.path} has {count!r} values; their count must be a whole number, 2 to {MOST:_}")
    made = np.linspace(low, high, int(count)).tolist()
    return tuple(dict.fromkeys(round(x) if whole else float(f"{x:.12g}") for x in made))


@cache
def kinds(params: type[Section]) -> dict[str, type]:
    """What each parameter is: an int, a float, a bool or one of a few texts, whatever its default looks like."""
    described = inspect.type_info(params)
    assert isinstance(described, inspect.StructType)
    return {f.name: KINDS[type(f.type.type)] for f in described.fields if isinstance(f.type, inspect.Metadata)}


def _value(k: Key, kind: type[Section], text: str) -> Value:
    """Checked against its own bounds alone: what it must be under may be tried with it."""
    raw = text if kinds(kind)[k.name] is str else _read(text)
    try:
        made: Value = getattr(msgspec.convert({k.name: raw}, kind), k.name)
    except msgspec.ValidationError:
        checked({k.name: raw}, kind, k.path.rpartition(".")[0])
        raise
    return made


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _points(base: Section, tried: Iterable[dict[str, Value]]) -> Iterator[Section]:
    """Those in which all is under what it must be under."""
    kind, pairs = type(base), [(k.name, k.under) for k in describe(type(base), "") if k.under]
    under: dict[str, Any] = {name: getattr(base, name) for name in kind.__struct_fields__}
    for point in tried:
        values = {**under, **point}
        if all(values[small] < values[large] for small, large in pairs):
            yield kind(**values)
