"""Mutants of a module's source: mutmut's operators over LibCST, and some of our own where they say nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import libcst as cst
import msgspec
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

SWAPS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "abs": "int"}
NEVER = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)  # declarations, which the type checker holds
EMPTY = cst.Pass()

Change = tuple[cst.CSTNode, cst.CSTNode]


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `was` became `now` in `where`."""

    module: str
    where: str  # the function or method; "": a statement outside of all
    line: int
    was: str
    now: str
    source: str  # of the whole module

    @property
    def name(self) -> str:
        return self.module if not self.where else f"{self.module}.{self.where}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Each once, in the order of the source."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    spans, text = wrapper.resolve(ByteSpanPositionProvider), source.encode()
    found: dict[str, Mutant] = {}
    for node, where in _nodes(wrapper.module, (), False):
        for old, new in _changes(node):
            start, code = spans[old].start, wrapper.module.code_for_node(new).encode()
            end = start + spans[old].length
            made = (text[:start] + code + text[end:]).decode()
            if made != source and made not in found and _parses(made):
                line, was, now = _lines(text.decode(), made, text.count(b"\n", 0, start))
                found[made] = Mutant(module=module, where=where, line=line, was=was, now=now, source=made)
    return sorted(found.values(), key=lambda m: (m.line, m.was, m.now))


def _nodes(node: cst.CSTNode, names: tuple[str, ...], inside: bool) -> Iterator[tuple[cst.CSTNode, str]]:
    """Each with the outermost function in whose body it stands."""
    if isinstance(node, NEVER):
        return
    yield node, ".".join(names) if inside else ""
    if isinstance(node, cst.ClassDef | cst.FunctionDef) and not inside:
        names = (*names, node.name.value)
    for child in node.children:
        if isinstance(node, cst.ClassDef) and child is not node.body:
            continue  # its bases, and how msgspec is to make it
        yield from _nodes(child, names, inside or (isinstance(node, cst.FunctionDef) and child is node.body))


def _changes(node: cst.CSTNode) -> Iterator[Change]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind) and not isinstance(node, cst.Match):
            yield from ((node, new) for new in operator(node))
    for own, change in OURS:
        if isinstance(node, own):
            yield from change(node)


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _lines(was: str, now: str, near: int) -> tuple[int, str, str]:
    """The first line that changed, and all that did, as they were and as they are."""
    a, b = was.splitlines(), now.splitlines()
    most = min(len(a), len(b))
    first = next((i for i in range(near, most) if a[i] != b[i]), most)
    same = next((i for i in range(most - first) if a[-1 - i] != b[-1 - i]), most - first)
    old, new = (" ".join(line.strip() for line in lines[first : len(lines) - same]) for lines in (a, b))
    return first + 1, old, new


# -- our own operators


def _operands(node: cst.BooleanOperation) -> Iterator[Change]:
    """One side of `and` and `or` alone."""
    yield from ((node, side) for side in (node.left, node.right))


def _statement(node: cst.SimpleStatementLine) -> Iterator[Change]:
    """Nothing in place of what acts on what others see, or returns early."""
    statement = node.body[0]
    match statement:
        case cst.Expr(value=cst.Call()) | cst.AugAssign() | cst.Del() | cst.Return(value=None):
            yield statement, EMPTY
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute() | cst.Subscript())]):
            yield statement, EMPTY
        case _:
            pass


def _condition(node: cst.If) -> Iterator[Change]:
    yield from ((node.test, cst.Name(to)) for to in ("True", "False"))


def _case(node: cst.MatchCase) -> Iterator[Change]:
    """One that never comes."""
    if node.guard:
        yield node.guard, cst.Name("False")


def _filter(node: cst.CompFor) -> Iterator[Change]:
    yield from ((condition.test, cst.Name("True")) for condition in node.ifs)


def _call(node: cst.Call) -> Iterator[Change]:
    if isinstance(node.func, cst.Name) and node.func.value in SWAPS:
        yield node.func, cst.Name(SWAPS[node.func.value])


def _return(node: cst.Return) -> Iterator[Change]:
    if node.value and not (isinstance(node.value, cst.Name) and node.value.value == "None"):
        yield node.value, cst.Name("None")


OURS: list[tuple[type, Callable[[Any], Iterable[Change]]]] = [
    (cst.BooleanOperation, _operands),
    (cst.SimpleStatementLine, _statement),
    (cst.If, _condition),
    (cst.MatchCase, _case),
    (cst.CompFor, _filter),
    (cst.Call, _call),
    (cst.Return, _return),
]
