"""Digests of what the kernel makes of seeded tapes: `python -m tests.kernel.twin` prints them as JSON.

With NUMBA_DISABLE_JIT=1 the same sources run as plain Python: a second, independent machine for one rule.
"""

import hashlib
import json

import numpy as np

from fluxhero.kernel import calculate_volatility_alpha, fit_volatility_alpha
from fluxhero.kernel.state import Array
from tests.kernel.drive import fresh, observed, thinker, walk
from tests.kernel.exact import HARD
from tests.kernel.functions import ALONE, bits, tape

MINDS: dict[str, tuple[str, dict[str, float]]] = {
    "dual_mode": ("dual_mode", {}),
    "both sides": ("dual_mode", {"shorts": 1, "adaptive": 1, "kama": 1}),
    "metronome": ("metronome", {}),
}


def digest(*parts: bytes) -> str:
    return hashlib.blake2b(b"".join(parts), digest_size=8).hexdigest()


def arrays(kind: str) -> str:
    bars = tape(kind, 1, 700)
    return digest(*(bits(x) for _, function in ALONE.values() for x in function(*bars).values()))


def readings(kind: str) -> str:
    bars = walk(2, 700)
    bars["high"], bars["low"], bars["close"] = tape(kind, 2, 700)
    read = observed(bars, adaptive=1)
    return digest(*(bits(np.asarray(read[name])) for name in read.dtype.names or ()))


def decisions(strategy: str, said: dict[str, float]) -> str:
    """Every field of every decision, and what is held."""
    rows, think, told = fresh(strategy), thinker(strategy, **said), []
    for _ in think.trade(rows, walk(3, 900, 100.0, 2e-3)[:, None]):
        decision = rows["decision"][0]
        told += [bits(np.atleast_1d(np.asarray(decision[name], float))) for name in decision.dtype.names]
        told.append(rows["trade"].tobytes())
    return digest(*told)


def smoothing() -> str:
    close = np.array(walk(4, 150)["close"])
    ratio: Array = np.exp(np.random.default_rng(4).normal(0.0, 0.4, 150))
    fitted = np.array(fit_volatility_alpha(close, ratio))
    return digest(bits(fitted), bits(calculate_volatility_alpha(ratio, ratio[::-1])))


def digests() -> dict[str, str]:
    return {
        **{f"arrays, {kind}": arrays(kind) for kind in HARD},
        **{f"readings, {kind}": readings(kind) for kind in ("walk", "crash", "halts", "split")},
        **{f"decisions, {name}": decisions(*mind) for name, mind in MINDS.items()},
        "smoothing": smoothing(),
    }


if __name__ == "__main__":
    print(json.dumps(digests()))
