"""`fluxhero config`: shows the configuration in force, every key with what it means, or checks a file."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from fluxhero.config import Config, ConfigError, Key, describe, parse, read
from fluxhero.operate.exits import CONFIG, OK

HEADER = """\
# FluxHero's settings, as `fluxhero config show` prints them: key = value  # unit, range, meaning.
# A key that is left out has its default; an unknown key or a value out of its range is refused.
# All but [market] and [metrics] can change a trade, so a state keeps their hash.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="cmd", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="every key with its value, unit, range and meaning")
    show.add_argument("--json", action="store_true", help="print them as one JSON object")
    commands.add_parser("check", help="is the file good?")
    for command in commands.choices.values():
        command.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")


def run(args: argparse.Namespace) -> int:
    name = str(args.config or "built-in configuration")
    try:
        text = read(args.config) if args.config else ""
        config = parse(text, name)
    except ConfigError as e:
        print(f"fluxhero: {e}", file=sys.stderr)
        return CONFIG
    if args.cmd == "check":
        print(f"{name} is good: {_count(tomllib.loads(text))} keys set, trading hash {config.hash()}")
    elif args.json:
        print(json.dumps(facts(config)))
    else:
        print(toml(config), end="")
    return OK


def _count(raw: dict[str, Any]) -> int:
    return sum(_count(value) if isinstance(value, dict) else 1 for value in raw.values())


def toml(config: Config) -> str:
    """The whole file: of the defaults it is the committed config.toml."""
    return "\n".join([HEADER, *(_section(name, keys, config) for name, keys in _sections())])


def _sections() -> Iterator[tuple[str, list[Key]]]:
    for name, keys in groupby(describe(), lambda key: key.section):
        yield name, list(keys)


def _section(name: str, keys: list[Key], config: Config) -> str:
    rows = [(f"{k.name} = {_literal(k.of(config))}", k.unit, k.range, _meaning(k, config)) for k in keys]
    a, b, c, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = (f"{value:{a}}  # {unit:{b}}  {bounds:{c}}  {meaning}\n" for value, unit, bounds, meaning in rows)
    return f"[{name}]\n{''.join(lines)}"


def _meaning(key: Key, config: Config) -> str:
    return key.meaning if key.of(config) == key.default else f"{key.meaning} (default {_literal(key.default)})"


def _literal(value: Any) -> str:
    """Numbers, plain text and lists of it are spelled alike in JSON and in TOML."""
    return json.dumps(value)


def facts(config: Config) -> dict[str, dict[str, dict[str, Any]]]:
    return {name: {key.name: _facts(key, config) for key in keys} for name, keys in _sections()}


def _facts(key: Key, config: Config) -> dict[str, Any]:
    return {
        "value": key.of(config),
        "default": key.default,
        "unit": key.unit,
        "range": key.range,
        "meaning": key.meaning,
    }


def table() -> str:
    """Every key as a Markdown table, for the README."""
    rows = (f"| `{k.path}` | `{_literal(k.default)}` | {k.unit} | {k.range} | {k.meaning} |\n" for k in describe())
    return f"| key | default | unit | range | meaning |\n|---|---|---|---|---|\n{''.join(rows)}"
