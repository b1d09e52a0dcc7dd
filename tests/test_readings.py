"""Losses by layer in readings and reports, and the readings as a table. No TensorFlow."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from night_kit import Nights, painted

from pipeline.cli.rendering import last_report
from pipeline.errors import UsageError
from pipeline.job import Painted
from pipeline.reading import Reading, loss_names, split_by_layer
from pipeline.report.readings import readings_csv
from pipeline.store.shapes import fitting

LOSSES = {"total": 3.0, "content": 1.0, "style": 2.0, "tv": 0.0}
LAYERS = {"content/block4_conv2": 1.0, "style/block1_conv1": 0.5, "style/block2_conv1": 1.5}


def reading(step: int, **more: float) -> Reading:
    return Reading.of_evaluation({**LOSSES, **LAYERS, **more}, step=step, seconds=0.5 * step, side=64)


def test_a_reading_tells_shares_of_layers_apart_and_comes_back_from_its_row():
    found = reading(2)
    assert (dict(found.losses), dict(found.layers)) == (LOSSES, LAYERS)
    assert Reading.from_row(found.as_row()) == found
    assert loss_names([found.as_row()]) == ("total", "content", "style", "tv")  # curves and tables draw these alone


def test_a_row_is_as_a_record_keeps_it_and_shares_have_six_digits():
    assert split_by_layer({"style/block1_conv1": 0.123456789, "style": 0.123456789}) == (
        {"style": 0.123456789},
        {"style/block1_conv1": 0.123457},
    )
    assert fitting(Painted, {"trace": [reading(1).as_row()], "layer_losses": {"first": LAYERS}}) is not None


def test_the_readings_of_a_report_are_a_line_each_with_a_column_for_every_loss():
    first = [reading(1).as_row(), reading(2, histogram=0.25).as_row()]
    other = [Reading(step=1, seconds=0.0, side=32, losses=LOSSES).as_row()]
    report: dict[str, Any] = {"pairs": [{"output": "a, b.png", "trace": first}, {"output": "=c.png", "trace": other}]}
    head, *rows = csv.reader(readings_csv(report))
    assert head == ["output", "step", "seconds", "side", "total", "content", "style", "tv", "histogram", *LAYERS]
    assert rows == [
        ["a, b.png", "1", "0.5", "64", "3.0", "1.0", "2.0", "0.0", "", "1.0", "0.5", "1.5"],
        ["a, b.png", "2", "1.0", "64", "3.0", "1.0", "2.0", "0.0", "0.25", "1.0", "0.5", "1.5"],
        ["'=c.png", "1", "0.0", "32", "3.0", "1.0", "2.0", "0.0", "", "", "", ""],
    ]


def test_a_loss_that_is_called_like_a_formula_heads_a_column_and_is_none():
    """Whoever may write a record names losses as he likes."""
    head, _row = readings_csv({"pairs": [{"output": "a.png", "trace": [reading(1).as_row() | {"=1+1": 0.0}]}]})
    assert "'=1+1" in next(csv.reader([head]))


def test_report_prints_the_readings_of_a_night(project, stylize):
    nights = Nights(project)
    paint = painted(nights.output)

    def answer(command: Any) -> Any:
        done = paint(command)
        done.painted.trace = [reading(1).as_row(), reading(2).as_row()]
        done.painted.layer_losses = {"first": LAYERS, "last": LAYERS}
        return done

    report = nights.run(answer)
    assert report["pairs"][0]["layer_losses"]["last"] == LAYERS
    assert set(report["pairs"][0]["losses"]["last"]) == set(LOSSES)
    done = stylize("report", "night.yaml", "--csv", cwd=project)
    assert done.returncode == 0
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(row["output"], row["step"]) for row in rows] == [
        *(("dog.png", "1"), ("dog.png", "2"), ("sea.png", "1"), ("sea.png", "2")),
    ]
    assert rows[0]["style/block2_conv1"] == "1.5"


@pytest.mark.parametrize("text", ["{}", "[1]", "no json", json.dumps({"pairs": [{"output": 1, "trace": []}]})])
def test_a_report_that_is_not_ours_is_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UsageError, match="is not as it was written; 'stylize report MANIFEST' writes it anew"):
        last_report(tmp_path)
