"""What arrays and numbers must be before a compiled loop sees them; it says which is not, and what would be."""

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fluxhero.kernel.state import Array

REAL = "iuf"  # kinds of dtypes that a float64 can hold


def series(least: int, **said: ArrayLike) -> list[Array]:
    """C-contiguous float64 arrays of equal length, at least `least`, finite; copies where they are not. ValueError."""
    return all_finite(**shaped(least, **said))


def gapped(least: int, **said: ArrayLike) -> list[Array]:
    """The same; they may be NaN, as an indicator is until it has a value."""
    made = shaped(least, **said)
    for name, x in made.items():
        _refuse(name, x, ~np.isinf(x), "finite or NaN")
    return list(made.values())


def all_finite(**made: Array) -> list[Array]:
    for name, x in made.items():
        _refuse(name, x, np.isfinite(x), "finite")
    return list(made.values())


def shaped(least: int, **said: ArrayLike) -> dict[str, Array]:
    """The same, whatever their values."""
    made = {name: _floats(name, x) for name, x in said.items()}
    name, first = next(iter(made.items()))
    if first.size < least:
        raise ValueError(f"{name} has {first.size} values; it must have at least {least}, for the first that is known")
    for other, x in made.items():
        if x.size != first.size:
            raise ValueError(f"{other} has {x.size} values and {name} {first.size}; they must have equally many")
    return made


def leading(name: str, x: Array) -> int:
    """How many NaN stand before its first value; there is none after it."""
    known = ~np.isnan(x)
    first = int(known.argmax()) if known.any() else x.size
    _refuse(name, x, known | (np.arange(x.size) < first), "NaN before the first value alone")
    return first


def _floats(name: str, said: ArrayLike) -> Array:
    x = np.asarray(said)
    if x.dtype.kind not in REAL:
        raise ValueError(f"{name} has the dtype {x.dtype}; it must be of real numbers, such as float64")
    if x.ndim != 1:
        raise ValueError(f"{name} has the shape {x.shape}; it must have one dimension")
    return x if x.dtype == np.float64 and x.flags.carray else np.require(x, np.float64, ["C", "A", "W"])


def _refuse(name: str, x: Array, well: Array, bound: str) -> None:
    if not well.all():
        t = int(well.argmin())
        raise ValueError(f"{name}[{t}] is {x[t]}; it must be {bound}: drop such bars, or fill them")


def whole(name: str, said: int, least: int = 2) -> int:
    """A whole number. ValueError."""
    try:
        n = -1 if isinstance(said, bool) else operator.index(said)
    except TypeError:
        n = least - 1
    if n < least:
        raise ValueError(f"{name} is {said!r}; it must be a whole number, at least {least}")
    return n


def number(name: str, said: float, least: float = 0.0) -> float:
    """A finite number over `least`. ValueError."""
    try:
        x = float(said)
    except (TypeError, ValueError):
        x = math.nan
    if not least < x < math.inf:
        raise ValueError(f"{name} is {said!r}; it must be a finite number over {least:g}")
    return x


def place(name: str, said: Any, n: int, dtype: "np.dtype[Any]") -> Array:
    """An array to write n records to. ValueError."""
    if not isinstance(said, np.ndarray):
        raise ValueError(f"{name} is a {type(said).__name__}; it must be an array")
    if said.dtype != dtype:
        raise ValueError(f"{name} has the dtype {said.dtype}; it must be {dtype}")
    if said.shape != (n,):
        raise ValueError(f"{name} has the shape {said.shape}; it must be ({n},), one for each bar")
    if not said.flags.carray:
        raise ValueError(f"{name} is read-only or not contiguous; give it memory of its own")
    return said
