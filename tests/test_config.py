"""config.toml: every mistake is one line that names the key, the value and what may stand there."""

import json
import math
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from fluxhero.cli import main
from fluxhero.config import TRADING, Config, ConfigError, keys, load, sections
from fluxhero.config import parse as parse_
from fluxhero.kernel.plug import settled
from fluxhero.section import Count, Key, Section, Share, describe, key, numbers

COMMITTED = Path(__file__).parent.parent / "config.toml"
DEFAULT = settled(Config())
KEYS = [key for key, _ in keys(DEFAULT)]
NUMBERS = [key for key in KEYS if type(key.default) in (int, float)]

SECTIONS = "profile, [risk], [regime], [indicators], [gates], [costs], [paper], [strategy], [market], [metrics]"
STRATEGIES = "[strategy.dual_mode], [strategy.metronome], [strategy.sma_cross], [strategy.buy_and_hold]"
THERE = f"there are {STRATEGIES.replace('[strategy.', '').replace(']', '')}, or name a file, such as mine.py"
BORROW = 'must be a list, like "BRK.B", none twice (symbols)'
NAME = "must be text, of a shipped one, an entry point, or a file.py (name)"
SYMBOLS = 'must be a list, 1 to 32 like "BRK.B", none twice (symbols)'
FIRST = 'must be text, "1998-02-01" to "2029-12-01" (date)'
SLOTS = "must be a whole number, 1 to 1_000 (positions)"

WRONG = {
    "an unknown key": ("[paper]\ncahs = 3", "paper: unknown 'cahs'; there are cash, latency_ms"),
    "an unknown key below": (
        "[strategy.metronome]\nevry = 2", "strategy.metronome: unknown 'evry'; there are every, keep, risk",
    ),
    "an unknown key of a new section": ("[metrics]\nprot = 1", "metrics: unknown 'prot'; there are port"),
    "an unknown section": ("[rsik]\nday_loss = 0.03", f"top level: unknown 'rsik'; there are {SECTIONS}"),
    "an unknown strategy's section": (
        "[strategy.moon]\nx = 1",
        f"strategy: unknown 'moon'; there are name, {STRATEGIES}",
    ),
    "an unknown key of a strategy": ("[strategy]\nnmae = 5", f"strategy: unknown 'nmae'; there are name, {STRATEGIES}"),
    "a key of a strategy without any": (
        "[strategy.buy_and_hold]\nx = 1", "strategy.buy_and_hold: unknown 'x'; there are no keys",
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
    "text for a number": (
        '[regime]\nconfirm = "1"', "regime.confirm = '1': must be a whole number, 1 to 1_000 (bars)",
    ),
    "a number for a flag": ("[gates]\nshorts = 1", "gates.shorts = 1: must be a flag, true or false (flag)"),
    "another word": (
        '[indicators]\nkama = "regimes"', "indicators.kama = 'regimes': must be text, fixed or regime (variant)",
    ),
    "another profile": ('profile = "mine"', "profile = 'mine': must be text, default or original (profile)"),
    "a table for a profile": ("[profile]\nx = 1", "profile = {'x': 1}: must be text, default or original (profile)"),
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
    "a number for a strategy": ("[strategy]\nname = 5", f"strategy.name = 5: {NAME}"),
    "a number for strategies": ("strategy = 5", "strategy = 5: must be a section, [strategy]"),
    "a number under a strategy's profile": (
        'profile = "original"\n[strategy]\ndual_mode = 5',
        "strategy.dual_mode = 5: must be a section, [strategy.dual_mode]",
    ),
    "an unknown strategy": ('[strategy]\nname = "moon"', f"strategy.name = 'moon': {THERE}"),
    "no strategy": ('[strategy]\nname = ""', f"strategy.name = '': {THERE}"),
    "a strategy and more": ('[strategy]\nname = "dual_mode\\n"', f"strategy.name = 'dual_mode\\n': {THERE}"),
    "the second of two mistakes": ("[regime]\nconfirm = 3\n[risk]\nslots = 0", f"risk.slots = 0: {SLOTS}"),
    "a soft drawdown beyond the hard one": (
        "[risk]\nhard_drawdown = 0.1",
        "risk.soft_drawdown = 0.15: must be a number, > 0, <= 1, under hard_drawdown (share of the peak);"
        " risk.hard_drawdown is 0.1",
    ),
    "a fast mean of as many": (
        "[strategy.sma_cross]\nfast = 50",
        "strategy.sma_cross.fast = 50: must be a whole number, 1 to 60, under slow (closes);"
        " strategy.sma_cross.slow is 50",
    ),
    "a bad symbol not to be sold": (
        '[gates]\nhard_to_borrow = ["ibm"]', f"gates.hard_to_borrow has 'ibm': {BORROW}",
    ),
    "a symbol not to be sold twice": (
        '[gates]\nhard_to_borrow = ["T", "T"]', f"gates.hard_to_borrow has 'T' twice: {BORROW}",
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


def parse(text: str) -> Config:
    return settled(parse_(text))


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "[risk]\n[gates]\n", "[strategy]\n[strategy.dual_mode]\n"])
def test_what_is_not_said_is_the_default(text: str) -> None:
    assert parse(text) == DEFAULT
    assert parse(text).hash() == DEFAULT.hash()


def test_whole_numbers_may_stand_for_fractions_and_lines_may_end_as_on_windows() -> None:
    assert parse("[paper]\r\ncash = 5000\r\n").paper.cash == 5000.0


def test_a_strategys_file_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[strategy]\nname = "rules/mine.py"\n[strategy.mine]\nx = 1\n')
    strategy = load(path).strategy
    assert (strategy.name, strategy.stem, strategy.tables) == (
        str(tmp_path / "rules/mine.py"),
        "mine",
        {"mine": {"x": 1}},
    )


def test_the_original_profile_is_what_it_says_where_the_file_says_nothing() -> None:
    changed = {k.path: value for k, value in keys(parse('profile = "original"')) if value != k.default}
    assert changed == {
        "profile": "original", "gates.spread_max": 0.05, "gates.spread_noon": 0.025,
        "strategy.dual_mode.neutral": "both",
    }  # fmt: skip
    said = parse('profile = "original"\n[gates]\nspread_noon = 0.1\n[strategy.dual_mode]\nneutral = "either"')
    changed = {k.path: value for k, value in keys(said) if value != k.default}
    assert changed == {"profile": "original", "gates.spread_max": 0.05, "gates.spread_noon": 0.1}


def test_the_default_hash_is_what_it_has_always_been() -> None:
    """States bear it: a new one would refuse them all."""
    assert DEFAULT.hash() == "4f17f0441bc8e9f2"


def test_the_hash_changes_with_every_key_that_can_change_a_trade_and_with_no_other() -> None:
    others = [k.path for k in KEYS if parse(chosen(k)).hash() == parse(f"{chosen(k)}{changed(k)}").hash()]
    assert others == ["market.symbols", "market.seed", "market.first", "market.speed", "metrics.port"]
    assert {k.section.split(".")[0] for k in KEYS if k.path not in others} == {"", *TRADING}


def test_no_two_of_its_values_have_one_hash() -> None:
    hashes = [parse(f"{chosen(key)}{changed(key)}").hash() for key in KEYS if key.section.split(".")[0] in TRADING]
    assert len({DEFAULT.hash(), *hashes}) == 1 + len(hashes) > 60


def test_the_hash_does_not_change_with_the_keys_of_a_strategy_that_does_not_decide() -> None:
    assert parse("[strategy.metronome]\nevery = 2").hash() == DEFAULT.hash()


def test_the_hash_does_not_depend_on_how_a_number_is_written() -> None:
    assert parse("[paper]\ncash = 1e5").hash() == parse("[paper]\ncash = 100_000").hash() == DEFAULT.hash()


def chosen(key: Key) -> str:
    """A file whose strategy is the one that the key is of."""
    strategy = key.section.partition(".")[2]
    return f'[strategy]\nname = "{strategy}"\n' if strategy else ""


def changed(key: Key) -> str:
    """That key alone, a little away from its default."""
    others: dict[str, Any] = {
        "strategy.name": "metronome", "market.symbols": ["IBM"], "market.first": "2001-02-03",
        "gates.hard_to_borrow": ["IBM"], "risk.crowded_slots": 4, "gates.day_trades": 3,
    }  # fmt: skip
    value = others.get(key.path, [text for text in key.texts if text != key.default][:1])
    if not value:
        whole, flag = isinstance(key.default, int), isinstance(key.default, bool)
        value = not key.default if flag else key.default - 1 if whole else key.default * 0.9
    said = json.dumps(value[0] if key.texts else value)
    return f"[{key.section}]\n{key.name} = {said}" if key.section else f"{key.name} = {said}"


def test_every_key_is_described_in_the_order_of_the_file() -> None:
    said = {key.path: key.default for key in KEYS}
    assert list(said.items()) == list(leaves(DEFAULT))
    assert [key.path for key in KEYS if not (key.unit and key.range and key.meaning)] == []
    assert KEYS[6] == Key(
        section="risk", name="soft_drawdown", default=0.15, unit="share of the peak",
        range="> 0, <= 1, under hard_drawdown", meaning="a drawdown of it shrinks sizes and tightens stops",
        under="hard_drawdown", texts=(),
    )  # fmt: skip


def leaves(config: Config) -> Iterator[tuple[str, Any]]:
    for prefix, section in sections(config):
        for name, value in msgspec.structs.asdict(section).items():
            if not isinstance(value, msgspec.Struct | dict):
                yield f"{prefix}.{name}".removeprefix("."), value


def test_the_key_that_must_be_larger_is_there() -> None:
    paths = {key.path for key in KEYS}
    under = [f"{key.section}.{key.under}" for key in KEYS if key.under]
    assert set(under) <= paths
    assert under == [
        "risk.hard_drawdown", "regime.strong_adx", "regime.strong_r2", "regime.high_vol", "gates.quiet",
        "strategy.dual_mode.overbought", "strategy.sma_cross.slow",
    ]  # fmt: skip


class Odd(Section, frozen=True, kw_only=True):
    n: Annotated[Count, key("things", "there are")] = 3
    f: Annotated[Share, key("share", "of them")] = 0.5
    b: Annotated[bool, key("flag", "so")] = True
    w: Annotated[Literal["z", "a", "m"], key("word", "said")] = "z"
    t: Annotated[tuple[str, ...], key("words", "said", range="any")] = ("x",)


@pytest.mark.parametrize(("word", "index"), [("z", 0), ("a", 1), ("m", 2)])
def test_the_kernel_has_a_flag_as_0_or_1_and_a_word_as_its_place(word: Any, index: int) -> None:
    assert numbers(Odd(w=word)) == {"n": 3, "f": 0.5, "b": 1, "w": index}
    assert {type(value) for value in numbers(Odd(b=False)).values()} == {int, float}
    assert describe(Odd, "odd")[3].range == "z or a or m"


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_every_number_has_the_range_that_it_says_at_both_ends(key: Key) -> None:
    low, high = ends(key)
    held = {value: taken(key, value) for value, _ in (*low, *high)}
    assert held == dict((*low, *high))


def taken(key: Key, value: float) -> bool:
    """By the section alone: the other key of a pair is not asked."""
    section = type(dict(sections(DEFAULT))[key.section])
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
    assert settled(load(COMMITTED)) == DEFAULT
    written = re.findall(r"^(\w+) = |^\[(.*)\]$", COMMITTED.read_text(encoding="utf-8"), re.MULTILINE)
    named = dict.fromkeys(key.section for key in KEYS if key.section)
    assert [section for key, section in written if not key] == list(named)
    assert [key for key, _ in written if key] == [key.name for key in KEYS]
