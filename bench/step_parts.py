"""The parts of a training step and their times."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from snncore.neurons import fire

from .contenders import NEURON, Setting
from .report import Options, Ratio, Topic
from .timing import interleaved
from .training_step import SETTINGS

TITLE = "Parts of a training step: the convolutional layers, forward and backward"


class _Stage(NamedTuple):
    """One convolutional layer's tensors: all (T N, C, H, W) and channels last."""

    lead: tuple[int, int]  # T, N
    first: bool
    weight: Tensor
    image: Tensor  # what the convolution reads
    current: Tensor  # what it gives
    gradient: Tensor  # of the same shape
    pooled: Tensor  # gradient behind the pooling

    def timed(self, x: Tensor) -> Tensor:
        """(T, N, C, H, W)."""
        return x.unflatten(0, self.lead)


def run(options: Options) -> Topic:
    """Time convolution, neurons, ReLU and pooling of all stages separately."""
    setting = SETTINGS[options.size]
    stages = _stages(setting)
    parts = {
        "convolutions": _conv,
        "neurons": _neurons,
        "ReLU": lambda stage: _apply(F.relu, stage.current, stage.gradient),
        "average pooling": lambda stage: _apply(
            partial(F.avg_pool2d, kernel_size=2), stage.current, stage.pooled
        ),
    }
    timings = interleaved(
        {name: partial(_each, part, stages) for name, part in parts.items()},
        repeats=options.repeats,
        clock=options.clock,
    )
    ratios = [
        Ratio.between("neurons / convolutions", timings["neurons"], timings["convolutions"]),
    ]
    return Topic(
        {"topology": setting.topology, "steps": setting.steps, "batch": setting.batch},
        tuple(timings.values()),
        ratios=tuple(ratios),
    )


def _stages(setting: Setting) -> list[_Stage]:
    generator = torch.Generator().manual_seed(0)
    count, (_, side, _) = setting.steps * setting.batch, setting.image
    stages: list[_Stage] = []
    for maps_in, maps_out in setting.convolutions():
        weight = torch.randn(maps_out, maps_in, 3, 3, generator=generator) * (2 / (9 * maps_in)) ** 0.5
        image = (torch.rand(count, maps_in, side, side, generator=generator) < 0.2).float()
        weight, image = _last(weight), _last(image)
        current = F.conv2d(image, weight, padding=1)
        gradient = _last(torch.randn(current.shape, generator=generator))
        lead = (setting.steps, setting.batch)
        stages.append(_Stage(lead, not stages, weight, image, current, gradient, F.avg_pool2d(gradient, 2)))
        side //= 2
    return stages


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _each(part: Callable[[_Stage], object], stages: list[_Stage]) -> None:
    for stage in stages:
        part(stage)


def _conv(stage: _Stage) -> None:
    """The convolution without the gradient of the input image, which a training step does not need either."""
    image = stage.image.detach().requires_grad_(not stage.first)
    F.conv2d(image, stage.weight.detach().requires_grad_(), padding=1).backward(stage.gradient)


def _neurons(stage: _Stage) -> None:
    fire(stage.timed(stage.current).requires_grad_(), NEURON)[0].backward(stage.timed(stage.gradient))


def _apply(function: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> None:
    function(x.detach().requires_grad_()).backward(gradient)
