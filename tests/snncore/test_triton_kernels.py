"""The GPU's neuron kernels against the readable reference: on a GPU where there is one, else by Triton's interpreter.

The numbers are multiples of an eighth and the leaks powers of a half, so float32 rounds nothing and spikes at equality count.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from unittest import mock

import pytest
import torch

from snncore import kernels
from snncore.neurons import IF, LIF, NeuronState, fire, fire_reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("Triton is imported without its interpreter", allow_module_level=True)
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported
pytest.importorskip("triton", reason="Triton is not installed")

NEURONS = [
    LIF(
        alpha=alpha,
        order=order,
        detach_reset=detach,
        fire_at_equality=equality,
        threshold=threshold,
        gamma=0.5,
    )
    for alpha, order, detach, equality, threshold in itertools.product(
        (0.0, 0.5, 1.0), ("leak-then-reset", "reset-then-leak"), (True, False), (False, True), (1.0, 0.5)
    )
]
HALF = {torch.bfloat16: 1e-2, torch.float16: 1e-3}  # relative rounding of the kept potential, with some room


@pytest.fixture(autouse=True)
def triton_runs():
    """Every test here is about the kernels, so none may pass by way of another path."""
    with mock.patch.object(kernels, "path", lambda device="cpu": "triton"):
        assert kernels._triton(torch.device(DEVICE)) is not None
        yield


def eighths(*shape, seed=0, dtype=torch.float32):
    drawn = torch.randint(-8, 17, shape, generator=torch.Generator().manual_seed(seed))
    return (drawn / 8).to(DEVICE, dtype)


def run(function, current, neuron, weights, *, steps=None, state=None):
    """Spikes, last membrane, dL/dI and dL/dU of the state, of a loss that reads all spikes and the last membrane."""
    current = current.detach().requires_grad_()
    if state is not None:
        state = state._replace(membrane=state.membrane.detach().requires_grad_())
    spikes, end = function(current, neuron, steps=steps, state=state)
    ((spikes * weights).sum() + (end.membrane * weights[0].to(end.membrane.dtype)).sum()).backward()
    return spikes.detach(), end.membrane.detach(), current.grad, state and state.membrane.grad


def channels_last(x):
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


@pytest.mark.parametrize("neuron", NEURONS, ids=str)
@pytest.mark.parametrize("constant", [False, True])
def test_every_option_agrees_with_the_reference(neuron, constant):
    current, weights = eighths(5, 2, 3, 4, 5), eighths(5, 2, 3, 4, 5, seed=1)
    current, steps = (current[0], 5) if constant else (channels_last(current), None)
    found = run(fire, current, neuron, weights, steps=steps)
    wanted = run(fire_reference, current, neuron, weights, steps=steps)
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    assert 0.1 < found[0].mean() < 0.9 and found[2].abs().sum() > 0
    torch.testing.assert_close(found[2], wanted[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("neuron", [n for n in NEURONS if n.detach_reset], ids=str)
def test_a_state_carries_on(neuron):
    current, weights = eighths(4, 3, 50), eighths(4, 3, 50, seed=1)
    membrane = eighths(3, 50, seed=2)
    fires = membrane >= neuron.threshold if neuron.fire_at_equality else membrane > neuron.threshold
    state = NeuronState(membrane, fires.float(), None)
    found = run(fire, current, neuron, weights, state=state)
    wanted = run(fire_reference, current, neuron, weights, state=state)
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    for mine, theirs in zip(found[2:], wanted[2:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    assert neuron.alpha == 0 or found[3].abs().sum() > 0


@pytest.mark.parametrize(
    "neuron", [LIF(alpha=0.5, gamma=0.5), IF(detach_reset=False, order="reset-then-leak")]
)
@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_spikes_as_float32_does(neuron, dtype):
    current, weights = eighths(6, 2, 4, 4, 4, dtype=dtype), eighths(6, 2, 4, 4, 4, seed=1, dtype=dtype)
    found = run(fire, current, neuron, weights)
    wanted = run(fire_reference, current.float(), neuron, weights.float())
    assert found[0].dtype == found[2].dtype == dtype and found[1].dtype == torch.float32
    assert torch.equal(found[0].float(), wanted[0]) and torch.equal(found[1], wanted[1])
    scale = wanted[2].abs().max().item()
    torch.testing.assert_close(
        found[2].float(), wanted[2], rtol=2 * HALF[dtype], atol=2 * HALF[dtype] * scale
    )


@pytest.mark.parametrize("layout", ["time inside", "every second", "expanded", "permuted"])
def test_layouts_are_read_right(layout):
    current, weights = eighths(4, 2, 3, 5), eighths(4, 2, 3, 5, seed=1)
    laid = {
        "time inside": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
        "every second": lambda x: torch.stack([x, x + 9], -1).flatten(-2)[..., ::2],
        "expanded": lambda x: x[:, :1].expand(x.shape),
        "permuted": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    }[layout](current)
    found, wanted = (run(f, laid, LIF(alpha=0.5), weights) for f in (fire, fire_reference))
    assert torch.equal(found[0], wanted[0])
    torch.testing.assert_close(found[2], wanted[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 127, 128, 129, 1000])
def test_blocks_that_are_not_full(count):
    current, weights = eighths(3, 1, count), eighths(3, 1, count, seed=1)
    found, wanted = (run(f, current, LIF(alpha=0.5), weights) for f in (fire, fire_reference))
    assert torch.equal(found[0], wanted[0]) and torch.equal(found[1], wanted[1])
    torch.testing.assert_close(found[2], wanted[2], rtol=1e-5, atol=1e-6)


def test_many_neurons_in_large_blocks(monkeypatch):
    import snncore.triton_kernels as here

    monkeypatch.setattr(here, "_MANY", 1500)
    assert here._launch(1500) == ((2,), {"BLOCK": 1024, "num_warps": 4})
    current, weights = eighths(3, 1, 1500), eighths(3, 1, 1500, seed=1)
    found, wanted = (run(f, current, LIF(alpha=0.5), weights) for f in (fire, fire_reference))
    assert torch.equal(found[0], wanted[0])
    torch.testing.assert_close(found[2], wanted[2], rtol=1e-5, atol=1e-6)


def test_a_loss_of_the_membrane_or_of_the_spikes_alone():
    current = eighths(4, 2, 9).requires_grad_()
    for name in ("membrane", "spikes"):
        grads = []
        for function in (fire, fire_reference):
            spikes, end = function(current, LIF(alpha=0.5))
            (end.membrane if name == "membrane" else spikes).square().sum().backward()
            grads.append(current.grad)
            current.grad = None
        assert grads[0].abs().sum() > 0
        torch.testing.assert_close(*grads)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_what_is_not_finite_leaves_nan_in_the_last_spikes(value, alpha):
    current = eighths(5, 2, 6)
    current[1, 1, 2] = value
    spikes, _ = fire(current, LIF(alpha=alpha))
    assert torch.isnan(spikes[-1, 1, 2]) and int(torch.isnan(spikes).sum()) == 1


def test_nothing_to_do():
    spikes, state = fire(torch.zeros(3, 0, 4, device=DEVICE), LIF())
    assert spikes.shape == (3, 0, 4) and state.membrane.shape == (0, 4)


def test_other_neurons_go_to_pytorch():
    for neuron in (LIF(reset="hard"), LIF(refractory=1)):
        assert not kernels.take(eighths(2, 3), neuron, None)
    assert not kernels.take(eighths(2, 3).double(), LIF(), None)


@pytest.mark.parametrize("kernel", ["scan", "scan_back"])
def test_a_kernel_that_writes_zeros_is_refused_with_a_warning(kernel, monkeypatch):
    import snncore.triton_kernels as here

    right = getattr(here, kernel)

    def zeros(*tensors, **options):
        right(*tensors, **options)
        tensors[3].zero_()  # spikes, or dL/dI

    monkeypatch.setattr(here, kernel, zeros)
    kernels._triton.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="Triton cannot be used .ArithmeticError: one neuron gave"):
            assert kernels._triton(torch.device(DEVICE)) is None
    finally:
        kernels._triton.cache_clear()


def test_without_triton_the_path_is_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "snncore.triton_kernels", None)
    kernels._triton.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="Triton cannot be used"):
            assert kernels._triton(torch.device(DEVICE)) is None
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # said once
            assert kernels._triton(torch.device(DEVICE)) is None
    finally:
        kernels._triton.cache_clear()


FOR_A_GPU_THAT_IS_NOT_HERE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from snncore import triton_kernels as here

def check(kernel, **given):
    types = {n: "constexpr" if n.isupper() or v is None else v for n, v in given.items()}
    constants = {n: v for n, v in given.items() if types[n] == "constexpr"}
    even = [(i,) for i, v in enumerate(given.values()) if v in ("i32", "*fp32", "*bf16")]
    source = ASTSource(kernel, types, constants, {place: [["tt.divisibility", 16]] for place in even})
    code = compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4}).asm["ptx"]
    assert "ld.global.v4.b32" in code and "st.global.v4.b32" in code  # 16 bytes at once

wide, real = "*bf16", "fp32"
for start in (None, "*fp32"):
    check(here._scan, current=wide, membrane=start, before=start, spikes=wide, potential=wide, last="*fp32", n="i32",
          alpha=real, reset=real, threshold=real, STEPS=25, CONSTANT=False, AT_EQUALITY=False, BLOCK=1024)
    check(here._scan_back, potential=wide, by_spikes=wide, by_last=start, out=wide, by_first="*fp32", n="i32", behind="i32",
          alpha=real, jump=start and real, threshold=real, height=real, fall=real, STEPS=25, SUMMED=False, BLOCK=1024)
"""


def test_the_kernels_compile_for_a_gpu_and_move_sixteen_bytes_at_once(tmp_path):
    """Triton's compiler needs no GPU; its interpreter takes what the compiler would refuse."""
    root = kernels.__file__.rpartition("snncore")[0]
    path = os.pathsep.join([root, *(p for p in sys.path if p)])
    (tmp_path / "compiled.py").write_text(FOR_A_GPU_THAT_IS_NOT_HERE)
    env = {**os.environ, "TRITON_INTERPRET": "0", "PYTHONPATH": path, "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, tmp_path / "compiled.py"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
