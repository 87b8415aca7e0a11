"""Finds the strategy that a configuration names, and checks it and its table."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from msgspec.structs import replace

from fluxhero.config import Config, load
from fluxhero.kernel import contract
from fluxhero.kernel.compile import DIGEST
from fluxhero.kernel.fingerprint import fingerprint
from fluxhero.kernel.state import params
from fluxhero.kernel.strategies import GROUP, SHIPPED
from fluxhero.section import ConfigError, Section, checked, unknown


@dataclass(frozen=True, eq=False)
class Strategy:
    name: str  # of its table; a file's stem
    module: ModuleType
    Params: type[Section]
    own: np.dtype[Any]
    params: np.dtype[Any]  # rules and own
    sizing: str | int
    mature: int | None  # bars; None: as the kernel has it
    reads: frozenset[str]  # readings
    digest: str  # of what an own one is made of, nothing of a shipped one

    @property
    def bound(self) -> str:
        """Its name in the cache: never that of other code."""
        return f"{self.name}_{self.digest}" if self.digest else self.name

    @property
    def code(self) -> str:
        """Digest of all that decides."""
        return f"{DIGEST}.{self.digest}" if self.digest else DIGEST


@cache
def find(name: str, base: Path = Path()) -> Strategy:
    """Shipped, of an entry point, or of a file, from `base` on. Raises ConfigError."""
    if name.endswith(".py"):
        return _of_file(base / name)
    points = entry_points(group=GROUP)
    named = [point for point in points if point.name == name]
    if len(named) + (name in SHIPPED) > 1:
        there = ", ".join([*(point.value for point in named), *(["one that ships"] if name in SHIPPED else [])])
        raise _trouble(name, f"more than one has that name: {there}; rename or uninstall one")
    if named:
        return _of_entry_point(named[0])
    if name in SHIPPED:
        return _made(name, importlib.import_module(f"fluxhero.kernel.strategies.{name}"), own=False)
    raise _trouble(name, f"there are {', '.join((*SHIPPED, *sorted(points.names)))}, or name a file, such as mine.py")


def _trouble(name: str, what: str) -> ConfigError:
    return ConfigError(f"strategy.name = {name!r}: {what}")


def _of_file(path: Path) -> Strategy:
    if path.stem in SHIPPED:
        raise _trouble(str(path), f"a strategy that ships is called {path.stem}; rename the file")
    if not path.stem.isidentifier() or path.stem == "name":  # its table is [strategy.<stem>], its module <stem>
        raise _trouble(str(path), "its name is none for a module; rename it, such as mine.py")
    try:
        source = path.read_bytes()
    except OSError as e:
        raise _trouble(str(path), f"it cannot be read: {e.strerror}") from None
    module = ModuleType(f"fluxhero_{path.stem}")
    module.__file__ = str(path)
    return _checked(path.stem, str(path), lambda: _executed(module, source, path))


def _executed(module: ModuleType, source: bytes, path: Path) -> ModuleType:
    """From the bytes, for Python's own cache may be a second old; it may import what lies beside it."""
    sys.modules[module.__name__] = module
    sys.path.append(str(path.parent))
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    finally:
        sys.path.remove(str(path.parent))
    return module


def _of_entry_point(point: EntryPoint) -> Strategy:
    return _checked(point.name, f"entry point {point.name} = {point.value}", point.load)


def _checked(name: str, where: str, load: Callable[[], Any]) -> Strategy:
    """An own one; whatever is wrong with it, we know where."""
    try:
        module = load()
    except (Exception, SystemExit) as e:
        raise ConfigError(f"{where}: it cannot be imported: {_failure(e, where)}") from None
    if not isinstance(module, ModuleType):
        raise ConfigError(f"{where}: it names a {type(module).__name__}; let it name the module")
    try:
        return _made(name, module, own=True)
    except ConfigError as e:
        raise ConfigError(f"{where}: {e}") from None


def _failure(e: BaseException, where: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(e.__traceback__) if frame.filename == where]
    line = e.lineno if isinstance(e, SyntaxError) else lines[-1] if lines else None
    said = f"{type(e).__name__}: {e.msg if isinstance(e, SyntaxError) else str(e).partition(chr(10))[0]}"
    return f"{said} (line {line})" if line else said


def _made(name: str, module: ModuleType, *, own: bool) -> Strategy:
    functions = contract.functions(module)
    kept, (section, dtype) = contract.own(module), contract.parameters(module)
    sizing, mature, reads = contract.sizing(module), contract.mature(module), contract.reads(module)
    digest = fingerprint([*functions.items(), sizing, mature, sorted(reads)]) if own else ""
    return Strategy(name, module, section, kept, params(dtype), sizing, mature, reads, digest)


def loaded(file: Path | None, strategy: str | None = None) -> Config:
    """A file's configuration, or the defaults, settled; `strategy`: instead of the one it names. Raises ConfigError."""
    config = load(file) if file else Config()
    if strategy:
        config = replace(config, strategy=replace(config.strategy, name=strategy))
    return settled(config, str(file or ""))


def settled(config: Config, origin: str = "") -> Config:
    """With the tables of all strategies that ship and of the one that decides, each checked and whole.

    origin: the file's name, for ConfigError.
    """
    try:
        return _settled(config)
    except ConfigError as e:
        raise ConfigError(f"{origin}: {e}" if origin else str(e)) from None


def _settled(config: Config) -> Config:
    said = config.strategy.tables
    kinds = {s.name: s.Params for s in map(find, (*SHIPPED, config.strategy.name))}
    for name in said:
        if name not in kinds:
            raise unknown("strategy", name, ["name", *(f"[strategy.{kind}]" for kind in kinds)])
    tables = {name: _table(said.get(name, {}), kind, f"strategy.{name}") for name, kind in kinds.items()}
    return replace(config, strategy=replace(config.strategy, tables=tables))


def _table(said: Any, kind: type[Section], path: str) -> Section:
    return said if isinstance(said, kind) else checked(said, kind, path)
