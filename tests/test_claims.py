"""The article's sentences: all readable, each id once, none altered."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from snncore.paper.claims import FILE, claim, claims


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
