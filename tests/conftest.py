"""What several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import settings

from panda2020 import samples as recorded_runs

# The same examples every time, so that a run of the tests says something of the code alone;
# pytest --hypothesis-profile=default draws new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="module")
def stated_energies() -> Iterator[None]:
    """Energies as made-up runs state them, under "energy", in place of those that would follow from their activity."""

    def stated(sample, convention="paper", prices="int32", *, spiking_only=False):
        held = sample.measured["convolutions"] if spiking_only else sample.measured
        found = held["energy"][f"{convention}/{prices}"]
        return SimpleNamespace(
            ann=found.get("ann_pj"), snn=found.get("snn_pj"), efficiency=found.get("efficiency")
        )

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recorded_runs, "energy_of", stated)
        yield
