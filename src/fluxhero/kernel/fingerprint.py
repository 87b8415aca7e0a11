"""A digest of all that compiled functions are made of, for those that the kernel's own digest does not cover."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

KERNEL = Path(__file__).parent
FOREIGN = sys.stdlib_module_names | {"numpy", "numba", "llvmlite"}  # Numba knows these by name alone

Parts = Iterator[bytes]


def fingerprint(values: Iterable[Any]) -> str:
    """12 hex digits of functions and constants: bytecode, options, all that globals reach, and where it is written."""
    made = hashlib.blake2b(digest_size=6)
    for part in _parts(tuple(values), frozenset(), set()):
        made.update(len(part).to_bytes(8, "little") + part)
    return made.hexdigest()


def _parts(value: Any, names: frozenset[str], seen: set[int]) -> Parts:
    """`names`: those that the function at hand looks up, in its globals and then in modules."""
    yield type(value).__qualname__.encode()
    match value:
        case Dispatcher():
            yield repr(sorted(value.targetoptions.items())).encode()
            yield from _parts(value.py_func, names, seen)
        case FunctionType():
            yield from _function(value, seen)
        case ModuleType():
            yield from _module(value, names, seen)
        case CodeType():
            yield from _code(value, seen)
        case np.ndarray() | np.generic():
            yield f"{value.dtype.descr} {value.shape}".encode() + value.tobytes()
        case tuple() | list():
            for item in value:
                yield from _parts(item, names, seen)
        case set() | frozenset() | dict():
            yield repr(sorted(map(repr, value.items() if isinstance(value, dict) else value))).encode()
        case int() | float() | complex() | str() | bytes() | None | np.dtype():
            yield repr(value).encode()
        case _:
            yield from _object(value, seen)


def _function(f: FunctionType, seen: set[int]) -> Parts:
    yield f"{f.__module__}.{f.__qualname__}".encode()
    source = Path(f.__code__.co_filename)
    if id(f) in seen or f.__module__.split(".")[0] in FOREIGN or KERNEL in source.parents:
        return
    seen.add(id(f))
    yield from _source(sys.modules.get(f.__module__))
    yield from _code(f.__code__, seen)
    names = frozenset(_names(f.__code__))
    for name in sorted(names & f.__globals__.keys()):
        yield name.encode()
        yield from _parts(f.__globals__[name], names, seen)
    for value in (*(f.__defaults__ or ()), *(cell.cell_contents for cell in f.__closure__ or ())):
        yield from _parts(value, names, seen)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _names(const)


def _code(code: CodeType, seen: set[int]) -> Parts:
    yield code.co_code
    yield repr((code.co_varnames, code.co_names, code.co_freevars)).encode()
    for const in code.co_consts:
        yield from _parts(const, frozenset(), seen)


def _module(module: ModuleType, names: frozenset[str], seen: set[int]) -> Parts:
    """What may be meant of it: everything there that has one of the names."""
    yield module.__name__.encode()
    if module.__name__.split(".")[0] in FOREIGN:
        return
    for name in sorted(names & vars(module).keys()):
        yield name.encode()
        yield from _parts(vars(module)[name], names - {name}, seen)


def _object(value: Any, seen: set[int]) -> Parts:
    """A class, or an object of one: by name, and by the source of its module."""
    kind = value if isinstance(value, type) else type(value)
    yield f"{kind.__module__}.{kind.__qualname__}".encode()
    if isinstance(value, Enum):
        yield repr((value.name, value.value)).encode()
    if kind.__module__.split(".")[0] not in FOREIGN:
        yield from _source(sys.modules.get(kind.__module__))


def _source(module: ModuleType | None) -> Parts:
    """Beside the bytecode for what Numba compiles without its being reached, such as an @overload."""
    file = Path(getattr(module, "__file__", None) or "")
    if file.is_file() and KERNEL not in file.parents:
        yield file.read_bytes()
