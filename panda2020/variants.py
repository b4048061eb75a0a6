"""Variants of the hybrid networks, made by editing their strings: the comparisons of sections 6 and 8.3 beside their tables.

.. code-block:: text

    rate_coded("8C3:relu P 8C3 F10")             8C3:relu P R 8C3 F10           X[t] in place of X (section 6)
    relu_front("8C3 P 8C3 F10", 1)               8C3:relu P 8C3 F10             how many layers must be ReLU?
    spiking_middle("8C3 8C3 P 8C3 F10", 1)       8C3:relu 8C3 M P 8C3:relu F10  how many may spike? (section 8.3)
    unrolled_middle("8C3:relu 8C3 M F10", 2)     8C3:relu [8C3]x2 M F10         BackRes in the spiking layers
"""

from __future__ import annotations

import re

from snncore._check import whole
from snncore.topology import as_ann, parse

_CONV = re.compile(r"\d+C\d+")


def rate_coded(text: str) -> str:
    """A hybrid whose spiking block reads Poisson spikes X[t], drawn at every step, in place of the real values X.

    Raises:
        ValueError: a network that does not start with ReLU layers, or has no spiking layer after them.
    """
    words = text.split()
    for index, word in enumerate(words[:-1]):
        if word != "P" and not word.endswith(":relu"):
            if index == 0 or word in ("M", "R"):
                break
            return parse(" ".join([*words[:index], "R", *words[index:]])).text
    raise ValueError(f"text must be ReLU layers, then spiking ones, got {text!r}")


def relu_front(text: str, count: int) -> str:
    """The network with its first ``count`` convolutions ReLU and all other layers spiking.

    Raises:
        ValueError: more convolutions than there are, or a network with BackRes blocks or residual sums.
    """
    words, convs = _convolutions(text)
    if whole("count", count, least=0) > len(convs):
        raise ValueError(f"count must be at most {len(convs)}, the convolutions of {text!r}, got {count}")
    for index in convs[:count]:
        words[index] += ":relu"
    return parse(" ".join(words)).text


def spiking_middle(text: str, count: int) -> str:
    """The network with its middle ``count`` convolutions spiking, ``M`` after them, and all other layers ReLU.

    Of ten convolutions the middle two are the fifth and the sixth.

    Raises:
        ValueError: a count that is below 1, above the number of convolutions, or cannot be in the middle; or a network with
            BackRes blocks or residual sums.
    """
    words, convs = _convolutions(text)
    spare = len(convs) - whole("count", count)
    if spare < 0 or spare % 2:
        raise ValueError(
            f"count must leave as many ReLU convolutions before as after, got {count} of {len(convs)}"
        )
    middle = convs[spare // 2 : len(convs) - spare // 2]
    for index, word in enumerate(words[:-1]):
        if index not in middle and word != "P":
            words[index] = f"{word}:relu"
    words.insert(middle[-1] + 1, "M")
    return parse(" ".join(words)).text


def unrolled_middle(text: str, repeats: int) -> str:
    """The network whose last spiking convolution before ``M`` is computed ``repeats`` times: a BackRes block.

    Raises:
        ValueError: no such convolution, or none that a BackRes block can contain.
    """
    words = text.split()
    before = words.index("M") - 1 if "M" in words else -1
    if before < 0 or not _CONV.fullmatch(words[before]):
        raise ValueError(f"text must have a spiking convolution before M, got {text!r}")
    words[before] = f"[{words[before]}]x{whole('repeats', repeats)}"
    return parse(" ".join(words)).text


def _convolutions(text: str) -> tuple[list[str], list[int]]:
    """The layers of the network as ANN, and the positions of its convolutions."""
    words = as_ann(text).split()
    if any(set("[(+") & set(word) for word in words):
        raise ValueError(f"text must be a network without BackRes blocks or residual sums, got {text!r}")
    return words, [index for index, word in enumerate(words) if _CONV.fullmatch(word)]
