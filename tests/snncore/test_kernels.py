"""The compiled neuron loops: the readable reference, PyTorch's scan bit for bit, layouts, threads, and every fallback."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import multiprocessing
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore import kernels
from snncore.neurons import IF, LIF, NeuronState, _leave_nan, fire, fire_reference

NEURONS = [
    LIF(alpha=alpha, order=order, detach_reset=detach, fire_at_equality=equality, threshold=threshold)
    for alpha, order, detach, equality, threshold in itertools.product(
        (0.0, 0.9, 1.0), ("leak-then-reset", "reset-then-leak"), (True, False), (False, True), (1.0, 0.7)
    )
]
BLOCK = importlib.import_module("snncore._loops").BLOCK


@pytest.fixture(autouse=True)
def compiled_loops_run():
    """Every test here is about them, so none may pass by way of the fallback."""
    assert kernels.path() == "numba"


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def draw(*shape, seed=0, dtype=torch.float32):
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.8 + 0.3).to(dtype)


def channels_last(x):
    """The same (T, N, C, H, W) with channels innermost, as a convolution leaves it."""
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


def both(current, neuron, weights, *, steps=None, state=None, run=fire):
    """Spikes, last membrane, dL/dI and dL/dU of the state, of a loss that reads all spikes and the last membrane."""
    current = current.detach().requires_grad_()
    if state is not None:
        state = state._replace(membrane=state.membrane.detach().requires_grad_())
    spikes, end = run(current, neuron, steps=steps, state=state)
    ((spikes * weights).sum() + (end.membrane * weights[0].to(end.membrane.dtype)).sum()).backward()
    return (
        spikes.detach(),
        end.membrane.detach(),
        current.grad,
        None if state is None else state.membrane.grad,
    )


def equal(found, wanted):
    return all((a is None and b is None) or torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def by_pytorch(*args, **options):
    with kernels.pytorch_only():
        return both(*args, **options)


def scattered(x, layout):
    """The same values in another layout; the kernel must read them in place or copy them right."""
    if layout == "channels_last":
        return channels_last(x)
    if layout == "time inside":  # one neuron's steps lie side by side
        return x.movedim(0, -1).contiguous().movedim(-1, 0)
    if layout == "every second":
        wide = torch.full((*x.shape[:-1], 2 * x.shape[-1]), 99.0, dtype=x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if layout == "one sample of a larger batch":
        return torch.cat([x, torch.full_like(x, 99.0)], dim=1)[:, : x.shape[1]]
    if layout == "expanded":
        return x[:, :1].expand(x.shape)
    return x


@settings(max_examples=80, deadline=None)
@given(
    neuron=st.sampled_from(NEURONS),
    T=st.integers(1, 7),
    N=st.integers(1, 3),
    maps=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    layout=st.sampled_from(
        ["", "channels_last", "time inside", "every second", "one sample of a larger batch", "expanded"]
    ),
    constant=st.booleans(),
    started=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_agrees_with_the_reference_in_float64(neuron, T, N, maps, layout, constant, started, seed):
    """All away from ties: a potential within rounding of the threshold may fall on either side."""
    current = scattered(draw(T, N, *maps, seed=seed), layout)
    steps = T if constant else None
    if constant:
        current = current[0]
    weights = draw(T, N, *maps, seed=seed + 1)
    state = None
    if started and neuron.detach_reset:  # a given state's spikes are constants in the reference
        membrane = draw(N, *maps, seed=seed + 2)
        state = NeuronState(membrane, (membrane > neuron.threshold).float(), None)
    wide = None if state is None else NeuronState(state.membrane.double(), state.spikes.double(), None)
    wanted = both(current.double(), neuron, weights.double(), steps=steps, state=wide, run=fire_reference)
    found = both(current, neuron, weights, steps=steps, state=state)
    if torch.equal(found[0].double(), wanted[0]):
        for mine, theirs in zip(found, wanted, strict=True):
            if theirs is not None:
                torch.testing.assert_close(mine.double(), theirs, rtol=1e-4, atol=2e-5)
    else:  # one tie at most, and close
        with torch.no_grad():
            potential, before = [], wide
            for drive in current.double().expand(T, *current.shape) if constant else current.double():
                _, before = fire_reference(drive[None], neuron, state=before)
                potential.append(before.membrane)
        differs = found[0].double() != wanted[0]
        first = differs.flatten(1).any(1).nonzero()[0].item()
        assert (torch.stack(potential)[first] - neuron.threshold)[differs[first]].abs().max() < 1e-5


@pytest.mark.parametrize("neuron", NEURONS, ids=str)
@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, 2 * BLOCK + 17])
def test_is_pytorchs_scan_bit_for_bit(neuron, n):
    current, weights = draw(5, n), draw(5, n, seed=1)
    membrane = draw(n, seed=2)
    state = NeuronState(membrane, (membrane > neuron.threshold).float(), None)
    wanted, found = (
        by_pytorch(current, neuron, weights, state=state),
        both(current, neuron, weights, state=state),
    )
    assert equal(found[:2], wanted[:2]) and (n == 1 or found[0].sum() > 0)
    for mine, theirs in zip(found[2:], wanted[2:], strict=True):
        if neuron.detach_reset:
            assert torch.equal(mine, theirs)
        else:  # the scan takes the same slope by another order of operations there
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("constant", [False, True])
def test_threads_do_not_change_a_bit(threads, monkeypatch, dtype, constant):
    monkeypatch.setattr(kernels, "_ALONE", 1)
    current = draw(*(() if constant else (6,)), 3, 7, 31, 33, dtype=dtype)
    weights = draw(6, 3, 7, 31, 33, seed=1, dtype=dtype)
    pieces, share = [], kernels._share
    monkeypatch.setattr(
        kernels,
        "_share",
        lambda n, steps, work: share(
            n, steps, lambda start, stop: (pieces.append((start, stop)), work(start, stop))[1]
        ),
    )
    found = []
    for count in (1, 2, 3):
        threads(count)
        pieces.clear()
        found.append(both(current, LIF(), weights, steps=6 if constant else None))
        assert len(pieces) == 2 * count  # forward and backward
    assert equal(found[0], found[1]) and equal(found[0], found[2])
    assert 0 < found[0][0].sum() < found[0][0].numel()


def test_many_python_threads_at_once_get_the_numbers_of_one(monkeypatch):
    monkeypatch.setattr(kernels, "_ALONE", 1)
    jobs = [(draw(4, 3, 5000, seed=seed), draw(4, 3, 5000, seed=99)) for seed in range(12)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: both(job[0], LIF(), job[1]), jobs))
    assert all(
        equal(found, both(current, LIF(), weights))
        for found, (current, weights) in zip(together, jobs, strict=True)
    )


def _count_in_a_child(results, current):
    results.put(
        float(fire(current, LIF())[0].numpy().sum())
    )  # by numpy: torch's own threads do not survive a fork


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_forked_process_has_threads_of_its_own(threads, monkeypatch):
    """As a DataLoader's worker; a pool inherited from the parent would wait for threads that are not there."""
    monkeypatch.setattr(kernels, "_ALONE", 1)
    threads(2)
    current = draw(3, 4 * BLOCK)
    wanted = float(fire(current, LIF())[0].numpy().sum())  # the parent's pool has started a thread
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        child = context.Process(target=_count_in_a_child, args=(results, current))
        child.start()
    try:
        assert results.get(timeout=60) == wanted
    finally:
        child.kill()
        child.join()


def test_repeated_runs_are_equal():
    current, weights = (
        draw(9, 2, 3, 20, 20, dtype=torch.bfloat16),
        draw(9, 2, 3, 20, 20, seed=1, dtype=torch.bfloat16),
    )
    assert equal(both(current, LIF(), weights), both(current, LIF(), weights))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("neuron", NEURONS[::5], ids=str)
@pytest.mark.parametrize("cut", [1, 5, 8])
def test_chunks_of_time_continue(neuron, cut, dtype):
    current, weights = channels_last(draw(9, 2, 5, 3, 3, dtype=dtype)), draw(9, 2, 5, 3, 3, seed=1)
    whole = current.clone().requires_grad_()
    spikes, end = fire(whole, neuron)
    (spikes * weights).sum().backward()
    parts = current.clone().requires_grad_()
    first, state = fire(parts[:cut], neuron)
    second, last = fire(parts[cut:], neuron, state=state)
    (torch.cat([first, second]) * weights).sum().backward()
    assert torch.equal(torch.cat([first, second]), spikes) and torch.equal(last.membrane, end.membrane)
    # in bfloat16 the membrane between the chunks is not rounded for Eq. 4, so without detaching it differs a little
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(parts.grad, whole.grad, **close)


@pytest.mark.parametrize("layout", ["", "channels_last"])
def test_a_constant_current_is_the_same_current_at_every_step(layout):
    one, weights = scattered(draw(1, 2, 3, 4, 5), layout)[0], draw(8, 2, 3, 4, 5, seed=1)
    spikes, last, grad, _ = both(one, LIF(), weights, steps=8)
    spikes_each, last_each, grad_each, _ = both(one.expand(8, *one.shape), LIF(), weights)
    assert torch.equal(spikes, spikes_each) and torch.equal(last, last_each)
    torch.testing.assert_close(grad, grad_each.sum(0))
    assert spikes[0].stride() == one.stride()


def test_layouts_in_blocks_are_kept_and_not_copied():
    current = channels_last(draw(4, 2, 3, 5, 6))
    assert kernels._in_blocks(current) is current
    leaf = current.requires_grad_()
    spikes, end = fire(leaf, LIF())
    assert spikes.stride() == current.stride() and end.membrane.stride() == current[0].stride()
    (spikes * channels_last(draw(4, 2, 3, 5, 6, seed=1))).sum().backward()
    assert leaf.grad.stride() == current.stride()


@pytest.mark.parametrize("order", ["leak-then-reset", "reset-then-leak"])
def test_firing_at_equality_is_a_choice_in_both_dtypes(order):
    for dtype in (torch.float32, torch.bfloat16):
        at = torch.full((1, 3), 0.75, dtype=dtype)
        assert fire(at, LIF(threshold=0.75, order=order))[0].sum() == 0
        assert fire(at, LIF(threshold=0.75, order=order, fire_at_equality=True))[0].sum() == 3


@pytest.mark.parametrize("neuron", NEURONS[::7], ids=str)
def test_bfloat16_spikes_are_those_of_a_float32_membrane(neuron):
    current = draw(12, 3, 700, dtype=torch.bfloat16)
    spikes, end = fire(current, neuron)
    wide, wide_end = fire(current.float(), neuron)
    assert spikes.dtype == torch.bfloat16 and spikes.sum() > 0
    assert torch.equal(spikes.float(), wide) and torch.equal(end.membrane, wide_end.membrane)


def test_bfloat16_gradients_are_float32s_up_to_rounding():
    current, weights = draw(12, 3, 700, dtype=torch.bfloat16), draw(12, 3, 700, seed=1, dtype=torch.bfloat16)
    grad = both(current, LIF(), weights)[2]
    wide = both(current.float(), LIF(), weights.float())[2]
    assert grad.dtype == torch.bfloat16
    assert (grad.float() - wide).norm() / wide.norm() < 0.01  # 8 bits of mantissa in U and in the result


@settings(max_examples=200, deadline=None)
@given(high=st.integers(0, 0xFFFF), low=st.sampled_from([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF]))
def test_rounding_to_bfloat16_is_pytorchs(high, low):
    """Seen through the potential that backward reads: without current it is the state's. 0x8000 is a tie."""
    bits = torch.tensor([(high << 16) + low], dtype=torch.int64).to(torch.int32)
    exact = bits.view(torch.float32)
    if not exact.isfinite():
        return
    kept = kernels.forward(
        torch.zeros(1, 1, dtype=torch.bfloat16),
        IF(),
        steps=None,
        membrane=exact,
        spikes=torch.zeros(1),
        keep=True,
    ).potential
    assert torch.equal(kept[0], exact.to(torch.bfloat16))


def test_a_nan_gradient_stays_nan_in_bfloat16():
    """With every bit of its mantissa set, a NaN would round up into another number."""
    leaf = torch.full((1, 3), 0.9, dtype=torch.bfloat16, requires_grad=True)
    _, end = fire(leaf, LIF())
    end.membrane.backward(torch.tensor([0x7FFFFFFF, -1, 0x7F800001], dtype=torch.int32).view(torch.float32))
    assert leaf.grad.isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.float16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "neuron", [LIF(alpha=0.9), LIF(alpha=0.0), IF(), LIF(reset="hard"), LIF(refractory=2)], ids=str
)
def test_a_current_that_is_not_finite_is_named_with_its_first_step(neuron, value, dtype):
    for step, last in ((0, 5), (3, 3), (5, 5)):
        current = draw(6, 2, 3000, dtype=dtype)
        current[step, 1, 2000] = value
        current[last, 0, 7] = value
        with pytest.raises(FloatingPointError, match=f"^current must be finite, got {value} at step {step}$"):
            fire(current, neuron)
    with pytest.raises(FloatingPointError, match=f"^current must be finite, got {value} at step 0$"):
        fire(current[5], neuron, steps=4)


def test_opposite_infinities_are_found():
    current = torch.tensor([[float("inf")], [float("-inf")]])
    with pytest.raises(FloatingPointError, match="got inf at step 0"):
        fire(current, IF())


def test_a_state_or_a_sum_that_is_not_finite_is_named():
    state = NeuronState(torch.tensor([0.0, float("nan")]), torch.zeros(2), None)
    with pytest.raises(FloatingPointError, match="^state must have a finite membrane, got nan$"):
        fire(torch.zeros(3, 2), LIF(), state=state)
    with pytest.raises(
        FloatingPointError, match=r"^current must keep the membrane finite, got up to 3e\+38$"
    ):
        fire(torch.full((3, 2), 3e38), IF())


def test_other_devices_leave_nan_in_the_last_spikes():
    """What a GPU does instead of raising, so that nothing waits for it: a loss that reads the spikes is NaN."""
    current, last, spikes = torch.ones(4, 3), torch.ones(3), torch.ones(3)
    last[1], current[1, 2] = float("nan"), float("inf")
    _leave_nan(spikes, [last])
    assert spikes.isnan().tolist() == [False, True, False] and spikes[2] == 1
    _leave_nan(spikes, [last, current])
    assert spikes.isnan().tolist() == [False, True, True] and spikes[0] == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_second_derivative_is_refused(dtype):
    leaf = draw(3, 4, dtype=dtype).requires_grad_()
    spikes, _ = fire(leaf, LIF())
    with pytest.raises(RuntimeError, match="^fire must be differentiated only once, got create_graph=True"):
        torch.autograd.grad((spikes * spikes).sum(), leaf, create_graph=True)


def test_edges_of_shape():
    for shape in ((3, 0), (3, 0, 5), (2,), (1, 1), (4, 1, 1, 1, 1)):
        leaf = draw(*shape).requires_grad_()
        spikes, end = fire(leaf, LIF())
        spikes.sum().backward()
        assert spikes.shape == shape and end.membrane.shape == shape[1:] and leaf.grad.shape == shape
        assert torch.equal(spikes, fire_reference(leaf, LIF())[0])


def test_without_gradients_nothing_is_kept_and_the_spikes_are_the_same():
    current = draw(5, 40)
    scanned = kernels.forward(current, LIF(), steps=None, membrane=None, spikes=None, keep=False)
    assert scanned.potential is None
    kept = kernels.forward(current, LIF(), steps=None, membrane=None, spikes=None, keep=True)
    assert torch.equal(kept.spikes, scanned.spikes) and torch.equal(kept.potential[-1], scanned.membrane)


def test_what_is_not_for_the_loops_goes_to_pytorch(monkeypatch):
    def never(*args, **options):
        raise AssertionError("the compiled loops ran")

    monkeypatch.setattr(kernels, "forward", never)
    for neuron in (LIF(reset="hard"), LIF(refractory=1)):
        fire(draw(3, 4), neuron)
    for dtype in (torch.float64, torch.float16):
        fire(draw(3, 4, dtype=dtype), LIF())
    with pytest.raises(AssertionError, match="the compiled loops ran"):
        fire(draw(3, 4), LIF())
    with kernels.pytorch_only():
        assert kernels.path() == "torch"
        fire(draw(3, 4), LIF())
    assert kernels.path() == "numba"


@pytest.fixture
def forgotten(monkeypatch):
    """Loops that have not been looked for yet, before and after."""
    monkeypatch.delitem(sys.modules, "snncore._loops")
    kernels._loops.cache_clear()
    yield
    kernels._loops.cache_clear()


def test_without_numba_pytorch_runs_with_one_warning(forgotten, monkeypatch):
    current, weights = draw(6, 50), draw(6, 50, seed=1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        with pytest.warns(
            RuntimeWarning, match="Numba cannot be used .*ModuleNotFoundError.*pip install"
        ) as seen:
            missing = both(current, LIF(), weights)
            both(current, LIF(), weights)
        assert len(seen) == 1 and kernels.path() == "torch"
    kernels._loops.cache_clear()
    assert kernels.path() == "numba" and equal(missing, both(current, LIF(), weights))


def test_loops_that_do_not_compile_are_named(forgotten, monkeypatch):
    import numba

    def refuse(*args, **options):
        def decorate(function):
            raise numba.TypingError("no such type")

        return decorate

    monkeypatch.setattr(numba, "njit", refuse)
    with pytest.warns(RuntimeWarning, match="TypingError: no such type"):
        assert kernels.path() == "torch"
    fire(draw(3, 4), LIF())


def test_without_a_folder_for_machine_code_the_loops_still_compile(forgotten, monkeypatch):
    import numba

    compiled, njit = [], numba.njit

    def nowhere(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        compiled.append(options)
        return njit(**options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert kernels.path() == "numba" and len(compiled) == 2
    assert torch.equal(fire(draw(6, 50), LIF())[0], fire_reference(draw(6, 50), LIF())[0])


def test_every_option_of_lif_is_considered():
    """A field added to ``LIF`` must be looked at here before the loops may ignore it."""
    assert {f.name for f in dataclasses.fields(LIF)} == {
        "alpha",
        "threshold",
        "gamma",
        "reset",
        "order",
        "refractory",
        "fire_at_equality",
        "detach_reset",
    }
