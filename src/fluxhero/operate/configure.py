"""`fluxhero config`: shows the configuration in force, every key with what it means, or checks a file."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from fluxhero.config import Config, keys, read, sections
from fluxhero.kernel.plug import loaded
from fluxhero.operate.exits import CONFIG, OK
from fluxhero.section import ConfigError, Key

HEADER = """\
# FluxHero's settings, as `fluxhero config show` prints them: key = value  # unit, range, meaning.
# A key that is left out has its default; an unknown key or a value out of its range is refused.
# All but [market] and [metrics] can change a trade, so a state keeps their hash.
"""

Row = tuple[Key, Any]


def run(args: argparse.Namespace) -> int:
    try:
        config = loaded(args.config)
    except ConfigError as e:
        print(f"fluxhero: {e}", file=sys.stderr)
        return CONFIG
    if args.cmd == "check":
        name, said = args.config or "built-in configuration", tomllib.loads(read(args.config) if args.config else "")
        print(f"{name} is good: {_count(said)} keys set, trading hash {config.hash()}")
    elif args.json:
        print(json.dumps(facts(config)))
    else:
        print(toml(config), end="")
    return OK


def _count(raw: dict[str, Any]) -> int:
    return sum(_count(value) if isinstance(value, dict) else 1 for value in raw.values())


def toml(config: Config) -> str:
    """The whole file: of the defaults it is the committed config.toml."""
    return "\n".join([HEADER, *(_section(name, rows) for name, rows in _tables(config))])


def _tables(config: Config) -> Iterator[tuple[str, list[Row]]]:
    """Those that have keys, with them and their values."""
    rows = list(keys(config))
    for name, _ in sections(config):
        if of_it := [row for row in rows if row[0].section == name]:
            yield name, of_it


def _section(name: str, rows: list[Row]) -> str:
    cells = [(f"{k.name} = {_literal(value)}", k.unit, k.range, _meaning(k, value)) for k, value in rows]
    a, b, c, _ = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = (f"{said:{a}}  # {unit:{b}}  {bounds:{c}}  {meaning}\n" for said, unit, bounds, meaning in cells)
    return f"[{name}]\n{''.join(lines)}" if name else "".join(lines)


def _meaning(key: Key, value: Any) -> str:
    return key.meaning if value == key.default else f"{key.meaning} (default {_literal(key.default)})"


def _literal(value: Any) -> str:
    """Numbers, flags, plain text and lists of it are spelled alike in JSON and in TOML."""
    return json.dumps(value)


def facts(config: Config) -> dict[str, dict[str, dict[str, Any]]]:
    """Of the keys outside all tables too, under no name."""
    return {name: {k.name: _facts(k, value) for k, value in rows} for name, rows in _tables(config)}


def _facts(key: Key, value: Any) -> dict[str, Any]:
    return {"value": value, "default": key.default, "unit": key.unit, "range": key.range, "meaning": key.meaning}


def table() -> str:
    """Every key as a Markdown table, for the README."""
    rows = (f"| `{k.path}` | `{_literal(v)}` | {k.unit} | {k.range} | {k.meaning} |\n" for k, v in keys(loaded(None)))
    return f"| key | default | unit | range | meaning |\n|---|---|---|---|---|\n{''.join(rows)}"
