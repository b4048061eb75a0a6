"""The small STDP problems of the chapter: each shows what it says it shows."""

from __future__ import annotations

import pytest
import torch

from panda2020.stdp import toy as stdp_toy


def test_alike_by_hand():
    edge, spot = torch.tensor([[1.0, -1], [1, -1]]), torch.tensor([[1.0, 0], [0, 0]])
    kernels = torch.stack([edge, 3 * edge + 5, -edge, spot]).unsqueeze(
        1
    )  # the second is the first, stretched and raised
    assert stdp_toy.alike(kernels) == pytest.approx(1 / 6)
    assert stdp_toy.alike(torch.ones(3, 1, 2, 2)) == 0  # without contrast there is no feature to share
    with pytest.raises(ValueError, match="at least two maps"):
        stdp_toy.alike(kernels[:1])


def test_a_low_constant_offset_blanks_the_kernels_and_the_mean_of_the_own_pairs_does_not():
    names = ("constant, below the traces", "mean trace of the map's own pairs")
    toy = stdp_toy.offsets({name: stdp_toy.OFFSETS[name] for name in names}, maps=4)
    low, own = (toy.table.set_index("offset").loc[name] for name in names)
    assert low["at w_max"] > 0.95 and "weights" in low["reported"] and low["in units of"] == "1"
    assert max(own["at w_min"], own["at w_max"]) < 0.8 and own["reported"] == "nothing"
    assert (
        set(toy.kernels) == {"before", *names}
        and toy.kernels[names[0]].std() < 0.1 < toy.kernels[names[1]].std()
    )


def test_inhibition_keeps_maps_apart():
    kinds = {kind: stdp_toy.RIVALS[kind] for kind in ("none", "inhibit")}
    toy = stdp_toy.competitions(kinds, maps=6, images=120, seeds=(0,))
    found = toy.table.set_index("competition")
    assert found["alike before"].max() == 0 and found.loc["none", "alike"] > found.loc["inhibit", "alike"]
    assert toy.images == 120


def test_silence_and_saturation_are_both_reported():
    silent, saturated = stdp_toy.alarms()
    assert "is silent: 0 " in silent and "saturates" in saturated
