"""config.toml: every mistake is one line that names the key, the value and what may stand there."""

import json
import math
import re
import string
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.cli import main
from fluxhero.config import Config, ConfigError, Key, describe, load, parse

COMMITTED = Path(__file__).parent.parent / "config.toml"
KEYS = describe()
NUMBERS = [key for key in KEYS if isinstance(key.default, int | float)]

SECTIONS = "[risk], [gates], [costs], [paper], [strategy], [market], [metrics]"
SYMBOLS = 'must be a list, 1 to 32 like "BRK.B", none twice (symbols)'
FIRST = 'must be text, "1998-02-01" to "2029-12-01" (date)'
SLOTS = "must be a whole number, 1 to 1_000 (positions)"

WRONG = {
    "an unknown key": ("[gates]\nconfrm = 3", "gates: unknown 'confrm'; there are last_minutes, gap_limit, confirm"),
    "an unknown key below": (
        "[strategy.metronome]\nevry = 2", "strategy.metronome: unknown 'evry'; there are every, keep, risk",
    ),
    "an unknown key of a new section": ("[metrics]\nprot = 1", "metrics: unknown 'prot'; there are port"),
    "an unknown section": ("[rsik]\nday_loss = 0.03", f"top level: unknown 'rsik'; there are {SECTIONS}"),
    "an unknown strategy's section": (
        "[strategy.moon]\nx = 1",
        "strategy: unknown 'moon'; there are name, [strategy.dual_mode], [strategy.metronome]",
    ),
    "a key without a section": ("day_loss = 0.03", f"top level: unknown 'day_loss'; there are {SECTIONS}"),
    "an odd key": ('["a.b"]\n"c d" = 1', f"top level: unknown 'a.b'; there are {SECTIONS}"),
    "a key of two lines": ('"a\\n` - at `$.b" = 1', f"top level: unknown 'a\\n` - at `$.b'; there are {SECTIONS}"),
    "a long key": ("x" * 99 + " = 1", f"top level: unknown '{'x' * 76}...; there are {SECTIONS}"),
    "too much": (
        "[risk]\nday_loss = 3.0", "risk.day_loss = 3.0: must be a number, > 0, <= 1 (share of the day's base)",
    ),
    "nothing where something must be": (
        "[risk]\nslots = 1\nstop_atr = 0.0", "risk.stop_atr = 0.0: must be a number, > 0, <= 100 (ATR)",
    ),
    "less than nothing": (
        "[costs]\ncommission = -0.01", "costs.commission = -0.01: must be a number, 0 to 1 (USD per share)",
    ),
    "no number": ("[costs]\nslip = nan", "costs.slip = nan: must be a number, 0 to 1 (share of the price)"),
    "without end": ("[paper]\ncash = inf", "paper.cash = inf: must be a number, 1 to 1_000_000_000_000 (USD)"),
    "too much for a float": (
        "[paper]\ncash = 1e999", "paper.cash = inf: must be a number, 1 to 1_000_000_000_000 (USD)",
    ),
    "a count of none": ("[risk]\nslots = 0", f"risk.slots = 0: {SLOTS}"),
    "a count of too many": ("[risk]\nslots = 1001", f"risk.slots = 1001: {SLOTS}"),
    "a count beyond 64 bits": (f"[risk]\nslots = {10**30}", f"risk.slots = {10**30}: {SLOTS}"),
    "a count beyond all bounds": (f"[risk]\nslots = 0x{'f' * 5000}", f"risk.slots = a huge number: {SLOTS}"),
    "more minutes than a session has": (
        "[gates]\nlast_minutes = 391", "gates.last_minutes = 391: must be a whole number, 0 to 390 (minutes)",
    ),
    "text for a number": ('[gates]\nconfirm = "1"', "gates.confirm = '1': must be a whole number, 1 to 1_000 (bars)"),
    "a fraction for a count": ("[risk]\nslots = 2.5", f"risk.slots = 2.5: {SLOTS}"),
    "a flag for a count": ("[risk]\nslots = true", f"risk.slots = True: {SLOTS}"),
    "a date for a number": ("[risk]\nslots = 2024-01-01", f"risk.slots = 2024-01-01: {SLOTS}"),
    "a list for a number": ("[risk]\nslots = [1]", f"risk.slots = [1]: {SLOTS}"),
    "a list in lists for a number": (f"[risk]\nslots = {'[' * 200}{']' * 200}", f"risk.slots = {'[' * 77}...: {SLOTS}"),
    "a table for a number": ("[risk.slots]\nx = 1", f"risk.slots = {{'x': 1}}: {SLOTS}"),
    "a number for a table": ("risk = 5", "risk = 5: must be a section, [risk]"),
    "tables for a table": ("[[risk]]\nslots = 5", "risk = [{'slots': 5}]: must be a section, [risk]"),
    "a number for a table below": (
        "[strategy]\nmetronome = 5", "strategy.metronome = 5: must be a section, [strategy.metronome]",
    ),
    "a number for text": ("[strategy]\nname = 5", "strategy.name = 5: must be text, dual_mode or metronome (name)"),
    "an unknown strategy": (
        '[strategy]\nname = "moon"', "strategy.name = 'moon': must be text, dual_mode or metronome (name)",
    ),
    "a strategy and more": (
        '[strategy]\nname = "dual_mode\\n"',
        "strategy.name = 'dual_mode\\n': must be text, dual_mode or metronome (name)",
    ),
    "the second of two mistakes": ("[gates]\nconfirm = 3\n[risk]\nslots = 0", f"risk.slots = 0: {SLOTS}"),
    "a soft drawdown beyond the hard one": (
        "[risk]\nhard_drawdown = 0.1",
        "risk.soft_drawdown = 0.15: must be a number, > 0, <= 1, under hard_drawdown (share of the peak);"
        " risk.hard_drawdown is 0.1",
    ),
    "oversold where it is overbought": (
        "[strategy.dual_mode]\noversold = 70",
        "strategy.dual_mode.oversold = 70.0: must be a number, > 0, < 100, under overbought (RSI);"
        " strategy.dual_mode.overbought is 70.0",
    ),
    "no symbol": ("[market]\nsymbols = []", f"market.symbols = []: {SYMBOLS}"),
    "too many symbols": (
        f"[market]\nsymbols = {json.dumps(['A' + c for c in string.ascii_uppercase] + list('ABCDEFG'))}",
        f"market.symbols = {str(['A' + c for c in string.ascii_uppercase])[:77]}...: {SYMBOLS}",
    ),
    "a symbol for symbols": ('[market]\nsymbols = "IBM"', f"market.symbols = 'IBM': {SYMBOLS}"),
    "a bad symbol": ('[market]\nsymbols = ["IBM", "ibm"]', f"market.symbols has 'ibm': {SYMBOLS}"),
    "a symbol and more": ('[market]\nsymbols = ["IBM\\n"]', f"market.symbols has 'IBM\\n': {SYMBOLS}"),
    "a long symbol": ('[market]\nsymbols = ["GOOGLE"]', f"market.symbols has 'GOOGLE': {SYMBOLS}"),
    "a number for a symbol": ('[market]\nsymbols = ["IBM", 5]', f"market.symbols has 5: {SYMBOLS}"),
    "a symbol twice": ('[market]\nsymbols = ["IBM", "T", "IBM"]', f"market.symbols has 'IBM' twice: {SYMBOLS}"),
    "a day that is none": ('[market]\nfirst = "2001-02-29"', f"market.first = '2001-02-29': {FIRST}"),
    "a day too early": ('[market]\nfirst = "1998-01-31"', f"market.first = '1998-01-31': {FIRST}"),
    "a day too late": ('[market]\nfirst = "2029-12-02"', f"market.first = '2029-12-02': {FIRST}"),
    "a day in another spelling": ('[market]\nfirst = "20000103"', f"market.first = '20000103': {FIRST}"),
    "a day without quotes": ("[market]\nfirst = 2000-01-03", f"market.first = 2000-01-03: {FIRST}"),
    "a market that runs backwards": (
        "[market]\nspeed = -1.0", "market.speed = -1.0: must be a number, 0 to 1_000_000 (x host time)",
    ),
    "a seed of 33 bits": (
        f"[market]\nseed = {2**32}", "market.seed = 4294967296: must be a whole number, 0 to 4_294_967_295 (number)",
    ),
    "a port that is none": (
        "[metrics]\nport = 65536", "metrics.port = 65536: must be a whole number, 0 to 65_535 (TCP port)",
    ),
}  # fmt: skip

NO_TOML = {
    "no value": ("[risk]\nslots =\n", "Invalid value (at line 2, column 8)"),
    "no end": ('[strategy]\nname = "dual', "Unterminated string (at end of document)"),
    "a key twice": ("[risk]\nslots = 3\nslots = 4\n", "Cannot overwrite a value (at line 3, column 10)"),
    "a table twice": ("[risk]\n[risk]", "Cannot declare ('risk',) twice (at line 2, column 6)"),
    "another language": ('{"risk": {"slots": 3}}', "Invalid statement (at line 1, column 1)"),
    "a number of 5,000 digits": (f"[risk]\nslots = {'9' * 5000}", "Exceeds the limit"),
    "lists beyond all depth": (f"[risk]\nslots = {'[' * 5000}", "recursion"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_line_and_exit_78(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    text, says = WRONG[name]
    path.write_text(text, encoding="utf-8")
    assert replay(tmp_path, path) == 78
    assert capsys.readouterr() == ("", f"fluxhero: {path}: {says}\n")


@pytest.mark.parametrize("name", NO_TOML)
def test_what_is_no_toml_is_one_line_and_exit_78(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    text, says = NO_TOML[name]
    path.write_text(text, encoding="utf-8")
    assert replay(tmp_path, path) == 78
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert (out, line.startswith(f"fluxhero: {path} is no TOML: "), says in line) == ("", True, True)


FILES: dict[str, bytes] = {
    "latin-1": b'[strategy]\nname = "dual\xe9"\n',
    "UTF-16": '[strategy]\nname = "metronome"\n'.encode("utf-16"),
    "noise": bytes(range(256)),
    "NULs": bytes(100),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_other_bytes_is_one_line_and_exit_78(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(FILES[name])
    assert replay(tmp_path, path) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fluxhero: {path}")


@pytest.mark.parametrize("kind", ["missing", "folder", "below a file"])
def test_a_file_that_cannot_be_read_is_one_line_and_exit_78(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    path = {"missing": tmp_path / "none.toml", "folder": tmp_path, "below a file": tmp_path / "file" / "x.toml"}[kind]
    assert replay(tmp_path, path) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line


def replay(folder: Path, config: Path) -> int:
    """Of no data: the configuration is looked at before."""
    return main(["replay", "--data", str(folder), "--symbols", "IBM", "--config", str(config)])


def test_nothing_is_made_of_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("[risk]\nslots = 0")
    words = ["replay", "--data", tmp_path, "--symbols", "IBM", "--config", tmp_path / "my.toml"]
    assert main([str(w) for w in (*words, "--state", tmp_path / "s", "--out", tmp_path / "o")]) == 78
    assert [p.name for p in tmp_path.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "[risk]\n[gates]\n", "[strategy]\n[strategy.dual_mode]\n"])
def test_what_is_not_said_is_the_default(text: str) -> None:
    assert parse(text) == Config()
    assert parse(text).hash() == Config().hash()


def test_whole_numbers_may_stand_for_fractions_and_lines_may_end_as_on_windows() -> None:
    assert parse("[paper]\r\ncash = 5000\r\n").paper.cash == 5000.0


def test_the_default_hash_is_what_it_has_always_been() -> None:
    """States bear it: a new one would refuse them all."""
    assert Config().hash() == "abff06affb7b740e"


def test_the_hash_changes_with_every_key_that_can_change_a_trade_and_with_no_other() -> None:
    texts = {key.path: parse(changed(key)) for key in KEYS}
    hashes = [texts[key.path].hash() for key in KEYS if key.trading]
    assert len({Config().hash(), *hashes}) == 1 + len(hashes) > 25
    others = [key.path for key in KEYS if texts[key.path].hash() == Config().hash()]
    assert others == ["market.symbols", "market.seed", "market.first", "market.speed", "metrics.port"]
    assert Config() not in texts.values()


def test_the_hash_does_not_depend_on_how_a_number_is_written() -> None:
    assert parse("[paper]\ncash = 1e5").hash() == parse("[paper]\ncash = 100_000").hash() == Config().hash()


def changed(key: Key) -> str:
    """A file of that key alone, a little away from its default."""
    others = {"strategy.name": "metronome", "market.symbols": ["IBM"], "market.first": "2001-02-03"}
    value = others.get(key.path) or (key.default - 1 if isinstance(key.default, int) else key.default * 0.9)
    return f"[{key.section}]\n{key.name} = {json.dumps(value)}"


def test_every_key_is_described_in_the_order_of_the_file() -> None:
    said = {key.path: key.default for key in KEYS}
    assert list(said.items()) == list(leaves(Config()))
    assert [key.path for key in KEYS if not (key.unit and key.range and key.meaning)] == []
    assert KEYS[4] == Key(
        section="risk", name="soft_drawdown", default=0.15, unit="share of the peak",
        range="> 0, <= 1, under hard_drawdown", meaning="a drawdown of it shrinks sizes and tightens stops",
        trading=True, under="hard_drawdown",
    )  # fmt: skip


def leaves(section: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in msgspec.structs.asdict(section).items():
        if isinstance(value, msgspec.Struct):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_the_key_that_must_be_larger_is_there() -> None:
    paths = {key.path for key in KEYS}
    under = [f"{key.section}.{key.under}" for key in KEYS if key.under]
    assert (under, set(under) <= paths) == (["risk.hard_drawdown", "strategy.dual_mode.overbought"], True)


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_every_number_has_the_range_that_it_says_at_both_ends(key: Key) -> None:
    low, high = ends(key)
    held = {value: taken(key, value) for value, _ in (*low, *high)}
    assert held == dict((*low, *high))


def taken(key: Key, value: float) -> bool:
    """By the section alone: the other key of a pair is not asked."""
    section = type(attrgetter(key.section)(Config()))
    try:
        return bool(getattr(msgspec.convert({key.name: value}, section), key.name) == value)
    except msgspec.ValidationError:
        return False


def ends(key: Key) -> list[list[tuple[float, bool]]]:
    """At either end the bound and its neighbours, with whether they may be; read off the range's text."""
    text = key.range.removesuffix(f", under {key.under}")
    if " to " in text:
        text = ">= {}, <= {}".format(*text.split(" to "))
    return [end(*side.split(), whole=isinstance(key.default, int)) for side in text.split(", ")]


def end(sign: str, number: str, *, whole: bool) -> list[tuple[float, bool]]:
    bound, out = float(number), -1 if sign.startswith(">") else 1
    near = {way: bound + way if whole else math.nextafter(bound, way * math.inf) for way in (-out, out)}
    values = [(near[-out], True), (bound, sign.endswith("=")), (near[out], False)]
    return [(int(value) if whole else value, may) for value, may in values]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
@pytest.mark.parametrize("extreme", ["nan", "inf", "-inf", "-1", "1e300", str(2**63), str(-(2**63) - 1), str(10**400)])
def test_no_number_may_be_extreme(key: Key, extreme: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key.path} = .*{re.escape(f'{key.range} ({key.unit})')}\Z"):
        parse(f"[{key.section}]\n{key.name} = {extreme}")


@pytest.mark.parametrize("first", ["1998-02-01", "2000-02-29", "2029-12-01"])
def test_a_market_begins_on_any_day_of_its_range(first: str) -> None:
    assert parse(f'[market]\nfirst = "{first}"').market.first == first


def test_a_market_has_one_to_thirty_two_symbols() -> None:
    for symbols in (("A",), ("BRK.B", "GOOGL.AB"), tuple(f"X{a}{b}" for a in "ABCD" for b in "ABCDEFGH")):
        assert parse(f"[market]\nsymbols = {json.dumps(symbols)}").market.symbols == symbols


def test_the_committed_file_says_the_defaults_and_all_of_them() -> None:
    assert load(COMMITTED) == Config()
    written = re.findall(r"^(\w+) = |^\[(.*)\]$", COMMITTED.read_text(encoding="utf-8"), re.MULTILINE)
    sections = {f"[{key.section}]": None for key in KEYS}
    assert [f"[{section}]" for key, section in written if not key] == list(sections)
    assert [key for key, _ in written if key] == [key.name for key in KEYS]
