"""What a module must be to be a strategy: each thing that can be wrong is said in one line, with what to do."""

from __future__ import annotations

import inspect as python
from types import ModuleType
from typing import Any

import msgspec
import numba
import numpy as np
from msgspec import inspect
from numba.core.dispatcher import Dispatcher

from fluxhero.kernel.compile import STRICT
from fluxhero.kernel.state import READING, floats, ints, record
from fluxhero.section import ConfigError, Section, checked

DType = np.dtype[Any]

RULES = {
    "decide": ("row", "bar", "p", "stop_atr"),
    "remember": ("row", "bar", "p"),
    "weigh": ("row", "bar", "p"),
}
FORBIDDEN = frozenset(dir(np.void))  # a field of such a name cannot be read where there is no compiler
KEY = 'Annotated[int, Meta(ge=1, le=60), key("bars", "what it means")] = 20'
TYPES = (inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.LiteralType)


def functions(module: ModuleType) -> dict[str, Any]:
    """Its `decide` and, if it has them, the others. Raises ConfigError, as all here."""
    if not hasattr(module, "decide"):
        raise ConfigError(f"it has no decide; write @step def decide({', '.join(RULES['decide'])}): ...")
    found = {name: getattr(module, name) for name in RULES if hasattr(module, name)}
    for name, f in found.items():
        _check(name, f, RULES[name])
    return found


def _check(name: str, f: Any, takes: tuple[str, ...]) -> None:
    config: Any = numba.config
    if not config.DISABLE_JIT:
        if not isinstance(f, Dispatcher):
            raise ConfigError(f"{name} is not jitted; write @step or @rare from fluxhero.kernel.compile above it")
        if not STRICT.items() <= f.targetoptions.items():
            raise ConfigError(f"{name} is jitted otherwise; write @step or @rare from fluxhero.kernel.compile above it")
        f = f.py_func
    there = tuple(python.signature(f).parameters)
    if len(there) != len(takes):
        raise ConfigError(f"{name} takes ({', '.join(there)}); it must take ({', '.join(takes)})")


def own(module: ModuleType) -> DType:
    """What it keeps per symbol; numba wants at least one field."""
    kept = getattr(module, "OWN", record(*ints("unused")))
    if not (isinstance(kept, np.dtype) and kept.names and kept.isalignedstruct):
        raise ConfigError('OWN is no record; write OWN = record(*ints("count"), *floats("level"))')
    for name in kept.names:
        _readable("OWN", name)
    return kept


def parameters(module: ModuleType) -> tuple[type[Section], DType]:
    """Its keys as a section, and as the kernel has them."""
    section = getattr(module, "Params", Section)
    if not (isinstance(section, type) and issubclass(section, Section)):
        raise ConfigError("Params is no section; write class Params(Section, frozen=True, kw_only=True): ...")
    described = inspect.type_info(section)
    assert isinstance(described, inspect.StructType)
    fields = [_field(field) for field in described.fields]
    checked(msgspec.to_builtins(section()), section, "Params")
    return section, record(*(fields or ints("unused")))


def _field(field: inspect.Field) -> tuple[str, type]:
    name, kind = f"Params.{field.name}", field.type
    _readable("Params", field.name)
    if not isinstance(kind, inspect.Metadata) or not {"unit"} <= (kind.extra or {}).keys():
        raise ConfigError(f"{name} is no key; write {field.name}: {KEY}")
    if not isinstance(kind.type, TYPES) or not all(isinstance(v, str) for v in getattr(kind.type, "values", ())):
        raise ConfigError(f'{name} is of another type; make it an int, a float, a bool or a Literal["a", "b"]')
    if isinstance(kind.type, inspect.IntType | inspect.FloatType) and not _bounded(kind.type):
        raise ConfigError(f"{name} has no lower or no upper bound; write {field.name}: {KEY}")
    if field.default is msgspec.NODEFAULT:
        raise ConfigError(f"{name} has no default; write {field.name}: {KEY}")
    return (floats if isinstance(kind.type, inspect.FloatType) else ints)(field.name)[0]


def _bounded(kind: inspect.IntType | inspect.FloatType) -> bool:
    return not (kind.ge is None is kind.gt or kind.le is None is kind.lt)


def _readable(where: str, name: str) -> None:
    if name in FORBIDDEN:
        raise ConfigError(f"{where}.{name} has a name that NumPy keeps for its records; choose another")


def sizing(module: ModuleType) -> str | int:
    said = getattr(module, "SIZING", "risk")
    if said in ("risk", "full") or (type(said) is int and said > 0):
        return said
    raise ConfigError(f'SIZING = {said!r}; it must be "risk", "full" or a number of shares')


def mature(module: ModuleType) -> int | None:
    """None: as the kernel has it."""
    said = getattr(module, "MATURE", None)
    if said is None or (type(said) is int and 0 <= said <= 1000):
        return said
    raise ConfigError(f"MATURE = {said!r}; it must be a whole number of bars, 0 to 1000")


def reads(module: ModuleType) -> frozenset[str]:
    """Of the readings, those that it looks at."""
    there = READING.names or ()
    said = getattr(module, "READS", there)
    if not isinstance(said, tuple) or not all(isinstance(name, str) and name in there for name in said):
        raise ConfigError(f'READS = {said!r}; it must name readings, such as ("atr", "kama"): {", ".join(there)}')
    return frozenset(said)
