"""The history: one line per run, readable after any crash."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from test_report import facts, outcome

from pipeline.errors import OutputError
from pipeline.report.data import build_report
from pipeline.report.history import (
    append_history,
    history_row,
    read_history,
    render_history,
    sparkline,
    usual_speed,
)
from pipeline.store.disk import LocalStore
from pipeline.store.layout import history_name

NAME = "history.jsonl"


def night(number: int, *outcomes: Any, **changes: Any) -> dict[str, Any]:
    started = f"2026-11-{number:02}T22:00:03+01:00"
    return build_report(facts(id=f"night-{number}", started=started, **changes), outcomes)


def test_rows_come_back_in_the_order_of_the_runs(tmp_path: Path) -> None:
    store, name = LocalStore(tmp_path), history_name()
    for number in range(1, 21):
        append_history(store, name, night(number))
    assert [row["id"] for row in read_history(store, name)] == [f"night-{number}" for number in range(7, 21)]
    assert len(read_history(store, name, last=None)) == 20
    assert read_history(store, name, last=0) == []


def test_a_row_keeps_what_nights_are_compared_by(tmp_path: Path) -> None:
    report = night(
        1,
        outcome("a.png", size=[1000, 500], seconds_per_step=0.5, peak_memory_bytes=100),
        outcome("b.png", size=[1000, 1000], seconds_per_step=0.8, peak_memory_bytes=300),
        outcome("c.png", size=[1000, 1000], seconds_per_step=1.1, peak_memory_bytes=200),
        outcome("old.png", "up_to_date", size=[1000, 1000], seconds_per_step=99.0, peak_memory_bytes=999),
        outcome("bad.png", "failed"),
    )
    row = history_row(report)
    assert row["seconds_per_step"] == 0.8
    assert row["seconds_per_step_and_megapixel"] == 1.0  # of 1.0, 0.8 and 1.1
    assert row["peak_memory_bytes"] == 300
    assert row["failed"] == ["bad.png"]
    assert row["counts"]["done"] == 3
    assert row["exit_code"] == 3


def test_a_night_on_which_everything_fails_is_still_one_short_line(tmp_path: Path) -> None:
    store, path = LocalStore(tmp_path), tmp_path / NAME
    append_history(store, NAME, night(1, *(outcome(f"{n}.png", "failed") for n in range(5000))))
    (line,) = path.read_text().splitlines()
    assert len(line) < 5000
    assert json.loads(line)["counts"]["failed"] == 5000


def test_no_history_is_an_empty_history(tmp_path: Path) -> None:
    assert read_history(LocalStore(tmp_path), NAME) == []
    assert render_history([]) == "No runs yet.\n"


def test_a_torn_last_line_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, path = LocalStore(tmp_path), tmp_path / NAME
    append_history(store, NAME, night(1))
    append_history(store, NAME, night(2))
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING):
        assert [row["id"] for row in read_history(store, NAME)] == ["night-1"]
    assert f'{path}: not a whole line of history, left out: {{"schema": 1, ' in caplog.text


def test_a_row_after_a_torn_line_is_not_swallowed_by_it(tmp_path: Path) -> None:
    store, path = LocalStore(tmp_path), tmp_path / NAME
    append_history(store, NAME, night(1))
    path.write_bytes(path.read_bytes()[:-1] + b'\n{"id": "night-2", "sta')
    append_history(store, NAME, night(3))
    assert [row["id"] for row in read_history(store, NAME)] == ["night-1", "night-3"]


@pytest.mark.parametrize("line", ["[1, 2]", "7", '{"id": 1}', "\xff\xfe", '{"counts": {"done": 1}}'])
def test_lines_that_are_no_rows_are_left_out(tmp_path: Path, line: str) -> None:
    store, path = LocalStore(tmp_path), tmp_path / NAME
    path.write_bytes(line.encode("latin-1") + b"\n")
    append_history(store, NAME, night(1))
    assert [row["id"] for row in read_history(store, NAME)] == ["night-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"started": None},
        {"started": "at night"},
        {"seconds": "long"},
        {"seconds": None},
        {"seconds_per_step": "slow"},
        {"seconds_per_step_and_megapixel": {}},
        {"counts": []},
        {"counts": {"done": None}},
        {"failed": 3},
    ],
    ids=str,
)
def test_a_row_of_another_shape_is_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    store, path = LocalStore(tmp_path), tmp_path / NAME
    append_history(store, NAME, night(1))
    path.write_text(json.dumps(json.loads(path.read_text()) | change) + "\n" + "[" * 100_000 + "\n")
    append_history(store, NAME, night(2))
    assert [row["id"] for row in read_history(store, NAME)] == ["night-2"]


def test_a_history_that_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OutputError, match=r"history\.jsonl cannot take this run's line of history \(Is a directory\)"):
        append_history(LocalStore(tmp_path), NAME, night(1))


def test_a_history_that_cannot_be_read_is_empty_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).mkdir()
    with caplog.at_level(logging.WARNING):
        assert read_history(LocalStore(tmp_path), NAME) == []
    assert "the history cannot be read (Is a directory)" in caplog.text


def test_the_table_shows_counts_duration_speed_and_their_course() -> None:
    rows = [
        history_row(night(23, outcome(seconds_per_step=1.0), seconds=3600.0, exit_code=0)),
        history_row(night(24, outcome("b.png", "failed"), outcome("c.png", "quarantined"), seconds=7200.0)),
        history_row(night(25, outcome(seconds_per_step=2.0), outcome("d.png", "not_started"), seconds=6000.0)),
    ]
    lines = render_history(rows).splitlines()
    head = ["started", "new", "failed", "quarantined", "waiting", "up", "to", "date", "duration", "s/step", "exit"]
    assert lines[0].split() == head
    assert lines[1].split() == ["2026-11-23", "22:00", "1", "0", "0", "0", "0", "1", "h", "1", "0"]
    assert lines[2].split() == ["2026-11-24", "22:00", "0", "1", "1", "0", "0", "2", "h", "-", "3"]
    assert lines[3].split() == ["2026-11-25", "22:00", "1", "0", "0", "1", "0", "1", "h", "40", "m", "2", "3"]
    assert lines[5] == "duration  ▁█▆  1 h .. 2 h"  # 6000 s is two thirds up: block 0 + 7 * 2/3 = 4.7, so 5
    assert lines[6] == "s/step    ▁ █  1 .. 2"
    assert render_history(rows, "latin-1").splitlines()[5:] == ["duration  _#+  1 h .. 2 h", "s/step    _ #  1 .. 2"]


def test_sparkline_goes_from_the_lowest_block_to_the_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([None, 1.0]) == " ▁"
    assert sparkline([]) == ""


def test_usual_speed_needs_three_runs_that_painted() -> None:
    rows = [{"seconds_per_step_and_megapixel": speed} for speed in (1.0, None, 9.0)]
    assert usual_speed(rows) is None
    assert usual_speed([*rows, {"seconds_per_step_and_megapixel": 2.0}]) == 2.0
