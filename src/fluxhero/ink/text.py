"""Numbers and times as the pages write them."""

from __future__ import annotations

NONE = "\N{EN DASH}"


def minus(text: str) -> str:
    """With a real minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def usd(x: float | None, sign: str = "") -> str:
    return NONE if x is None else minus(f"{x:{sign},.2f}")


def percent(x: float | None, sign: str = "", digits: int = 2) -> str:
    """Of a fraction."""
    return NONE if x is None else minus(f"{100 * x:{sign},.{digits}f}\N{NO-BREAK SPACE}%")


def number(x: float | None, digits: int = 2, sign: str = "") -> str:
    return NONE if x is None else minus(f"{x:{sign},.{digits}f}")
