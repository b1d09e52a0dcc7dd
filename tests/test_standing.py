"""A report is of the manifest, not of the run: what --only, --limit and --shard leave is in it. No TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from night_kit import Nights, failed, painted, statuses

from pipeline.batch import driver
from pipeline.batch.selection import Shard
from pipeline.batch.standing import report_anew
from pipeline.batch.system.deadline import End
from pipeline.cli.console import Quiet, exit_line
from pipeline.errors import ExitCode
from pipeline.manifest import load_manifest
from pipeline.report.text import render_text
from pipeline.store import hashes
from pipeline.store.disk import LocalStore

MANY = "".join(
    f"\n  - {{content: content/{name}.png, style: style/wave.png, output: {name}-{n}.png, options: {{seed: {n}, init: noise}}}}"
    for name in ("dog", "sea")
    for n in (1, 2)
)
ALL = {"dog-1.png", "dog-2.png", "sea-1.png", "sea-2.png"}


@pytest.fixture
def nights(project: Path) -> Nights:
    nights = Nights(project)
    nights.manifest(MANY)
    return nights


@pytest.mark.parametrize(
    ("selection", "flag", "reason_class"),
    [
        ({"only": "dog*"}, "--only", "left_out"),
        ({"limit": 2}, "--limit", "limit"),
        ({"shard": Shard(1, 2)}, "--shard", "left_out"),
    ],
    ids=["only", "limit", "shard"],
)  # fmt: skip
def test_pairs_that_a_run_leaves_are_in_its_report_as_they_stand(
    nights: Nights, selection: dict[str, Any], flag: str, reason_class: str
) -> None:
    report = nights.run(**selection)
    assert {pair["output"] for pair in report["pairs"]} == ALL
    left = [pair for pair in report["pairs"] if pair["output"] not in nights.asked]
    assert left
    for pair in left:
        assert (pair["status"], pair["reason_class"], pair["attempts"]) == ("not_started", reason_class, 0)
        assert pair["reason"].startswith("not painted yet; ")
        assert pair["reason"].endswith(flag)
    assert report["counts"] == {
        **dict.fromkeys(report["counts"], 0),
        "done": len(nights.asked),
        "not_started": len(left),
    }
    assert report["run"]["counts"] == {**dict.fromkeys(report["counts"], 0), "done": len(nights.asked)}
    assert report["run"]["exit_code"] == 0
    stands = f"{4 - len(left)} of 4 painted, {len(left)} still to do"
    assert f"exit 0 (all that was asked for; {stands})" in exit_line(report, "out")


def test_a_report_written_anew_blames_no_flag_for_what_waits(nights: Nights) -> None:
    """Pairs for which the deadline left no time were told to be painted by a run without `--only`."""
    nights.manifest(MANY, run="{max_duration: 1s}")
    report = nights.run()
    assert {pair["reason_class"] for pair in report["pairs"]} == {"deadline"}
    again = report_anew(load_manifest(nights.project / "night.yaml"), Quiet(), report)
    assert {pair["reason_class"] for pair in again["pairs"]} == {None}
    assert "Waiting for the next run" in render_text(again)
    assert "--only" not in render_text(again)


def test_what_is_up_to_date_failed_or_held_stays_so_beside_a_run_over_a_part(nights: Nights) -> None:
    answers = {"dog-1.png": failed("diverged"), "dog-2.png": painted(nights.output), "sea-1.png": failed("timeout")}
    for _ in range(3):
        nights.run(lambda step: answers[step.job.output](step), only="dog*")
    nights.run(lambda step: answers[step.job.output](step), only="sea-1*")
    report = nights.run(only="sea-2*")
    pairs = {pair["output"]: pair for pair in report["pairs"]}
    assert {name: pair["status"] for name, pair in pairs.items()} == {
        "dog-1.png": "quarantined",
        "dog-2.png": "up_to_date",
        "sea-1.png": "failed",
        "sea-2.png": "done",
    }
    assert (pairs["sea-1.png"]["failed_runs"], pairs["sea-1.png"]["attempts"]) == (1, 0)
    assert pairs["dog-2.png"]["steps"] == 4
    assert pairs["dog-2.png"]["losses"]["last"]["total"] == 1.0
    assert report["run"]["exit_code"] == 0  # of what it took up
    row = json.loads((nights.output / ".pipeline/history/runs.jsonl").read_text().splitlines()[-1])
    assert (row["counts"]["done"], row["counts"]["failed"], row["failed"]) == (1, 0, [])


def test_a_limit_that_leaves_pairs_is_not_called_up_to_date(nights: Nights, stylize: Callable[..., Any]) -> None:
    nights.run(limit=2)
    done = stylize("run", "night.yaml", "--limit", "0", cwd=nights.project)
    assert done.returncode == 0
    first, last = done.stderr.splitlines()
    assert first.endswith(" 2 up to date, 2 left for later by --limit")
    assert "everything is up to date" not in first
    assert last.endswith("exit 0 (all that was asked for; 2 of 4 painted, 2 still to do)")
    plan = stylize("plan", "night.yaml", "--limit", "0", cwd=nights.project)
    assert plan.stdout.splitlines()[-1] == "0 to paint, 2 up to date, 2 left for later by --limit"


def test_a_picture_whose_options_changed_waits_with_the_reason(nights: Nights) -> None:
    nights.run()
    nights.manifest(MANY, options=", style_weight: 0.5")
    report = nights.run(only="dog*")
    reasons = {pair["output"]: pair["reason"] for pair in report["pairs"] if pair["status"] == "not_started"}
    assert set(reasons) == {"sea-1.png", "sea-2.png"}
    assert reasons["sea-1.png"].startswith("style_weight ")
    assert reasons["sea-1.png"].endswith("; left out by --only")


def test_pairs_that_nobody_painted_are_not_read(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    from pipeline.store import hashes

    whole = hashes.hash_with_status
    monkeypatch.setattr(
        hashes, "hash_with_status", lambda path, *more: read.append(Path(path).name) or whole(path, *more)
    )
    nights.run(only="dog*")
    assert "dog.png" in read
    assert "sea.png" not in read


def test_a_run_that_is_over_believes_records_and_reads_no_picture(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.batch import standing as module

    nights.run()
    (nights.output / "sea-2.png").unlink()
    (nights.project / "input/content/sea.png").write_bytes(b"changed")
    monkeypatch.setattr(module, "make_plan", lambda *given: given[3].check_cancelled())
    monkeypatch.setattr("pipeline.batch.scheduler.Scheduler.is_over", lambda scheduler: True)
    report = nights.run(only="dog*")
    assert statuses(report) == {
        **dict.fromkeys(("dog-1.png", "dog-2.png", "sea-1.png"), "up_to_date"),
        "sea-2.png": "not_started",
    }


def test_a_run_that_is_over_hashes_no_picture_of_another_time(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be ten thousand names of one file of a gigabyte, each with a forged record."""
    from pipeline.batch import standing as module

    nights.run()
    for name in ("sea-1.png", "sea-2.png"):
        os.utime(nights.output / name, (1, 1))
    read: list[str] = []
    whole = LocalStore.sha256
    monkeypatch.setattr(LocalStore, "sha256", lambda store, name: read.append(name) or whole(store, name))
    monkeypatch.setattr(module, "make_plan", lambda *given: given[3].check_cancelled())
    over = [True]
    monkeypatch.setattr("pipeline.batch.scheduler.Scheduler.is_over", lambda scheduler: over[0])
    assert statuses(nights.run(only="dog*"))["sea-1.png"] == "not_started"
    assert read == []
    monkeypatch.setattr(module, "make_plan", None)  # no key can be known: all the time there is for reading
    over = [False]
    assert statuses(nights.run(only="dog*"))["sea-1.png"] == "up_to_date"
    assert read == ["sea-1.png", "sea-2.png"]


def test_the_report_is_written_anew_from_records(nights: Nights, stylize: Callable[..., Any]) -> None:
    nights.run(only="dog*")
    before = nights.report()
    (nights.output / "dog-1.png").unlink()
    for name in ("report.txt", "report.html"):
        (nights.output / name).unlink()
    done = stylize("report", "night.yaml", "--json", cwd=nights.project)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == nights.report()
    assert statuses(report) == {name: "up_to_date" if name == "dog-2.png" else "not_started" for name in ALL}
    assert {pair["output"]: pair["reason"] for pair in report["pairs"]}["dog-1.png"] == "its picture is gone"
    for key in ("id", "started", "finished", "seconds", "exit_code", "counts"):
        assert report["run"][key] == before["run"][key], key
    assert (nights.output / "report.html").is_file()
    assert "2 new" in stylize("report", "night.yaml", cwd=nights.project).stdout
    assert len((nights.output / ".pipeline/history/runs.jsonl").read_text().splitlines()) == 1  # it is no run


@pytest.mark.parametrize(
    "planted",
    ["", "[]", '{"run": 7}', '{"run": {"counts": "x", "exit_code": 99}}', "[" * 100_000, '{"run": {"seconds": 1e999}}'],
    ids=lambda text: text[:20],
)
def test_a_planted_report_is_not_believed(nights: Nights, planted: str) -> None:
    from pipeline.batch.standing import report_anew
    from pipeline.cli.console import Quiet
    from pipeline.manifest import load_manifest

    nights.run(only="dog*")
    try:
        last = json.loads(planted)
    except (ValueError, RecursionError):
        last = None
    report = report_anew(load_manifest(nights.project / "night.yaml"), Quiet(), last)
    assert report["run"]["exit_code"] == ExitCode.OK
    assert report["counts"]["up_to_date"] == 2


def test_a_report_is_shown_as_it_is_while_a_run_is_going_on(nights: Nights, stylize: Callable[..., Any]) -> None:
    nights.run()
    before = (nights.output / "report.json").read_bytes()
    with LocalStore(nights.output).lock("a run"):
        done = stylize("report", "night.yaml", cwd=nights.project)
    assert (done.returncode, (nights.output / "report.json").read_bytes()) == (0, before)
    assert done.stderr.startswith("note: this is the report as it was written last: another run holds ")
    assert done.stdout.startswith("4 new - ")


def test_where_no_run_ever_was_nothing_is_written(nights: Nights, stylize: Callable[..., Any]) -> None:
    done = stylize("report", "night.yaml", cwd=nights.project)
    assert done.returncode == 2
    assert "'stylize run' writes it" in done.stderr
    assert not nights.output.exists()


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("{n: .nan, i: -.inf}", {"n": ".nan", "i": "-.inf"}),
        ("{n: '" + "[{" * 600 + "'}", {"n": "[{" * 600}),
        ("{n: [" + "[], " * 1200 + "]}", {"n": [[]] * 1200}),
    ],
)
def test_whatever_words_a_pair_has_of_its_own_its_record_is_known_the_next_night(
    nights: Nights, words: str, kept: dict[str, Any]
) -> None:
    nights.manifest(f"\n  - {{content: content/dog.png, style: style/wave.png, output: dog.png, meta: {words}}}\n")
    for status in ("done", "up_to_date"):
        report = nights.run()
        (pair,) = report["pairs"]
        assert (pair["status"], pair["meta"], report["run"]["warnings"]) == (status, kept, [])


@pytest.mark.parametrize("late", [True, False])
def test_a_run_that_looked_at_nothing_forgets_no_hash(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """As its time was over, or its weights were missing."""
    monkeypatch.setattr(hashes, "_RACY_NS", -(10**18))
    nights.run()
    table = nights.output / ".pipeline/records/hashes.json"
    before = table.read_text()
    assert "dog.png" in before
    if late:
        monkeypatch.setattr(driver, "end_of_run", lambda settings, began: End(elapsed=0.0))
    else:
        file = nights.project / "night.yaml"
        file.write_text(file.read_text().replace("weights: random", "weights: nowhere.h5"))
    assert nights.run()["counts"]["done"] == 0
    assert table.read_text() == before
