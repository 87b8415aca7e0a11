"""`observe` for a strategy that does not look at every reading: what it never reads is bound to nothing, and is NaN."""

from collections.abc import Callable, Set
from typing import Any

from fluxhero.kernel import observe, rows
from fluxhero.kernel.compile import bind, plain, rare, step

GROUPS = {  # flags of kernel.observe
    "MEAN": {"ema"}, "STRENGTH": {"rsi"}, "TREND": {"adx"}, "TRACK": {"kama", "er"}, "SLOPE": {"slope", "r2"},
}  # fmt: skip
PARTS: tuple[tuple[Any, str, Callable[..., Any]], ...] = (  # each after those that it calls
    (observe, "fade", step), (observe, "slid", step), (observe, "worn", step), (observe, "mended", rare),
    (observe, "told", step), (observe, "young", rare), (rows, "seeding", rare), (rows, "grown", step),
    (rows, "observe", step),
)  # fmt: skip


def flags(reads: Set[str]) -> dict[str, bool]:
    return {flag: bool(reads & names) for flag, names in GROUPS.items()}


def observing(name: str, reads: Set[str]) -> Callable[..., None]:
    """`rows.observe`; name: of the strategy, in the cache."""
    made: dict[str, Any] = dict(flags(reads))
    if all(made.values()):
        return rows.observe
    for module, part, compiler in PARTS:
        made[part] = bind(plain(getattr(module, part)), name, compiler, **made)
    return made["observe"]  # type: ignore[no-any-return]
