"""Writes the tables of the README that are made from the code: python tests/dev/make_readme.py"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from fluxhero import cli, metrics
from fluxhero.core import ladder, states
from fluxhero.feeds import reasons
from fluxhero.kernel.strategies import sma_cross
from fluxhero.operate import configure

README = Path(__file__).parents[2] / "README.md"


def commands() -> str:
    """Those of `fluxhero ctl`."""
    (subparsers,) = (a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction))
    (of_ctl,) = (a for a in subparsers.choices["ctl"]._actions if isinstance(a, argparse._SubParsersAction))
    rows = []
    for choice in of_ctl._choices_actions:
        usage = of_ctl.choices[choice.dest].format_usage().split(" COMMAND ... ")[-1]
        words = re.sub(r"\[-h\] |\[-h\]", "", " ".join(usage.split()))
        words = words[words.index(choice.dest) :].strip().replace("|", "\\|")
        words = words.replace("[[N] [SYM] ...]", "[N] [SYM]")  # argparse cannot say it
        rows.append(f"| `{words}` | {choice.help} |")
    return "\n".join(["| command | |", "|---|---|", *rows])


LAB = "backtest", "walk", "sweep", "report", "parity", "replay"


def lab() -> str:
    """The options of its commands: each once, with the commands that take it."""
    (subparsers,) = (a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction))
    taken: dict[tuple[str, str], list[str]] = {}
    for name in LAB:
        for action in subparsers.choices[name]._actions[1:]:
            taken.setdefault((_option(action), action.help or ""), []).append(name)
    rows = (f"| `{option}` | {', '.join(names)} | {about} |" for (option, about), names in taken.items())
    return "\n".join(["| option | of | |", "|---|---|---|", *rows])


def _option(action: argparse.Action) -> str:
    value = action.metavar or "|".join(map(str, action.choices or ()))
    return " ".join([*action.option_strings, str(value)]).strip().replace("|", "\\|")


def strategy() -> str:
    """The one that is walked through, whole."""
    return f"```python\n{Path(str(sma_cross.__file__)).read_text()}```"


def life() -> str:
    """Of an order."""
    return f"```mermaid\n{states.diagram()}\n```"


TABLES: dict[str, Callable[[], str]] = {
    "lab": lab,
    "commands": commands,
    "sma_cross": strategy,
    "odd": reasons.table,
    "config": configure.table,
    "metrics": metrics.table,
    "life": life,
    "ladder": ladder.table,
}


def rendered(text: str) -> str:
    """The README with its tables made anew, each between the comments that name it."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"the README has no table {name}"
        text = f"{before}{begin}{table().rstrip()}\n{end}{after}"
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
