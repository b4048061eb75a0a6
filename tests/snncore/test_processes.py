"""Two processes that share every batch train as one does, go on from a checkpoint, and refuse what they cannot share."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from snncore.data import Part, Splits
from snncore.network import Network, NetworkConfig
from snncore.processes import (
    check_shares,
    first_says,
    gather,
    process,
    processes,
    same_everywhere,
    share,
    wait_for_all,
    wrap,
)
from snncore.streams import stream
from snncore.training import InputConfig, TrainingConfig, train

ROOT = Path(__file__).parents[2]


def part(count: int, seed: int) -> Part:
    g = stream(seed, "images")
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=g, dtype=torch.uint8)
    return Part(images, torch.randint(0, 10, (count,), generator=g))


SPLITS = Splits(part(21, 0), part(10, 1), part(10, 2), tuple("abcdefghij"), "0" * 64)

#: 21 images in batches of 8: of the last five images, one process takes two and the other three.
REAL = TrainingConfig(epochs=3, batch_size=8, augment=True, keep="best")
POISSON = TrainingConfig(epochs=1, batch_size=21 + 1, optimizer="sgd", schedule="constant", clip=None)
MASKS = TrainingConfig(epochs=2, batch_size=8)
CASES = {
    "relu": ("relu", "softmax", InputConfig(), REAL),
    "lif": ("lif", "softmax", InputConfig("poisson", steps=4), POISSON),
    "stochmax": ("relu", "stochmax", InputConfig(), MASKS),
}


def fit(name, *, batch_size=None, batch_norm=False, **options):
    neuron, head, coder, recipe = CASES[name]
    recipe = replace(recipe, batch_size=batch_size or recipe.batch_size)
    config = NetworkConfig(neuron=neuron, head=head, batch_norm=batch_norm, gain=2.0)
    net = Network("4C3 P [4C3]x2 F10", input_shape=(1, 8, 8), config=config, generator=stream(0, "weights"))
    curve = train(net, SPLITS, coder, recipe, seed=0, progress=False, **options)
    gradients = {n: p.grad.clone() for n, p in net.named_parameters()}
    return {"curve": curve, "weights": net.state_dict(), "gradients": gradients}


def work(folder: Path) -> None:
    """What each of the two processes does; the test compares what they leave in ``folder``."""
    torch.distributed.init_process_group("gloo")
    found = {name: fit(name) for name in CASES}
    fit("relu", checkpoint=folder / "run.pt", stop_after=1)
    found["resumed"] = fit("relu", checkpoint=folder / "run.pt")
    found["apart"] = _refusal(
        lambda: fit("relu", checkpoint=folder / ("run.pt" if process() else "other.pt"))
    )
    found["odd"] = _refusal(lambda: fit("relu", batch_size=7))
    found["short"] = _refusal(lambda: fit("relu", batch_size=20))
    found["normalised"] = _refusal(lambda: fit("relu", batch_norm=True))
    found["said"] = first_says({"from": process()})
    torch.save(found, folder / f"{process()}.pt")
    torch.distributed.destroy_process_group()


def _refusal(call) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing was refused"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes found, the first one's first."""
    folder = tmp_path_factory.mktemp("processes")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launch, __file__, str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in (0, 1)]


def close(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(torch.as_tensor(other[name]), torch.as_tensor(value), **tolerance)


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_curve_are_those_of_one_process(found, name):
    alone = fit(name)
    first, second = found[0][name], found[1][name]
    assert any(gradient.any() for gradient in alone["gradients"].values())
    close(alone["gradients"], first["gradients"], rtol=1e-3, atol=1e-6)
    assert len(alone["curve"]) == len(first["curve"]) == CASES[name][3].epochs
    for one, other in zip(alone["curve"], first["curve"], strict=True):
        close(one, other, rtol=1e-4, atol=1e-6)
    assert first["curve"] == second["curve"]
    close(first["weights"], second["weights"], rtol=0, atol=0)


def test_the_gradient_is_no_single_share_of_it(found):
    """What the comparison above would miss if both processes computed the whole batch: the shares differ."""
    assert [share_of(one, 5) for one in (0, 1)] == [slice(0, 2), slice(2, 5)]
    assert found[0]["said"] == found[1]["said"] == {"from": 0}


def share_of(number, images):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("snncore.processes.processes", lambda: 2)
        patched.setattr("snncore.processes.process", lambda: number)
        return share(images)


def test_training_goes_on_from_the_checkpoint_of_the_first(found):
    assert found[0]["resumed"]["curve"] == found[0]["relu"]["curve"]
    close(found[1]["resumed"]["weights"], found[0]["relu"]["weights"], rtol=0, atol=0)


def test_what_cannot_be_shared_is_refused_by_each(found):
    for one in found:
        assert one["odd"] == "batch_size must be a multiple of the 2 processes that share it, got 7"
        assert one["short"].startswith(
            "batch_size must leave at least 2 images for the last batch, one for each"
        )
        assert one["normalised"].startswith("batch_norm must be False where 2 processes share a batch")
        assert one["apart"].startswith("checkpoint must be a file that all processes see, got ")


def test_one_process_shares_with_nobody():
    features = torch.ones(3, 2, requires_grad=True)
    net = torch.nn.Linear(1, 1)
    assert (processes(), process(), share(7)) == (1, 0, slice(0, 7))
    assert gather(features, 3) is features and first_says("this") == "this"
    assert same_everywhere("this") and wrap(net) is net
    check_shares(21, 20, batch_norm=True)
    wait_for_all()


if __name__ == "__main__":
    work(Path(sys.argv[1]))
