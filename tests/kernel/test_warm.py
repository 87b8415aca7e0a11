"""What is called to be compiled runs as plain Python too, so that every call is one that the entry takes."""

import numpy as np
import pytest

from fluxhero.kernel import every
from fluxhero.kernel.compile import ENTRIES
from fluxhero.kernel.plug import find
from fluxhero.kernel.strategies import SHIPPED
from fluxhero.kernel.warm import DAEMON, Sample, compiled, warm
from tests.kernel.drive import COMPILED, bars_of, rules

pytestmark = pytest.mark.nojit


def readable(sample: Sample) -> None:
    """Its records, as Python reads them; without a compiler nothing may be divided by what is 0."""
    for name, x in vars(sample).items():
        if isinstance(x, np.ndarray) and x.dtype.names:
            setattr(sample, name, x.view(np.recarray))
    sample.bars[:] = bars_of(np.array([100.0, 101.0]))
    sample.params[:] = rules(sample.strategy.name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_daemon_calls_nothing_that_does_not_run(name: str) -> None:
    warm(find(name), (readable, *DAEMON))


def test_the_public_functions_run() -> None:
    for call in every.PUBLIC[: None if COMPILED else -1]:  # the last one's records are none that Python reads
        call()


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_what_is_warm_is_neither_loaded_nor_compiled_again() -> None:
    warm(find("dual_mode"))
    once = compiled()
    assert sum(once) >= sum(len(entry.signatures) for entry in ENTRIES) > len(DAEMON)  # what fails counts as a miss too
    warm(find("dual_mode"))
    assert compiled() == once
