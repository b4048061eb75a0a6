"""The runs behind Table 8 and Figure 5, trained end to end with surrogate gradients, and the further runs of the chapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from panda2020.planning import Place, grid
from panda2020.runs import Entry
from panda2020.tasks import gradients

TABLE_8 = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")

OTHERS = ("VGG4", "VGG2x2", "ResNet7")

PILOT = ("VGG5", "VGG3x4")

PILOT_SEEDS = (100, 101)

PILOT_RATES = (3e-4, 1e-3, 3e-3)

PILOT_EPOCHS = (
    4  # of spiking networks; ANNs, of which an epoch takes seconds, run the schedules of ``PILOT_SCHEDULES``
)

PILOT_SCHEDULES = (10, 15)

RECIPE = (
    "VGG5",
    "VGG7-agd",
    "VGG3x4",
)  # VGG5 is the control: a recipe with which it fails says nothing about depth

RECIPE_EPOCHS = 5

#: Optimiser, learning rate and gradient clipping of the specification curve.
OPTIMIZERS = (("adam", None, 1.0), ("sgd", 1e-2, None), ("sgd", 1e-3, None))

FOLLOWED = ("VGG3x2-v2", "VGG3x4")

FOLLOWED_EPOCHS = 2


@grid("8", networks=TABLE_8, steps="8")
def table8(at: Place) -> Iterator[Entry]:
    """Table 8: ANN and AGD-trained spiking networks of equal topology, at every T."""
    if at.first:
        yield at.ann()
    yield at.snn()


@grid("8-baselines", networks=TABLE_8, steps="8", by_network=True)
def baselines(at: Place) -> Iterator[Entry]:
    """Baseline ANNs other than Table 8's plain one.

    Roles: "ann-poisson" reads the mean of T Poisson spikes, the same input as the spiking network; "ann-tuned" is trained for
    longer, with dropout and other regularisation; "ann-tuned-bn" also has batch normalisation.
    """
    tuned = replace(at.p.ann_network, dropout=at.p.dropout)
    if at.first:
        yield at.ann("ann-tuned", network=tuned, training=at.p.tuned)
        yield at.ann("ann-tuned-bn", network=replace(tuned, batch_norm=True), training=at.p.tuned)
    yield at.ann("ann-poisson", code=at.p.input("poisson-mean", at.steps))


@grid("8-readings", networks=TABLE_8, steps="8", first_steps=True, interpretations="others")
def readings(at: Place) -> Iterator[Entry]:
    """Table 8 with the networks' other readings, at the first T, because its claims depend on the choice of networks."""
    yield at.ann()
    yield at.snn()


@grid("8-choices", networks=TABLE_8, steps="8", first_steps=True)
def choices(at: Place) -> Iterator[Entry]:
    """Table 8 at its first T with the other readings of neuron settings that the article leaves open.

    Roles: "snn-readout-mean" or "snn-readout-sum", the one that Table 8 does not use; "snn-leak-0.99"; "snn-tuned", with the
    augmentation and dropout of the ANN "ann-tuned" (``baselines``).
    """
    plain = at.snn().spec
    yield other_readout(at)
    yield at.snn("snn-leak-0.99", network=replace(plain.network, alpha=0.99))
    tuned = replace(at.p.tuned, learning_rate=plain.training.learning_rate)
    yield at.snn("snn-tuned", network=replace(plain.network, dropout=at.p.dropout), training=tuned)


def other_readout(at: Place) -> Entry:
    """The spiking network with the readout that Table 8 does not use, at that readout's learning rate."""
    run = at.snn().spec
    other = {"sum": "mean", "mean": "sum"}[run.network.readout]
    training = replace(run.training, learning_rate=at.p.other_readout_rate)
    return at.snn(f"snn-readout-{other}", network=replace(run.network, readout=other), training=training)


@grid("8-precision", networks=PILOT, steps="8", first_steps=True, one_seed=True)
def precisions(at: Place) -> Iterator[Entry]:
    """Pairs of Table 8 with float32 convolutions: roles "ann-float32", "snn-float32"."""
    for run in (at.ann("ann-float32"), at.snn("snn-float32")):
        training = replace(run.spec.training, mixed_precision=False)
        yield replace(run, spec=replace(run.spec, training=training))


@grid("pilot", networks=PILOT, steps="8", first_steps=True, one_seed=True, sweep=lambda p: PILOT_SEEDS)
def pilot(at: Place) -> Iterator[Entry]:
    """The pilot of the protocol: it chooses the learning rate, on seeds that no other run uses and on validation images only.

    Roles "pilot-ann" (every rate with every schedule) and "pilot-snn" (every rate with both readouts, ``PILOT_EPOCHS``). The
    records hold results on 500 test images, which are never used.
    """
    here = replace(at, seed=at.sweep)
    ann, snn = here.ann("pilot-ann"), here.snn("pilot-snn")
    data = replace(ann.spec.data, test=500)
    for rate, epochs in product(PILOT_RATES, PILOT_SCHEDULES):
        training = replace(ann.spec.training, learning_rate=rate, epochs=epochs)
        yield replace(ann, spec=replace(ann.spec, data=data, training=training))
    for rate, readout in product(PILOT_RATES, ("sum", "mean")):
        training = replace(snn.spec.training, learning_rate=rate, epochs=PILOT_EPOCHS)
        network = replace(snn.spec.network, readout=readout)
        yield replace(snn, spec=replace(snn.spec, data=data, network=network, training=training))


@grid(
    "8-recipe",
    networks=RECIPE,
    steps="8",
    first_steps=True,
    one_seed=True,
    sweep=lambda p: product(("sum", "mean"), (1.0, 1.4), (0.95, 0.99), OPTIMIZERS),
)
def recipes(at: Place) -> Iterator[Entry]:
    """Does VGG7 fail? The specification curve: optimiser, leak, gain and readout, short runs, role "recipe".

    A network that learns is above chance after ``RECIPE_EPOCHS``.
    """
    readout, gain, alpha, (optimizer, rate, clip) = at.sweep
    run = at.snn("recipe")
    training = replace(
        run.spec.training,
        epochs=RECIPE_EPOCHS,
        optimizer=optimizer,
        learning_rate=rate or run.spec.training.learning_rate,
        clip=clip,
    )
    network = replace(run.spec.network, readout=readout, gain=gain, alpha=alpha)
    yield replace(run, spec=replace(run.spec, network=network, training=training))


@grid("8-others", networks=OTHERS, steps="8", first_steps=True)
def others(at: Place) -> Iterator[Entry]:
    """Comparisons in the text around Table 8: VGG2x2 against VGG4 (section 4.2), a ResNet7 (section 6); at the first T."""
    yield at.ann()
    yield at.snn()


@grid("figure-5", networks=FOLLOWED, steps="8", first_steps=True)
def followed_gradients(at: Place) -> Iterator[Entry]:
    """Fig 5: gradients of the shared weights by unrolling step, in the first epochs of the spiking networks of Table 8.

    Role "gradients". The run is Table 8's at its first T, stopped early.
    """
    run = at.snn().spec
    yield at.entry(gradients.Spec(run, min(FOLLOWED_EPOCHS, run.training.epochs)), "gradients")
