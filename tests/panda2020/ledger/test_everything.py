"""The page of every recorded run: one row per run, and nothing for a folder without records."""

from __future__ import annotations

from pathlib import Path

from made_up import World

from panda2020.ledger import everything


def test_every_run_has_a_row_with_its_command():
    found = [run.record for run in World({}).evidence(seeds=(0,)).runs if run.record is not None][:3]
    for record in found:
        record.data.setdefault("provenance", {})["command"] = "python -m panda2020 record --table 8"
    table = everything.run_table(found)
    assert len(table) == len(found) == 3 and table["accuracy"].between(0, 1).all()
    assert table["key"].tolist() == [record.key for record in found]
    assert set(table["command"]) == {"python -m panda2020 record --table 8"}
    assert everything.run_table([]).empty


def test_a_folder_without_records_shows_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(everything.contents, "TABLES", {"10": everything.contents.TABLES["10"]})
    shown = []
    monkeypatch.setattr(everything, "show_table", lambda *args, **kwargs: shown.append(args))
    everything.show_everything(results=tmp_path)
    assert not shown
