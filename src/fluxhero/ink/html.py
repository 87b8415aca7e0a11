"""The parts that a page is made of. What others wrote comes in escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TypeVar

Row = TypeVar("Row")
Column = tuple[str, Callable[[Row], str]]


def document(title: str, css: str, body: str, policy: str = "", end: str = "") -> str:
    """Nothing is loaded from anywhere. `policy`: what may be done beside styling; `end`: scripts."""
    allowed = f"default-src 'none'; style-src 'unsafe-inline'{policy}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">'
        f"<title>{escape(title)}</title>\n<style>\n{css}\n</style></head>\n"
        f"<body><main>\n{body}\n</main>{end}</body></html>\n"
    )


def card(title: str, note: str, body: str, place: str = "") -> str:
    said = f'<p class="note">{note}</p>' if note else ""
    return f'<section class="card {place}"><h2>{title}</h2>{said}{body}</section>'


def two(above: str, below: str) -> str:
    return f"{above}<small>{below}</small>"


def figures(found: Iterable[tuple[str, str, str]]) -> str:
    """What it is, its value, and more about it."""
    made = "".join(f'<div class="figure"><dt>{t}</dt><dd>{x}</dd><dd>{more}</dd></div>' for t, x, more in found)
    return f'<dl class="figures">{made}</dl>'


def table(
    columns: Sequence[Column[Row]], rows: Iterable[Row], words: int, marked: Callable[[Row], str] = lambda _: ""
) -> str:  # fmt: skip
    """The first `words` columns are read, the others are numbers; `marked`: attributes of a row."""
    kinds = ["" if i < words else ' class="num"' for i in range(len(columns))]
    heads = "".join(f"<th{kind}>{name}</th>" for kind, (name, _) in zip(kinds, columns, strict=True))
    lines = (
        f"<tr{marked(row)}>"
        + "".join(f"<td{kind}>{made(row)}</td>" for kind, (_, made) in zip(kinds, columns, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
