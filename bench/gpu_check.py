"""Check a GPU for correctness and speed: ``python -m bench.gpu_check [--device cuda] [--seconds 90] [--out DIR]``.

Neurons and a short training on the device are compared with the CPU. Then training steps and a converted network are timed,
with the same settings as recorded runs (``provenance.deterministic``). Nothing is read from disk: the images are generated.
Every result is written to ``DIR/gpu_check.json`` as soon as it exists, with the commit of the sources (``--commit`` where there
is no git history), the date and the command; a part that fails is named, and the next one runs.
``--device cpu --size small`` runs the same code anywhere in seconds.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from panda2020 import networks
from panda2020.runs import provenance
from snncore import kernels
from snncore.conversion import ConversionConfig, convert
from snncore.data import Part, Splits
from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF, fire, fire_reference
from snncore.simulation import simulate
from snncore.topology import as_ann, scale_width
from snncore.training import InputConfig, TrainingConfig, train

from .contenders import Setting, network, peers

#: Largest relative difference of a short training's loss from the CPU's. Sums are added in another order, so a potential
#: near its threshold may fall on the other side, and from then on the two trainings differ.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Scale:
    """Amount of measurement.

    Networks with widths and batches, T, repeats of a step, neurons of the timed layer, (images, T) of the conversion's
    simulation.
    """

    names: tuple[str, ...]
    widths: tuple[float, ...]
    batches: tuple[int, ...]
    steps: int
    repeats: int
    layer: tuple[int, ...]
    simulated: tuple[int, int]
    images: int


SCALES = {
    "full": Scale(
        ("VGG5", "VGG7-agd", "VGG3x4"), (0.25, 1.0), (32, 128), 25, 5, (128, 128, 16, 16), (2000, 100), 256
    ),
    "small": Scale(("VGG5",), (1 / 16,), (2,), 3, 1, (2, 3, 4, 4), (6, 60), 16),
}

Found = Iterator[dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts; 0 if nothing failed and every comparison holds."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_check", description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=90, help="start no part after this time")
    parser.add_argument("--out", type=Path, default=Path("gpu_check"))
    parser.add_argument("--size", choices=SCALES, default="full")
    parser.add_argument("--commit", help="the commit of these sources, where there is no git history")
    given = parser.parse_args(arguments)
    if given.device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {given.device} is not available on this machine")
    commit = provenance.commit(given.commit)
    words = f"--device {given.device} --seconds {given.seconds:g} --size {given.size}"
    made = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": f"python -m bench.gpu_check {words}",
        "commit": commit.sha,
        "dirty": commit.dirty,
    }
    file = given.out / "gpu_check.json"
    check = _Check(torch.device(given.device), SCALES[given.size], given.seconds, file, made)
    with provenance.deterministic():
        check.run()
    print(check.table())
    return 0 if check.sound() else 1


class _Check:
    """The parts, and their results so far."""

    def __init__(
        self, device: torch.device, scale: Scale, seconds: float, file: Path, made: dict[str, Any]
    ) -> None:
        self.device, self.scale, self.seconds, self.file, self.made = device, scale, seconds, file, made
        self.began = time.perf_counter()
        self.rows: list[dict[str, Any]] = []

    def run(self) -> None:
        self._part("machine", self._machine)
        self._part("neurons", self._neurons)
        self._part("training", self._training)
        self._part("layer", self._layer)
        for name, width, batch in product(self.scale.names, self.scale.widths, self.scale.batches):
            self._part(
                f"step {name} width {width:g} batch {batch}",
                partial(self._step, name, width, batch),
            )
            if (name, width, batch) == (self.scale.names[0], self.scale.widths[0], self.scale.batches[0]):
                self._part("epoch", self._epoch)
                self._part("conversion", self._conversion)
        self._part("peers", self._peers)

    def _part(self, name: str, work: Callable[[], Found]) -> None:
        """Run one part unless time is over. If it raises an error, that is its result."""
        begin = time.perf_counter()
        if begin - self.began > self.seconds:
            self._keep({"part": name, "skipped": "out of time"})
            return
        try:
            for found in work():
                self._keep({"part": name, **found, "at": round(time.perf_counter() - self.began, 2)})
        except Exception as error:  # any error, because the other parts must still run
            traceback.print_exc()
            self._keep({"part": name, "failed": f"{type(error).__name__}: {error}"})
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({**self.made, "rows": self.rows}, indent=1) + "\n", encoding="utf-8")

    def sound(self) -> bool:
        return not any("failed" in row or row.get("holds") is False for row in self.rows)

    def table(self) -> str:
        """One line per row: the part, and its numbers."""
        lines = []
        for row in self.rows:
            words = [
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
                for k, v in row.items()
                if k not in ("part", "at")
            ]
            lines.append(f"{row['part']:36s} {', '.join(words)}")
        lines.append(f"{time.perf_counter() - self.began:.1f} s, {'sound' if self.sound() else 'NOT SOUND'}")
        return "\n".join(lines)

    # --- right ------------------------------------------------------------------------------------------------

    def _machine(self) -> Found:
        yield provenance.machine(str(self.device)) | {"neurons": kernels.path(self.device)}

    def _neurons(self) -> Found:
        """Every option: spikes equal to the reference, gradients close to it. Multiples of 1/8 are exact in float32."""
        generator = torch.Generator().manual_seed(0)
        shape = (6, 2, 8, 16, 16) if self.scale.steps > 3 else (6, 2, 3, 4, 4)
        eighths = [(torch.randint(-8, 17, shape, generator=generator) / 8).to(self.device) for _ in range(2)]
        for dtype, near in ((torch.float32, 1e-4), (torch.bfloat16, 0.02), (torch.float16, 0.004)):
            unequal, worst, least = 0, 0.0, float("inf")
            options: Any = product((0.5, 1.0), ("leak-then-reset", "reset-then-leak"), *[(True, False)] * 4)
            for alpha, order, detach, equality, constant, started in options:
                neuron = LIF(
                    alpha=alpha, order=order, detach_reset=detach, fire_at_equality=equality, gamma=0.5
                )
                # the reference treats a given state's spikes as constants, so only a detached reset is comparable
                state = self._state(eighths[1], neuron) if started and detach else None
                found = _differentiated(fire, neuron, eighths, dtype, constant=constant, state=state)
                wanted = _differentiated(
                    fire_reference, neuron, eighths, torch.float32, constant=constant, state=state
                )
                unequal += int((found[0].float() != wanted[0]).sum())
                worst = max(worst, float((found[1].float() - wanted[1]).abs().max() / wanted[1].abs().max()))
                least = min(least, float(found[1].float().norm() / wanted[1].norm()))
            yield {
                "dtype": str(dtype),
                "unequal_spikes": unequal,
                "gradient_error": worst,
                "least_gradient": least,
                "holds": unequal == 0 and worst < near and least > 0.9,
            }
        yield self._scanned()

    def _state(self, like: Tensor, neuron: LIF) -> Any:
        """The state after some steps."""
        return fire_reference(like, neuron)[1]

    def _scanned(self) -> dict[str, Any]:
        """Many neurons with the paper's leak, compared with PyTorch's scan on the same device."""
        generator = torch.Generator().manual_seed(1)
        shape = (self.scale.steps, *self.scale.layer)
        given = [(torch.randn(shape, generator=generator) * 0.8 + 0.3).to(self.device) for _ in range(2)]
        ours = _differentiated(fire, LIF(), given, torch.float32)
        with kernels.pytorch_only():
            scan = _differentiated(fire, LIF(), given, torch.float32)
        unequal = float((ours[0] != scan[0]).float().mean())
        error = float((ours[1] - scan[1]).norm() / scan[1].norm())
        return {
            "share_unequal_to_scan": unequal,
            "gradient_error": error,
            "holds": unequal < 1e-5 and error < 1e-2,
        }

    def _training(self) -> Found:
        """The same short training here and on a CPU, without randomness in its input; here twice, bit for bit."""
        curves = [
            self._fit(device, InputConfig("direct", steps=5)) for device in (self.device, self.device, "cpu")
        ]
        here, again, cpu = ([e["train_loss"] for e in curve] for curve in curves)
        off = max(abs(a - b) / b for a, b in zip(here, cpu, strict=True))
        yield {
            "loss": here,
            "cpu": cpu,
            "off": off,
            "repeats_exactly": here == again,
            "holds": off < TOLERANCE and here == again,
        }

    def _fit(self, device: torch.device | str, coder: InputConfig, **recipe: Any) -> list[dict[str, Any]]:
        splits = made_up(self.scale.images)
        net = Network(
            scale_width(networks.network("VGG5").topology, self.scale.widths[0]),
            input_shape=networks.CIFAR10,
            config=NetworkConfig(gain=1.4),
            generator=torch.Generator().manual_seed(0),
            static_input=coder.code == "direct",
        ).to(device)
        config = TrainingConfig(**({"epochs": 2, "batch_size": 32} | recipe))
        return train(net, splits, coder, config, seed=0, device=device, progress=False)

    # --- fast -------------------------------------------------------------------------------------------------

    def _layer(self) -> Found:
        """One layer of neurons, forward and backward, compared with a copy of its current."""
        for dtype in (torch.float32, torch.bfloat16):
            current = torch.randn((self.scale.steps, *self.scale.layer), device=self.device).to(dtype)
            current = (
                current.flatten(0, 1)
                .contiguous(memory_format=torch.channels_last)
                .unflatten(0, current.shape[:2])
            )
            gradient = torch.randn_like(current)
            leaf = current.clone().requires_grad_()
            neurons = self._seconds(lambda i=leaf, g=gradient: fire(i, LIF())[0].backward(g))  # type: ignore[misc]
            copy = self._seconds(lambda i=current: i.clone())  # type: ignore[misc]
            yield {
                "dtype": str(dtype),
                "ms": neurons * 1e3,
                "copy_ms": copy * 1e3,
                "over_copy": neurons / copy,
            }

    def _step(self, name: str, width: float, batch: int) -> Found:
        """One training step in bfloat16, compared with the same convolutions with ReLU on T times as many images."""
        text, T = scale_width(networks.network(name).topology, width), self.scale.steps
        draw = torch.Generator().manual_seed(0)
        spikes = (torch.rand(T, batch, *networks.CIFAR10, generator=draw) < 1 / 3).float().to(self.device)
        labels = (torch.arange(batch) % 10).to(self.device)
        seconds = {}
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        for kind, topology, neuron in (("spiking", text, "lif"), ("conv_only", as_ann(text), "relu")):
            net = Network(
                topology,
                input_shape=networks.CIFAR10,
                config=NetworkConfig(neuron=neuron, gain=1.4),
                generator=draw,
                static_input=neuron == "relu",
            ).to(self.device)
            adam = torch.optim.Adam(net.parameters())
            seconds[kind] = self._seconds(lambda n=net, a=adam: self._train_once(n, a, spikes, labels))  # type: ignore[misc]
        peak = torch.cuda.max_memory_allocated(self.device) / 1e9 if self.device.type == "cuda" else None
        yield {
            "images_per_s": batch / seconds["spiking"],
            "ms": seconds["spiking"] * 1e3,
            "over_conv_only": seconds["spiking"] / seconds["conv_only"],
            "steps": T,
            "epoch_of_45000_s": 45000 * seconds["spiking"] / batch,
            "peak_gb": peak,
        }

    def _train_once(self, net: Network, adam: torch.optim.Optimizer, spikes: Tensor, labels: Tensor) -> None:
        adam.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            if net.plan[0].static:
                features = net.features(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2]).mean(0)
            else:
                features = net.features(spikes)
        net.head.loss(features.float(), labels)[0].backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()

    def _epoch(self) -> Found:
        """A whole epoch of ``training.train`` with Poisson input, to measure the cost of the loop around the step."""
        coder = InputConfig("poisson", steps=self.scale.steps)
        self._fit(self.device, coder, epochs=1, mixed_precision=True)
        begin = time.perf_counter()
        curve = self._fit(self.device, coder, epochs=2, mixed_precision=True)
        seconds = (time.perf_counter() - begin) / 2
        yield {"images_per_s": self.scale.images / seconds, "loss": [e["train_loss"] for e in curve]}

    def _conversion(self) -> Found:
        """Calibration and simulation of VGG7-conv, image-steps per second."""
        (images, T), coder = self.scale.simulated, InputConfig("poisson", steps=1)
        splits = made_up(images)
        config = ConversionConfig(images=min(1000, images), steps=T, percentile=99.9)
        for width in self.scale.widths:
            ann = Network(
                scale_width(as_ann(networks.network("VGG7-conv").topology), width),
                input_shape=networks.CIFAR10,
                config=NetworkConfig(neuron="relu", gain=1.4),
                generator=torch.Generator().manual_seed(0),
            ).to(self.device)
            draw = torch.Generator(device=self.device).manual_seed(0)
            begin = time.perf_counter()
            net, thresholds = convert(ann, splits.train.images, coder, config, generator=draw)
            calibrated = time.perf_counter() - begin
            simulate(net, first(splits.train, 1), coder, 2, seed=0, device=self.device)
            begin = time.perf_counter()
            found = simulate(net, splits.train, coder, T, at=(T,), seed=0, points=10, device=self.device)
            simulated = time.perf_counter() - begin
            yield {
                "width": width,
                "calibration_image_steps_per_s": config.images * config.steps / calibrated,
                "image_steps_per_s": images * T / simulated,
                "thresholds": [round(x, 3) for x in thresholds.values()],
                "rates": [round(site.rate, 4) for site in found[T].sites.values()],
            }

    def _peers(self) -> Found:
        """The training step beside SpikingJelly's, if it is installed, in two precisions and layouts.

        SpikingJelly 2 chooses its kernels itself. Autocast gives it a bfloat16 membrane, for which it has only its PyTorch
        reference; the number of subtractions tells which ran.
        """
        peer = next(p for p in peers() if p.name == "spikingjelly")
        if peer.version is None:
            yield {"skipped": f"spikingjelly: {peer.reason}"}
        setting = Setting() if self.scale.steps > 3 else Setting(steps=3, batch=2, widths=(2, 3), features=4)
        for precision, layout in product(("bfloat16", "float32"), ("channels_last", "contiguous")):
            for name in ("snncore", "spikingjelly")[: 1 if peer.version is None else 2]:
                step = self._contender(name, setting, layout, bfloat16=precision == "bfloat16")
                yield {
                    "contender": name,
                    "version": peer.version if name == "spikingjelly" else None,
                    "precision": precision,
                    "layout": layout,
                    "steps": setting.steps,
                    "batch": setting.batch,
                    "ms": self._seconds(step) * 1e3,
                    **self._profile(step),
                }

    def _contender(self, name: str, setting: Setting, layout: str, *, bfloat16: bool) -> Callable[[], None]:
        contender = network(name, setting, layout=layout).to(self.device)
        spikes, labels = (x.to(self.device) for x in setting.spikes())

        def once() -> None:
            contender.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
                scores = contender(spikes)
            nn.functional.cross_entropy(scores.float(), labels).backward()

        once()
        if not any(float(g.abs().sum()) > 0 for g in contender.gradients()[:1]):
            raise ArithmeticError("the first layer's gradient is zero")
        return once

    def _profile(self, work: Callable[[], None]) -> dict[str, Any]:
        """Time that the device computes in one call, and the number of subtractions that PyTorch starts."""
        activities = [ProfilerActivity.CPU]
        if self.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities) as found:
            work()
            self._wait()
        averages = found.key_averages()
        busy = sum(e.self_device_time_total for e in averages if e.device_type != DeviceType.CPU)
        return {
            "busy_ms": busy / 1e3 if self.device.type == "cuda" else None,
            "subtractions": sum(e.count for e in averages if e.key == "aten::sub"),
        }

    def _seconds(self, work: Callable[[], object]) -> float:
        """Median time of one call, including the device's work, after two warm-up calls."""
        times = []
        for number in range(self.scale.repeats + 2):
            self._wait()
            begin = time.perf_counter()
            work()
            self._wait()
            if number >= 2:
                times.append(time.perf_counter() - begin)
        return statistics.median(times)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _differentiated(
    function: Callable[..., Any],
    neuron: LIF,
    given: list[Tensor],
    dtype: torch.dtype,
    *,
    constant: bool = False,
    state: Any = None,
) -> tuple[Tensor, Tensor]:
    """Spikes and dL/dI for a loss that weights all spikes."""
    current, weights = given[0].to(dtype), given[1].to(dtype)
    leaf = (current[0] if constant else current).clone().requires_grad_()
    spikes, _ = function(leaf, neuron, steps=len(current) if constant else None, state=state)
    (spikes.float() * weights.float()).sum().backward()
    assert leaf.grad is not None
    return spikes.detach(), leaf.grad


def made_up(count: int) -> Splits:
    """Generated images of ten classes: a pattern for each class, and noise."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    patterns = torch.rand(10, *networks.CIFAR10, generator=draw)
    noise = torch.rand(count, *networks.CIFAR10, generator=draw)
    part = Part(((patterns[labels] + noise) * 127).to(torch.uint8), labels)
    few = first(part, min(count, 50))
    return Splits(part, few, few, tuple(map(str, range(10))), "made up")


def first(part: Part, count: int) -> Part:
    """The first images."""
    return replace(part, images=part.images[:count], labels=part.labels[:count])


if __name__ == "__main__":
    sys.exit(main())
