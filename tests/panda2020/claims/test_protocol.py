"""The protocol's tolerances, word by word, and that no other one stands anywhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from panda2020 import contents
from panda2020.claims import protocol
from panda2020.claims.ranges import Range

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "found, low, high, strict",
    [
        (protocol.about(15), 15 / 1.33, 15 * 1.33, False),
        (protocol.factors(1.8, 3.5), 1.8 / 1.33, 3.5 * 1.33, False),
        (protocol.points(3, 4), 2, 5, False),
        (protocol.points(1, 1), 0, 2, False),
        (protocol.loss_up_to(3), -4, float("inf"), False),
        (protocol.near(), -2, 2, False),
        (protocol.no_gain(), -float("inf"), 2, False),
        (protocol.no_loss(), -2, float("inf"), False),
        (protocol.large_gain(), 2, float("inf"), True),
        (protocol.large_loss(), -float("inf"), -2, True),
        (protocol.large_factor(), 1.33, float("inf"), True),
        (protocol.small_share(), -float("inf"), 1 / 1.33, True),
        (protocol.slight_factor(), -float("inf"), 1.33, False),
        (protocol.same(), 1 / 1.33, 1.33, False),
        (protocol.stated(20), 20, float("inf"), False),
        (protocol.stated_about(75), 74, float("inf"), False),
        (protocol.fails(), -float("inf"), 20, True),
        (protocol.trains(0.1), 30, float("inf"), False),
        (protocol.trains_on_seen(), 50, float("inf"), True),
    ],
)
def test_every_word_of_the_protocol(found: Range, low: float, high: float, strict: bool):
    assert (found.low, found.high, found.strict) == (pytest.approx(low), pytest.approx(high), strict)
    assert found.reason


def test_version_and_limits_of_admissibility():
    assert protocol.PROTOCOL_VERSION == 1
    assert (protocol.LEARNT_SHARE, protocol.LAST_SHARE, protocol.EE_LOSS) == (0.8, 0.1, 0.01)
    assert (protocol.OVERFITTED, protocol.SATURATED, protocol.RHO) == (0.3, 0.5, 0.02)


def test_estimators_have_no_tolerance_of_their_own():
    """No chapter calls what makes a range from a number but for the signs, ``above`` and ``below`` of 0 and 1."""
    files = {module.__file__ for module in contents.CLAIMS}
    assert len(files) == len(contents.CLAIMS)
    for file in files:
        for node in ast.walk(ast.parse(Path(str(file)).read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                assert name not in ("Range", "at_least", "at_most", "around"), f"{file}:{node.lineno}"
                if name in ("above", "below"):
                    assert [ast.literal_eval(arg) for arg in node.args] in ([0], [1]), f"{file}:{node.lineno}"
