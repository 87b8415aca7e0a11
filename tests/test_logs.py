"""What is said to stderr: a line each, to a person or to journald, whatever the words and whoever listens."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from fluxhero import logs

SECRET = "hunter2-canary"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    config = structlog.get_config()
    yield
    structlog.configure(**config)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """As a closed pipe, a full disk or a terminal that hung up."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def said(stderr: TextIO, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Any:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure()
    return structlog.get_logger()


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Journal"]:
    with (tmp_path / "journal").open("w", buffering=1, encoding="utf-8") as file:
        yield Journal(file, monkeypatch)


class Journal:
    """Stderr as systemd opens it; to be opened within a test, for between setup and call stderr changes."""

    def __init__(self, file: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file, self._monkeypatch = file, monkeypatch

    def open(self) -> Any:
        stat = os.fstat(self._file.fileno())
        return said(self._file, self._monkeypatch, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}")

    @property
    def lines(self) -> list[str]:
        text = Path(self._file.name).read_bytes().decode()
        assert text.endswith("\n")
        return text[:-1].split("\n")


def fails(secret: str) -> None:
    raise ValueError("on purpose")


# -- to journald


def test_each_line_is_json_with_its_priority(journal: Journal) -> None:
    log = journal.open()
    log.debug("nothing")
    log.info("read", n=1)
    log.warning("careful", path=Path("/x"), many=(1, 2))
    log.error("wrong")
    log.critical("gone")
    lines = journal.lines
    rows = [json.loads(line[3:]) for line in lines]
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>", "<2>"]
    assert [(r["event"], r["level"]) for r in rows] == [
        ("read", "info"), ("careful", "warning"), ("wrong", "error"), ("gone", "critical"),
    ]  # fmt: skip
    assert {k: rows[1][k] for k in ("path", "many")} == {"path": "/x", "many": [1, 2]}
    assert all("timestamp" in r for r in rows)


def test_a_crash_is_one_line_with_its_traceback_and_without_what_the_frames_held(journal: Journal) -> None:
    log = journal.open()
    try:
        fails(SECRET)
    except ValueError:
        log.exception("actor crashed", actor="risk")
    (line,) = journal.lines
    assert (line[:3], SECRET in line) == ("<3>", False)
    row = json.loads(line[3:])
    assert (row["actor"], "on purpose" in json.dumps(row["exception"])) == ("risk", True)
    assert "fails" in json.dumps(row["exception"])


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2Jgone", "<2>critical?", '"}', "\0", "é ☃", "\r\n<0>panic"])
def test_no_words_become_another_line(text: str, journal: Journal) -> None:
    log = journal.open()
    log.info(text, reason=text)
    (line,) = journal.lines
    row = json.loads(line[3:])
    assert (line[:3], row["event"], row["reason"]) == ("<6>", text, text)


# -- to a person


@pytest.mark.parametrize("stream", ["", "1", ":", "a:b", "1:2", "1:2:3", "-1:-1", "9" * 500])
def test_a_journal_that_is_not_our_stderr_is_not_spoken_to(
    stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "file").open("w", buffering=1) as file:
        said(file, monkeypatch, JOURNAL_STREAM=stream).info("hello", n=1)
    text = (tmp_path / "file").read_text()
    assert (text.count("\n"), text.startswith("<"), "hello" in text, "n=1" in text) == (1, False, True, True)


def test_the_journal_of_our_parent_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JOURNAL_STREAM is inherited; who redirects stderr wants to read it."""
    with (tmp_path / "parent").open("w") as parent, (tmp_path / "ours").open("w", buffering=1) as ours:
        stat = os.fstat(parent.fileno())
        said(ours, monkeypatch, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}").warning("hello")
    text = (tmp_path / "ours").read_text()
    assert (text.startswith("<"), "hello" in text) == (False, True)


@pytest.mark.parametrize(
    ("terminal", "environ", "colours"),
    [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, False), (False, {}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    terminal: bool, environ: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Terminal() if terminal else io.StringIO()
    said(stderr, monkeypatch, **environ).warning("hello", n=1)
    assert ("\x1b[" in stderr.getvalue()) == colours


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2Jgone", "back\rwards", "\x07\x00"])
def test_no_words_move_a_persons_cursor(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker's reason or an operator's: it is shown, and it does nothing."""
    stderr = io.StringIO()
    said(stderr, monkeypatch).warning(f"order x was rejected: {text}", reason=text)
    body = stderr.getvalue()
    assert (body.count("\n"), [c for c in body[:-1] if ord(c) < 32]) == (1, [])


# -- to nobody


@pytest.mark.parametrize("error", [BrokenPipeError(32, "closed"), OSError(28, "full"), OSError(5, "hung up")])
def test_that_it_cannot_be_said_hurts_nobody(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    log = said(Broken(error), monkeypatch)
    log.info("hello")
    log.error("wrong")


def test_without_a_stderr_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `2>&-`."""
    none: Any = None
    said(none, monkeypatch, JOURNAL_STREAM="1:2").warning("hello")


def test_the_stderr_of_the_moment_is_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    log = said(first, monkeypatch)
    log.info("one")
    monkeypatch.setattr(sys, "stderr", second)
    log.info("two")
    assert ("one" in first.getvalue(), "two" in first.getvalue(), "two" in second.getvalue()) == (True, False, True)
