"""The article's sentences: all readable, each id once, none altered."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
import yaml

from panda2020.claims.claims import FILE, GROUPS, METHODS, claim, claims, counted, read


def test_claims_are_read_completely():
    rows = yaml.safe_load(FILE.read_text("utf-8"))
    assert list(claims()) == [row["id"] for row in rows] and len(claims()) == len(rows) > 50
    assert all(c.quote and c.where and c.expects for c in claims().values())
    found = claim("agd-loss")
    assert (found.quote, found.exhibit) == ("minimal accuracy loss (~2 - 3%)", "Table 8")
    assert str(found) == "“minimal accuracy loss (~2 - 3%)” (8.1)"
    assert claim("conv-backres-ee").exhibit == "Figure 7"


def test_no_quote_was_edited():
    """A quote is the article's: changing one must be a decision, made here too."""
    quotes = "\n".join(f"{c.id}: {c.quote}" for c in claims().values())
    assert hashlib.sha256(quotes.encode()).hexdigest()[:16] == "691742bd2b3922b9"


def test_unknown_claim():
    with pytest.raises(ValueError, match=r"claim must be one of 'conv-lossless', .* got 'agd-lost'"):
        claim("agd-lost")


def test_there_are_sixty_and_each_has_a_method():
    assert len(claims()) == 60
    assert {c.method for c in claims().values()} == set(METHODS)


def test_kinds_and_groups_are_those_of_the_protocol():
    kinds = Counter(c.kind for c in claims().values())
    assert kinds == {"central": 15, "secondary": 38, "by-construction": 7}
    assert Counter(c.group for c in claims().values() if c.group) == dict.fromkeys(GROUPS, 3)
    assert len(counted()) == 50 and "stdp-kn-updates" not in counted()
    assert {c.id: c.same_as for c in claims().values() if c.same_as} == {
        "real-depth-five": "agd-vgg3x4-trains",
        "conv-bounded": "conv-lossless",
        "backres-energy-vs-deep": "conv-backres-ee",
    }


GOOD = {
    "id": "a",
    "method": "AGD",
    "where": "8",
    "quote": "q",
    "expects": "e",
    "table": 8,
    "kind": "secondary",
}


@pytest.mark.parametrize(
    "rows, sentence",
    [
        ([GOOD, GOOD], "claim ids must differ from each other, got a twice"),
        ([GOOD | {"quote": " "}], "claim a must have no empty field"),
        ([GOOD | {"figure": 7}], "claim a must have .* and one of table and figure"),
        ([{k: v for k, v in GOOD.items() if k != "expects"}], "claim a must have expects, .* got id, kind"),
        ([GOOD | {"ours": 1}], "claim a must have .* got .*ours"),
        ([GOOD | {"method": "magic"}], "method of claim a must be one of .* got 'magic'"),
        ([GOOD | {"kind": "main"}], "kind of claim a must be one of .* got 'main'"),
        ([GOOD | {"kind": "central"}], "claim a must have a group if it is central, and only then"),
        ([GOOD | {"group": "C1"}], "claim a must have a group if it is central, and only then"),
        ([GOOD | {"kind": "central", "group": "C9"}], "group of claim a must be one of 'C1', .* got 'C9'"),
        ([GOOD | {"same_as": "b"}], "same_as of claim a must name a claim that is counted, got 'b'"),
        (
            [GOOD | {"kind": "by-construction"}, GOOD | {"id": "b", "same_as": "a"}],
            "same_as of claim b must name a claim that is counted, got 'a'",
        ),
    ],
)
def test_a_faulty_file_is_refused(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(yaml.safe_dump(rows))
