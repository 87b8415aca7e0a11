"""Runs tests against mutants: everything is imported and collected once, and each mutant is a fork of that.

A mutant of a function takes the place of its code; for one of a module's own statements all is imported anew.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.dev.mutants import Mutant

PASSED, FAILED = 0, 255  # and between them the place of the test that failed
PATIENCE = 30  # s that a test of a mutant may take
OPTIONS = ["-q", "-n0", "--no-header", "--tb=short", "-s", "-p", "no:cacheprovider", "-p", "no:faulthandler",
           "--hypothesis-profile=mutants", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip


class Told(msgspec.Struct, frozen=True):
    """What one process tells another: a mutant's fate, or what a test takes."""

    mutant: int = -1
    survived: bool = False
    test: str = ""
    seconds: float = 0.0


class Plugin:
    """Gives pytest's collected tests to `work`; if it traces, it notes how long each takes and what it runs."""

    def __init__(self, work: Callable[[pytest.Session], None], traces: bool) -> None:
        self._work, self._traces = work, traces
        self.took: dict[str, float] = {}
        self.runs: dict[str, set[CodeType]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._work(session)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if not self._traces or item.nodeid in self.runs:
            return (yield)
        codes = self.runs[item.nodeid] = set[CodeType]()
        sys.settrace(lambda frame, *_: codes.add(frame.f_code))
        try:
            return (yield)
        finally:
            sys.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration


def judge(tests: Sequence[str], mutants: Sequence[Mutant], notes: Path) -> list[int]:
    """Those that the tests do not see, which must pass without a mutant. `notes`: a new file."""
    slow, brief = [HealthCheck.too_slow], [Phase.generate]
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=brief, suppress_health_check=slow
    )
    notes.touch()
    if fork(partial(_in_place, tests, mutants, notes)) != PASSED:
        raise SystemExit("the tests fail without a mutant")
    told = _read(notes)
    took = {t.test: t.seconds for t in told if t.test}
    fates = {t.mutant: t.survived for t in told if t.mutant >= 0}
    for n, mutant in enumerate(mutants):
        if n not in fates:
            fates[n] = fork(partial(_anew, tests, mutant, took)) == PASSED
            _show(len(fates), len(mutants), sum(fates.values()))
    return sorted(n for n, survived in fates.items() if survived)


def fork(work: Callable[[], int]) -> int:
    """What comes of it in a process of its own."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    ended = FAILED
    try:
        ended = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(ended)


# -- in place


def _in_place(tests: Sequence[str], mutants: Sequence[Mutant], notes: Path) -> int:
    """Judges all mutants of functions."""

    def work(session: pytest.Session) -> None:
        if _failed(session.items, 0) == PASSED:
            _note(notes, *(Told(test=test, seconds=seconds) for test, seconds in plugin.took.items()))
            _judge_functions(session, mutants, plugin, notes)

    plugin = Plugin(work, traces=True)
    return int(pytest.main([*OPTIONS, *tests], plugins=[plugin]))


def _judge_functions(session: pytest.Session, mutants: Sequence[Mutant], plugin: Plugin, notes: Path) -> None:
    """Each by the tests that run its function: first the one that saw the last, then the shortest."""
    took, survivors = dict(plugin.took), 0
    shortest = sorted(session.items, key=lambda item: took[item.nodeid])
    tests: dict[FunctionType, list[pytest.Item]] = {}
    gc.freeze()  # else every fork copies what its collector touches
    for n, mutant in enumerate(mutants):
        function = _function(mutant)
        code = _code(function, mutant) if function else None
        if function and code:
            of = function.__code__
            items = tests.setdefault(function, [item for item in shortest if of in plugin.runs.get(item.nodeid, set())])
            ended = fork(partial(_swapped, items, function, code))
            if PASSED < ended < FAILED:
                items.insert(0, items.pop(ended - 1))
            survivors += ended == PASSED
            _note(notes, Told(mutant=n, survived=ended == PASSED))
            _show(n, len(mutants), survivors)


def _swapped(items: Sequence[pytest.Item], function: FunctionType, code: CodeType) -> int:
    _silence()
    function.__code__ = code
    return _failed(items, PATIENCE)


def _code(function: FunctionType, mutant: Mutant) -> CodeType | None:
    """What the mutant has in place of the function's; None where it does not fit."""
    old = function.__code__
    for code in _codes(compile(mutant.source, old.co_filename, "exec")):
        if (code.co_qualname, code.co_firstlineno) == (old.co_qualname, old.co_firstlineno):
            return code if code.co_freevars == old.co_freevars else None
    return None


def _function(mutant: Mutant) -> FunctionType | None:
    found: Any = sys.modules[mutant.module]
    for name in filter(None, mutant.where.split(".")):
        found = vars(found).get(name)
    match found:
        case property(fget=FunctionType() as function) | cached_property(func=FunctionType() as function):
            return function
        case staticmethod(__func__=FunctionType() as function) | classmethod(__func__=FunctionType() as function):
            return function
        case FunctionType():
            return found
    return None


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


# -- imported anew


def _anew(tests: Sequence[str], mutant: Mutant, took: dict[str, float]) -> int:
    def work(session: pytest.Session) -> None:
        session.items.sort(key=lambda item: took.get(item.nodeid, 0.0))
        _failed(session.items, PATIENCE)

    _silence()
    signal.alarm(PATIENCE)
    _import(mutant)
    return int(pytest.main([*OPTIONS, *tests], plugins=[Plugin(work, traces=False)]))


def _import(mutant: Mutant) -> None:
    assert mutant.module not in sys.modules
    spec = importlib.util.find_spec(mutant.module)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[mutant.module] = module
    exec(compile(mutant.source, str(spec.origin), "exec"), module.__dict__)
    parent, _, leaf = mutant.module.rpartition(".")
    setattr(sys.modules[parent], leaf, module)


# -- both


def _failed(items: Sequence[pytest.Item], patience: int) -> int:
    """The place of the first that fails, after which nothing is run; who takes longer than that ends the process."""
    for place, (item, following) in enumerate(pairwise([*items, None])):
        assert item
        signal.alarm(patience)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            return min(place + 1, FAILED)
    return PASSED


def _silence() -> None:
    """What tests and their failures print from here on goes nowhere."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _note(notes: Path, *told: Told) -> None:
    with notes.open("ab") as file:
        file.writelines(msgspec.json.encode(t) + b"\n" for t in told)


def _read(notes: Path) -> list[Told]:
    return msgspec.json.decode(b"[" + b",".join(notes.read_bytes().splitlines()) + b"]", type=list[Told])


def _show(done: int, of: int, survivors: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {of}, {survivors} survive ", end="", file=sys.stderr, flush=True)
