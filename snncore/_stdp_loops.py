"""The compiled loop of ``stdp_events``: leaky neurons in the loops of ``_event_loops``, and low-pass filters."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._compile import compiled
from ._event_loops import CODES, LANES, READ, SOURCE, _above, _receive, _spread_out, _vector

# Columns of the table of neurons, and of their links in the other table: see ``stdp_events``.
FIRST, SIZE, WORD, FROM, TO, FILTER = range(6)


@intrinsic
def _decay(typing_context, values, place, factor, taken, bits):  # type: ignore[no-untyped-def]
    """``values[place + i] = factor values[place + i] - taken [bit i is set]`` for 16 values."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        values, place, factor, taken, bits = arguments
        fired = builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), ir.VectorType(ir.IntType(1), LANES))
        where = _vector(context, builder, signature.args[0], values, place)
        leaked = builder.fmul(builder.load(where, align=4), _spread_out(builder, factor))
        less = builder.fsub(leaked, _spread_out(builder, taken))
        builder.store(builder.select(fired, less, leaked), where, align=4)
        return context.get_dummy_value()

    return types.void(values, types.intp, types.float32, types.float32, types.uint32), build


@compiled
def run_stack(neurons, links, numbers, weights, codes, potential, bits, filtered, decay, kept, start, stop):  # type: ignore[no-untyped-def]
    """Run all passes of images ``start`` to ``stop`` through all steps of ``codes`` (N, T, positions).

    ``numbers`` holds, for each pass, the threshold, the leak factor and the amount that a spike subtracts from the leaked
    potential. ``filtered`` is (N, features): at each step it decays, then the spikes of passes with a ``FILTER`` are added.
    ``kept`` (N, T, words) receives the spikes of every step, unless its T is 0.
    """
    one = np.float32(-1)
    for n in range(start, stop):
        U, spikes, low_passed = potential[n], bits[n], filtered[n]
        for t in range(codes.shape[1]):
            for k in range(len(neurons)):
                first, size, word, out = (
                    neurons[k, FIRST],
                    neurons[k, SIZE],
                    neurons[k, WORD],
                    neurons[k, FILTER],
                )
                for link in range(neurons[k, FROM], neurons[k, TO]):
                    p = links[link]
                    if p[SOURCE] == CODES:
                        _receive(p, weights, codes[n, t], 0, U, first)
                    else:
                        _receive(p, weights, spikes, p[READ], U, first)
                for group in range(size // LANES):
                    fired = _above(U, first + group * LANES, numbers[k, 0])
                    spikes[word + group] = fired
                    _decay(U, first + group * LANES, numbers[k, 1], numbers[k, 2], fired)
                    if out >= 0:
                        _decay(low_passed, out + group * LANES, decay, one, fired)
            if kept.shape[1]:
                for i in range(len(spikes)):
                    kept[n, t, i] = spikes[i]
