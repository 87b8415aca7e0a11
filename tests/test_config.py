"""config.toml: every mistake is one line that names the key, the value and what may stand there."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.cli import main
from fluxhero.config import Config, ConfigError, load, parse

COMMITTED = Path(__file__).parent.parent / "config.toml"


@dataclasses.dataclass(frozen=True)
class Wrong:
    text: str
    says: tuple[str, ...]  # all of it in the line


WRONG = {
    "an unknown key": Wrong("[risk]\nday_los = 0.03", ("risk", "`day_los`", "unknown")),
    "an unknown key below": Wrong("[strategy.dual_mode]\nwidht = 2.0", ("strategy.dual_mode", "`widht`", "unknown")),
    "an unknown section": Wrong("[rsik]\nday_loss = 0.03", ("`rsik`", "unknown")),
    "an unknown strategy's section": Wrong("[strategy.moon]\nx = 1", ("strategy", "`moon`", "unknown")),
    "a key without a section": Wrong("day_loss = 0.03", ("`day_loss`", "unknown")),
    "an odd key": Wrong('["a.b"]\n"c d" = 1', ("`a.b`", "unknown")),
    "too much": Wrong("[risk]\nday_loss = 3.0", ("risk.day_loss", "3.0", "<= 1.0")),
    "nothing where something must be": Wrong("[risk]\nday_loss = 0.0", ("risk.day_loss", "0.0", "> 0.0")),
    "less than nothing": Wrong("[costs]\ncommission = -0.01", ("costs.commission", "-0.01", ">= 0.0")),
    "no number": Wrong("[risk]\nday_loss = nan", ("risk.day_loss", "nan", "0.0")),
    "no number where nothing may be": Wrong("[costs]\nslip = nan", ("costs.slip", "nan", "0.0")),
    "without end": Wrong("[paper]\ncash = inf", ("paper.cash", "inf", "<= 1000000000000.0")),
    "a count of none": Wrong("[risk]\nslots = 0", ("risk.slots", "0", ">= 1")),
    "a count of too many": Wrong("[risk]\nslots = 1001", ("risk.slots", "1001", "<= 1000")),
    "a count beyond 64 bits": Wrong(f"[risk]\nslots = {10**30}", ("risk.slots", str(10**30), "<= 1000")),
    "more minutes than a session has": Wrong("[gates]\nlast_minutes = 391", ("gates.last_minutes", "391", "<= 390")),
    "text for a number": Wrong('[paper]\ncash = "1"', ("paper.cash", "'1'", "`float`", "`str`")),
    "a fraction for a count": Wrong("[risk]\nslots = 2.5", ("risk.slots", "2.5", "`int`")),
    "a flag for a count": Wrong("[risk]\nslots = true", ("risk.slots", "True", "`int`")),
    "a date for a number": Wrong("[paper]\ncash = 2024-01-01", ("paper.cash", "2024", "`float`")),
    "a list for a number": Wrong("[paper]\ncash = [1.0]", ("paper.cash", "[1.0]", "`float`")),
    "a table for a number": Wrong("[paper.cash]\nx = 1", ("paper.cash", "{'x': 1}", "`float`")),
    "a number for a table": Wrong("risk = 5", ("risk", "5", "`object`")),
    "tables for a table": Wrong("[[risk]]\nslots = 5", ("risk", "`object`", "`array`")),
    "a number for text": Wrong("[strategy]\nname = 5", ("strategy.name", "5", "`str`")),
    "an unknown strategy": Wrong('[strategy]\nname = "moon"', ("strategy.name", "'moon'", "dual_mode", "metronome")),
    "a strategy and more": Wrong('[strategy]\nname = "dual_mode\\n"', ("strategy.name", "'dual_mode\\n'")),
    "the second of two mistakes": Wrong("[risk]\nslots = 3\nday_loss = 2.0", ("risk.day_loss", "2.0", "<= 1.0")),
    "no value": Wrong("[risk]\nslots =\n", ("TOML", "line 2")),
    "no end": Wrong('[strategy]\nname = "dual', ("TOML",)),
    "a key twice": Wrong("[risk]\nslots = 3\nslots = 4\n", ("TOML", "line 3")),
    "a table twice": Wrong("[risk]\n[risk]", ("TOML", "line 2")),
    "another language": Wrong('{"risk": {"slots": 3}}', ("TOML",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_line_and_exit_78(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    path.write_text(WRONG[name].text, encoding="utf-8")
    assert replay(tmp_path, path) == 78
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert (shown.out, line.startswith(f"fluxhero: {path}")) == ("", True)
    assert [word for word in WRONG[name].says if word not in line.removeprefix(f"fluxhero: {path}")] == []


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


def test_the_hash_changes_with_every_key() -> None:
    """All that there are today can change a trade."""
    hashes = {Config().hash()}
    texts = list(changed())
    assert len(texts) > 25
    for text in texts:
        hashes.add(parse(text).hash())
    assert len(hashes) == len(texts) + 1


def test_the_hash_does_not_depend_on_how_a_number_is_written() -> None:
    assert parse("[paper]\ncash = 1e5").hash() == parse("[paper]\ncash = 100_000").hash() == Config().hash()


def changed() -> typing.Iterator[str]:
    """One file per key, that key a little away from its default."""
    for path, value in keys(Config()):
        section, _, key = path.rpartition(".")
        if isinstance(value, str):
            yield f'[{section}]\n{key} = "metronome"'
        else:
            yield f"[{section}]\n{key} = {value - 1 if isinstance(value, int) else value * 0.9}"


def keys(section: msgspec.Struct, prefix: str = "") -> typing.Iterator[tuple[str, Any]]:
    for name, value in msgspec.structs.asdict(section).items():
        if isinstance(value, msgspec.Struct):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_every_number_has_a_range_that_holds_at_both_ends() -> None:
    """A key whose range is forgotten would take this."""
    for path, value in keys(Config()):
        section, _, key = path.rpartition(".")
        for extreme in ("-1", "1e300") if isinstance(value, float) else ("-1", str(2**62)):
            if not isinstance(value, str):
                with pytest.raises(ConfigError, match=path.replace(".", "[.]")):
                    parse(f"[{section}]\n{key} = {extreme}")


@pytest.mark.skipif(not COMMITTED.exists(), reason="config.toml is not written yet")
def test_the_committed_file_says_the_defaults_and_all_of_them() -> None:
    assert load(COMMITTED) == Config()
    text = COMMITTED.read_text(encoding="utf-8")
    assert [path for path, _ in keys(Config()) if path.rpartition(".")[2] not in text] == []
