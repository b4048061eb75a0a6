"""Tables 14 and 16 in the article's layout, and the sentences below them, on made-up records."""

from __future__ import annotations

import pandas as pd
import pytest
from test_tables_hybrid import ANN, BETTER, made

from panda2020.hybrid import figures, layouts, tables

pytestmark = pytest.mark.usefixtures("stated_energies")


def test_table_14_has_ours_and_the_articles_words_in_one_cell():
    records = [
        made("14", "VGG9", "hybrid-stochmax", BETTER, ee=3.0),
        made("14", "VGG9", "ann", ANN),
        made("14", "VGG8x2", "hybrid-stochmax", ANN),
    ]
    table = layouts.layout14(records).set_index("network")
    assert list(table.index) == ["VGG9", "VGG8x2"]
    lead = table.loc["VGG9", "hybrid − ANN, T = 25, points"]
    assert lead.ours.mean == pytest.approx(20) and lead.paper == "~1% improvement"
    assert table.loc["VGG9", "hybrid, T = 25, %"].paper == "~85%"
    assert table.loc["VGG9", "EE, T = 25"].ours.mean == pytest.approx(3)
    assert table.loc["VGG8x2", "ANN, %"].ours is None and not table.loc["VGG8x2", "EE, T = 25"].paper
    assert layouts.layout14(records[1:2]).empty


def test_table_16_has_a_row_per_number_of_spiking_layers():
    records = [made("16", "VGG13", "hybrid-lif4", ANN), made("16", "VGG13", "hybrid", ANN, ee=1.2)]
    table = layouts.layout16([*records, made("16", "VGG13", "ann", BETTER)])
    assert table["convolutions"].tolist() == ["2 spiking", "4 spiking"]
    assert table["EE"][0].paper == "1.3 x" and not table["EE"][1].paper
    assert table["hybrid − ANN, points"][0].ours.mean == pytest.approx(-20)


def test_sentences_say_what_the_tables_hold():
    full = pd.DataFrame(
        [
            {"network": n, "EE at most": 4.9, "EE at most, physical": 3.3, "rate for EE 4": 0.075}
            for n in ("VGG9", "VGG8x2")
        ]
    )
    (said,) = layouts.bound_sentences(full, target=4)
    assert "VGG9 and VGG8x2 an EE of 4.90" in said and "0.075 spikes" in said
    records = [made("14-relu", "VGG9", f"relu-{k}", right) for k, right in ((0, ANN), (6, BETTER))]
    (said,) = layouts.sweep_sentences(tables.sweep_table(records), by="ReLU convolutions")
    assert "0: 50.0%" in said and "6: 70.0%" in said and "one seed" in said
    rates = figures.spiking_rates(records)
    assert set(rates["ReLU convolutions"]) == {0, 6} and set(rates["rate"]) == {0.1}
    assert rates[rates["ReLU convolutions"] == 6]["depth"].min() == 7
    assert figures.rate_sentences(rates)[0].startswith("0 ReLU convolutions: 0.100")
    assert len(figures.draw_spiking_rates(rates).axes[0].lines) == 2
