"""report.json, report.txt and the verdict."""

from __future__ import annotations

import io
import json
import math
import os
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

import pytest

from pipeline.errors import ExitCode
from pipeline.job import STATUSES, Outcome
from pipeline.printable import ascii_only, printable
from pipeline.report import write
from pipeline.report.attention import REASON_CLASSES, attention, retry_command
from pipeline.report.data import RunMetadata, build_report, verdict
from pipeline.report.flags import flags
from pipeline.report.quantities import duration, memory, significant
from pipeline.report.text import LINES, render_text
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "esc\x1b[31mred.png",
    "bidi\u202egnp.exe.png",
    "new\nline.png",
    "nul-like\x85next.png",
    "a\"b'c & d.png",
    "%2e%2e%2f#?.png",
    "'; rm -rf ~ #.png",
    "not-utf8-\udcff.png",
    "not-even-a-name-\ud800.png",
    "[a]*?.png",
    "émile.png",
    "-rf.png",
)


def facts(**changes: Any) -> RunMetadata:
    usual: dict[str, Any] = {
        "id": "20261124T220003-7f3a",
        "started": "2026-11-24T22:00:03+01:00",
        "finished": "2026-11-25T03:12:03+01:00",
        "seconds": 18720.0,
        "exit_code": ExitCode.SOME_FAILED,
        "manifest": "configs/night.yaml",
        "weights": {"name": "imagenet-8bit", "sha256": "c347"},
        "device": "CPU",
        "threads": 2,
        "versions": {"pipeline": "1.0.0", "python": "3.11.2"},
        "command": ["stylize", "run", "configs/night.yaml"],
    }
    return RunMetadata(**usual | changes)


def outcome(output: str = "dog--wave.png", status: str = "done", **changes: Any) -> Outcome:
    usual: dict[str, Any] = {"content": "photos/dog.jpg", "style": ["art/wave.jpg"], "status": status}
    return Outcome(output=output, **usual | changes)


def falling(totals: list[float]) -> list[dict[str, float]]:
    return [
        {"step": step, "seconds": 0.5 * step, "total": total, "content": 0.0, "style": total, "tv": 0.0}
        for step, total in enumerate(totals, start=1)
    ]


def one_of_each() -> list[Outcome]:
    return [outcome(f"{status}.png", status, reason="why" if status == "failed" else None) for status in STATUSES]


def written(tmp_path: Path, report: dict[str, Any]) -> dict[str, str]:
    files: dict[str, str] = {}

    class Written(LocalStore):
        def write_by(self, name: str, write: Callable[[IO[bytes]], object]) -> None:
            file = io.BytesIO()
            write(file)
            files[name] = file.getvalue().decode("utf-8")

    write_reports(Written(tmp_path), report, thumbnails=lambda name: {})
    return files


# ---------------------------------------------------------------------------------------------------------- report.json


def test_report_has_every_promised_key_of_the_run() -> None:
    report = build_report(facts(), [])
    assert {"schema", "run", "counts", "pairs"} <= report.keys()
    promised = "id started finished seconds exit_code manifest weights device threads versions"
    assert set(promised.split()) <= report["run"].keys()
    assert report["run"]["weights"].keys() == {"name", "sha256"}
    assert report["run"]["versions"].keys() == {"pipeline", "tensorflow", "keras", "pillow", "python"}
    assert report["schema"] == 1


def test_report_has_every_promised_key_of_a_pair_that_never_started() -> None:
    (pair,) = build_report(facts(), [outcome(status="not_started")])["pairs"]
    promised = (
        "output content style status reason attempts size steps seconds seconds_per_step setup_seconds"
        " peak_memory_bytes precision seed key options losses trace"
    )
    assert set(promised.split()) <= pair.keys()
    assert pair["losses"] == {"first": {}, "last": {}}
    assert pair["trace"] == []
    assert pair["reason"] is None


def test_counts_name_all_six_statuses_even_at_zero() -> None:
    counts = build_report(facts(), [outcome(), outcome("b.png"), outcome("c.png", "failed")])["counts"]
    assert counts == {"done": 2, "up_to_date": 0, "failed": 1, "interrupted": 0, "not_started": 0, "quarantined": 0}


def test_numbers_that_are_not_finite_become_null_and_the_file_is_strict_json(tmp_path: Path) -> None:
    bad = outcome(
        status="failed",
        seconds_per_step=math.nan,
        losses={"first": {"total": 1.0}, "last": {"total": math.inf}},
        trace=[{"step": 1, "seconds": 0.0, "total": -math.inf, "content": 0.0, "style": math.nan, "tv": 0.0}],
        options={"style_weight": math.inf},
        meta={"nested": [math.nan, {"deep": math.inf}]},
    )
    text = written(tmp_path, build_report(facts(seconds=math.nan), [bad]))["report.json"]

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    report = json.loads(text, parse_constant=refuse)
    pair = report["pairs"][0]
    assert pair["seconds_per_step"] is None
    assert pair["losses"]["last"]["total"] is None
    assert pair["trace"][0]["total"] is None
    assert pair["options"]["style_weight"] is None
    assert pair["meta"] == {"nested": [None, {"deep": None}]}
    assert report["run"]["seconds"] is None


def test_values_json_does_not_have_become_their_text() -> None:
    (pair,) = build_report(facts(), [outcome(meta={"path": Path("a/b"), 7: (1, 2)})])["pairs"]
    assert pair["meta"] == {"path": "a/b", "7": [1, 2]}


def test_first_and_last_losses_come_from_the_trace_where_the_outcome_has_none() -> None:
    (pair,) = build_report(facts(), [outcome(status="interrupted", trace=falling([9.0, 4.0]))])["pairs"]
    assert pair["losses"]["first"] == {"total": 9.0, "content": 0.0, "style": 9.0, "tv": 0.0}
    assert pair["losses"]["last"]["total"] == 4.0


def test_a_terms_loss_that_nobody_foresaw_is_in_the_report_beside_the_others() -> None:
    trace = [reading | {"moments": 0.5} for reading in falling([9.0, 4.0])]
    (pair,) = build_report(facts(), [outcome(status="interrupted", trace=trace)])["pairs"]
    assert pair["losses"]["last"] == {"total": 4.0, "content": 0.0, "style": 4.0, "tv": 0.0, "moments": 0.5}
    assert pair["trace"] == trace


def test_the_keys_of_a_pair_stand_in_the_order_that_readers_know() -> None:
    (pair,) = build_report(facts(), [outcome()])["pairs"]
    order = (
        "output content style status reason attempts size steps seconds seconds_per_step setup_seconds"
        " peak_memory_bytes precision threads painted_with tilings weights seed key options losses trace reason_class"
        " failing_since failed_runs acknowledged notes priority meta style_shares layer_losses masks painted_size flags node"
        " clip style_at"
    )
    assert list(pair) == order.split()


def test_report_is_a_copy_that_later_changes_do_not_reach() -> None:
    pair = outcome(options={"style_layers": {"block1_conv1": 1.0}})
    report = build_report(facts(), [pair])
    pair.options["style_layers"]["block1_conv1"] = 2.0
    assert report["pairs"][0]["options"]["style_layers"]["block1_conv1"] == 1.0


def test_report_json_has_one_line_per_pair_and_reads_back_as_built(tmp_path: Path) -> None:
    report = build_report(facts(), [outcome(name, trace=falling([3.0, 2.0])) for name in HOSTILE_NAMES])
    text = written(tmp_path, report)["report.json"]
    assert text.isascii()
    assert sum('"output"' in line for line in text.splitlines()) == len(HOSTILE_NAMES)
    assert json.loads(text) == report


def test_counts_agree_in_json_html_and_text(tmp_path: Path) -> None:
    outcomes = [outcome(f"{status}-{n}.png", status) for size, status in enumerate(STATUSES, 2) for n in range(size)]
    files = written(tmp_path, build_report(facts(), outcomes))
    report = json.loads(files["report.json"])
    assert report["counts"] == Counter(pair["status"] for pair in report["pairs"])
    words = {"done": "new", "up_to_date": "up to date", "not_started": "not started"}
    for status, number in report["counts"].items():
        counted = f"{number} {words.get(status, status)}"
        assert counted in files["report.txt"].splitlines()[0]
        assert f"{counted}</a>" in files["report.html"]


def test_numbers_are_written_before_the_page_that_is_made_of_them(tmp_path: Path) -> None:
    assert list(written(tmp_path, build_report(facts(), []))) == ["report.json", "report.txt", "report.html"]


# -------------------------------------------------------------------------------------------------------------- verdict


def test_verdict_names_what_is_new_then_what_needs_a_hand_then_time_and_exit_code() -> None:
    outcomes = [outcome(f"new-{n}.png") for n in range(18)]
    outcomes += [outcome(f"failed-{n}.png", "failed") for n in range(2)]
    outcomes += [outcome(f"old-{n}.png", "up_to_date") for n in range(229)]
    assert (
        verdict(build_report(facts(), outcomes)) == "18 new, 2 failed, 229 up to date - 5 h 12 m - exit 3 (some failed)"
    )


@pytest.mark.parametrize(
    ("code", "end"),
    [
        (ExitCode.OK, "exit 0 (all up to date)"),
        (ExitCode.BUG, "exit 1 (a bug)"),
        (ExitCode.SOME_FAILED, "exit 3 (some failed)"),
        (ExitCode.ENVIRONMENT, "exit 4 (environment)"),
        (ExitCode.DEADLINE, "exit 10 (deadline, pairs are left)"),
        (ExitCode.SIGINT, "exit 130 (stopped by Ctrl-C)"),
        (ExitCode.SIGTERM, "exit 143 (stopped by SIGTERM)"),
    ],
)
def test_verdict_says_what_an_exit_code_means(code: ExitCode, end: str) -> None:
    report = build_report(facts(exit_code=code, seconds=0.4), [])
    assert verdict(report) == f"no pairs - 0.4 s - {end}"
    assert isinstance(report["run"]["exit_code"], int)


def test_verdict_says_deadline_only_if_that_held_back_every_pair() -> None:
    late = [outcome(f"{n}.png", "not_started", reason_class="deadline") for n in range(3)]
    assert "3 not started (deadline)" in verdict(build_report(facts(), late))
    assert "4 not started -" in verdict(build_report(facts(), [*late, outcome("x.png", "not_started")]))


# ----------------------------------------------------------------------------------------------------------- report.txt


def test_text_starts_with_the_verdict_and_ends_with_where_the_rest_is() -> None:
    report = build_report(facts(), one_of_each())
    lines = render_text(report, folder=Path("/srv/output")).splitlines()
    assert lines[0] == verdict(report)
    assert "Full report: /srv/output/report.html" in lines
    assert lines[-1] == "Command: stylize run configs/night.yaml"


def test_text_is_at_most_forty_lines_of_ascii_whatever_happened() -> None:
    classes = ["bad_image", "diverged", "memory", "timeout", "worker_died", "error", *map(str, range(20))]
    failed = [
        outcome(f"{kind}-{n}-é\x1b.png", "failed", reason="naïve\n" * 50, reason_class=kind)
        for kind in classes
        for n in range(5)
    ]
    report = build_report(facts(warnings=["wörld"] * 50, manifest="nächte.yaml"), [*failed, *one_of_each()])
    text = render_text(report)
    assert text.isascii()
    assert "\x1b" not in text
    assert len(text.splitlines()) == LINES == 40
    assert "more lines: see the full report." in text
    assert "report.html" in text.splitlines()[-2]


def test_text_names_each_failure_with_reason_fix_and_command() -> None:
    bad = outcome(
        "a/dog.png", "failed", reason="photos/dog.jpg is empty; copy it again", reason_class="bad_image", attempts=1
    )
    text = render_text(build_report(facts(), [bad]))
    assert "1 failed - Picture cannot be used\n" in text
    assert "  a/dog.png: photos/dog.jpg is empty; copy it again\n" in text
    assert "\nRetry: stylize run configs/night.yaml --only a/dog.png --retry-failed\n" in text
    assert "  Fix: The sentence beside each pair names the file" in text


@pytest.mark.parametrize("kind", [*REASON_CLASSES, "of another version"])
def test_text_tells_the_whole_way_out_of_a_quarantine(kind: str) -> None:
    text = render_text(build_report(facts(), [outcome("a.png", "quarantined", reason="r", reason_class=kind)]))
    (group,) = attention(build_report(facts(), [outcome("a.png", "quarantined", reason="r", reason_class=kind)]))
    assert f"Fix: {group.fix} Retry: " in " ".join(text.split())
    assert group.fix.endswith("stylize acknowledge PATTERN MANIFEST says that you know of it.")
    assert all(len(line) <= 160 for line in text.splitlines() if "Command: " not in line)


def test_text_tells_since_when_a_pair_fails_whose_reason_is_long() -> None:
    reason = f"/srv/{'photographs/' * 9}a.jpg is truncated, its end is missing; copy it again"
    torn = outcome("a.png", "quarantined", reason=reason, failing_since="2026-11-24T22:00:00+00:00", failed_runs=3)
    text = render_text(build_report(facts(), [torn]))
    assert f"a.png: {reason}, failing since Tue 24 Nov 2026, 22:00 (3 runs) Fix: " in " ".join(text.split())
    endless = render_text(build_report(facts(), [outcome("a.png", "failed", reason="word " * 9000)]))
    assert max(len(line) for line in endless.splitlines()[4:8]) <= 160
    assert "word..." in endless


def test_text_of_an_empty_run_says_that_nothing_needs_attention() -> None:
    text = render_text(build_report(facts(exit_code=0), []))
    assert "Nothing needs attention." in text


def test_text_of_a_hostile_name_stays_on_its_line() -> None:
    for name in HOSTILE_NAMES:
        text = render_text(build_report(facts(), [outcome(name, "failed", reason="r")]))
        assert f"  {ascii_only(name)}: r" in text.splitlines()


# ------------------------------------------------------------------------------------------------------------ attention


def test_failures_come_first_and_larger_groups_before_smaller_ones() -> None:
    outcomes = [
        outcome("w.png", "not_started", reason_class="deadline"),
        outcome("q.png", "quarantined", reason_class="timeout"),
        outcome("t.png", "failed", reason_class="timeout"),
        outcome("m1.png", "failed", reason_class="memory"),
        outcome("m2.png", "failed", reason_class="memory"),
        outcome("new.png"),
    ]
    groups = attention(build_report(facts(), outcomes))
    assert [(group.title, len(group.pairs)) for group in groups] == [
        ("Not enough memory", 2),
        ("Took too long", 1),
        ("Failed too often: took too long", 1),
        ("Out of time", 1),
    ]
    assert all(group.fix for group in groups)


def test_every_reason_class_of_the_project_has_a_way_out_in_words() -> None:
    from pipeline import errors

    classes = {kind.reason_class for kind in (errors.PairError, *errors.PairError.__subclasses__())}
    assert "bad_image" in classes
    for reason_class in classes | {"environment", "disk", "bug"}:
        (group,) = attention(build_report(facts(), [outcome(status="failed", reason_class=reason_class)]))
        assert group.fix, reason_class


@pytest.mark.parametrize(
    ("reason_class", "no_help"),
    [("bad_image", "in a viewer"), ("output", "Something that was not made here"), ("diverged", "Lower learning_rate")],
)
def test_advice_for_all_pairs_of_a_class_holds_for_each(reason_class: str, no_help: str) -> None:
    """A file that is missing opens in no viewer, a folder or another pair's output is nothing that --force paints over,
    and the usual descent has no rate: what differs is told beside each pair."""
    (group,) = attention(build_report(facts(), [outcome(status="failed", reason_class=reason_class)]))
    assert no_help not in group.fix


def test_a_class_nobody_knows_is_named_and_harmless() -> None:
    (group,) = attention(build_report(facts(), [outcome(status="failed", reason_class="\x1b[2J")]))
    assert group.title == "Failed (\\x1b[2J)"


RUN = {"program": ["/opt/my tools/stylize"], "manifest": "/srv/my configs/night.yaml", "arguments": []}


def test_what_failed_is_tried_again_by_one_command_from_any_folder() -> None:
    bad = [outcome(f"{name}.png", "failed", reason="why", reason_class=name) for name in ("timeout", "diverged")]
    held = outcome("held.png", "quarantined", reason="why", reason_class="bad_image")
    text = render_text(build_report(facts(manifest=RUN["manifest"], program=RUN["program"]), [*bad, held]))
    (line,) = (line for line in text.splitlines() if "Retry" in line)
    assert line == "Retry: '/opt/my tools/stylize' run '/srv/my configs/night.yaml' --retry-failed"
    assert text.splitlines()[2].startswith("'/srv/my configs/night.yaml', ")


def test_how_failures_are_tried_again_is_told_however_many_kinds_there_are() -> None:
    """It stood below the failures, of which the first four kinds fill the forty lines."""
    failures = [
        outcome(f"{name}{number}.png", "failed", reason="why " * 50, reason_class=name)
        for name in REASON_CLASSES
        for number in range(4)
    ]
    text = render_text(build_report(facts(), failures))
    assert len(text.splitlines()) == LINES
    assert "Retry: stylize run configs/night.yaml --retry-failed\n" in text
    assert "more lines: see the full report." in text


def test_it_is_tried_again_with_the_options_and_of_the_part_that_the_run_had() -> None:
    """Else it would paint all of the manifest with other options, and the parts of other machines."""
    run = RUN | {"arguments": ["--set", "size=300"], "shard": "2/3", "verb": "run"}
    assert shlex.split(retry_command(run))[1:] == [
        *("run", RUN["manifest"], "--set", "size=300", "--shard", "2/3", "--retry-failed")
    ]
    assert shlex.split(retry_command(run, "a.png"))[-3:] == ["--only", "a.png", "--retry-failed"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if "\ud800" not in name])
@pytest.mark.parametrize("ascii_names", [False, True])
def test_the_manifest_of_a_command_is_the_one_that_was_run_whatever_it_is_called(name: str, ascii_names: bool) -> None:
    """`/home/\u00e9mile/night.yaml` came back as `/home/\\xe9mile/night.yaml`, which no shell reads so."""
    command = retry_command(
        RUN | {"program": ["printf", "%s\\0"], "manifest": f"/home/{name}"}, ascii_names=ascii_names
    )
    assert command == printable(command)
    assert command.isascii() or not ascii_names
    said = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout
    assert said.split(b"\0")[1] == os.fsencode(f"/home/{name}")


def test_previews_are_tried_again_as_previews() -> None:
    """`--only` names clips there, and no clip is called as its preview is."""
    run = RUN | {"verb": "preview"}
    assert shlex.split(retry_command(run, "walk-preview.png"))[1:] == ["preview", RUN["manifest"], "--retry-failed"]


@pytest.mark.parametrize("ascii_names", [False, True])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_retry_command_survives_a_shell_and_matches_its_pair_alone(name: str, ascii_names: bool) -> None:
    command = retry_command(RUN, name, ascii_names=ascii_names)
    *head, pattern, last = shlex.split(command)
    assert head == ["/opt/my tools/stylize", "run", "/srv/my configs/night.yaml", "--only"]
    assert last == "--retry-failed"
    assert fnmatchcase(name, pattern)
    assert not fnmatchcase("another.png", pattern)
    assert command == printable(command)
    assert command.isascii() or not ascii_names


# ---------------------------------------------------------------------------------------------------------------- flags


def names_of(pair: Outcome) -> set[str]:
    return {flag["name"] for flag in flags(pair)}


def test_a_loss_that_falls_more_than_five_percent_in_the_last_tenth_is_still_falling() -> None:
    settled = [100.0] * 18 + [97.0, 95.1]  # step 18 of 20 is the border: 4.9 % after it
    falls = [100.0] * 18 + [97.0, 94.9]  # 5.1 %
    assert "still_falling" not in names_of(outcome(trace=falling(settled)))
    assert "still_falling" in names_of(outcome(trace=falling(falls)))
    assert "still_falling" not in names_of(outcome(trace=falling(falls[1:])))  # a first look of 19 steps


@pytest.mark.parametrize("style_loss", ["neighbours", "transport", {"gram": 0.1, "neighbours": 1}])
def test_losses_of_places_that_are_chosen_anew_say_nothing_of_more_steps_or_style(style_loss: Any) -> None:
    trace = falling([100.0] * 16 + [80.0] * 2 + [75.0, 98.0])
    losses = {"first": {"total": 5.0, "style": 3.0}, "last": {"total": 4.0, "style": 2.9}}
    options = {"style_loss": style_loss}
    assert names_of(outcome(trace=trace, losses=losses, options=options)) == set()
    assert names_of(outcome(trace=trace, losses=losses, options={"style_loss": {"gram": 1, "moments": 1}})) == {
        "still_falling",
        "ended_above_best",
        "little_style",
    }


def test_an_overshoot_before_the_last_tenth_does_not_count_as_a_fall() -> None:
    assert "still_falling" not in names_of(outcome(trace=falling([100.0] * 17 + [150.0, 100.0, 100.0])))


@pytest.mark.parametrize(
    ("optimizer", "precision", "ways"),
    [
        ("lbfgs", "float32", (": check the weights.", "above its lowest.")),
        ("lbfgs", "bfloat16", (": check the weights.", ": precision: float32 would be steadier.")),
        ("adam", "float32", (": check learning_rate and the weights.", ": a smaller learning_rate would be steadier.")),
    ],
)
def test_flags_advise_no_rate_where_the_descent_has_none(optimizer: str, precision: str, ways: tuple[str, str]) -> None:
    losses = {"first": {"total": 5.0}, "last": {"total": 6.0}}
    trace = falling([5.0, 2.0, 6.0])
    pair = outcome(trace=trace, losses=losses, precision=precision, options={"optimizer": optimizer})
    texts = {flag["name"]: flag["text"] for flag in flags(pair)}
    assert texts["loss_did_not_fall"].endswith(ways[0])
    assert texts["ended_above_best"].endswith(ways[1])


def test_a_loss_that_did_not_fall_is_flagged() -> None:
    def ended(last: float) -> Outcome:
        return outcome(losses={"first": {"total": 5.0}, "last": {"total": last}})

    assert names_of(ended(5.0)) == {"loss_did_not_fall"}
    assert names_of(ended(4.9)) == set()


def test_a_loss_that_ends_a_tenth_above_its_lowest_is_flagged() -> None:
    assert "ended_above_best" in names_of(outcome(trace=falling([50.0, 10.0, 11.2])))
    assert "ended_above_best" not in names_of(outcome(trace=falling([50.0, 10.0, 10.9])))


def test_style_that_hardly_moved_is_flagged_unless_the_picture_started_as_the_style() -> None:
    losses = {"first": {"total": 10.0, "style": 10.0}, "last": {"total": 9.5, "style": 9.5}}
    assert names_of(outcome(losses=losses)) == {"little_style"}
    assert names_of(outcome(losses=losses, options={"init": "style"})) == set()


def test_retries_and_an_early_end_are_flagged() -> None:
    assert names_of(outcome(attempts=2)) == {"retried"}
    assert names_of(outcome(steps=120, options={"steps": 200})) == {"stopped_early"}
    assert names_of(outcome(steps=200, attempts=1, options={"steps": 200})) == set()


def test_only_pairs_painted_in_this_run_are_flagged() -> None:
    for status in set(STATUSES) - {"done"}:
        assert flags(outcome(status=status, attempts=3, trace=falling([3.0, 2.0, 1.0]))) == []


def test_flags_of_losses_that_are_not_finite_or_missing_raise_nothing() -> None:
    assert names_of(outcome(trace=falling([math.nan, math.inf]), losses={"first": {"total": math.nan}})) == set()
    assert names_of(outcome(trace=[{}, {"step": 3}])) == set()


# ---------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (3599.7, "1 h"),
        (18720, "5 h 12 m"),
        (86399, "1 d"),
        (183600, "2 d 3 h"),
    ],
)
def test_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_and_losses_are_short() -> None:
    assert (memory(812 * 2**20), memory(1.4 * 2**30), memory(2048)) == ("812 MiB", "1.4 GiB", "2 KiB")
    assert [significant(value) for value in (1234567.0, 0.01234, 12.345)] == ["1.23e6", "0.0123", "12.3"]
    assert significant(None) == significant(math.nan) == "-"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("naïve 名前 🎨.png", "naïve 名前 🎨.png"),
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\x9bb", "a\\x9bb"),
        ("\u202egnp", "\\u202egnp"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028break", "line\\u2028break"),
        ("not-utf8-\udcff", "not-utf8-\\udcff"),
    ],
)
def test_printable_writes_out_what_would_act_or_hide(raw: str, shown: str) -> None:
    assert printable(raw) == shown
    assert printable(shown) == shown


def test_ascii_only_writes_out_letters_too() -> None:
    assert ascii_only("é\x1b名") == "\\xe9\\x1b\\u540d"


def test_what_many_pairs_have_alike_is_held_once() -> None:
    """A hundred thousand of them are a night; each is unpacked from JSON, with keys and options of its own."""
    made = [outcome(f"{number}.png", options=json.loads('{"size": 512, "style_loss": "gram"}')) for number in range(3)]
    made[2].options = {"size": 256}
    first, second, third = build_report(facts(), made)["pairs"]
    assert first["options"] is second["options"]
    assert third["options"] == {"size": 256}


def test_a_report_is_written_pair_by_pair(tmp_path: Path) -> None:
    parts = list(write._json_parts(build_report(facts(), [outcome(f"{number}.png") for number in range(50)])))
    assert len(parts) > 50
    assert json.loads("".join(parts))["pairs"][49]["output"] == "49.png"
