"""What whoever runs it every night asks for: silence, room on the disk, old things gone, a log of its own. No TensorFlow."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from night_kit import PAIRS, Nights, failed, painted, statuses
from PIL import Image

from pipeline import program
from pipeline.cli.log_file import with_log_file
from pipeline.manifest import load_manifest
from pipeline.python_path import why_not_started

DAY = 86_400.0
STANDING = "\n  - {content: content/dog.png, style: style/wave.png, output: d.png, options: {seed: 5}}\n"


@pytest.fixture
def nights(project: Path) -> Nights:
    return Nights(project)


# ------------------------------------------------------------------------------------------------ silence


def test_a_standing_warning_is_in_the_log_and_the_report_and_not_said_by_quiet(nights, capsys):
    nights.manifest(STANDING)
    report = nights.run()
    assert capsys.readouterr().err == ""
    (warning,) = report["run"]["warnings"]
    assert "'seed' has no effect" in warning
    (log,) = (nights.output / ".pipeline/history").glob("*.log")
    assert log.read_text() == f"warning: {warning}\n"
    assert f"Warning: {warning[:60]}" in (nights.output / "report.txt").read_text()


def test_quiet_still_says_what_happens_in_this_night_alone(nights, capsys):
    nights.manifest(PAIRS, run='{on_success: ["false"]}')
    assert nights.run()["run"]["exit_code"] == 0
    assert "warning: " in capsys.readouterr().err


def test_a_variable_that_means_nothing_is_named_with_the_one_that_was_meant(nights, stylize):
    done = stylize("check", "night.yaml", cwd=nights.project, STYLIZE_DEADLNE="06:00", STYLIZE_RUN_ID="a hook's")
    assert done.stderr == (
        "warning: the environment variable STYLIZE_DEADLNE means nothing; did you mean 'STYLIZE_DEADLINE'?\n"
    )


def test_histories_and_machines_are_told_to_programs_as_json(nights, stylize):
    nights.run(failed("diverged"))
    (row,) = json.loads(stylize("history", "-o", "out", "--json", cwd=nights.project).stdout)
    assert (row["counts"]["failed"], row["exit_code"]) == (2, 3)
    facts = json.loads(stylize("doctor", "--json", cwd=nights.project).stdout)
    assert facts["memory_bytes"] >= facts["free_memory_bytes"] > 0
    assert set(facts["weights"]) == {"imagenet", "imagenet-8bit"}


# --------------------------------------------------------------------------------------------- room on the disk


def test_a_night_stops_in_order_where_the_disk_has_less_room_than_it_is_to_leave(nights, monkeypatch):
    nights.manifest(PAIRS, run="{min_free_disk: 2GiB}")
    free = iter([3 * 2**30, 3 * 2**30, 2**30])  # before the run, before each pair
    usage = shutil.disk_usage(nights.project)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=next(free, 2**30)))
    report = nights.run()
    assert statuses(report) == {"dog.png": "done", "sea.png": "not_started"}
    assert report["run"]["exit_code"] == 4
    assert report["pairs"][1]["reason_class"] == "disk"
    assert "has 1024.0 MiB free, less than min_free_disk (2048.0 MiB)" in report["pairs"][1]["reason"]


# -------------------------------------------------------------------------------------------- what becomes old


def aged(nights: Nights, days: float) -> list[Path]:
    """A log and a checkpoint of a pair of nobody's, so many days old, and a stranger's file that is as old."""
    files = [
        nights.output / ".pipeline" / name
        for name in ("history/20200101T000000Z-abcdef.log", "checkpoints/0123456789abcdef.npz", "history/notes.txt")
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        os.utime(file, (time.time() - days * DAY,) * 2)
    return files


@pytest.mark.parametrize(("retention", "days", "stays"), [("10d", 11, False), ("10d", 9, True)])
def test_retention_removes_what_is_older(nights, retention, days, stays):
    nights.run()
    log, _checkpoint, notes = aged(nights, days)
    kept = nights.output / ".pipeline/previous/0123456789abcdef.000001.png"
    stranger = kept.with_name("holiday.png")
    kept.parent.mkdir()
    for file in (kept, stranger):
        file.write_bytes(b"")
        os.utime(file, (time.time() - days * DAY,) * 2)
    nights.manifest(PAIRS, run=f"{{retention: {retention}}}")
    nights.run()
    assert (log.exists(), notes.exists(), kept.exists(), stranger.exists()) == (stays, True, stays, True)


def test_retention_as_a_number_of_runs_keeps_what_those_runs_left(nights):
    nights.manifest(PAIRS, run="{retention: 2}")
    nights.run()
    log, _checkpoint, notes = aged(nights, 1)
    nights.run()
    assert not log.exists()
    assert notes.exists()
    (nights.output / ".pipeline/history/20991231T000000Z-abcdef.log").touch()
    nights.run()
    assert len(list((nights.output / ".pipeline/history").glob("*.log"))) == 1


@pytest.mark.parametrize("started", ["2031-01-01T00:00:00+00:00", "0001-01-01T00:00:00"])
def test_a_run_that_began_by_a_wrong_clock_makes_nothing_old(nights, started):
    nights.manifest(PAIRS, run="{retention: 2}")
    report = nights.run()
    history = nights.output / ".pipeline/history/runs.jsonl"
    history.write_text(history.read_text().replace(report["run"]["started"], started))
    kept = nights.output / ".pipeline/previous/0123456789abcdef.000001.png"
    kept.parent.mkdir()
    kept.touch()
    nights.run()
    assert kept.exists()


def test_without_retention_logs_stay_for_ever(nights):
    nights.run()
    log, *_ = aged(nights, 4000)
    nights.run()
    assert log.exists()


@pytest.mark.parametrize("retention", ["0", "-1", "true", "soon", "1.5"])
def test_a_retention_that_is_none_is_refused(nights, stylize, retention):
    nights.manifest(PAIRS, run=f"{{retention: {retention}}}")
    done = stylize("plan", "night.yaml", cwd=nights.project)
    assert done.returncode == 2
    assert "'retention' must be" in done.stderr


# ------------------------------------------------------------------------------------------------- a log of its own


class Silent:
    """A console that notes what it is told to warn of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warned(self, text: str) -> None:
        self.warnings.append(text)

    def __getattr__(self, event: str) -> Callable[..., None]:
        return lambda *about: None


def test_a_log_file_hears_everything_whatever_the_console_says_and_grows_from_night_to_night(nights):
    nights.manifest(STANDING, run="{log_file: logs/night.log}")
    path = load_manifest(nights.project / "night.yaml").run.log_file
    assert path == str(nights.project / "logs/night.log")
    for _night in range(2):
        console = with_log_file(Silent(), path, nights.output)
        report = nights.run(voice=console)
        console.ended(report, str(nights.output))
    lines = Path(path).read_text().splitlines()
    assert sum("painting d.png" in line for line in lines) == 1
    assert sum("'seed' has no effect" in line for line in lines) == 2
    assert sum("exit 0 (all up to date)" in line for line in lines) == 2
    assert all(line[:2] == "20" for line in lines)  # each with its time


def test_a_log_file_in_the_output_folder_goes_through_no_link(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "private").write_text("as it was")
    (tmp_path / "out/night.log").symlink_to(tmp_path / "private")
    console = Silent()
    assert with_log_file(console, str(tmp_path / "out/night.log"), tmp_path / "out") is console
    (warning,) = console.warnings
    assert "out/night.log cannot be written" in warning
    assert (tmp_path / "private").read_text() == "as it was"
    heard = with_log_file(console, str(tmp_path / "out/logs/night.log"), tmp_path / "out")
    heard.warned("a word")
    assert "a word" in (tmp_path / "out/logs/night.log").read_text()


@pytest.mark.parametrize("folder", ["out", "elsewhere"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_no_line_is_added_to_a_picture_that_a_log_file_names_by_mistake(tmp_path, folder, format):
    path, console = tmp_path / folder / "sea", Silent()
    path.parent.mkdir()
    Image.new("RGB", (40, 30), (30, 90, 160)).save(path, format)
    before = path.read_bytes()
    assert with_log_file(console, str(path), tmp_path / "out") is console
    assert console.warnings == [
        f"log_file {path} cannot be written: what stands there is no text; name another file; the run goes on without"
    ]
    assert path.read_bytes() == before


def test_a_log_file_that_cannot_be_written_costs_a_warning_and_no_night(tmp_path):
    (tmp_path / "taken").touch()
    console = Silent()
    assert with_log_file(console, str(tmp_path / "taken/night.log"), tmp_path / "out") is console
    assert console.warnings == [
        f"log_file {tmp_path}/taken/night.log cannot be written: File exists; the run goes on without"
    ]


# --------------------------------------------------------------------------------------- commands from a fresh shell


def test_the_program_is_named_as_a_fresh_shell_finds_it(tmp_path, monkeypatch):
    tools = tmp_path / "my tools"
    tools.mkdir()
    monkeypatch.setattr("sys.executable", str(tools / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.called("run", "a b.yaml") == shlex.join([str(tools / "python"), "-m", "pipeline", "run", "a b.yaml"])
    (tools / "stylize").write_text("#!/bin/sh\n")
    (tools / "stylize").chmod(0o755)
    assert program.program() == (str(tools / "stylize"),)
    monkeypatch.setenv("PATH", str(tools))
    assert program.program() == ("stylize",)


def test_the_report_names_the_manifest_by_its_whole_path(nights, monkeypatch):
    monkeypatch.chdir(nights.project)
    report: dict[str, Any] = nights.run(painted(nights.output))
    assert report["run"]["manifest"] == str(nights.project / "night.yaml")
    assert report["run"]["program"][0]


def test_a_python_that_this_user_may_not_run_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setattr("sys.executable", "/home/ann/bin/python3.11")
    assert why_not_started(PermissionError(13, "Permission denied")) == (
        "Permission denied; this user cannot run /home/ann/bin/python3.11: make .venv anew with a Python that all can read "
        "(make distclean; make setup PYTHON=/usr/bin/python3)"
    )
    assert why_not_started(BlockingIOError(11, "try later")) == "try later; close other programs"
