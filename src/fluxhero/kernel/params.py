"""The PARAMS record that the kernel reads, from a settled configuration."""

import numpy as np

from fluxhero.config import Config
from fluxhero.kernel.money import micros
from fluxhero.kernel.plug import find
from fluxhero.kernel.state import RULES, Array
from fluxhero.section import numbers


def params_of(config: Config) -> Array:
    """The rules of every section by their names, and the strategy's own. How the data lies is the caller's to say."""
    p = np.zeros(1, find(config.strategy.name).params)
    for section in (config.risk, config.regime, config.indicators, config.gates, config.costs):
        for key, value in numbers(section).items():
            if key in (RULES.names or ()):
                p["rules"][key] = value
    p["rules"]["fee"] = micros(config.costs.commission)
    for key, value in numbers(config.strategy.params).items():
        p["own"][key] = value
    return p
