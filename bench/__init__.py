"""The cost of the library, compared with other libraries and with the bare convolutions, measured in one process.

    python -m bench                         every topic, as tables
    python -m bench --json results/bench.json
    python -m bench neuron_layer --repeats 3

A topic is one module of this package with

    TITLE: str                                  one line
    def run(options: Options) -> Topic          measure, compare, check

and its name in ``TOPICS`` below. ``timing.interleaved`` measures, and
``report`` defines the results of a topic. Missing peers (``contenders.PEERS``) are skipped and named.
"""

from __future__ import annotations

#: The topics, in the order in which they run.
TOPICS: tuple[str, ...] = (
    "peak_memory",
    "neuron_layer",
    "training_step",
    "number_formats",
    "step_parts",
    "network_step",
    "scaling",
    "hybrid_step",
    "poisson_code",
    "stdp_update",
    "stdp_training",
    "conversion",
    "time_chunks",
)
