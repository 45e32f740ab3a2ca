"""``--once``: one report, of this moment."""

from __future__ import annotations

import time

from .config import Config
from .disks import Disks
from .reports import Reporter
from .sampler import Values
from .samplers import all_samplers
from .settings import Settings
from .state import State


def once(settings: Settings) -> Values:
    """Return one sample with everything; rates are over one second."""
    measures = all_samplers(settings.root)
    config = Config()
    sampling = Reporter(measures, {"host": State(settings.state).known_host(), "name": settings.name, "ip": ""})
    sampling.prime(config)
    time.sleep(1.0)
    for sampler in measures:
        if isinstance(sampler, Disks):
            sampler.wait(2.0)
    return sampling.take(config, config.frequency)
