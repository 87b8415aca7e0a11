"""Three words for everything compiled, and the cache that cannot lie.

Numba checks only the file of the cached function itself, so an edited `step` in another file would be served
stale: the cache lives in a folder named by the digest of all kernel sources.
"""

import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

_STRICT: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False, "boundscheck": False}


def digest(folder: Path = Path(__file__).parent) -> str:
    """Of all kernel and strategy sources, 12 hex digits."""
    sources = sorted(folder.rglob("*.py"))
    parts = (part for p in sources for part in (p.relative_to(folder).as_posix().encode(), p.read_bytes()))
    return hashlib.blake2b(b"\0".join(parts), digest_size=6).hexdigest()


ENTRIES: list[Any] = []  # all that Python can call
DIGEST = digest()
_config: Any = numba.config
_config.CACHE_DIR = str(Path(_config.CACHE_DIR or Path.home() / ".cache" / "fluxhero") / DIGEST)


def step(f: F) -> F:
    """A small rule; LLVM inlines it, so it costs nothing and need not be cached."""
    return numba.njit(forceinline=True, **_STRICT)(f)  # type: ignore[no-any-return]


def rare(f: F) -> F:
    """What seldom happens, kept out of the hot loop's line."""
    return numba.njit(**_STRICT)(f)  # type: ignore[no-any-return]


def entry(f: F) -> F:
    """What Python calls; cached across processes."""
    ENTRIES.append(numba.njit(cache=True, **_STRICT)(f))
    return ENTRIES[-1]  # type: ignore[no-any-return]


def bind(f: F, name: str, compiler: Callable[[F], F], **functions: Callable[..., Any]) -> F:
    """`f` for one strategy, its functions put in as globals: closures and function arguments never hit the cache."""
    own = types.FunctionType(f.__code__, {**f.__globals__, **functions}, f.__name__)
    own.__qualname__, own.__module__, own.__doc__ = f"{name}.{f.__name__}", f.__module__, f.__doc__
    return compiler(own)  # type: ignore[arg-type]
