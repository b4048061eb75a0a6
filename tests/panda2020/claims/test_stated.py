"""Every claim has a short form, and every number of the article is one that its quote or its section prints."""

from __future__ import annotations

import re

import pytest

from panda2020.claims import stated as module
from panda2020.claims.claims import claims
from panda2020.claims.ranges import above
from panda2020.claims.stated import cell, stated
from panda2020.claims.verdicts import Quantity


def quantity(what: str) -> Quantity:
    return Quantity(what, "×", above(0, "a sign"))


def test_every_claim_has_a_short_form_of_one_line() -> None:
    assert stated().keys() == claims().keys()
    shorts = [found.short for found in stated().values()]
    assert all(len(short) <= 50 and not short.endswith(".") for short in shorts)
    assert len(set(shorts)) == len(shorts)


def test_numbers_printed_with_a_claim_stand_in_its_quote_unless_another_section_is_named() -> None:
    for name, found in stated().items():
        for number in found.numbers:
            assert number.low <= number.high
            if number.where == claims()[name].where:
                digits = re.findall(r"\d+(?:\.\d+)?", number.says)
                assert all(part in claims()[name].quote for part in digits or [number.says]), (
                    name,
                    number.says,
                )


def test_a_number_speaks_of_the_quantities_it_names() -> None:
    loss = stated()["agd-loss"]
    assert loss.number_of(quantity("SNN VGG5, T = 25 minus ANN VGG5")) is loss.numbers[0]
    assert loss.number_of(quantity("EE of SNN VGG5, T = 25")) is None
    assert (loss.numbers[0].low, loss.numbers[0].high, loss.numbers[0].middle) == (-3, -2, -2.5)


def test_cells_of_the_articles_tables_hold_what_its_text_says() -> None:
    assert cell("Table 8", "VGG3x4", "SNN") == "75%" and cell("Table 8", "VGG3x4", "ANN") == "69.52%"
    assert cell("Table 8", "VGG5", "SNN") == cell("Table 9", "VGG3x4", "SNN") == ""


def test_a_file_without_all_claims_is_refused(tmp_path, monkeypatch) -> None:
    short = tmp_path / "stated.yml"
    short.write_text("agd-loss: {short: x}\n")
    monkeypatch.setattr(module, "FILE", short)
    with pytest.raises(ValueError, match="must have the claims of claims.yml"):
        module.stated.__wrapped__()
