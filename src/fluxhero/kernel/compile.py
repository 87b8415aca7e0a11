"""Three words for everything compiled, and the cache that cannot lie.

Numba checks only the file of the cached function itself, so an edited `step` in another file would be served
stale: the cache lives in a folder named by the digest of all kernel sources, and nowhere else. What is bound to code
from elsewhere has a digest of that in its name (plug.Strategy.bound).
"""

import fcntl
import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import caching
from numba.core.registry import CPUDispatcher

F = TypeVar("F", bound=Callable[..., Any])

# Nothing allocates, so that no reference is counted: each count of an array is a locked instruction.
STRICT: dict[str, Any] = {"nogil": True, "_nrt": False, "error_model": "numpy", "fastmath": False, "boundscheck": False}
LEAN: dict[str, Any] = {**STRICT, "no_cfunc_wrapper": True}  # nobody calls by a C pointer,
WITHIN: dict[str, Any] = {**LEAN, "no_cpython_wrapper": True}  # and what lies within only compiled code calls


def digest(folder: Path = Path(__file__).parent) -> str:
    """Of all kernel and strategy sources, 12 hex digits."""
    sources = sorted(folder.rglob("*.py"))
    parts = (part for p in sources for part in (p.relative_to(folder).as_posix().encode(), p.read_bytes()))
    return hashlib.blake2b(b"\0".join(parts), digest_size=6).hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch()
    except OSError:
        return False
    return True


ENTRIES: list[Any] = []  # all that Python can call
DIGEST = digest()
_config: Any = numba.config
CACHE = Path(_config.CACHE_DIR or Path.home() / ".cache" / "fluxhero") / DIGEST
CACHED = _writable(CACHE)  # else every process compiles anew
_config.CACHE_DIR = str(CACHE)
_config.CACHE_LOCATOR_CLASSES = "UserProvidedCacheLocator"  # never beside the sources, where no digest is


def _alone(save: Callable[..., None]) -> Callable[..., None]:
    """Numba numbers a function's versions by what it has read: two processes at once could give one number to two."""

    def alone(self: Any, key: Any, data: Any) -> None:
        with (CACHE / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    return alone


caching.IndexDataCacheFile.save = _alone(caching.IndexDataCacheFile.save)  # type: ignore[method-assign]


class Inner(CPUDispatcher):
    """What has no way in from Python, which would take a third of its compilation."""

    def __call__(self, *args: Any) -> Any:
        """From Python it is Python."""
        return self.py_func(*args)


def _inner(f: F, **options: Any) -> F:
    made: Any = numba.njit(**WITHIN, **options)(f)
    if not _config.DISABLE_JIT:
        made.__class__ = Inner
    return made  # type: ignore[no-any-return]


def step(f: F) -> F:
    """A small rule; LLVM inlines it, so it costs nothing and need not be cached."""
    return _inner(f, forceinline=True)


def rare(f: F) -> F:
    """What seldom happens, kept out of the hot loop's line."""
    return _inner(f)


def entry(f: F) -> F:
    """What Python calls; cached across processes."""
    ENTRIES.append(numba.njit(cache=CACHED, **LEAN)(f))
    return ENTRIES[-1]  # type: ignore[no-any-return]


def plain(f: Any) -> Any:
    """As it is written."""
    return getattr(f, "py_func", f)


def bind(f: F, name: str, compiler: Callable[[F], F], **functions: Any) -> F:
    """`f` for one strategy, its functions put in as globals: closures and function arguments never hit the cache."""
    own = types.FunctionType(f.__code__, {**f.__globals__, **functions}, f.__name__)
    own.__qualname__, own.__module__, own.__doc__ = f"{name}.{f.__name__}", f.__module__, f.__doc__
    return compiler(own)  # type: ignore[arg-type]
