"""What a strategy must be, where it is found, and the two that ship to be read and to be compared with."""

from collections.abc import Callable, Iterator
from functools import reduce
from importlib.metadata import EntryPoint, EntryPoints
from operator import add
from pathlib import Path
from typing import Any

import pytest

from fluxhero.config import Config, Strategy
from fluxhero.kernel import plug
from fluxhero.kernel.codes import CROSS, ENTER, EXIT, HELD, LONG
from fluxhero.kernel.compile import DIGEST
from fluxhero.kernel.plug import find, settled
from fluxhero.kernel.state import READING, RULES, floats, ints, record
from fluxhero.kernel.strategies import GROUP, SHIPPED, dual_mode, sma_cross
from fluxhero.kernel.warm import warm
from fluxhero.messages import Model, Nanos
from fluxhero.outset import outset
from fluxhero.section import ConfigError, Section
from tests.kernel.drive import fresh, thinker, walk

HEAD = """
from typing import Annotated, Literal
import numpy as np
from msgspec import Meta
from numba import njit
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.state import floats, ints, record
from fluxhero.section import Count, Section, Share, key
"""
DECIDE = """
@step
def decide(row, bar, p, stop_atr):
    pass
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "mine.py", head: str = HEAD) -> Path:
        (tmp_path / name).write_text(head + text)
        return tmp_path / name

    return write


@pytest.mark.nojit
def test_those_that_ship_are_found_by_name() -> None:
    found = [find(name) for name in SHIPPED]
    assert [s.name for s in found] == list(SHIPPED)
    assert [(s.sizing, s.mature, s.digest, s.bound, s.code) for s in found] == [
        ("risk", None, "", "dual_mode", DIGEST),
        ("risk", None, "", "metronome", DIGEST),
        ("risk", None, "", "sma_cross", DIGEST),
        ("full", 1, "", "buy_and_hold", DIGEST),
    ]
    assert find("dual_mode") is find("dual_mode")
    assert (find("dual_mode").module, find("dual_mode").Params) == (dual_mode, dual_mode.Params)
    assert find("dual_mode").params["rules"] is RULES


FULL = """
class Params(Section, frozen=True, kw_only=True):
    often: Annotated[Count, key("bars", "between two", under="most")] = 5
    most: Annotated[int, Meta(gt=0, lt=99), key("bars", "at all")] = 50
    part: Annotated[Share, key("share", "of it")] = 0.5
    loud: Annotated[bool, key("flag", "so")] = False
    way: Annotated[Literal["up", "down"], key("way", "to go")] = "up"

OWN = record(*ints("seen"), *floats("level"))
SIZING = 100
MATURE = 3

@rare
def remember(row, bar, p):
    row.own.seen += 1

@step
def weigh(row, bar, p):
    pass
"""


@pytest.mark.nojit
def test_a_file_may_say_all_that_a_strategy_can_say(write: Write) -> None:
    path = write(FULL + DECIDE)
    mine = find("mine.py", path.parent)
    assert (mine.name, mine.sizing, mine.mature, mine.own) == ("mine", 100, 3, record(*ints("seen"), *floats("level")))
    assert mine.params["own"] == record(*ints("often most"), *floats("part"), *ints("loud way"))
    assert (mine.bound, mine.code) == (f"mine_{mine.digest}", f"{DIGEST}.{mine.digest}")
    assert len(mine.digest) == 12


@pytest.mark.nojit
def test_a_file_that_only_decides_is_enough(write: Write) -> None:
    mine = find(str(write("from fluxhero.kernel.compile import step" + DECIDE, head="")))
    assert (mine.name, mine.sizing, mine.mature, mine.Params) == ("mine", "risk", None, Section)
    assert (mine.own, mine.params["own"]) == (record(*ints("unused")), record(*ints("unused")))


PARAMS = "class Params(Section, frozen=True, kw_only=True):\n    "
KEY = 'Annotated[int, Meta(ge=1, le=60), key("bars", "what it means")] = 20'
NAMED = f'it must name readings, such as ("atr", "kama"): {", ".join(READING.names or ())}'
ABOVE = "write @step or @rare from fluxhero.kernel.compile above it"

WRONG = {
    "no decide": ("x = 1", "it has no decide; write @step def decide(row, bar, p, stop_atr): ..."),
    "a plain decide": ("def decide(row, bar, p, stop_atr): ...", f"decide is not jitted; {ABOVE}"),
    "a decide of another compiler": (
        "@njit(fastmath=True)\ndef decide(row, bar, p, stop_atr): ...", f"decide is jitted otherwise; {ABOVE}",
    ),
    "a decide that takes less": (
        "@step\ndef decide(row, bar): ...", "decide takes (row, bar); it must take (row, bar, p, stop_atr)",
    ),
    "a remember that takes more": (
        f"{DECIDE}\n@step\ndef remember(row, bar, p, stop_atr): ...",
        "remember takes (row, bar, p, stop_atr); it must take (row, bar, p)",
    ),
    "a weigh that is a number": (f"{DECIDE}\nweigh = 5", f"weigh is not jitted; {ABOVE}"),
    "parameters that are no section": (
        f"{DECIDE}\nclass Params: ...",
        "Params is no section; write class Params(Section, frozen=True, kw_only=True): ...",
    ),
    "a parameter that is no key": (
        f"{DECIDE}\n{PARAMS}fast: int = 3", f"Params.fast is no key; write fast: {KEY}",
    ),
    "a parameter without a range": (
        f'{DECIDE}\n{PARAMS}fast: Annotated[int, Meta(ge=1), key("bars", "so")] = 3',
        f"Params.fast has no lower or no upper bound; write fast: {KEY}",
    ),
    "a parameter without a default": (
        f'{DECIDE}\n{PARAMS}fast: Annotated[Count, key("bars", "so")]',
        f"Params.fast has no default; write fast: {KEY}",
    ),
    "a parameter of text": (
        f'{DECIDE}\n{PARAMS}fast: Annotated[str, key("bars", "so")] = ""',
        'Params.fast is of another type; make it an int, a float, a bool or a Literal["a", "b"]',
    ),
    "a parameter of chosen numbers": (
        f'{DECIDE}\n{PARAMS}fast: Annotated[Literal[1, 2], key("bars", "so")] = 1',
        'Params.fast is of another type; make it an int, a float, a bool or a Literal["a", "b"]',
    ),
    "a parameter with a name of NumPy's": (
        f'{DECIDE}\n{PARAMS}view: Annotated[Count, key("bars", "so")] = 3',
        "Params.view has a name that NumPy keeps for its records; choose another",
    ),
    "a default out of its range": (
        f'{DECIDE}\n{PARAMS}fast: Annotated[Count, key("bars", "so")] = 0',
        "Params.fast = 0: must be a whole number, 1 to 1_000 (bars)",
    ),
    "something else to keep": (
        f"{DECIDE}\nOWN = {{}}", 'OWN is no record; write OWN = record(*ints("count"), *floats("level"))',
    ),
    "to keep what is not aligned": (
        f'{DECIDE}\nOWN = np.dtype([("a", "i1"), ("b", "f8")])',
        'OWN is no record; write OWN = record(*ints("count"), *floats("level"))',
    ),
    "to keep a name of NumPy's": (
        f'{DECIDE}\nOWN = record(*ints("sum"))',
        "OWN.sum has a name that NumPy keeps for its records; choose another",
    ),
    "an unknown sizing": (
        f'{DECIDE}\nSIZING = "half"', "SIZING = 'half'; it must be \"risk\", \"full\" or a number of shares",
    ),
    "no shares": (f"{DECIDE}\nSIZING = 0", 'SIZING = 0; it must be "risk", "full" or a number of shares'),
    "never mature": (f"{DECIDE}\nMATURE = 1e9", "MATURE = 1000000000.0; it must be a whole number of bars, 0 to 1000"),
    "a reading that is none": (f'{DECIDE}\nREADS = ("atr", "macd")', f"READS = ('atr', 'macd'); {NAMED}"),
    "a reading alone": (f'{DECIDE}\nREADS = "atr"', f"READS = 'atr'; {NAMED}"),
    "no Python": ("def decide(", "it cannot be imported: SyntaxError: '(' was never closed (line 10)"),
    "what is not there": (
        "import nowhere", "it cannot be imported: ModuleNotFoundError: No module named 'nowhere' (line 10)",
    ),
    "a mistake": ("\n1 / 0", "it cannot be imported: ZeroDivisionError: division by zero (line 11)"),
    "an end": ("raise SystemExit(0)", "it cannot be imported: SystemExit: 0 (line 10)"),
}  # fmt: skip


TOLD = ("a plain decide", "a decide of another compiler", "a weigh that is a number")  # by what the compiler made


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in TOLD else pytest.mark.nojit) for n in WRONG])
def test_what_is_no_strategy_is_refused_in_one_line_that_says_what_to_do(name: str, write: Write) -> None:
    text, says = WRONG[name]
    path = write(f"\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        find(str(path))
    assert str(refused.value) == f"{path}: {says}"


NAMES = {
    "dual_mode.py": "a strategy that ships is called dual_mode; rename the file",
    "two-words.py": "its name is none for a module; rename it, such as mine.py",
    "name.py": "its name is none for a module; rename it, such as mine.py",
    "not_there.py": "it cannot be read: No such file or directory",
    "folder.py": "it cannot be read: Is a directory",
}


@pytest.mark.nojit
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_name_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ConfigError) as refused:
        find(name, tmp_path)
    assert str(refused.value) == f"strategy.name = '{tmp_path / name}': {NAMES[name]}"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Entry points as packages would bring them; those of this machine are not looked at."""

    def installed(**points: str) -> None:
        there = EntryPoints(EntryPoint(name.strip("_"), value, GROUP) for name, value in points.items())
        monkeypatch.setattr(plug, "entry_points", lambda group: there.select(group=group))
        find.cache_clear()

    yield installed
    find.cache_clear()


@pytest.mark.nojit
def test_an_entry_point_is_found_by_its_name_and_bears_a_digest(installed: Callable[..., None]) -> None:
    installed(mine="fluxhero.kernel.strategies.sma_cross")
    mine = find("mine")
    assert (mine.name, mine.module, mine.bound) == ("mine", sma_cross, f"mine_{mine.digest}")
    assert len(mine.digest) == 12


def test_an_entry_point_that_is_none_is_refused(installed: Callable[..., None]) -> None:
    installed(mine="nowhere.at.all", other="fluxhero.kernel.strategies.sma_cross:mean", dull="fluxhero.config")
    for name, says in {
        "mine": "nowhere.at.all: it cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        "other": "fluxhero.kernel.strategies.sma_cross:mean: it names a Inner; let it name the module",
        "dull": "fluxhero.config: it has no decide; write @step def decide(row, bar, p, stop_atr): ...",
    }.items():
        with pytest.raises(ConfigError) as refused:
            find(name)
        assert str(refused.value) == f"entry point {name} = {says}"
    with pytest.raises(
        ConfigError, match=r"^strategy.name = 'moon': there are .*, buy_and_hold, dull, mine, other, or"
    ):
        find("moon")


@pytest.mark.nojit
def test_a_name_that_two_bear_is_refused(installed: Callable[..., None]) -> None:
    installed(mine="one.thing", mine_="another", metronome="theirs")
    with pytest.raises(
        ConfigError, match=r"more than one has that name: one.thing, another; rename or uninstall one\Z"
    ):
        find("mine")
    with pytest.raises(ConfigError, match=r"more than one has that name: theirs, one that ships; rename or uninstall"):
        find("metronome")


@pytest.mark.nojit
def test_the_daemon_runs_none_that_sizes_otherwise(tmp_path: Path) -> None:
    config = Config(strategy=Strategy(name="buy_and_hold"))
    with pytest.raises(ConfigError) as refused:
        outset(config, tmp_path, ("IBM",), Model.BAR, Nanos(0), {})
    assert str(refused.value) == (
        "strategy.name = 'buy_and_hold': it sizes by 'full', without stops and caps; only the lab runs it, the daemon"
        ' needs SIZING = "risk"'
    )


@pytest.mark.nojit
def test_tables_that_are_settled_stay_so_and_sections_may_stand_for_them() -> None:
    config = settled(Config(strategy=Strategy(tables={"sma_cross": sma_cross.Params(fast=3)})))
    assert config.strategy.tables == {
        "dual_mode": dual_mode.Params(), "metronome": find("metronome").Params(), "sma_cross": sma_cross.Params(fast=3),
        "buy_and_hold": Section(),
    }  # fmt: skip
    assert settled(config) == config


DOES_NOT_COMPILE = {
    "an unknown field": ("row.own.unused = row.reading.moon", "a record has no field 'moon'"),
    "an unknown name": ("moon(row)", "NameError: name 'moon' is not defined"),
}


@pytest.mark.parametrize("name", DOES_NOT_COMPILE)
def test_what_does_not_compile_is_refused_in_one_line(name: str, write: Write) -> None:
    line, says = DOES_NOT_COMPILE[name]
    path = write(DECIDE.replace("pass", line))
    with pytest.raises(ConfigError) as refused:
        warm(find(str(path)))
    assert str(refused.value) == f"{path}: it does not compile: {says}"


# -- sma_cross


NO_GATES = {"gap_limit": 1.0, "last_minutes": -1, "volume_floor": 0.0, "volume_breakout": 0.0}


def crossings(close: Any, fast: int, slow: int) -> list[tuple[int, int]]:
    """(count of bars, action) by the means of whole windows, orders filled at once."""
    held, made = False, []
    above = [mean(close[:t], fast) > mean(close[:t], slow) for t in range(len(close) + 1)]
    for t in range(64, len(close) + 1):
        if above[t] != held and (held or not above[t - 1]):
            held = not held
            made.append((t, ENTER if held else EXIT))
    return made


def mean(close: Any, n: int) -> float:
    return reduce(add, close[-n:].tolist(), 0.0) / n


@pytest.mark.nojit
@pytest.mark.parametrize(("fast", "slow"), [(20, 50), (3, 7), (1, 60), (59, 60)])
def test_sma_cross_enters_where_the_means_cross_and_leaves_where_they_cross_back(fast: int, slow: int) -> None:
    made = []
    for seed in range(3):
        think = thinker("sma_cross", fast=fast, slow=slow, **NO_GATES)
        bars, rows = walk(seed, 380), fresh("sma_cross")
        actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, bars[:, None])]
        taken = [(n, action) for n, action in enumerate(actions, 1) if action in (ENTER, EXIT)]
        assert taken == crossings(bars["close"], fast, slow)
        made += taken
    assert len(made) > 6


@pytest.mark.nojit
def test_its_stop_is_a_few_atr_under_the_close() -> None:
    bars, rows, think = walk(1, 380), fresh("sma_cross"), thinker("sma_cross", fast=3, slow=7, **NO_GATES)
    trading = think.trade(rows, bars[:, None])
    n = next(n for n, _ in enumerate(trading) if rows["decision"]["action"][0] == ENTER)
    d, atr = rows["decision"], float(rows["reading"]["atr"][0])
    assert (int(d["mode"][0]), int(d["side"][0]), float(d["risk"][0])) == (CROSS, LONG, 0.01)
    assert int(d["stop"][0]) == int((float(bars["close"][n]) - 2.5 * atr) * 100) * 10_000


@pytest.mark.nojit
def test_sma_cross_can_be_read_in_a_minute() -> None:
    assert len(Path(str(sma_cross.__file__)).read_text().splitlines()) < 60


# -- buy_and_hold


@pytest.mark.nojit
def test_buy_and_hold_buys_at_the_first_bar_and_then_holds() -> None:
    for seed in range(3):
        rows, think = fresh("buy_and_hold"), thinker("buy_and_hold")
        actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, walk(seed, 380)[:, None])]
        assert [(n, action) for n, action in enumerate(actions, 1) if action == ENTER] == [(1, ENTER)]
        assert EXIT not in actions
        assert (int(rows["trade"]["mode"][0]), int(rows["trade"]["stop"][0])) == (HELD, 0)
