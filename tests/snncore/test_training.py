"""Training: exact repetition and resumption, what stops a run, evaluation, and networks that learn digits."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from training_cases import SHORT, SPIKES, build, fit

from snncore import coding
from snncore.activity import ActivityProbe
from snncore.data import Part, Splits
from snncore.streams import stream
from snncore.training import InputConfig, TrainingConfig, evaluate, kept_epoch


def same_weights(one, two):
    return all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())


def test_the_same_seed_gives_the_same_bits(few):
    torch.manual_seed(1)
    one = build(dropout=0.2)
    curve = fit(one, few)
    torch.manual_seed(2)  # the global generator has no say
    two = build(dropout=0.2)
    assert fit(two, few) == curve and same_weights(one, two)
    other = build(dropout=0.2)
    assert fit(other, few, seed=1) != curve and not same_weights(one, other)


@pytest.mark.parametrize("options", [{"optimizer": "adam"}, {"optimizer": "sgd", "schedule": "step"}])
@pytest.mark.parametrize("head", ["softmax", "stochmax"])
def test_stopping_and_resuming_equals_never_stopping(few, tmp_path, options, head):
    config = TrainingConfig(epochs=3, batch_size=16, augment=True, **options)
    whole = build("4C3 [4C3]x2 P F8 F10", head=head, dropout=0.1)
    curve = fit(whole, few, config=config)
    assert [entry["epoch"] for entry in curve] == [1, 2, 3]
    assert json.loads(json.dumps(curve)) == curve
    file = tmp_path / "new" / "run.pt"
    for stop in (1, 2, None):
        net = build("4C3 [4C3]x2 P F8 F10", seed=99, head=head, dropout=0.1)  # weights come from the file
        if stop == 1:
            net.load_state_dict(build("4C3 [4C3]x2 P F8 F10", head=head, dropout=0.1).state_dict())
        parts = fit(net, few, config=config, checkpoint=file, stop_after=stop)
        assert parts == curve[: stop or 3]
    assert same_weights(net, whole)
    assert [path.name for path in file.parent.iterdir()] == ["run.pt"]
    assert fit(net, few, config=config, checkpoint=file) == curve  # nothing left to do


def test_a_run_killed_within_an_epoch_goes_on_from_the_one_before(few, tmp_path):
    whole = build()
    curve = fit(whole, few)
    file, calls = tmp_path / "run.pt", []

    class Killed(BaseException):
        pass

    class Dying:
        """The coder of a process that ends in the second batch of the second epoch."""

        def __call__(self, images, *, generator):
            calls.append(len(images))
            if len(calls) == 7:  # 3 batches, 2 of validation, 2 more
                raise Killed
            return SPIKES(images, generator=generator)

        def __repr__(self):
            return repr(SPIKES)

    with pytest.raises(Killed):
        fit(build(), few, Dying(), checkpoint=file)
    net = build(seed=5)
    assert fit(net, few, checkpoint=file) == curve and same_weights(net, whole)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_broken_checkpoint_is_named(few, tmp_path, content):
    file = tmp_path / "run.pt"
    if content is None:  # torn in the middle
        fit(build(), few, checkpoint=file, stop_after=1)
        content = file.read_bytes()[:-600]
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint must be one that this run wrote, got .*run\.pt"):
        fit(build(), few, checkpoint=file)
    assert file.read_bytes() == content


def test_a_checkpoint_of_another_run_is_refused(few, tmp_path):
    file = tmp_path / "run.pt"
    fit(build(), few, checkpoint=file, stop_after=1)
    for net, options in (
        (build("8C3 P F8 F10"), {}),
        (build(), {"seed": 1}),
        (build(alpha=0.5), {}),
        (build(), {"config": TrainingConfig(epochs=4)}),
        (build(), {"coder": InputConfig("poisson", steps=5)}),
    ):
        with pytest.raises(ValueError, match="checkpoint must be one that this run wrote"):
            fit(net, few, checkpoint=file, **options)
    with pytest.raises(ValueError, match="checkpoint must be one that this run wrote"):
        fit(build(), replace(few, sha256="others"), checkpoint=file)


def test_stop_after_and_no_epochs(few):
    config = TrainingConfig(epochs=4, batch_size=16)
    curve = fit(build(), few, config=config)
    assert fit(build(), few, config=config, stop_after=2) == curve[:2]
    assert fit(build(), few, config=config, stop_after=9) == curve
    net = build()
    assert fit(net, few, config=TrainingConfig(epochs=0)) == [] and same_weights(net, build())
    with pytest.raises(ValueError, match="stop_after must be a whole number"):
        fit(build(), few, stop_after=-1)


def test_the_curve_takes_what_on_epoch_gives(few):
    def watch(epoch, network):
        return {"seen": epoch, "mean": network.layers["fc1"].weight.mean().item()}

    curve = fit(build(), few, config=TrainingConfig(epochs=2, batch_size=16), on_epoch=watch)
    assert [entry["seen"] for entry in curve] == [0, 1] and curve[0]["mean"] != curve[1]["mean"]
    assert {
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_accuracy",
        "validation_loss",
        "gradient_norm",
    } < set(curve[0])


def test_a_loss_that_is_not_finite_names_epoch_and_batch_and_keeps_the_checkpoint(few, tmp_path):
    file, net = tmp_path / "run.pt", build()
    fit(net, few, checkpoint=file, stop_after=1)
    kept = file.read_bytes()
    loss, calls = net.head.loss, []

    def broken(*args, **options):
        calls.append(1)
        found, log = loss(*args, **options)
        return (found * math.nan if len(calls) == 2 else found), log

    net.head.loss = broken
    with pytest.raises(FloatingPointError, match="loss must stay finite, got nan in epoch 2, batch 2"):
        fit(net, few, checkpoint=file)
    assert file.read_bytes() == kept


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(few):
    net = build("F8 F10", neuron="relu")
    net.layers["fc1"].weight.register_hook(lambda grad: grad * math.inf)
    with pytest.raises(FloatingPointError, match=r"gradient must stay finite, got .* in epoch 1, batch 1"):
        fit(net, few, InputConfig())
    assert all(p.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", ["train", "validation"])
def test_parts_without_images_are_refused_before_training(few, name):
    none = Part(few.train.images[:0], few.train.labels[:0])
    parts = {"train": few.train, "validation": few.validation, name: none}
    net = build()
    with pytest.raises(ValueError, match=f"splits must hold at least one {name} image, got none"):
        fit(net, Splits(**parts, test=few.test, classes=few.classes, sha256=""))
    assert same_weights(net, build())
    with pytest.raises(ValueError, match="part must hold at least one image, got none"):
        evaluate(net, none, SPIKES, seed=0)


def test_evaluation_by_hand(few):
    net = build(gain=2.0).train()
    found = evaluate(net, few.test, SPIKES, seed=3, batch_size=8, positions=True)
    assert net.training
    generator, probe = stream(3, "evaluation"), ActivityProbe(positions=True)
    scores = []
    with torch.no_grad():
        for start in (0, 8, 16):
            x = coding.poisson(few.test.images[start : start + 8] / 255, 4, generator=generator)
            scores.append(net.eval()(x, probe=probe))
    scores = torch.cat(scores)
    hits = scores.argmax(1) == few.test.labels
    assert torch.equal(found.hits, hits)
    assert (found.correct, found.total, found.accuracy) == (int(hits.sum()), 20, int(hits.sum()) / 20)
    assert found.loss == pytest.approx(F.cross_entropy(scores, few.test.labels).item(), rel=1e-5)
    assert found.sites == probe.result() and set(found.sites) == {"input", "conv1", "fc1"}
    assert found.sites["conv1"].positions is not None


def test_evaluation_repeats_and_may_leave_activity_out(few):
    net = build()
    one, two = (evaluate(net, few.test, SPIKES, seed=0, activity=on) for on in (True, False))
    assert torch.equal(one.hits, two.hits) and one.loss == two.loss and two.sites == {}
    assert evaluate(net, few.test, SPIKES, seed=1).loss != one.loss
    assert not any(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize(
    "topology, neuron, coder, epochs",
    [
        ("8C3 P F32 F10", "relu", InputConfig(), 8),
        ("8C3 P F32 F10", "lif", InputConfig("poisson", steps=6), 8),
        ("8C3 P [8C3]x2 F32 F10", "lif", InputConfig("poisson", steps=6), 8),
        ("8C3:relu P [8C3]x2 F32 F10", "lif", InputConfig("direct", steps=6), 8),
    ],
)
def test_networks_learn_digits(digits, topology, neuron, coder, epochs):
    net = build(topology, neuron=neuron)
    curve = fit(net, digits, coder, TrainingConfig(epochs=epochs, batch_size=10, learning_rate=0.01))
    assert not net.training
    found = evaluate(net, digits.test, coder, seed=0)
    assert found.accuracy > 0.6  # chance is 0.1
    assert curve[-1]["train_loss"] < 0.8 * curve[0]["train_loss"]
    untrained = evaluate(build(topology, neuron=neuron), digits.test, coder, seed=0)
    assert found.accuracy > untrained.accuracy + 0.3


@pytest.mark.parametrize("neuron, coder", [("relu", InputConfig()), ("lif", SPIKES)])
def test_mixed_precision_learns_and_keeps_full_weights(digits, neuron, coder):
    net = build(neuron=neuron)
    config = TrainingConfig(epochs=2, batch_size=20, learning_rate=5e-3, mixed_precision=True)
    curve = fit(net, digits, coder, config)
    assert curve[1]["train_loss"] < curve[0]["train_loss"]
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    full = TrainingConfig(epochs=2, batch_size=20, learning_rate=5e-3)
    assert fit(build(neuron=neuron), digits, coder, full) != curve


BEST = replace(SHORT, epochs=6, learning_rate=0.05, schedule="constant", warmup=0.0, keep="best")


def test_the_best_validation_epoch_is_kept(few, tmp_path):
    states = {}

    def remember(epoch, net):
        states[epoch + 1] = {name: value.clone() for name, value in net.state_dict().items()}
        return {}

    net = build()
    curve = fit(net, few, config=BEST, on_epoch=remember)
    accuracies = [entry["validation_accuracy"] for entry in curve]
    best = accuracies.index(max(accuracies)) + 1
    assert best < 6, "the schedule must overshoot, or this test says nothing"
    assert kept_epoch(curve, BEST) == best and kept_epoch(curve, SHORT) == 6
    assert all(torch.equal(value, states[best][name]) for name, value in net.state_dict().items())
    assert not all(torch.equal(value, states[6][name]) for name, value in net.state_dict().items())
    found = evaluate(net, few.validation, SPIKES, seed=0, batch_size=BEST.batch_size)
    assert found.accuracy == max(accuracies)
    last = build()
    assert fit(last, few, config=replace(BEST, keep="last")) == curve
    assert all(torch.equal(value, states[6][name]) for name, value in last.state_dict().items())


def test_the_best_epoch_survives_an_interruption(few, tmp_path):
    whole = build()
    curve = fit(whole, few, config=BEST)
    file = tmp_path / "run.pt"
    for stop in (2, 5):
        part = build()
        fit(part, few, config=BEST, checkpoint=file, stop_after=stop)
    resumed = build()
    assert fit(resumed, few, config=BEST, checkpoint=file) == curve and same_weights(resumed, whole)


def test_a_training_left_early_has_the_weights_of_its_last_epoch(few):
    one, other = build(), build()
    fit(one, few, config=BEST, stop_after=3)
    fit(other, few, config=replace(BEST, keep="last"), stop_after=3)
    assert same_weights(one, other)


def test_kept_epoch_of_equal_ones_is_the_first():
    curve = [{"validation_accuracy": a} for a in (0.2, 0.5, 0.5, 0.4)]
    assert kept_epoch(curve, BEST) == 2 and kept_epoch([], BEST) == 0
    with pytest.raises(ValueError, match="keep must be one of 'last', 'best', got 'first'"):
        TrainingConfig(keep="first")
