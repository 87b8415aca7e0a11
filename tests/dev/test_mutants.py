"""What the mutation tool makes of a source, and that its list of survivors is of this code."""

from __future__ import annotations

from tests.dev.mutants import mutants
from tests.dev.mutate import TARGETS, lines, reasons

SOURCE = '''"""A module."""

from x import y  # never: it is a declaration

MOST = 10


class A(y, frozen=True):
    def f(self, a: int) -> int:
        """Of a."""
        if a >= MOST and self.g(a):
            return min(a, 1)
        self.n = a
        return 0
'''


def test_every_change_is_made_once_and_nothing_that_is_only_declared() -> None:
    made = [(m.where, m.line, m.now) for m in mutants("m", SOURCE)]
    assert made == sorted(set(made), key=lambda m: made.index(m))
    assert made == [
        ("", 5, "MOST = 11"),
        ("", 5, "MOST = None"),
        ("A.f", 11, "if False:"),
        ("A.f", 11, "if True:"),
        ("A.f", 11, "if a > MOST and self.g(a):"),
        ("A.f", 11, "if a >= MOST and self.g(None):"),
        ("A.f", 11, "if a >= MOST or self.g(a):"),
        ("A.f", 11, "if a >= MOST:"),
        ("A.f", 11, "if self.g(a):"),
        ("A.f", 12, "return None"),
        ("A.f", 12, "return max(a, 1)"),
        ("A.f", 12, "return min(1)"),
        ("A.f", 12, "return min(None, 1)"),
        ("A.f", 12, "return min(a, )"),
        ("A.f", 12, "return min(a, 2)"),
        ("A.f", 12, "return min(a, None)"),
        ("A.f", 13, "pass"),
        ("A.f", 13, "self.n = None"),
        ("A.f", 14, "return 1"),
        ("A.f", 14, "return None"),
    ]


def test_a_mutant_is_the_source_but_for_its_change() -> None:
    for m in mutants("m", SOURCE):
        was, now = SOURCE.splitlines(), m.source.splitlines()
        assert was[: m.line - 1] + was[m.line :] == now[: m.line - 1] + now[m.line :]
        assert (was[m.line - 1].strip(), now[m.line - 1].strip()) == (m.was, m.now)


def test_every_survivor_that_is_excused_is_of_a_line_that_stands_in_the_code() -> None:
    code = {name: lines(name) for target in TARGETS.values() for name in target.modules}
    for (where, was, _), why in reasons().items():
        (of,) = (text for name, text in code.items() if where == name or where.startswith(f"{name}."))
        assert why
        assert was in of
