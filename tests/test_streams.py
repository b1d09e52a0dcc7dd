"""Standard streams that are closed, full or not listened to, and stops that are told twice. No TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from night_kit import Nights
from patience import PATIENCE

from pipeline.batch.system import signals
from pipeline.batch.system.signals import Stop
from pipeline.cli.main import cli as command
from pipeline.cli.main import main

pytestmark = pytest.mark.slow

COMMAND = f"{shlex.quote(sys.executable)} -m pipeline"


@pytest.fixture
def nights(project: Path) -> Nights:
    nights = Nights(project)
    nights.run()
    (project / "input/content/dog.png").unlink()  # so that the code is none that comes by itself
    (nights.output / "report.json").unlink()
    return nights


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=clean | {"PYTHONPATH": str(REPOSITORY)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    "streams",
    [
        "<&- >&- 2>&-",
        "2>/dev/full",
        ">/dev/full 2>/dev/full",
        "--json >/dev/full",
        "--json | head -c1; exit ${PIPESTATUS[0]}",
        "--log-format json 2>/dev/full",
    ],
)
def test_a_run_that_cannot_be_heard_ends_as_any_other(nights: Nights, streams: str) -> None:
    done = shell(f"{COMMAND} run night.yaml {streams}", nights.project)
    assert done.returncode == nights.report()["run"]["exit_code"] == 3
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("waits", [True, False], ids=["a pipe that waits", "one that was told not to"])
def test_a_run_whose_listener_sleeps_ends_as_any_other(nights: Nights, waits: bool) -> None:
    """`2>&1 | less`, which is not read on: nobody takes another line."""
    end, full = os.pipe()
    os.set_blocking(full, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(full, bytes(2**16))
    os.set_blocking(full, waits)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
    command = [sys.executable, "-m", "pipeline", "run", "night.yaml"]
    env = clean | {"PYTHONPATH": str(REPOSITORY)}
    code = subprocess.run(
        command, cwd=nights.project, env=env, stderr=full, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False
    ).returncode
    assert code == nights.report()["run"]["exit_code"] == 3
    os.close(end)
    os.close(full)


def test_a_terminal_that_takes_no_more_holds_nobody_up() -> None:
    """Behind ssh, on a laptop that has gone to sleep."""
    ours, theirs = pty.openpty()
    code = (
        "import sys; from pipeline.cli.streams import secure_streams; secure_streams()\n"
        "for _ in range(3000): print('x' * 60, file=sys.stderr, flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=theirs, cwd=REPOSITORY, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert os.read(ours, 60) == b"x" * 60
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_said_is_heard_at_once_and_in_its_order(tmp_path: Path, unbuffered: str) -> None:
    """Also where Python is told to wait for nothing, as containers do."""
    said = "import sys; print('a', file=sys.stderr); print('b', flush=True); print('c', file=sys.stderr)"
    code = f"from pipeline.cli.streams import secure_streams; secure_streams(); {said}; print('d')"
    done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} 2>&1", tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.stdout.split() == ["a", "b", "c", "d"]


def test_files_and_pipes_never_take_the_place_of_closed_streams(nights: Nights) -> None:
    """What a library prints to descriptor 2 would land in the lock, or in a worker's commands."""
    (nights.project / "sitecustomize.py").write_text(
        "import atexit, json, os, sys\n"
        "if 'run' in sys.orig_argv:\n"
        "    import pipeline.batch.driver as driver\n"
        "    plan = driver.make_plan\n"
        "    def spied(*given):\n"
        "        names = [os.readlink(f'/proc/self/fd/{n}') for n in range(3)]\n"
        "        open('streams.json', 'w').write(json.dumps(names))\n"
        "        return plan(*given)\n"
        "    driver.make_plan = spied\n"
    )
    line = f"{COMMAND} run night.yaml <&- >&- 2>&-"
    assert shell(line, nights.project, PYTHONPATH=f"{nights.project}:{REPOSITORY}").returncode == 3
    assert json.loads((nights.project / "streams.json").read_text()) == ["/dev/null"] * 3


def test_data_that_stdout_does_not_take_is_one_line_and_the_environments_fault(project: Path) -> None:
    done = shell(f"{COMMAND} presets >/dev/full", project)
    assert (done.returncode, done.stderr) == (
        4,
        "error: cannot write to standard output: No space left on device; send it to where there is room\n",
    )
    done = shell(f"{COMMAND} schema | head -c1", project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_a_report_that_stdout_does_not_take_is_told_and_stands_in_its_file(nights: Nights) -> None:
    done = shell(f"{COMMAND} run night.yaml --quiet --json >/dev/full", nights.project)
    assert done.returncode == 3
    assert "warning: cannot write to standard output: No space left on device; the report is in " in done.stderr


@pytest.mark.parametrize("verb", ["run night.yaml", "init"])
def test_a_deleted_working_directory_is_one_line(project: Path, verb: str) -> None:
    gone = project / "gone"
    gone.mkdir()
    done = shell(f"cd gone && rmdir ../gone && {COMMAND} {verb}", project)
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first == "error: the working directory is gone; change to a folder that exists (cd)"
    assert rest == (["exit 2 (usage or manifest, nothing was started)"] if verb.startswith("run") else [])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            PermissionError(13, "Permission denied", "/srv/out\x1b"),
            "error: /srv/out\\x1b: Permission denied; see to it, and",
        ),
        (OSError(5, "Input/output error"), "error: Input/output error; see to it, and start again"),
        (
            OSError(116, "Stale file handle", b"/nfs/\xff"),
            "error: /nfs/\\udcff: Stale file handle; see to it, and start again",
        ),
        (MemoryError(), "error: memory ran out; close other programs, or take fewer or smaller pictures"),
    ],
)
def test_what_is_plainly_the_machines_is_one_line_wherever_it_comes(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command, "main", fail)
    monkeypatch.setattr(sys, "argv", ["stylize", "plan", "night.yaml"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "1", "LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        {
            "COLUMNS": "-5",
            "TERM": "",
            "HOME": "/nowhere",
            "TMPDIR": "/nowhere",
            "TZ": "No/where",
            "PYTHONUNBUFFERED": "1",
        },
    ],
    ids=str,
)
def test_an_odd_environment_stops_no_verb(nights: Nights, environment: dict[str, str]) -> None:
    for verb in ("run night.yaml", "presets fine"):
        done = shell(f"{COMMAND} {verb}", nights.project, **environment)
        assert done.returncode == (3 if verb == "run night.yaml" else 0), done.stderr
        assert "Traceback" not in done.stderr


def test_no_home_at_all_stops_no_verb(nights: Nights) -> None:
    done = shell(f"unset HOME; {COMMAND} run night.yaml", nights.project)
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize("words", ["--\x1b[31mred", "pl\x1b[31m", "plan night.yaml ex\u202etra \x9b31m"])
def test_what_was_mistyped_does_not_act_on_the_terminal(project: Path, words: str) -> None:
    done = shell(f"{COMMAND} {words.replace('[', chr(92) + '[')}", project)
    assert done.returncode == 2
    assert {character for character in done.stderr if not character.isprintable()} == {"\n"}


@pytest.mark.parametrize("verb", ["doctor", "weights list"])
def test_paths_of_the_environment_do_not_act_on_the_terminal(tmp_path: Path, verb: str) -> None:
    done = shell(f"{COMMAND} {verb}", tmp_path, KERAS_HOME="/nowhere/\x1b[2J\u202e\x9b")
    assert {character for character in done.stdout + done.stderr if not character.isprintable()} == {"\n"}
    assert "\\x1b[2J" in done.stdout


def test_a_dumb_terminal_gets_lines_and_no_bars(nights: Nights) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "dumb"}
    command = [sys.executable, "-m", "pipeline", "run", "night.yaml"]
    with subprocess.Popen(command, cwd=nights.project, env=environment, stderr=theirs, stdout=theirs) as run:
        os.close(theirs)
        said = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert run.returncode == 3
    assert b"\x1b" not in said
    assert b"pairs:" not in said


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""


# ------------------------------------------------------------------------------------------------------------- signals


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a Stop sees; and its ending of the process is an exception here."""
    now = [0.0]

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(signals.os, "_exit", leave)
    return now


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGHUP, signal.SIGTERM),  # a session that ends
        (signal.SIGTERM, signal.SIGHUP),
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGHUP, signal.SIGHUP),
    ],
)
def test_one_kind_of_stop_does_not_hasten_another(clock: list[float], first: int, second: int) -> None:
    stop = Stop()
    for clock[0], number in ((0, first), (5, second)):
        stop(number, None)
    assert stop.by == (signal.SIGINT if first == signal.SIGINT else signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_same_stop_again_ends_the_process_but_not_when_it_is_told_twice_at_once(
    clock: list[float], number: int
) -> None:
    stop = Stop()
    for clock[0] in (0, 0.001):  # as `timeout` does, to its child and to its group
        stop(number, None)
    clock[0] = 1.0
    with pytest.raises(SystemExit) as end:
        stop(number, None)
    assert end.value.code == 128 + number
