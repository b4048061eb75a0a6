"""The compiled loops of ``events``: integrate-and-fire neurons that are visited where spikes arrive.

Numba compiles this file; only ``events``, ``stdp_events`` and ``peaks`` import it. Every array is flat. Maps are
stored position by position with their channels innermost, in groups of 16: a group's potentials are one vector, and its
spikes are one word of 16 bits. A spike adds the weights of its channel to the potentials around its position, one vector
for each group and neighbour, so the time is proportional to the number of spikes, not to the size of the network.

Each image runs through all its steps alone and in order, so no number depends on batches, chunks or threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._compile import compiled

_inlined = numba.njit(inline="always")  # a call would take longer than the few additions it makes

LANES = 16  # channels in a group

# Columns of a table with one row for each pass.
SOURCE, HEIGHT, WIDTH, KINDS, POOL, DENSE = range(6)  # input; its bits are before ``pool`` x ``pool`` pooling
HIGH, WIDE, MAPS, KERNEL = range(6, 10)  # output: positions and channels
WEIGHTS, READ, NEURONS, BITS = range(
    10, 14
)  # offsets of its weights, its source's bits, its potentials and its bits
COLUMNS = 14

CODES, SPIKES, CONSTANT = range(3)  # values of SOURCE

_BITS = (np.arange(256)[:, None] >> np.arange(8)) & 1
_COUNTS = _BITS.sum(1).astype(np.uint8)  # bits set in a byte
_PLACES = (
    np.argsort(1 - _BITS, axis=1, kind="stable").flatten().astype(np.uint8)
)  # positions of the set bits first, then the others


def _vector(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Pointer to 16 float32 values of an array, starting at an index."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(ir.FloatType(), LANES).as_pointer())


def _spread_out(builder: Any, number: Any) -> Any:
    """Copy a float32 into all 16 lanes."""
    vector = ir.Constant(ir.VectorType(ir.FloatType(), LANES), ir.Undefined)
    for lane in range(LANES):
        vector = builder.insert_element(vector, number, ir.Constant(ir.IntType(32), lane))
    return vector


def _sum(lines: int, vectors: int) -> Any:
    """A function that adds weights to the potentials of some lines of some vectors, summed in registers."""

    @intrinsic
    def add(typing_context, target, place, line, weights, begin, next_line, size, inputs, count):  # type: ignore[no-untyped-def]
        """Line i: ``target[place + i line:] += sum of weights[begin + i next_line + size input:]`` over ``inputs[:count]``."""

        def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            kinds = signature.args
            target, place, line, weights, begin, next_line, size, inputs, count = arguments
            integer = place.type

            def offsets(start: Any, step: Any) -> list[Any]:
                return [
                    builder.add(start, builder.add(builder.mul(step, integer(i)), integer(LANES * k)))
                    for i in range(lines)
                    for k in range(vectors)
                ]

            where = [_vector(context, builder, kinds[0], target, at) for at in offsets(place, line)]
            taken = offsets(begin, next_line)
            sums = [cgutils.alloca_once_value(builder, builder.load(w, align=4)) for w in where]
            data = context.make_array(kinds[7])(context, builder, inputs).data
            with cgutils.for_range(builder, count) as loop:
                row = builder.mul(size, builder.load(builder.gep(data, [loop.index])))
                for at, total in zip(taken, sums, strict=True):
                    more = builder.load(
                        _vector(context, builder, kinds[3], weights, builder.add(row, at)), align=4
                    )
                    builder.store(builder.fadd(builder.load(total), more), total)
            for w, total in zip(where, sums, strict=True):
                builder.store(builder.load(total), w, align=4)
            return context.get_dummy_value()

        n = types.intp
        return types.void(target, n, n, weights, n, n, n, inputs, n), build

    return add


@intrinsic
def _add_window(typing_context, target, place, weights, begin, rows, corner, stride, maps):  # type: ignore[no-untyped-def]
    """Add one vector of a neuron's 3x3 window: 9 inputs of ``rows`` from ``corner`` on, in lines of length ``stride``."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kinds, (values, place, weights, begin, rows, corner, stride, maps) = signature.args, arguments
        row = context.make_array(kinds[4])(context, builder, rows).data
        where = _vector(context, builder, kinds[0], values, place)
        total = builder.load(where, align=4)
        for tap in range(9):  # the input below and to the right has its weights first
            line, column = 2 - tap // 3, 2 - tap % 3
            index = builder.add(
                corner, builder.add(builder.mul(stride, stride.type(line)), stride.type(column))
            )
            first = builder.add(begin, builder.mul(maps, maps.type(tap)))
            first = builder.add(first, builder.load(builder.gep(row, [index])))
            total = builder.fadd(
                total, builder.load(_vector(context, builder, kinds[2], weights, first), align=4)
            )
        builder.store(total, where, align=4)
        return context.get_dummy_value()

    number = types.intp
    return types.void(target, number, weights, number, rows, number, number, number), build


_add_window_of_3 = _sum(3, 3)  # 48 numbers of each line of a 3x3 window: its whole line with 16 maps

_add_vector = _sum(1, 1)


@intrinsic
def _above(typing_context, values, begin, threshold):  # type: ignore[no-untyped-def]
    """Bit i is set where ``values[begin + i] > threshold``; NaN is not above."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        vector = builder.load(_vector(context, builder, signature.args[0], *arguments[:2]), align=4)
        above = builder.fcmp_ordered(">", vector, _spread_out(builder, arguments[2]))
        bits = builder.bitcast(above, ir.IntType(LANES))
        return builder.zext(bits, ir.IntType(32))

    return types.uint32(values, types.intp, types.float32), build


@intrinsic
def _reset(typing_context, potential, place, threshold, counts, bits):  # type: ignore[no-untyped-def]
    """Subtract the threshold from each of the 16 potentials from ``place`` whose bit is set, and count these spikes."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kinds, (values, place, threshold, counts, bits) = signature.args, arguments
        fired = builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), ir.VectorType(ir.IntType(1), LANES))
        where = _vector(context, builder, kinds[0], values, place)
        before = builder.load(where, align=4)
        after = builder.fsub(before, _spread_out(builder, threshold))
        builder.store(builder.select(fired, after, before), where, align=4)
        many = ir.VectorType(ir.IntType(32), LANES)
        data = context.make_array(kinds[3])(context, builder, counts).data
        where = builder.bitcast(builder.gep(data, [place]), many.as_pointer())
        builder.store(builder.add(builder.load(where, align=4), builder.zext(fired, many)), where, align=4)
        return context.get_dummy_value()

    return types.void(potential, types.intp, types.float32, counts, types.uint32), build


@compiled
def _receive_image(p, weights, codes, target, base):  # type: ignore[no-untyped-def]
    """``_receive`` for a 3x3 convolution of coded input, in which most pixels spike: each neuron sums its window."""
    maps, high, wide = p[MAPS], p[HIGH], p[WIDE]
    rows = np.zeros((high + 2) * (wide + 2), np.int64)  # with a margin of code 0, whose weights are 0
    for y in range(high):
        for x in range(wide):
            rows[(y + 1) * (wide + 2) + x + 1] = np.int64(codes[y * wide + x]) * 9 * maps
    for y in range(high):
        for x in range(wide):
            place, corner = base + (y * wide + x) * maps, y * (wide + 2) + x
            for i in range(0, maps, LANES):
                _add_window(target, place + i, weights, p[WEIGHTS] + i, rows, corner, wide + 2, maps)


@_inlined
def _spread(p, weights, inputs, count, target, base, y, x):  # type: ignore[no-untyped-def]
    """Add the weights of ``count`` inputs at (y, x) to the positions around it. ``inputs`` holds their rows in ``weights``."""
    kernel, maps, high, wide = p[KERNEL], p[MAPS], p[HIGH], p[WIDE]
    size, line = kernel * kernel * maps, wide * maps
    if kernel == 3 and 0 < y < high - 1 and 0 < x < wide - 1:
        place = base + ((y - 1) * wide + x - 1) * maps
        for i in range(0, 3 * maps, 3 * LANES):
            _add_window_of_3(target, place + i, line, weights, p[WEIGHTS] + i, 3 * maps, size, inputs, count)
    else:
        margin = kernel // 2
        left, right = max(0, margin - x), min(kernel, wide + margin - x)
        for row in range(max(0, margin - y), min(kernel, high + margin - y)):
            place = base + ((y - margin + row) * wide + x - margin + left) * maps
            begin = p[WEIGHTS] + (row * kernel + left) * maps
            for i in range(0, (right - left) * maps, LANES):
                _add_vector(target, place + i, 0, weights, begin + i, 0, size, inputs, count)


@_inlined
def _list(bits, first, inputs, count):  # type: ignore[no-untyped-def]
    """Append ``first`` + i for every bit i that is set, without a branch, which the processor would mispredict."""
    for half in range(2):
        byte = np.int64((bits >> np.uint32(8 * half)) & np.uint32(255))
        for i in range(8):
            inputs[count + i] = first + 8 * half + np.int64(_PLACES[byte * 8 + i])
        count += np.int64(_COUNTS[byte])
    return count


@compiled
def _receive(p, weights, source, first, target, base):  # type: ignore[no-untyped-def]
    """Add the weighted sums of one step. source: codes (uint8) or bits (uint16) of the step, ``source[first:]``."""
    coded, dense, pool, kinds = p[SOURCE] == CODES, p[DENSE], p[POOL], p[KINDS]
    if coded and pool == 1 and p[KERNEL] == 3:
        _receive_image(p, weights, source, target, base)
        return
    wide = p[WIDTH]
    words = 1 if coded else kinds // LANES  # of one position
    inputs = np.empty(pool * pool * kinds + LANES, np.int64)
    for y in range(p[HEIGHT] // pool):
        for x in range(wide // pool):
            count = 0
            here = (y * (wide // pool) + x) * kinds if dense else 0
            for high in range(pool):
                word = first + ((y * pool + high) * wide + x * pool) * words
                lane = 0
                for group in range(pool * words):
                    found = np.uint32(source[word + group])
                    if found:
                        if coded:
                            inputs[count] = here + np.int64(found)
                            count += 1
                        else:
                            count = _list(found, here + lane, inputs, count)
                    lane += LANES
                    if lane == kinds:
                        lane = 0
            if count:
                if dense:
                    _spread(p, weights, inputs, count, target, base, 0, 0)
                else:
                    _spread(p, weights, inputs, count, target, base, y, x)


@_inlined
def _receive_constant(constant, target, base):  # type: ignore[no-untyped-def]
    for i in range(len(constant)):
        target[base + i] += constant[i]


@_inlined
def _fire(potential, base, n, threshold, bits, first, counts):  # type: ignore[no-untyped-def]
    """Write one step's spikes as bits, count them, and subtract the threshold where a neuron fired."""
    for group in range(n // LANES):
        fired = _above(potential, base + group * LANES, threshold)
        bits[first + group] = fired
        if fired:
            _reset(potential, base + group * LANES, threshold, counts, fired)


@compiled
def code_input(spikes, base, codes, seen):  # type: ignore[no-untyped-def]
    """Write (T, N, C, positions) spikes of -1, 0 and 1 as (N, T, positions) codes with one digit per channel.

    Args:
        spikes: (T, N, C, positions).
        base: of the code: 2, or 3 for signed spikes.
        codes: (N, T, positions), written.
        seen: (N, C, positions). The number of spikes of either sign is added to it.
    """
    steps, images, channels, positions = spikes.shape
    for t in range(steps):
        for n in range(images):
            out = codes[n, t]
            unit = np.uint8(1)
            for c in range(channels):
                values, number = spikes[t, n, c], seen[n, c]
                for i in range(positions):
                    digit = np.uint8(values[i] > 0) + np.uint8(2) * np.uint8(values[i] < 0)
                    out[i] = np.uint8((out[i] if c else np.uint8(0)) + np.uint8(unit * digit))
                    number[i] += np.int32(values[i] != 0)
                unit = np.uint8(unit * base)


@compiled
def run(table, thresholds, weights, codes, constants, potential, counts, bits, start, stop):  # type: ignore[no-untyped-def]
    """Run all passes of images ``start`` to ``stop`` through all steps of ``codes`` (N, T, positions).

    ``constants`` (N, neurons) is the current that constant inputs add in each step. ``potential`` and ``counts`` are
    (N, neurons), ``bits`` is (N, words).
    """
    for n in range(start, stop):
        U, count, spikes, constant = potential[n], counts[n], bits[n], constants[n]
        for t in range(codes.shape[1]):
            for k in range(len(table)):
                p = table[k]
                size = p[HIGH] * p[WIDE] * p[MAPS]
                if p[SOURCE] == CODES:
                    _receive(p, weights, codes[n, t], 0, U, p[NEURONS])
                elif p[SOURCE] == SPIKES:
                    _receive(p, weights, spikes, p[READ], U, p[NEURONS])
                else:
                    _receive_constant(constant[p[NEURONS] : p[NEURONS] + size], U, p[NEURONS])
                _fire(U, p[NEURONS], size, thresholds[k], spikes, p[BITS], count)


@compiled
def currents(p, weights, source, out):  # type: ignore[no-untyped-def]
    """The weighted sums (T, neurons) of one pass for one image. ``source`` holds its codes or bits, (T, ...)."""
    out[:] = 0
    for t in range(len(out)):
        _receive(p, weights, source[t], 0, out[t], 0)


@compiled
def peak(p, weights, source, largest):  # type: ignore[no-untyped-def]
    """The largest of ``largest`` and all weighted sums of one pass for one image."""
    current = np.empty(p[HIGH] * p[WIDE] * p[MAPS], np.float32)
    for t in range(len(source)):
        current[:] = 0
        _receive(p, weights, source[t], 0, current, 0)
        for begin in range(0, len(current), LANES):
            if _above(current, begin, largest):
                for i in range(begin, begin + LANES):
                    largest = max(largest, current[i])
    return largest


@compiled
def spike_bits(p, weights, source, constant, threshold, out):  # type: ignore[no-untyped-def]
    """The spikes of one pass for one image as bits, (T, words)."""
    potential = np.zeros(p[HIGH] * p[WIDE] * p[MAPS], np.float32)
    counts = np.zeros(len(potential), np.int32)
    for t in range(len(out)):
        if p[SOURCE] == CONSTANT:
            _receive_constant(constant, potential, 0)
        else:
            _receive(p, weights, source[t], 0, potential, 0)
        _fire(potential, 0, len(potential), threshold, out[t], 0, counts)


@compiled
def count_positive(values, bins_per_unit, counts):  # type: ignore[no-untyped-def]
    """Add the positive values to a histogram that begins at 0; what lies beyond its end goes into its last bin."""
    last = len(counts) - 1
    for value in values:
        if value > 0:
            counts[min(np.int64(np.float64(value) * bins_per_unit), last)] += 1
