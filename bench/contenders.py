"""The same neuron layer and the same spiking network with every library, written as in its documentation.

All compute one function: leak 0.95, threshold 1, soft reset, reset not differentiated, a triangle of height 1 and
half-width 1 as surrogate derivative; in the network, 3x3 convolutions without bias, average pooling, and a
classifier that reads the mean of the last hidden layer's spikes over time. The settings of each library:

- SpikingJelly: ``LIFNode(tau=20, decay_input=False, v_reset=None, detach_reset=True)`` with ``PiecewiseQuadratic(1)``, in
  multi-step mode; its own stateless layers fold time into the batch.
- snnTorch: ``Leaky(beta=0.95)`` with a custom surrogate, in a loop over time steps.
- norse: ``LIFBoxCell`` with "triangle" and a reset without gradient, ``SequentialState`` in a loop over time steps; its
  cells multiply their input by 1 - leak, so its weights are 20 times as large.

The order of leak and reset is each library's own choice (``ORDERS``). snncore supports both at the same cost, and is
compared with each library in that library's order.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snncore._check import one_of, whole
from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF, fire

LEAK = 0.95

NEURON = LIF(alpha=LEAK, gamma=1.0)

ORDERS = {"spikingjelly": "reset-then-leak", "snntorch": "leak-then-reset", "norse": "reset-then-leak"}

#: distribution -> modules whose import shows that it works.
PEERS: dict[str, tuple[str, ...]] = {
    "spikingjelly": ("spikingjelly.activation_based.neuron", "spikingjelly.activation_based.layer"),
    "snntorch": ("snntorch",),
    "norse": ("norse.torch",),
}


@dataclass(frozen=True)
class Peer:
    """A library to compare with: its version, or None and the reason for skipping it."""

    name: str
    version: str | None
    reason: str = ""


def peers() -> tuple[Peer, ...]:
    """Every peer, installed or not."""
    return tuple(_peer(name) for name in PEERS)


def _peer(name: str) -> Peer:
    try:
        version = importlib.metadata.version(name)
        for module in PEERS[name]:
            importlib.import_module(module)
    except importlib.metadata.PackageNotFoundError:
        return Peer(name, None, "not installed")
    except ImportError as error:
        return Peer(name, None, f"{version} is installed but cannot be imported: {error}")
    return Peer(name, version)


@dataclass(frozen=True)
class Setting:
    """Size of the network.

    It is a VGG of 3x3 convolutions, each followed by neurons and 2x2 average pooling, and one hidden fully connected layer. The
    aims are stated for the default size.
    """

    steps: int = 25
    batch: int = 32
    widths: tuple[int, ...] = (32, 64, 64)
    features: int = 256
    image: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "features", "classes"):
            whole(name, getattr(self, name))

    @property
    def topology(self) -> str:
        """The network in the notation of ``snncore.network``."""
        return " ".join([*(f"{width}C3 P" for width in self.widths), f"F{self.features} F{self.classes}"])

    @property
    def flat(self) -> int:
        """Features that the hidden fully connected layer reads."""
        side = 2 ** len(self.widths)
        return self.widths[-1] * (self.image[1] // side) * (self.image[2] // side)

    def convolutions(self) -> Iterator[tuple[int, int]]:
        """(maps in, maps out) of each convolution."""
        return zip((self.image[0], *self.widths), self.widths, strict=False)

    def spikes(self, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Input spikes (T, N, C, H, W), a third of them 1, and labels (N,)."""
        generator = torch.Generator().manual_seed(seed)
        spikes = (torch.rand(self.steps, self.batch, *self.image, generator=generator) < 1 / 3).float()
        return spikes, torch.randint(self.classes, (self.batch,), generator=generator)


class Contender(nn.Module):
    """One implementation of the network: ``forward`` takes (T, N, C, H, W) spikes and returns (N, classes) scores.

    ``body`` runs at every step, ``head`` is the classifier. ``scale`` is the factor on the hidden layers'
    weights that the library's units require.
    """

    scale = 1.0

    def __init__(self, body: nn.Module, head: nn.Module, run: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.head, self._run = body, head, run

    def forward(self, spikes: Tensor) -> Tensor:
        return self.head(self._run(self.body, spikes))

    def hidden(self) -> list[nn.Parameter]:
        """The hidden layers' weights, first layer first."""
        return [p for p in self.body.parameters() if p.dim() > 1]

    def take(self, weights: list[Tensor]) -> None:
        """Set all weights: those of the hidden layers, then the classifier's weight and bias."""
        *hidden, weight, bias = weights
        with torch.no_grad():
            for mine, given in zip(self.hidden(), hidden, strict=True):
                mine.copy_(given * self.scale)
            for mine, given in zip(self.head.parameters(), (weight, bias), strict=True):
                mine.copy_(given)

    def gradients(self) -> list[Tensor]:
        """Gradients with respect to the weights that ``take`` was given."""
        hidden = [p.grad * self.scale for p in self.hidden() if p.grad is not None]
        return hidden + [p.grad for p in self.head.parameters() if p.grad is not None]


def weights(setting: Setting, seed: int = 0) -> list[Tensor]:
    """Weights for every contender, drawn as in ``Network`` with a gain of 1.5, with which all layers fire."""
    net = _network(setting, seed)
    return [p.detach().clone() for p in net.parameters()]


def _network(setting: Setting, seed: int, order: str = NEURON.order) -> Network:
    config = NetworkConfig(alpha=LEAK, gamma=NEURON.gamma, order=order, gain=1.5)
    return Network(
        setting.topology,
        input_shape=setting.image,
        config=config,
        generator=torch.Generator().manual_seed(seed),
    )


def _snncore(setting: Setting, order: str = NEURON.order) -> Contender:
    net = _network(setting, 0, order)
    body = nn.Module()
    body.layers = net.layers  # its weights; what computes is the network itself
    return Contender(body, net.head, lambda _, spikes: net.features(spikes))


def _conv_only(setting: Setting) -> Contender:
    """The same layers with ReLU on T * N images: the cost of the convolutions alone."""

    def run(body: nn.Module, spikes: Tensor) -> Tensor:
        return body(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2]).mean(0)

    return Contender(_plain(setting, lambda: nn.ReLU(inplace=True)), _head(setting), run)


def _spikingjelly(setting: Setting) -> Contender:
    ab = "spikingjelly.activation_based"
    layer, functional = (importlib.import_module(f"{ab}.{name}") for name in ("layer", "functional"))
    modules: list[nn.Module] = []
    for maps_in, maps_out in setting.convolutions():
        modules += [
            layer.Conv2d(maps_in, maps_out, 3, padding=1, bias=False),
            _lif_node(),
            layer.AvgPool2d(2, 2),
        ]
    modules += [layer.Flatten(), layer.Linear(setting.flat, setting.features, bias=False), _lif_node()]
    net = nn.Sequential(*modules)
    functional.set_step_mode(net, "m")

    def run(body: nn.Module, spikes: Tensor) -> Tensor:
        functional.reset_net(body)
        return body(spikes).mean(0)

    return Contender(net, _head(setting), run)


def _lif_node() -> Any:
    ab = "spikingjelly.activation_based"
    neuron, surrogate = (importlib.import_module(f"{ab}.{name}") for name in ("neuron", "surrogate"))
    return neuron.LIFNode(
        tau=1 / (1 - LEAK),
        decay_input=False,
        v_threshold=1.0,
        v_reset=None,
        detach_reset=True,
        surrogate_function=surrogate.PiecewiseQuadratic(1.0),
        step_mode="m",
    )


def _snntorch(setting: Setting) -> Contender:
    utils = importlib.import_module("snntorch.utils")

    def run(body: nn.Module, spikes: Tensor) -> Tensor:
        utils.reset(body)
        return torch.stack([body(one) for one in spikes]).mean(0)

    return Contender(_plain(setting, lambda: _leaky(init_hidden=True)), _head(setting), run)


def _leaky(*, init_hidden: bool) -> Any:
    snn = importlib.import_module("snntorch")
    surrogate = importlib.import_module("snntorch.surrogate")

    def triangle(x: Tensor, gradient: Tensor, _: Tensor) -> Tensor:
        return gradient * (1 - x.abs()).clamp(min=0)

    return snn.Leaky(beta=LEAK, spike_grad=surrogate.custom_surrogate(triangle), init_hidden=init_hidden)


def _norse(setting: Setting) -> Contender:
    norse = importlib.import_module("norse.torch")

    def run(body: nn.Module, spikes: Tensor) -> Tensor:
        state, found = None, []
        for one in spikes:
            out, state = body(one, state)
            found.append(out)
        return torch.stack(found).mean(0)

    plain = _plain(setting, _box_cell)
    contender = Contender(norse.SequentialState(*plain), _head(setting), run)
    contender.scale = 1 / (1 - LEAK)
    return contender


def _box_cell() -> Any:
    norse = importlib.import_module("norse.torch")

    def subtract(z: Tensor, v: Tensor, _: Tensor, threshold: Tensor) -> Tensor:
        return v - z.detach() * threshold

    dt = 0.001
    p = norse.LIFBoxParameters(
        tau_mem_inv=torch.tensor((1 - LEAK) / dt, dtype=torch.float64),
        method="triangle",
        alpha=1.0,
        reset_method=subtract,
    )
    return norse.LIFBoxCell(p, dt=dt)


def _plain(setting: Setting, neurons: Callable[[], nn.Module]) -> nn.Sequential:
    """Convolutions, neurons and pooling for one time step, or for one image."""
    modules: list[nn.Module] = []
    for maps_in, maps_out in setting.convolutions():
        modules += [nn.Conv2d(maps_in, maps_out, 3, padding=1, bias=False), neurons(), nn.AvgPool2d(2)]
    return nn.Sequential(
        *modules, nn.Flatten(), nn.Linear(setting.flat, setting.features, bias=False), neurons()
    )


def _head(setting: Setting) -> nn.Linear:
    return nn.Linear(setting.features, setting.classes)


NETWORKS: dict[str, Callable[[Setting], Contender]] = {
    "snncore": _snncore,
    "conv-only": _conv_only,
    "spikingjelly": _spikingjelly,
    "snntorch": _snntorch,
    "norse": _norse,
}

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def network(
    name: str, setting: Setting, *, layout: str = "contiguous", order: str | None = None
) -> Contender:
    """The network implemented with the library ``name`` (a key of ``NETWORKS``), with weights in a memory format.

    snncore always stores its weights channels last. Only snncore accepts an ``order`` of leak and reset other than its own.

    Raises:
        ValueError: an unknown name or layout.
    """
    build = NETWORKS[one_of("name", name, tuple(NETWORKS))]
    memory_format = FORMATS[one_of("layout", layout, SETTINGS).split(" ")[0]]
    made = build(setting) if order is None else _snncore(setting, order)
    made.take(weights(setting))
    if name != "snncore":
        made.to(memory_format=memory_format)  # type: ignore[call-overload]  # missing in torch's stubs
    return made


#: Memory format and number format of a contender: PyTorch's default, and alternatives that are often faster.
SETTINGS = ("contiguous", "channels_last", "channels_last bfloat16")

BFLOAT16 = "channels_last bfloat16"


def layouts(name: str) -> tuple[str, ...]:
    """The settings of ``SETTINGS`` in which a contender may run; snncore always stores its weights channels last."""
    return SETTINGS[1:] if name == "snncore" else SETTINGS


def training_step(
    contender: Contender, spikes: Tensor, labels: Tensor, *, bfloat16: bool = False
) -> Callable[[], None]:
    """One step of Adam on cross-entropy from given input spikes, as a function to be timed.

    Args:
        bfloat16: let PyTorch choose number formats (autocast), for all contenders; weights and loss stay float32.
    """
    optimizer = torch.optim.Adam(contender.parameters(), lr=1e-5)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            scores = contender(spikes)
        loss = F.cross_entropy(scores.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


Scan = Callable[[Tensor], Tensor]  # currents (T, N, ...) to spikes of the same shape


def _snncore_layer(order: str = NEURON.order) -> Scan:
    neuron = replace(NEURON, order=order)
    return lambda current: fire(current, neuron)[0]


def _spikingjelly_layer() -> Scan:
    node = _lif_node()

    def run(current: Tensor) -> Tensor:
        node.reset()
        return node(current)

    return run


def _snntorch_layer() -> Scan:
    cell = _leaky(init_hidden=False)

    def run(current: Tensor) -> Tensor:
        membrane, found = cell.reset_mem(), []
        for one in current:
            spikes, membrane = cell(one, membrane)
            found.append(spikes)
        return torch.stack(found)

    return run


def _norse_layer() -> Scan:
    cell = _box_cell()

    def run(current: Tensor) -> Tensor:
        state, found = None, []
        for one in current:
            spikes, state = cell(one, state)
            found.append(spikes)
        return torch.stack(found)

    return run


LAYERS: dict[str, Callable[[], Scan]] = {
    "snncore": _snncore_layer,
    "spikingjelly": _spikingjelly_layer,
    "snntorch": _snntorch_layer,
    "norse": _norse_layer,
}

#: Factor of each library on its input; currents are divided by it first.
INPUT_SCALE = {"norse": 1 - LEAK}


def layer(name: str, *, order: str | None = None) -> Scan:
    """One layer of neurons implemented with the library ``name`` (a key of ``LAYERS``), from rest at every call.

    Only snncore accepts an ``order`` other than its own.

    Raises:
        ValueError: an unknown name.
    """
    build = LAYERS[one_of("name", name, tuple(LAYERS))]
    return build() if order is None else _snncore_layer(order)
