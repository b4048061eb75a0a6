"""Tables 10 and 11 in the article's layout, and rho by epoch, on made-up records."""

from __future__ import annotations

import pytest
from test_tables_stochmax import SOFT, STOCH, made

from panda2020.stochmax import figures, layouts

pytestmark = pytest.mark.usefixtures("stated_energies")


def test_table_11_has_ours_and_the_articles_words_in_one_cell():
    records = [
        made(role, right, network="VGG5", steps=steps, ee=ee)
        for steps in (25, 50)
        for role, right, ee in (("snn", SOFT, 8.0), ("snn-stochmax", STOCH, 12.0))
    ]
    table = layouts.paper_layout(records, table="11", energy=True)
    assert table["T"].tolist() == [25, 50]
    gain, ratio = table["stochmax − softmax, points"], table["EE ratio"]
    assert gain[0].ours.mean == pytest.approx(20) and gain[0].paper == "~3 - 4%" and gain[1].paper == ""
    assert ratio[0].ours.mean == pytest.approx(1.5) and ratio[0].paper == "~1.6 - 2x"
    assert layouts.paper_layout(records[:1], table="11", energy=False).empty


def test_a_coin_is_called_a_coin():
    course = layouts.rho_course([made("snn-stochmax", STOCH), made("snn", SOFT)])
    assert len(course) == 1 and course["rho_others"].tolist() == [0.5]
    assert "did not choose their rivals" in layouts.rho_sentences(course)[0]
    course.loc[0, "rho_others"] = 0.7
    assert "choose" not in layouts.rho_sentences(course)[0] and layouts.rho_sentences(course[:0]) == []
    assert len(layouts.shortest(course)) == 1
    assert figures.draw_rho_course(course).axes[0].get_ylim()[0] == 0
