"""The embedded broker keeps the contract in both models."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxhero.brokers.paper import GLANCES
from fluxhero.messages import Says, Statement
from tests.brokers.contract import CLAUSES, SEEDS, Clause, any_life_is_orderly, cid
from tests.brokers.stages import STAGES, PaperStage, QuoteStage
from tests.core.desk import MEMORY


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[PaperStage]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        made: PaperStage = request.param(Path(folder))
        yield made
        made.close()


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda c: c.__name__)
async def test_paper_keeps_the_contract(clause: Clause, stage: PaperStage) -> None:
    await clause(stage)


@pytest.mark.parametrize("words", [0, *GLANCES])
async def test_a_late_cancel_hears_what_was_filled_however_long_ago(words: int, stage: PaperStage) -> None:
    await stage.holding()
    for n in range(words):
        await stage.send(stage.exit(1000 + n, 101))
    await stage.cancel(1)
    await stage.settle()
    last = [w for w in stage.words if w.cid == cid(1)][-1]
    assert (last.says, last.filled) == (Says.CANCEL_REJECTED, 100)


async def test_a_new_life_hears_each_word_at_its_place_in_the_tape_and_what_is_new_after_them(
    stage: PaperStage,
) -> None:
    """An arrival's word comes at its time, once all before it have come; an event's with the event."""
    await stage.holding()
    said = stage.words
    await stage.reopen()
    stage.listen()
    await stage.send(stage.exit(5, 101))
    assert stage.heard == []
    while stage.clock.next() is not None:
        stage.clock.fire()
    assert stage.words == said[:1]
    await stage.settle()
    assert stage.words[:-1] == said
    assert stage.of(5) == [Says.REJECTED]


async def test_a_question_travels_as_long_as_an_order() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        stage = QuoteStage(Path(folder))
        asked = stage.now
        await stage.send(stage.entry(1))
        await stage.broker.account()
        await stage.broker.status(cid(2))
        assert stage.heard == []
        await stage.wait(1)
        accepted, statement, absent = stage.heard
        assert (accepted.ts, statement.ts, absent.ts) == (asked + stage.latency,) * 3
        assert isinstance(statement, Statement)
        assert [r.cid for r in statement.orders] == [cid(1)]
        stage.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_life_on_paper_is_orderly(seed: int, stage: PaperStage) -> None:
    await any_life_is_orderly(stage, seed)
