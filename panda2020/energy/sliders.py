"""The energy model with three sliders: time steps, activity and depth. Without a script it shows the starting point."""

from __future__ import annotations

import html
import json
import math

from panda2020.exhibits import exhibit
from panda2020.exhibits.exhibit import show_html
from panda2020.exhibits.numbers import number
from panda2020.samples import uniform_activity
from snncore.energy import CONVENTIONS, INT32, report
from snncore.topology import plan

#: Start values of the sliders; values of T for the first one, and the ends of the other two.
STEPS, RATE, DEPTH = 25, 0.1, 4
TIMES = (1, 2, 5, 10, 15, 25, 50, 100, 200, 500, 1000, 2500)
RATES = (0.0, 0.5, 0.01)  # from, to, step
DEPTHS = (1, 8)

#: The network: a first convolution, and one with ``{}`` passes.
NETWORK = "64C3 P 128C3 [128C3]x{} P F1024 F10"
INPUT = (3, 32, 32)

#: Ends of the axis of EE, which is logarithmic.
LOW, HIGH = 0.05, 500.0

LEFT_OUT = (
    "What these numbers leave out: reading weights and membranes from memory, which can cost more than the arithmetic; moving "
    "spikes between cores; leakage while a chip waits; and the encoder that turns an image into spikes. They count operations "
    "and multiply them by a price per operation. No hardware was measured, and accuracy is not in them: a network that runs for "
    "one step is cheap and useless."
)


def efficiencies(steps: int, rate: float, depth: int) -> dict[str, float]:
    """EE by convention, with the same rate at every site, including the input."""
    passes = plan(NETWORK.format(depth), INPUT, "lif")
    activity = uniform_activity(passes, rate)
    return {c: report(passes, activity, steps, prices=INT32, convention=c).efficiency for c in CONVENTIONS}


def show_sliders() -> None:
    """Display the sliders, one bar per convention, and a note on what the energy model omits."""
    found = efficiencies(STEPS, RATE, DEPTH)
    told = ", ".join(f"{name} {number(value)}" for name, value in found.items())
    show_html(
        sliders_html(),
        f"EE at T = {STEPS}, {RATE:g} spikes per neuron and step, depth {DEPTH}: {told}. {LEFT_OUT}",
    )


def sliders_html() -> str:
    """The HTML that ``show_sliders`` displays."""
    given = {
        "network": NETWORK,
        "input": INPUT,
        "prices": {"mac": INT32.mac, "ac": INT32.ac},
        "times": TIMES,
        "low": LOW,
        "high": HIGH,
    }
    low, high, step = RATES
    controls = (
        _control("steps", "time steps T", 0, len(TIMES) - 1, 1, TIMES.index(STEPS), str(STEPS)),
        _control("rate", "spikes per neuron and step", low, high, step, RATE, f"{RATE:g}"),
        _control("depth", "passes of the second convolution", *DEPTHS, 1, DEPTH, str(DEPTH)),
    )
    bars = "".join(_bar(name, value) for name, value in efficiencies(STEPS, RATE, DEPTH).items())
    return (
        f'<section class="snn snn-sliders" aria-label="Energy under three sliders" data-given="{html.escape(json.dumps(given))}">'
        f"{exhibit._style()}<div class='snn-controls'>{''.join(controls)}</div>"
        f'<p class="snn-quiet">EE of <code data-part="network">{NETWORK.format(DEPTH)}</code> under three ways of counting '
        f"(logarithmic; line: no gain)</p><div class='snn-bars'>{bars}</div>"
        f'<div class="snn-said snn-caveat"><p>{html.escape(LEFT_OUT)}</p></div></section>'
    )


def _control(name: str, label: str, low: float, high: float, step: float, value: float, shown: str) -> str:
    return (
        f'<label><span>{label}: <output data-part="{name}">{shown}</output></span><input type="range" name="{name}" '
        f'min="{low:g}" max="{high:g}" step="{step:g}" value="{value:g}" disabled></label>'
    )


def _bar(convention: str, value: float) -> str:
    return (
        f'<div class="snn-bar" data-convention="{convention}"><span>{convention}</span><span class="snn-track">'
        f'<i style="width:{share(value):.1f}%"></i><b style="left:{share(1):.1f}%"></b></span>'
        f"<output>{number(value, '.1f')}</output></div>"
    )


def share(value: float) -> float:
    """Position of a value on the axis, in per cent."""
    span = math.log(HIGH / LOW)
    return 100 * min(1.0, max(0.0, math.log(max(value, LOW) / LOW) / span))
