"""Bounds the cache on the disk. When a version or a strategy was last used its mark tells: an empty file, touched."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from fluxhero.kernel.compile import CACHE

DIGEST = "[0-9a-f]{12}"
NEWEST = 3  # kept whatever their age
UNUSED = 7 * 86_400.0  # s, after which nobody runs it any more


def tidy(bound: str, folder: Path = CACHE) -> None:
    """Marks this kernel and this strategy as used now; removes other kernels and own strategies that nobody uses."""
    mark = folder / f"{bound}.used"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
        now = mark.stat().st_mtime  # the disk's clock, not ours
        for old in _unused(filter(_kernel, folder.parent.iterdir()), now):
            shutil.rmtree(old, ignore_errors=True)
        for old in _unused(filter(_own, folder.glob("*.used")), now):
            for file in (*folder.rglob(f"*.{old.stem}.*"), old):
                file.unlink(missing_ok=True)
    except OSError:  # a cache that cannot be tidied is still one, and one that cannot be written is none
        return


def _kernel(folder: Path) -> bool:
    return bool(re.fullmatch(DIGEST, folder.name))


def _own(mark: Path) -> bool:
    return bool(re.fullmatch(rf"\w+_{DIGEST}", mark.stem))


def _unused(places: Iterable[Path], now: float) -> Iterator[Path]:
    last = {place: _last(place) for place in places}
    for place in sorted(last, key=lambda p: last[p], reverse=True)[NEWEST:]:
        if now - last[place] > UNUSED:
            yield place


def _last(place: Path) -> float:
    return max((mark.stat().st_mtime for mark in place.glob("*.used")), default=place.stat().st_mtime)
