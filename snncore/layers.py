"""The weighted layers of a ``network`` with their neurons, and the context that one forward computation passes to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .neurons import LIF, ORDERS, RESETS, NeuronState, fire
from .topology import SPIKING, Pass

if TYPE_CHECKING:
    from .network import NetworkConfig

Probe = Callable[..., None]  # probe(site, values, timed=bool)

State = dict[str, NeuronState]  # by site


class _Run(NamedTuple):
    """The context of one forward computation."""

    steps: int | None
    before: Mapping[str, NeuronState] | None
    after: State
    probe: Probe | None
    generator: torch.Generator | None


class _Signal(NamedTuple):
    """Values (T, N, ...) if timed, else (N, ...)."""

    values: Tensor
    timed: bool

    def fold(self, function: Callable[[Tensor], Tensor]) -> _Signal:
        """Apply a layer without memory to every time step at once."""
        if not self.timed:
            return _Signal(function(self.values), False)
        lead = self.values.shape[:2]
        return _Signal(function(self.values.flatten(0, 1)).unflatten(0, lead), True)


STATE_OF_NEURONS = "neuron_parameters"  # in a layer's state dict: float64 (passes, fields of LIF)


def _in_numbers(neuron: LIF) -> list[float]:
    coded = {"reset": RESETS.index(neuron.reset), "order": ORDERS.index(neuron.order)}
    return [float(coded.get(field.name, getattr(neuron, field.name))) for field in fields(LIF)]


def _from_numbers(row: list[float]) -> LIF:
    alpha, threshold, gamma, reset, order, refractory, at_equality, detach = row
    return LIF(
        alpha,
        threshold,
        gamma,
        dict(enumerate(RESETS))[int(reset)],
        dict(enumerate(ORDERS))[int(order)],
        int(refractory),
        bool(at_equality),
        bool(detach),
    )


def _refuse_not_finite(values: Tensor, site: str) -> None:
    """Raise for NaN or infinity on a CPU: a ReLU would turn minus infinity into 0. On a GPU the check would have to wait."""
    if torch.compiler.is_exporting():  # an exported program cannot raise
        return
    if values.device.type != "cpu" or math.isfinite(float(values.detach().sum())):
        return
    wrong = values[~torch.isfinite(values)]
    if len(wrong):
        raise FloatingPointError(f"current of {site} must be finite, got {wrong[0].item()}")


class Layer(nn.Module):
    """Convolution or fully connected layer with its neurons, whose parameters may differ by pass."""

    def __init__(
        self, passes: tuple[Pass, ...], config: NetworkConfig, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        first = passes[0]
        self.passes = passes
        self.padding = first.kernel // 2
        self.kind = first.kind
        outputs, fan_in = first.out_shape[0], first.weights // first.out_shape[0]
        shape: tuple[int, ...] = (outputs, fan_in)
        if first.kind == "conv":
            shape = (outputs, first.in_shape[0], first.kernel, first.kernel)
        weight = torch.empty(shape).normal_(0.0, config.gain * (2 / fan_in) ** 0.5, generator=generator)
        if first.kind == "conv":
            weight = weight.contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight)
        self.neurons = [config.lif(p.neuron) for p in passes] if first.neuron in SPIKING else []
        self._built = list(self.neurons)
        self.norm = None
        if config.batch_norm and first.kind == "conv" and first.neuron == "relu":
            self.norm = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in passes)  # statistics per pass
        self.dropout = config.dropout if first.kind == "dense" else 0.0

    def weighted(self, x: Tensor) -> Tensor:
        """The weighted sum of (N, C, H, W) maps or of anything that flattens to (N, features)."""
        if self.kind == "conv":
            return F.conv2d(x, self.weight, padding=self.padding)
        return F.linear(x.flatten(1), self.weight)

    def forward(self, signal: _Signal, *, unroll: int, run: _Run) -> _Signal:
        site = self.passes[unroll - 1].site
        if self.dropout and self.training:
            signal = self._drop(signal, run)
        charged = signal.fold(self.weighted)
        if self.neurons:
            state = None if run.before is None else run.before.get(site)
            steps = None if charged.timed else run.steps
            if not charged.timed and steps is None:
                raise ValueError(
                    f"steps must be given for real values that enter spiking layer {site}, got None"
                )
            try:
                spikes, after = fire(charged.values, self.neurons[unroll - 1], steps=steps, state=state)
            except (FloatingPointError, ValueError) as error:  # "current must be ..", "state must .."
                raise type(error)(str(error).replace(" must", f" of {site} must", 1)) from error
            run.after[site] = after
            out = _Signal(spikes, True)
        else:
            values = charged.values if self.norm is None else self.norm[unroll - 1](charged.values)
            _refuse_not_finite(values, site)
            out = _Signal(F.relu(values), False)
        if run.probe is not None:
            run.probe(site, out.values, timed=out.timed)
        return out

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:  # type: ignore[no-untyped-def]
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.neurons:
            destination[prefix + STATE_OF_NEURONS] = torch.tensor(
                [_in_numbers(neuron) for neuron in self.neurons], dtype=torch.float64
            )

    def _load_from_state_dict(  # type: ignore[no-untyped-def]
        self, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs
    ) -> None:
        """Restore the neurons as well. An ANN's state has none; a layer accepts it if its neurons are unchanged."""
        super()._load_from_state_dict(
            state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        key = prefix + STATE_OF_NEURONS
        if not self.neurons:  # a ReLU layer reports neurons as unexpected
            return
        if key not in state_dict:
            if strict and self.neurons != self._built:
                missing_keys.append(key)
            return
        if key in unexpected_keys:
            unexpected_keys.remove(key)
        try:
            neurons = [_from_numbers(row) for row in state_dict[key].tolist()]
            if len(neurons) != len(self.passes):
                raise ValueError(f"got neurons for {len(neurons)} passes of {len(self.passes)}")
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            error_msgs.append(f"{key} must hold the parameters of each pass's neurons: {error}")
        else:
            self.neurons = neurons

    def _drop(self, signal: _Signal, run: _Run) -> _Signal:
        """Dropout with one mask per image, the same at every time step (section 3.2.3 describes such masks for STDP)."""
        if run.generator is None:
            raise ValueError("generator must be given to train with dropout, got None")
        values = signal.values
        one = values[0] if signal.timed else values
        keep = torch.rand(one.shape, generator=run.generator, device=run.generator.device).to(values.device)
        return _Signal(values * ((keep >= self.dropout) / (1 - self.dropout)), signal.timed)
