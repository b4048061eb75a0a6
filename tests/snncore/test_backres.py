"""BackRes blocks and channel matching, against passes written out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snncore.backres import MATCHES, BackRes, ChannelMatch


class Affine(nn.Module):
    """w x + unroll, so that order and number of passes show in the result."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, x, *, unroll, log=None):
        if log is not None:
            log.append(("body", unroll))
        return self.weight * x + unroll


class Halve(nn.Module):
    def forward(self, x, *, unroll, log=None):
        if log is not None:
            log.append(("match", unroll))
        return x / 2


@pytest.mark.parametrize("repeats, expected", [(1, 3 * 5 + 1), (2, 3 * 16 + 2), (3, 3 * 50 + 3)])
def test_a_block_is_computed_n_times_on_its_own_output(repeats, expected):
    assert BackRes(Affine(3.0), repeats)(torch.tensor(5.0)).item() == expected


def test_matching_comes_before_every_pass_but_the_first():
    log = []
    out = BackRes(Affine(3.0), 3, match=Halve())(torch.tensor(5.0), log=log)
    assert log == [("body", 1), ("match", 2), ("body", 2), ("match", 3), ("body", 3)]
    assert out.item() == 3 * ((3 * (16 / 2) + 2) / 2) + 3


def test_the_gradient_of_shared_weights_is_the_sum_over_passes():
    block = BackRes(Affine(3.0), 3)
    block(torch.tensor(5.0, dtype=torch.float64)).backward()
    # three copies of the weight, each with its own gradient: w2 w3 x, w3 x_1, x_2
    assert block.body.weight.grad.item() == 9 * 5 + 3 * 16 + 50
    assert [name for name, _ in block.named_parameters()] == ["body.weight"]


@pytest.mark.parametrize("repeats", [0, -1, 1.5, True, None])
def test_repeats_must_be_whole(repeats):
    with pytest.raises(ValueError, match="repeats must be a whole number of at least 1"):
        BackRes(Affine(1.0), repeats)


# --- channel matching ---------------------------------------------------------------------------------------


def maps(*channels):
    """(1, C, 1, 2) maps with the given values at the two positions."""
    return torch.tensor(channels, dtype=torch.float32)[None, :, None, :]


def test_average_takes_neighbouring_groups():
    match = ChannelMatch("average", 4, 2)
    assert torch.equal(match(maps([1, 2], [3, 6], [10, 0], [30, 4])), maps([2, 4], [20, 2]))


def test_top_takes_the_most_active_in_their_order():
    match = ChannelMatch("top", 4, 2)
    assert torch.equal(match(maps([1, 2], [9, 0], [0, 0], [3, 3])), maps([9, 0], [3, 3]))


def test_top_chooses_per_image_over_all_steps():
    x = torch.zeros(2, 2, 3, 1, 1)  # (T, N, C, H, W)
    x[:, 0, :, 0, 0] = torch.tensor([[1.0, 0, 0], [0, 1, 1]])  # image 0: rates 1/2 each, decided below
    x[:, 0, 0] += 1  # channel 0 leads, then a tie is broken by channel 2
    x[1, 0, 2] += 1
    x[:, 1, :, 0, 0] = torch.tensor([[0.0, 1, 0], [0, 1, 1]])  # image 1: channels 1 and 2
    out = ChannelMatch("top", 3, 2)(x)
    assert torch.equal(out[:, 0], x[:, 0, [0, 2]])
    assert torch.equal(out[:, 1], x[:, 1, [1, 2]])


def test_top_passes_gradients_to_the_chosen_alone():
    x = maps([1, 2], [9, 0], [0, 0], [3, 3]).requires_grad_()
    ChannelMatch("top", 4, 2)(x).sum().backward()
    assert torch.equal(x.grad, maps([0, 0], [1, 1], [0, 0], [1, 1]))


def test_drop_keeps_the_same_channels_for_all_images_steps_and_passes():
    match = ChannelMatch("drop", 8, 3, generator=torch.Generator().manual_seed(0))
    kept = match.kept.tolist()
    assert kept == sorted(set(kept)) and len(kept) == 3
    x = torch.rand(4, 2, 8, 3, 3)
    assert torch.equal(match(x, unroll=2), x[:, :, kept])
    assert torch.equal(match(x[0], unroll=3), x[0][:, kept])


def test_drop_is_drawn_by_the_generator_and_belongs_to_the_state():
    one, same, other = (
        ChannelMatch("drop", 64, 32, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one.kept, same.kept) and not torch.equal(one.kept, other.kept)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.kept, other.kept)


def test_drop_is_fair():
    generator = torch.Generator().manual_seed(0)
    times = torch.zeros(6)
    for _ in range(1200):
        times[ChannelMatch("drop", 6, 3, generator=generator).kept] += 1
    assert (times - 600).abs().max() < 6 * (1200 * 0.25) ** 0.5


def test_top_fixed_keeps_the_channels_that_were_most_active_in_training():
    match = ChannelMatch("top-fixed", 3, 2)
    x = torch.zeros(2, 1, 3, 1, 1)  # (T, N, C, H, W)
    x[:, 0, :, 0, 0] = torch.tensor([[1.0, 0, 1], [1, 0, 0]])  # rates 1, 0, 1/2
    assert torch.equal(match(x), x[:, :, [0, 2]])
    assert torch.allclose(match.activity, torch.tensor([0.1, 0.0, 0.05]))  # a tenth of the way from 0
    match(x)
    assert torch.allclose(match.activity, torch.tensor([0.19, 0.0, 0.095]))
    match.eval()
    other = torch.zeros(4, 3, 1, 1)
    other[:, 1] = 1.0  # the busiest here, and still not kept
    assert torch.equal(match(other), other[:, [0, 2]])
    assert torch.allclose(match.activity, torch.tensor([0.19, 0.0, 0.095]))
    copy = ChannelMatch("top-fixed", 3, 2).eval()
    copy.load_state_dict(match.state_dict())
    assert torch.equal(copy(other), match(other))


def test_a_network_with_fixed_channels_can_be_converted_and_run_in_chunks():
    from snncore.conversion import ConversionConfig, convert
    from snncore.network import Network, NetworkConfig
    from snncore.training import InputConfig

    g = torch.Generator().manual_seed(0)
    images = torch.randint(256, (8, 1, 8, 8), dtype=torch.uint8, generator=g)
    ann = Network(
        "4C3 P [8C3]x3:top-fixed P F10", input_shape=(1, 8, 8), static_input=True, generator=g,
        config=NetworkConfig(neuron="relu"),
    )  # fmt: skip
    ann(images / 255)  # in training mode, so the channels are chosen
    ann.eval()
    kept = ann.match_conv2.activity.topk(4).indices
    snn, thresholds = convert(
        ann, images, InputConfig("poisson", steps=1), ConversionConfig(images=8, steps=20), generator=g
    )
    assert sorted(thresholds) == ["conv1", "conv2.1", "conv2.2", "conv2.3"]
    assert torch.equal(snn.match_conv2.activity.topk(4).indices, kept)
    x = (torch.rand(6, 2, 1, 8, 8, generator=g) < 0.4).float()
    with torch.no_grad():
        whole, _ = snn.run(x)
        first, state = snn.run(x[:2])
        rest, _ = snn.run(x[2:], state=state)
    assert torch.equal(whole, first + rest)


@settings(max_examples=30, deadline=None)
@given(
    rule=st.sampled_from(MATCHES),
    groups=st.integers(1, 3),
    keep=st.integers(1, 4),
    timed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_rule_gives_the_channels_asked_for(rule, groups, keep, timed, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(*((3,) if timed else ()), 2, groups * keep, 2, 2, generator=generator)
    out = ChannelMatch(rule, groups * keep, keep, generator=generator)(x)
    assert out.shape == (*x.shape[:-3], keep, 2, 2)
    if groups == 1:
        assert torch.equal(out, x)
    elif rule == "average":
        assert torch.allclose(out.sum(-3) * groups, x.sum(-3), atol=1e-5)
    elif rule == "top-fixed":
        mean = x.flatten(0, -4).mean((0, -2, -1)).sort(descending=True).values[:keep].sum()
        assert torch.allclose(out.flatten(0, -4).mean((0, -2, -1)).sum(), mean)
    elif rule == "top":
        mean = (x.mean(0) if timed else x).mean((-2, -1)).sort(-1, descending=True).values[:, :keep].sum(-1)
        assert torch.allclose((out.mean(0) if timed else out).mean((-2, -1)).sum(-1), mean)


@pytest.mark.parametrize(
    "rule, channels, keep, words",
    [
        ("first", 4, 2, "rule must be one of 'drop', 'top', 'top-fixed', 'average', got 'first'"),
        ("top", 0, 1, "channels must be a whole number"),
        ("top", 4, 0, "keep must be a whole number"),
        ("top", 4, 5, "keep must be at most channels = 4, got 5"),
        ("average", 4, 3, "keep must divide the 4 channels for rule 'average', got 3"),
        ("drop", 4, 2, "generator must be given for rule 'drop', got None"),
    ],
)
def test_wrong_arguments(rule, channels, keep, words):
    with pytest.raises(ValueError, match=words):
        ChannelMatch(rule, channels, keep)


@pytest.mark.parametrize("shape", [(4, 2, 2), (1, 3, 2, 2), (2, 1, 5, 2, 2), (1, 2, 1, 4, 2, 2)])
def test_wrong_input(shape):
    with pytest.raises(ValueError, match=r"x must have shape .* with C = 4, got"):
        ChannelMatch("top", 4, 2)(torch.zeros(shape))
