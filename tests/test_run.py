"""Whole runs of the command, as a scheduler sees them: pictures, report, exit codes. Random weights, tiny pictures.

TensorFlow paints (`stylize`, `painted`) where that is what is looked at: the first run and all that it says of a picture,
equal bytes, the worker's memory; and in this process (`tensorflow_here`) for 16 bits and distances of sampled places.
Everything else is the driver's, the plan's, the
records' or the worker process', and is the same whoever paints: there the engine of tests/chaos does it
(`rehearse`, `rehearsed`), the product's driver and worker with a picture in milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, fill_project, rehearsing
from night_kit import Nights, tensorflow_here
from patience import PATIENCE, until
from PIL import Image

from pipeline.store.layout import pair_id

pytestmark = pytest.mark.slow

PAIRS = """
  - {content: content/dog.png, style: style/wave.png}
  - {content: content/sea.png, style: style/wave.png, output: deep/sea.jpg, options: {strength: 0.5}}
"""


# Quickly traced: no run here depends on how deep the network is. Of the usual layers: test_real_weights.
SHALLOW = ", history: 2, content_layers: [conv2_1], style_layers: [conv1_1, conv2_1]"
LONG = 100_000  # steps that no test waits for: each takes a millisecond at least


def write_manifest(
    project: Path,
    pairs: str = PAIRS,
    steps: int = 4,
    weights: str = "random",
    run: str = "{threads: 2}",
    options: str = SHALLOW,
) -> None:
    (project / "night.yaml").write_text(
        f"version: 1\nname: test\ninput: input\noutput: out\nrun: {run}\n"
        f"defaults: {{size: 48, steps: {steps}, weights: {weights}, style_loss: gram{options}}}\npairs:{pairs}"
    )


def report_of(project: Path) -> dict:
    return json.loads((project / "out" / "report.json").read_text())


def hashes(project: Path) -> dict[str, str]:
    pictures = [
        p for p in (project / "out").rglob("*.*") if p.suffix in (".png", ".jpg") and ".pipeline" not in p.parts
    ]
    return {str(p.relative_to(project)): hashlib.sha256(p.read_bytes()).hexdigest() for p in pictures}


def statuses(project: Path) -> dict[str, str]:
    return {pair["output"]: pair["status"] for pair in report_of(project)["pairs"]}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A project, and the end of its first run, which TensorFlow painted."""
    project = fill_project(tmp_path_factory.mktemp("painted"))
    write_manifest(project)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}
    command = [sys.executable, "-m", "pipeline", "run", "night.yaml"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return project, done


@pytest.fixture
def painted(first_run, tmp_path):
    """A project whose two pairs are done: a copy, times included, of one that was painted once."""
    return Path(shutil.copytree(first_run[0], tmp_path / "project"))


@pytest.fixture(scope="module")
def rehearsed_once(tmp_path_factory):
    project = fill_project(tmp_path_factory.mktemp("rehearsed"))
    write_manifest(project)
    command = [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml", "-q"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)} | rehearsing(tmp_path_factory.mktemp("beside"))
    subprocess.run(command, cwd=project, env=environment, check=True)
    return project


@pytest.fixture
def rehearsed(rehearsed_once, tmp_path):
    """The same, painted by the engine of tests/chaos."""
    return Path(shutil.copytree(rehearsed_once, tmp_path / "project"))


def test_a_first_run_paints_and_a_second_does_nothing(first_run, painted, stylize):
    project, first = painted, first_run[1]
    assert first.stdout == ""
    assert "\r" not in first.stderr
    assert sorted(hashes(project)) == ["out/deep/sea.jpg", "out/dog--wave.png"]
    for name in hashes(project):
        with Image.open(project / name) as picture:
            picture.load()
            assert picture.size == (48, 40)
    report = report_of(project)
    assert report["counts"]["done"] == 2
    assert report["run"]["exit_code"] == 0
    assert report["run"]["weights"]["name"] == "random"
    assert report["run"]["versions"]["tensorflow"]
    assert re.match("(bfloat16|float32), as the (processor|GPU)", report["run"]["auto_precision"])
    assert re.search(r"2 to paint in about .* \(a first guess\)\n", first.stderr)
    assert re.search(r"painting dog--wave.png \(4 steps, about .* [MG]iB\)\n", first.stderr)
    pair = report["pairs"][0]
    assert (pair["content"], pair["style"], pair["size"], pair["steps"]) == (
        "content/dog.png",
        ["style/wave.png"],
        [48, 40],
        4,
    )
    assert [reading["step"] for reading in pair["trace"]] == [1, 2, 3, 4]
    assert pair["peak_memory_bytes"] > 100e6
    assert pair["threads"] == report["run"]["threads"]
    assert pair["attempts"] == 1
    assert pair["losses"]["last"]["total"] < pair["losses"]["first"]["total"]

    before = hashes(project)
    second = stylize("run", "night.yaml", cwd=project)
    assert second.returncode == 0
    assert "everything is up to date" in second.stderr
    assert hashes(project) == before
    assert set(statuses(project).values()) == {"up_to_date"}
    assert report_of(project)["pairs"][0]["losses"] == pair["losses"]


def test_nothing_to_do_starts_no_worker_and_loads_no_tensorflow(painted):
    script = (
        "import sys, pipeline.cli.main as c\n"
        "def refuse(settings, log): raise AssertionError('there is nothing to paint')\n"
        "try: c.cli.main(['run', 'night.yaml'], obj=refuse)\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "print(sorted({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=painted, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_equal_pairs_give_equal_bytes_wherever_they_stand_and_however_many_workers_paint(painted, stylize):
    """Painted again by two workers, the other pair first, and one of them alone under another name."""
    before = hashes(painted)
    alone = "  - {content: content/sea.png, style: style/wave.png, output: alone.jpg, options: {strength: 0.5}}\n"
    first, second = PAIRS.splitlines()[1:]
    write_manifest(painted, f"\n{alone}{second}\n{first}\n", run="{jobs: 2, threads: 2}")
    again = stylize("run", "night.yaml", "--force", cwd=painted)
    assert again.returncode == 0, again.stderr
    assert set(statuses(painted).values()) == {"done"}
    with Image.open(painted / "out/alone.jpg") as one, Image.open(painted / "out/deep/sea.jpg") as other:
        assert one.tobytes() == other.tobytes()
    assert before.items() <= hashes(painted).items()


def test_only_what_changed_is_painted_again(rehearsed, rehearse):
    write_manifest(rehearsed, PAIRS.replace("strength: 0.5", "strength: 0.4"))
    plan = json.loads(rehearse("plan", "night.yaml", "--json", cwd=rehearsed).stdout)
    assert {row["output"]: (row["action"], row["reason"]) for row in plan} == {
        "dog--wave.png": ("keep", "up to date"),
        "deep/sea.jpg": ("paint", "strength 0.5 -> 0.4"),
    }
    rehearse("run", "night.yaml", cwd=rehearsed)
    assert statuses(rehearsed) == {"dog--wave.png": "up_to_date", "deep/sea.jpg": "done"}


@pytest.mark.parametrize("flags", [(), ("--limit", "1", "--force", "--only", "*e*")])
def test_run_does_what_plan_said(rehearsed, rehearse, flags):
    """A pair to keep, one with another option, a new one, one without its record, one whose content is gone."""
    new = "  - {content: content/sea.png, style: style/wave.png, output: new.png, priority: 2}\n"
    adopted = "  - {content: content/dog.png, style: style/wave.png, output: adopted.png}\n"
    gone = "  - {content: content/gone.png, style: style/wave.png, priority: 1}\n"
    shutil.copy(rehearsed / "out/dog--wave.png", rehearsed / "out/adopted.png")
    write_manifest(rehearsed, PAIRS.replace("strength: 0.5", "strength: 0.4") + new + adopted + gone)
    planned = rehearse("plan", "night.yaml", "--json", *flags, cwd=rehearsed)
    assert {row["guess"] for row in json.loads(planned.stdout) if row["action"] == "paint"} == {False}
    rehearse("run", "night.yaml", *flags, cwd=rehearsed)
    becomes = {"paint": "done", "keep": "up_to_date", "fail": "failed"}
    plan = [(row["output"], becomes[row["action"]], row["key"]) for row in json.loads(planned.stdout)]
    pairs = report_of(rehearsed)["pairs"]
    assert [(pair["output"], pair["status"], pair["key"]) for pair in pairs][: len(plan)] == plan
    assert len(plan) == (2 if flags else 5)
    assert len(pairs) == 5  # what the flags left out stands behind


def test_touching_an_input_changes_nothing_and_one_byte_does(painted, stylize):
    dog = painted / "input/content/dog.png"
    os.utime(dog, (1, 1))
    assert "2 up to date" in stylize("plan", "night.yaml", cwd=painted).stdout
    with Image.open(dog) as image:
        image.load()
    image.putpixel((0, 0), (1, 2, 3))
    image.save(dog)
    assert "1 to paint" in stylize("plan", "night.yaml", cwd=painted).stdout


def test_a_lost_or_damaged_picture_is_painted_again(rehearsed, rehearse):
    before = hashes(rehearsed)
    (rehearsed / "out/dog--wave.png").unlink()
    sea = rehearsed / "out/deep/sea.jpg"
    sea.write_bytes(sea.read_bytes()[:-100])
    rehearse("run", "night.yaml", cwd=rehearsed)
    assert set(statuses(rehearsed).values()) == {"done"}
    assert hashes(rehearsed) == before


def test_a_right_picture_without_a_record_is_adopted(painted, stylize):
    for record in (painted / "out/.pipeline/records").iterdir():
        record.unlink()
    plan = stylize("plan", "night.yaml", cwd=painted)
    assert "2 up to date" in plan.stdout
    stylize("run", "night.yaml", cwd=painted)
    assert set(statuses(painted).values()) == {"up_to_date"}
    assert report_of(painted)["pairs"][0]["losses"]["last"]["total"] > 0
    assert len(list((painted / "out/.pipeline/records").glob("*[0-9a-f].json"))) == 2


def test_bad_pairs_fail_by_name_and_the_others_are_painted(project, rehearse):
    content = project / "input/content"
    (content / "page.jpg").write_text("<!DOCTYPE html><html>404</html>")
    Image.effect_noise((64, 64), 90).convert("RGB").save(content / "cut.jpg")
    (content / "cut.jpg").write_bytes((content / "cut.jpg").read_bytes()[:900])
    pairs = "".join(
        f"\n  - {{content: content/{name}, style: style/wave.png}}"
        for name in ("gone.jpg", "page.jpg", "cut.jpg", "dog.png")
    )
    write_manifest(project, pairs + "\n")
    done = rehearse("run", "night.yaml", cwd=project)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert statuses(project) == {
        "gone--wave.png": "failed",
        "page--wave.png": "failed",
        "cut--wave.png": "failed",
        "dog--wave.png": "done",
    }
    reasons = {pair["output"]: pair["reason"] for pair in report_of(project)["pairs"] if pair["reason"]}
    for name, words in (("gone", "does not exist"), ("page", "HTML"), ("cut", "truncated")):
        assert f"{name}.jpg" in reasons[f"{name}--wave.png"]
        assert words in reasons[f"{name}--wave.png"]
        assert len([line for line in done.stderr.splitlines() if f"{name}.jpg" in line]) == 1
    check = rehearse("check", "night.yaml", cwd=project)
    assert check.returncode == 3
    assert "5 images, 3 cannot be used" in check.stdout


def test_a_bad_night_leaves_finished_pictures_untouched(painted, stylize):
    before = hashes(painted)
    (painted / "input/content/dog.png").write_text("no picture any more")
    done = stylize("run", "night.yaml", cwd=painted)
    assert done.returncode == 3
    assert hashes(painted) == before


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("  - {content: content/dog.png, stlye: style/wave.png}", "unknown key 'stlye'"),
        ("  - {content: content/dog.png, style: style/wave.png, options: {steps: many}}", "steps"),
        ("  - {content: content/dog.png, style: style/wave.png, options: {style_layers: [conv7_1]}}", "conv7_1"),
    ],
)
def test_a_wrong_manifest_is_one_clear_line_and_touches_nothing(painted, stylize, line, complaint):
    before = hashes(painted)
    write_manifest(painted, f"\n{line}\n")
    for verb in ("run", "plan", "check"):
        done = stylize(verb, "night.yaml", cwd=painted)
        assert done.returncode == 2
        assert done.stderr.startswith("night.yaml:8:")
        assert complaint in done.stderr.splitlines()[0]
        assert "Traceback" not in done.stderr
    assert hashes(painted) == before


def test_missing_weights_stop_the_run_before_it_starts(project, stylize):
    write_manifest(project, weights="nowhere.h5")
    done = stylize("run", "night.yaml", cwd=project)
    assert done.returncode == 4
    assert "nowhere.h5: no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_the_environments_fault(project, stylize):
    write_manifest(project)
    (project / "out").write_text("a file stands where the folder should be")
    done = stylize("run", "night.yaml", cwd=project)
    assert done.returncode == 4
    assert "out" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_in_a_pair_is_code_1_with_its_traceback_in_the_log(project, rehearse):
    write_manifest(project)
    faults = Path(rehearsing(project)["CHAOS_FAULTS"])
    (faults / f"{pair_id('dog--wave.png')}.0").write_text("1 raise")
    done = rehearse("run", "night.yaml", cwd=project)
    assert done.returncode == 1
    assert report_of(project)["pairs"][0]["reason"] == "unexpected RuntimeError: a bug for this test"
    logs = list((project / "out/.pipeline/history").glob("*.log"))
    assert "a bug for this test" in logs[0].read_text()


def test_on_error_stop_starts_no_pair_after_a_failure(project, rehearse):
    whole = (project / "input/content/dog.png").read_bytes()
    (project / "input/content/odd.png").write_bytes(whole[: len(whole) // 2])
    pairs = "\n  - {content: content/odd.png, style: style/wave.png, priority: 1}" + PAIRS
    write_manifest(project, pairs, run="{on_error: stop}")
    done = rehearse("run", "night.yaml", cwd=project)
    assert done.returncode == 3
    assert list(statuses(project).values()) == ["failed", "not_started", "not_started"]


@pytest.mark.usefixtures("thin_network")
def test_distances_of_sampled_places_are_painted_in_a_night_of_several_shapes(project):
    """By one network in this process, as a worker keeps it from pair to pair."""
    pairs = """
  - {content: content/dog.png, style: style/wave.png, options: {style_loss: neighbours}}
  - {content: content/sea.png, style: style/wave.png, options: {style_loss: neighbours, size: 44}}
  - {content: content/sea.png, style: style/wave.png, output: 3.png, options: {style_loss: {transport: 1, histogram: 1}}}
"""
    nights = Nights(project)
    write_manifest(project, pairs, steps=2)
    assert nights.run_with(tensorflow_here())["run"]["exit_code"] == 0
    sizes = {tuple(pair["size"]) for pair in report_of(project)["pairs"]}
    assert len(sizes) == 2
    for pair in report_of(project)["pairs"]:
        assert (pair["status"], pair["steps"]) == ("done", 2)
        for end in ("first", "last"):
            assert set(pair["losses"][end]) == {"total", "content", "style", "tv"}
    nights.run()
    assert (nights.asked, set(statuses(project).values())) == ([], {"up_to_date"})


def test_priority_comes_first_and_limit_bounds_what_is_painted(project, rehearse):
    write_manifest(project, PAIRS.replace("strength: 0.5}", "strength: 0.5}, priority: 3"))
    rehearse("run", "night.yaml", "--limit", "1", cwd=project)
    assert statuses(project) == {"deep/sea.jpg": "done", "dog--wave.png": "not_started"}


def test_a_killed_worker_costs_one_attempt_and_is_said(project):
    write_manifest(project, steps=LONG)
    run = start(project)
    worker = wait_for_worker(run)
    until(lambda: painted_steps(project))
    os.kill(worker, signal.SIGKILL)
    second = wait_for_worker(run, other_than=worker)
    os.kill(second, signal.SIGKILL)
    third = wait_for_worker(run, other_than=second)
    run.send_signal(signal.SIGTERM)
    assert run.wait(PATIENCE) == 143
    assert not alive(third)
    pairs = report_of(project)["pairs"]
    assert pairs[0]["status"] == "failed"
    assert "killed (signal 9)" in pairs[0]["reason"]
    assert pairs[0]["attempts"] == 2
    assert pairs[1]["status"] == "interrupted"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order(project, number, code):
    write_manifest(project, steps=LONG)
    run = start(project)
    worker = wait_for_worker(run)
    run.send_signal(number)
    assert run.wait(PATIENCE) == code
    assert not alive(worker)
    assert list(statuses(project).values()) == ["interrupted", "not_started"]
    assert hashes(project) == {}
    words = {130: "stopped by Ctrl-C", 143: "stopped by SIGTERM"}[code]
    assert f" - exit {code} ({words}), see " in (project / "stderr").read_text().splitlines()[-1]


def test_a_killed_driver_leaves_no_worker_behind(project):
    write_manifest(project, steps=LONG)
    run = start(project)
    worker = wait_for_worker(run)
    run.kill()
    run.wait()
    until(lambda: not alive(worker))


def test_a_second_run_is_refused_while_the_first_goes_on(project, rehearse):
    write_manifest(project, steps=LONG)
    run = start(project)
    wait_for_worker(run)
    second = rehearse("run", "night.yaml", cwd=project)
    assert second.returncode == 11
    assert f"process {run.pid}" in second.stderr
    assert "a run is going on" in rehearse("status", "night.yaml", cwd=project).stdout
    run.kill()
    run.wait()
    assert "no run is going on" in rehearse("status", "night.yaml", cwd=project).stdout


@pytest.mark.parametrize("verb", ["run", "plan"])
@pytest.mark.parametrize("value", ["25:99", "6am"])
def test_a_deadline_that_is_no_time_is_a_usage_error(project, stylize, verb, value):
    write_manifest(project)
    arguments = ("--deadline", value) if verb == "run" else ("--set", f"size={value}")
    done = stylize(verb, "night.yaml", *arguments, cwd=project)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_deadline_that_comes_too_soon_for_a_pair_starts_none(painted, stylize):
    """A minute, for steps that take a millisecond each and more."""
    write_manifest(painted, PAIRS.replace("strength: 0.5", f"strength: 0.5, steps: {LONG}"))
    done = stylize("run", "night.yaml", cwd=painted, STYLIZE_MAX_DURATION="1m")
    assert done.returncode == 10, done.stderr
    assert statuses(painted) == {"dog--wave.png": "up_to_date", "deep/sea.jpg": "not_started"}
    assert report_of(painted)["pairs"][1]["reason"] == "no time left before the deadline"


TOO_LONG = f"\n  - {{content: content/dog.png, style: style/wave.png, options: {{steps: {LONG}}}}}\n"


def test_a_pair_that_takes_too_long_fails_by_itself(project, rehearse):
    write_manifest(project, TOO_LONG, run="{pair_timeout: 2s, retries: 0}")
    assert rehearse("run", "night.yaml", cwd=project).returncode == 3
    assert report_of(project)["pairs"][0]["reason"].startswith("not finished after 2 s; raise pair_timeout")


def test_a_pair_that_takes_too_much_memory_fails_by_itself(project, stylize):
    write_manifest(project, TOO_LONG, run="{max_memory: 100MiB, retries: 0}")
    assert stylize("run", "night.yaml", cwd=project).returncode == 3
    assert "needs more memory than max_memory allows" in report_of(project)["pairs"][0]["reason"]


def test_hooks_hear_how_the_run_went(painted, stylize):
    tell = """["sh", "-c", "echo $STYLIZE_EXIT > told"]"""
    write_manifest(painted, run=f"{{on_success: {tell}, on_failure: [no-such-program]}}")
    stylize("run", "night.yaml", cwd=painted)
    assert (painted / "told").read_text() == "0\n"
    (painted / "input/content/dog.png").unlink()
    done = stylize("run", "night.yaml", cwd=painted)
    assert done.returncode == 3
    assert "hook 'no-such-program' could not be started" in done.stderr


def test_a_strangers_file_is_not_painted_over_but_by_force(project, rehearse):
    write_manifest(project, "\n  - {content: content/dog.png, style: style/wave.png}\n")
    (project / "out").mkdir()
    Image.new("RGB", (50, 50), "red").save(project / "out/dog--wave.png")
    before = hashes(project)
    done = rehearse("run", "night.yaml", cwd=project)
    assert done.returncode == 3
    assert "was not made here; move it" in report_of(project)["pairs"][0]["reason"]
    assert hashes(project) == before
    assert rehearse("run", "night.yaml", "--force", cwd=project).returncode == 0
    assert hashes(project) != before


def test_a_retouched_picture_is_not_painted_over(painted, stylize):
    with Image.open(painted / "out/dog--wave.png") as image:
        image.load()
    image.putpixel((1, 1), (255, 0, 0))
    image.save(painted / "out/dog--wave.png")
    before = hashes(painted)
    assert stylize("run", "night.yaml", cwd=painted).returncode == 3
    assert hashes(painted) == before


def test_a_picture_with_a_hole_that_still_decodes_is_not_taken_for_right(rehearsed, rehearse):
    sea = rehearsed / "out/deep/sea.jpg"
    whole = sea.read_bytes()
    sea.write_bytes(whole[:-100] + bytes(64) + whole[-36:])
    with Image.open(sea) as picture:
        picture.load()
    before = hashes(rehearsed)
    assert rehearse("run", "night.yaml", cwd=rehearsed).returncode == 3
    assert "deep/sea.jpg was changed since it was painted; move" in report_of(rehearsed)["pairs"][1]["reason"]
    assert hashes(rehearsed) == before
    assert rehearse("run", "night.yaml", "--force", cwd=rehearsed).returncode == 0
    assert sea.read_bytes() == whole


def test_a_cut_off_picture_without_a_record_is_painted_again_and_not_adopted(rehearsed, rehearse):
    before = hashes(rehearsed)
    shutil.rmtree(rehearsed / "out/.pipeline")
    picture = rehearsed / "out/dog--wave.png"
    picture.write_bytes(picture.read_bytes()[:-100])
    rehearse("run", "night.yaml", cwd=rehearsed)
    assert statuses(rehearsed) == {"dog--wave.png": "done", "deep/sea.jpg": "up_to_date"}
    assert hashes(rehearsed) == before


def test_a_folder_in_the_place_of_a_picture_fails_that_pair_alone(project, stylize):
    write_manifest(project)
    (project / "out/dog--wave.png").mkdir(parents=True)
    (project / "out/deep").write_text("a file where a folder is needed")
    done = stylize("run", "night.yaml", cwd=project)
    assert done.returncode == 3
    assert {pair["output"]: pair["reason"].split(" is ")[1] for pair in report_of(project)["pairs"]} == {
        "dog--wave.png": "no file; move what stands there, or change the output",
        "deep/sea.jpg": "no folder; move what stands there, or change the output",
    }
    assert "Traceback" not in done.stderr


def test_on_error_stop_counts_failures_that_the_plan_sees(project, stylize):
    write_manifest(
        project, "\n  - {content: content/gone.png, style: style/wave.png, priority: 1}" + PAIRS, run="{on_error: stop}"
    )
    assert stylize("run", "night.yaml", cwd=project).returncode == 3
    assert list(statuses(project).values()) == ["failed", "not_started", "not_started"]


def test_a_bug_in_the_driver_still_leaves_a_report(painted, stylize):
    write_manifest(painted, PAIRS.replace("strength: 0.5", "strength: 0.4"))
    (painted / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'run' in sys.orig_argv:\n"
        "    from pipeline.batch.engines.local import LocalEngine\n"
        "    def broken(*_, **__): raise RuntimeError('a bug for this test')\n"
        "    LocalEngine.run = broken\n"
    )
    done = stylize("run", "night.yaml", cwd=painted, PYTHONPATH=f"{painted}:{REPOSITORY}")
    assert done.returncode == 1
    assert statuses(painted) == {"dog--wave.png": "up_to_date", "deep/sea.jpg": "not_started"}
    logs = [log.read_text() for log in (painted / "out/.pipeline/history").glob("*.log")]
    assert any("a bug for this test" in log for log in logs)


def test_json_lines_are_json_to_the_last_line(painted, stylize):
    done = stylize("run", "night.yaml", "--log-format", "json", cwd=painted)
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("ended", 0)


def test_a_reader_that_leaves_early_is_no_error(painted):
    command = f"{sys.executable} -m pipeline presets | sh -c 'exec <&-; sleep 1'; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=painted, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_show_of_what_is_no_output_is_a_usage_error(painted, stylize):
    for name in ("nope.png", "input/content/dog.png"):
        assert stylize("show", name, cwd=painted).returncode == 2


def test_show_tells_how_a_picture_was_made(first_run, painted, stylize):
    settings = json.loads(stylize("show", "out/dog--wave.png", cwd=painted).stdout)
    assert settings["painted_with"] == report_of(painted)["pairs"][0]["painted_with"]
    assert settings["painted_with"].keys() == {
        *("threads", "device", "processor", "instructions", "tensorflow", "numpy", "pillow", "preloaded", "tiles")
    }
    assert all(settings["painted_with"].values())
    assert settings["content"] == "content/dog.png"
    assert settings["options"]["steps"] == 4
    assert settings["weights"]["name"] == "random"
    assert str(first_run[0]) not in json.dumps(settings)


def test_show_writes_a_manifest_that_makes_a_picture_again(rehearsed, rehearse):
    made = rehearse("show", "--manifest", "out/dog--wave.png", cwd=rehearsed).stdout
    (rehearsed / "again.yaml").write_text(made.replace("version: 1", "version: 1\ninput: input\noutput: again", 1))
    done = rehearse("run", "again.yaml", cwd=rehearsed)
    assert done.returncode == 0, done.stderr
    assert (rehearsed / "again/dog--wave.png").read_bytes() == (rehearsed / "out/dog--wave.png").read_bytes()
    reports = (json.loads((rehearsed / name / "report.json").read_text()) for name in ("out", "again"))
    assert len({report["pairs"][0]["key"] for report in reports}) == 1  # all that a picture depends on


@pytest.mark.usefixtures("thin_network")
def test_16_bits_are_painted_and_round_to_the_picture_of_8(project, stylize):
    """The same pair three times: as PNG, as TIFF of 16 bits, and that with the content's colours."""
    pairs = "".join(
        f"\n  - {{content: content/dog.png, style: style/wave.png, output: {name}, options: {{{options}}}}}"
        for name, options in (
            ("a.png", ""),
            ("a.tif", "depth: 16"),
            ("b.tif", "depth: 16, preserve_color: luminance, strength: 0.5"),
        )
    )
    nights = Nights(project)
    write_manifest(project, pairs + "\n", steps=2)
    assert nights.run_with(tensorflow_here())["run"]["exit_code"] == 0

    def deep(name: str) -> np.ndarray:
        data = (project / "out" / name).read_bytes()
        with Image.open(project / "out" / name) as image:
            start, length = image.tag_v2[273][0], image.tag_v2[279][0]
        return np.frombuffer(zlib.decompress(data[start : start + length]), "<u2").reshape(40, 48, 3)

    with Image.open(project / "out/a.png") as image:
        np.testing.assert_array_equal(np.rint(deep("a.tif") / 257), np.asarray(image))
    for name in ("a.tif", "b.tif"):
        assert (deep(name) % 257 != 0).mean() > 0.5  # more than 8 bits filled up
        made = stylize("show", "--manifest", f"out/{name}", cwd=project).stdout
        assert "depth: 16" in made


def test_clean_removes_only_what_no_pair_wants(painted, stylize):
    (painted / "out/mine.png").write_bytes(b"somebody's")
    write_manifest(painted, "\n  - {content: content/dog.png, style: style/wave.png}\n")
    listed = stylize("clean", "night.yaml", "--dry-run", cwd=painted)
    assert "would remove" in listed.stdout
    assert (painted / "out/deep/sea.jpg").exists()
    stylize("clean", "night.yaml", cwd=painted)
    assert sorted(hashes(painted)) == ["out/dog--wave.png", "out/mine.png"]
    assert not (painted / "out/deep").exists()


def test_init_writes_a_manifest_that_runs_as_it_is(project, stylize):
    done = stylize("init", "input", cwd=project)
    assert done.returncode == 0, done.stderr
    plan = stylize("plan", "stylize.yaml", cwd=project)
    assert plan.returncode == 0, plan.stderr
    assert "2 to paint" in plan.stdout
    again = stylize("init", "input", cwd=project)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_outputs_have_the_modes_that_other_programs_give(painted):
    mask = os.umask(0)
    os.umask(mask)
    assert (painted / "out/dog--wave.png").stat().st_mode & 0o777 == 0o666 & ~mask


def test_nothing_is_left_beside_what_was_promised(painted):
    beside = {path.name for path in (painted / "out").iterdir()}
    assert beside == {"dog--wave.png", "deep", "report.json", "report.html", "report.txt", ".pipeline"}
    assert {path.name for path in (painted / "out/.pipeline").iterdir()} <= {
        "lock",
        "records",
        "history",
        "checkpoints",
        "now",
    }
    assert not list((painted / "out/.pipeline/now").iterdir())  # no run is going on


# ----------------------------------------------------------------------------------------------------------- processes


def start(project: Path) -> subprocess.Popen[bytes]:
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | rehearsing(project),
        stderr=(project / "stderr").open("w"),
    )
    STARTED.append(run)
    return run


WORKER = "tests.chaos.engine"  # among the words of its command
STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def no_run_outlives_its_test():
    yield
    while STARTED:
        run = STARTED.pop()
        run.kill()
        run.wait()


def wait_for_worker(run: subprocess.Popen[bytes], other_than: int | None = None) -> int:
    """The process id of a worker that has begun to be one."""
    import psutil

    found: list[int] = []

    def look() -> bool:
        for child in psutil.Process(run.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # one that looks at pictures comes and goes
                if child.pid != other_than and WORKER in child.cmdline():
                    found.append(child.pid)
        return bool(found)

    until(look)
    return found[0]


def painted_steps(project: Path) -> bool:
    """Has a worker of `start` made a step?"""
    diary = project / "rehearsal/diary"
    return diary.exists() and diary.stat().st_size > 0


def alive(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
