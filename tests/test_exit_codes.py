"""What a scheduler sees: every exit code, said in words on the last line, and which wins. No TensorFlow."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from night_kit import Nights, failed, painted, statuses
from patience import PATIENCE

from pipeline.batch import driver
from pipeline.batch.messages import Killed
from pipeline.batch.system.deadline import End, Moment
from pipeline.errors import EXITS, ExitCode
from pipeline.store.disk import LocalStore

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def nights(project):
    return Nights(project)


def last_line(done, *, started: bool = True) -> str:
    """Checks that the number is told as it is, and in words."""
    line = done.stderr.splitlines()[-1]
    code = done.returncode
    assert re.search(r"\bexit (\d+) \((.+?)\)", line).groups() == (str(code), EXITS[ExitCode(code)].words)
    assert started == (" - exit " in line)
    return line


def test_0_everything_is_up_to_date(nights, stylize):
    nights.run()
    done = stylize("run", "night.yaml", cwd=nights.project)
    assert done.returncode == 0
    assert last_line(done).startswith("2 up to date - ")


def test_1_a_bug_leaves_its_traceback_in_the_log_and_a_report(nights, stylize):
    (nights.project / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'run' in sys.orig_argv:\n"
        "    from pipeline.batch.engines.local import LocalEngine\n"
        "    def broken(*_, **__): raise RuntimeError('a bug for this test')\n"
        "    LocalEngine.run = broken\n"
    )
    done = stylize("run", "night.yaml", cwd=nights.project, PYTHONPATH=f"{nights.project}:{REPOSITORY}")
    assert done.returncode == nights.report()["run"]["exit_code"] == 1
    assert last_line(done).startswith("2 not started - ")
    assert "a bug for this test" in next((nights.output / ".pipeline/history").glob("*.log")).read_text()


def test_1_a_bug_before_the_first_pair_is_said_too(nights, stylize):
    (nights.project / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'run' in sys.orig_argv:\n"
        "    import pipeline.batch.driver as driver\n"
        "    def broken(*_, **__): raise RuntimeError('a bug for this test')\n"
        "    driver.make_plan = broken\n"
    )
    done = stylize("run", "night.yaml", cwd=nights.project, PYTHONPATH=f"{nights.project}:{REPOSITORY}")
    assert done.returncode == nights.report()["run"]["exit_code"] == 1
    assert last_line(done).startswith("2 not started - ")
    assert "a bug ended the run; its traceback is in " in done.stderr
    log = next((nights.output / ".pipeline/history").glob("*.log")).read_text()
    assert "RuntimeError: a bug for this test" in log
    assert "in broken" in log
    assert "2 not started - Met a bug in this program" in (nights.output / "report.txt").read_text()


def test_2_usage_and_manifest(nights, stylize):
    nights.manifest("\n  - {content: content/dog.png}\n")
    for arguments in (("night.yaml",), ("night.yaml", "--limit", "many"), ("nowhere.yaml",)):
        done = stylize("run", *arguments, cwd=nights.project)
        assert done.returncode == 2
        assert last_line(done, started=False) == "exit 2 (usage or manifest, nothing was started)"
    assert not nights.output.exists()


def test_3_some_failed(nights, stylize):
    (nights.project / "input/content/dog.png").unlink()
    nights.run(painted(nights.output))
    done = stylize("run", "night.yaml", cwd=nights.project)
    assert done.returncode == nights.report()["run"]["exit_code"] == 3
    assert last_line(done).startswith("1 failed, 1 up to date - ")


def test_4_the_environment(nights, stylize):
    nights.manifest(options=", preset: draft".replace("weights: random", ""))
    done = stylize("run", "night.yaml", "--set", "weights=nowhere.h5", cwd=nights.project)
    assert done.returncode == 4
    assert "nowhere.h5: no such file" in done.stderr
    assert last_line(done).startswith("2 not started - ")
    assert nights.report()["run"]["exit_code"] == 4
    assert all("nowhere.h5: no such file" in pair["reason"] for pair in nights.report()["pairs"])
    assert "2 not started - The machine stood in the way" in (nights.output / "report.txt").read_text()


def test_10_the_deadline_with_pairs_left(nights, stylize):
    done = stylize("run", "night.yaml", "--max-duration", "1s", cwd=nights.project)
    assert done.returncode == nights.report()["run"]["exit_code"] == 10
    assert last_line(done).startswith("2 not started (deadline) - ")


def test_11_another_run_within_two_seconds_and_in_words(nights, stylize):
    """How soon is measured in benchmarks; here, that it does not wait, which would be for ever."""
    with LocalStore(nights.output).lock("first"):
        done = stylize("run", "night.yaml", cwd=nights.project)
        events = stylize("run", "night.yaml", "--log-format", "json", cwd=nights.project).stderr.splitlines()
    assert done.returncode == 11
    assert f"process {os.getpid()} on " in done.stderr
    assert last_line(done, started=False) == "exit 11 (another run holds the output)"
    assert "waiting for" not in done.stderr
    (event,) = map(json.loads, events)
    assert (event["event"], event["exit_code"]) == ("ended", 11)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_while_waiting_for_another_run(nights, number, code):
    """In the middle of a pair: tests/test_run.py."""
    command = [sys.executable, "-m", "pipeline", "run", "night.yaml", "--wait", "5m"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with LocalStore(nights.output).lock("first"):
        run = subprocess.Popen(command, cwd=nights.project, env=environment, stderr=subprocess.PIPE, text=True)
        assert f"waiting for another run: process {os.getpid()} on " in run.stderr.readline()
        run.send_signal(number)
        _, stderr = run.communicate(timeout=PATIENCE)
    done = subprocess.CompletedProcess(command, run.returncode, stderr=stderr)
    assert done.returncode == code
    last_line(done, started=False)


def bug(command):
    raise RuntimeError("a bug for this test")


def sigterm(command):
    os.kill(os.getpid(), signal.SIGTERM)
    return Killed()


@pytest.mark.parametrize(
    ("first", "second", "run", "expected"),
    [
        (failed("diverged"), None, "{}", 3),
        (failed("diverged"), sigterm, "{}", 143),
        (failed("diverged"), failed("disk", exit_code=4), "{}", 4),
        (failed("diverged"), bug, "{}", 1),
        (failed("bug", exit_code=1), failed("disk", exit_code=4), "{}", 1),
        (failed("bug", exit_code=1), sigterm, "{}", 1),
        (failed("disk", exit_code=4), sigterm, "{}", 4),
    ],
)
def test_the_weightier_of_two_codes_wins(nights, first, second, run, expected):
    answers = {"dog.png": first, "sea.png": second or painted(nights.output)}
    report = nights.run(lambda step: answers[step.job.output](step))
    assert report["run"]["exit_code"] == nights.report()["run"]["exit_code"] == expected


@pytest.mark.parametrize("reason_class", ["worker_died", "machine_lost"])
def test_a_worker_that_is_told_to_end_with_its_run_fails_no_pair(nights, reason_class):
    """As systemd and Slurm tell all processes of a run at once."""

    def both(command):
        sigterm(command)
        return failed(reason_class, retry=True)(command)

    report = nights.run(both)
    assert statuses(report) == {"dog.png": "interrupted", "sea.png": "not_started"}
    assert report["run"]["exit_code"] == 143
    assert not list((nights.output / ".pipeline/records").glob("*.failed.json"))


def test_a_failure_weighs_more_than_the_deadline(nights, monkeypatch):
    """A second is too little for a pair, and enough for a plan: here it lasts."""
    monkeypatch.setattr("pipeline.batch.system.deadline.elapsed_clock", lambda: 0.0)
    (nights.project / "input/content/dog.png").unlink()
    nights.manifest(run="{max_duration: 1s}")
    report = nights.run()
    assert [pair["status"] for pair in report["pairs"]] == ["failed", "not_started"]
    assert report["run"]["exit_code"] == 3


def test_a_deadline_that_was_met_stays_met_where_the_clock_is_set_back(nights, monkeypatch):
    """A clock that runs ahead while a run looks at its pictures, and is put right before it paints."""
    ahead, planned = [86400.0], driver.make_plan

    def put_right(*given):
        plan = planned(*given)
        ahead[0] = 0.0
        return plan

    monkeypatch.setattr(driver, "make_plan", put_right)
    began = Moment.now()
    monkeypatch.setattr(driver, "end_of_run", lambda *_: End(wall=began.wall + 3600))
    monkeypatch.setattr(Moment, "now", lambda: Moment(began.wall + ahead[0], began.elapsed))
    report = nights.run()
    assert nights.asked == []
    assert statuses(report) == {"dog.png": "not_started", "sea.png": "not_started"}
    assert report["run"]["exit_code"] == nights.report()["run"]["exit_code"] == 10


@pytest.mark.parametrize("stops", ["in the hook", "before"])
def test_a_stop_ends_the_last_hook_and_one_that_ended_the_run_does_not(nights, capfd, stops):
    told = nights.project / "told"
    stop = f"kill -TERM {os.getpid()}; sleep 600; " if stops == "in the hook" else ""
    hook = ["sh", "-c", f"{stop}echo $STYLIZE_EXIT > {told}"]
    nights.manifest(run=f"{{on_success: {json.dumps(hook)}, on_failure: {json.dumps(hook)}}}")
    report = nights.run(sigterm if stops == "before" else None)
    assert told.exists() == (stops == "before")
    assert ("was ended, as the run was" in capfd.readouterr().err) == (stops == "in the hook")
    assert report["run"]["exit_code"] == nights.report()["run"]["exit_code"] == (143 if stops == "before" else 0)


def test_help_and_readme_name_every_code(stylize):
    told = stylize("run", "--help").stdout.split("Exit codes:")[1]
    for code in ExitCode:
        assert re.search(rf"\b{int(code)}\b", told), code
    assert set(EXITS) == set(ExitCode)
