"""A seeded sample of `make chaos`: some trials of every kind of blow, and whether the looks see what they look for."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import until

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as `python -m tests.chaos` has it

from tests.chaos.blows import KINDS, lacking
from tests.chaos.campaign import strike
from tests.chaos.project import make_project
from tests.chaos.trial import Finding, Trial

pytestmark = pytest.mark.slow

# Seeds of the trials of each kind, looked up beforehand: what one decides is said beside it where it is not only a moment.
SEEDS = {
    "drivers": (21, 26),  # two kills over no pictures, each step saved; three over some, none saved
    "workers": (21, 26),  # pairs that may be tried again and again, and once
    "calls": (21, 31),  # a worker at close and write, the driver at rename and mkdir
    "errors": (22, 24),  # a worker that may rename nothing any more, a driver that once may not
    "disk": (23,),
    "misdeeds": (21,),  # a worker that is killed and one that is stopped, without another try
    "signals": (20, 24, 29),  # SIGHUP at the end, SIGTERM twice, SIGINT over a stopped worker
    "stopped": (21,),
    "damage": (20, 21, 22),
    "resume": (20, 21),  # from the pair's checkpoint, and not from another pair's
    "overlap": (21,),
}
PAIRS = 6  # half of a campaign's: every kind of output is among them


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("chaos") / "project", pairs=PAIRS)


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS for seed in SEEDS[kind]])
def test_a_night_keeps_its_promises_under(kind, seed, painted, tmp_path):
    if reason := lacking(KINDS[kind].needs, tmp_path):
        pytest.skip(reason)
    tallies = strike(painted, tmp_path, seed=seed, trials=1, only=kind)
    assert tallies[kind].findings == []
    assert tallies[kind].blows.total() > 0


CALL = re.compile(r"\d+ +(\w+)\((.*)\) += (\d+)")
OF_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
BELOW = re.compile(r'\w+<([^>]*)>, "([^"]*)"')  # a name below an open folder


def whole_calls(trace: str) -> Iterator[str]:
    """The lines of a trace; a call that another process or thread came between is one line, where it ends."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        process = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[process] = line.removesuffix("<unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(process) + line.split(" resumed>", 1)[1]
        else:
            yield line


def test_power_may_fail_between_any_two_calls(painted, tmp_path):
    """Read off the system calls of a whole run: a file's bytes are on the disk before it gets its name; and before a pair's
    record gets its name, the picture's is on the disk, and so are those of new folders above it."""
    if reason := lacking("strace", tmp_path):
        pytest.skip(reason)
    trial = Trial(painted, tmp_path / "trial", seed=1)
    calls = tmp_path / "calls"
    trace = ("strace", "-f", "-y", "-s", "0", "-e", "trace=write,fsync,renameat,mkdirat", "-o", str(calls))
    assert trial.start(driver=trace).wait() == 0, trial.words()
    names = {trial.record_of(output): trial.out / output for output in painted.outputs}
    dirty: set[Path] = set()  # files whose bytes, and folders whose names, are not on the disk yet
    named: set[Path] = set()
    for line in whole_calls(calls.read_text()):
        if (call := CALL.match(line)) is None:
            continue  # it failed
        name, arguments, _ = call.groups()
        if name in ("write", "fsync"):
            of = Path(OF_DESCRIPTOR.match(arguments)[1])
            (dirty.add if name == "write" else dirty.discard)(of)
        elif name == "mkdirat":
            dirty.add(Path(BELOW.findall(arguments)[0][0]))
        else:
            part, final = (Path(folder, name) for folder, name in BELOW.findall(arguments))
            assert part not in dirty, f"{final} was named before its bytes were on the disk"
            if picture := names.get(final):
                unsafe = {trial.out, *picture.parents} & dirty & {trial.out, *trial.out.rglob("*")}
                assert picture in named
                assert not unsafe, f"{picture} was recorded before its name was on the disk"
            dirty.add(final.parent)
            named.add(final)
    assert named >= {*names.values(), *names, trial.out / "report.json"}
    assert not {path for path in dirty if path in named or path in {name.parent for name in named}}


@pytest.fixture
def hanging(painted, tmp_path):
    """A trial whose first pair hangs at its first step."""
    trial = Trial(painted, tmp_path / "trial", seed=1)
    trial.lay_fault(painted.outputs[0], 1, "hang")
    yield trial
    trial.close()


def test_a_closed_terminal_ends_the_run_in_order(hanging):
    run = hanging.start()
    assert run.await_steps(1)
    for _ in range(3):  # by the shell, by the kernel, by a multiplexer
        run.kill(signal.SIGHUP)
    assert run.wait_for_stop() == 143
    assert hanging.report()["counts"]["interrupted"] == 1
    run.check_gone()


@pytest.mark.parametrize(("first", "second", "code"), [("SIGTERM", "SIGTERM", 143), ("SIGINT", "SIGINT", 130)])
def test_a_second_signal_of_a_kind_ends_the_run_at_once_and_costs_no_picture(first, second, code, painted, tmp_path):
    """The worker hears no SIGTERM, so that the first signal leaves the run waiting for it, here for an hour; no report says
    that it did not."""
    trial = Trial(painted, tmp_path / "trial", seed=1)
    trial.surroundings = {"CHAOS_STOP_SECONDS": "3600"}
    try:
        trial.lay_fault(painted.outputs[3], 1, "deaf")
        run = trial.start()
        until(lambda: any(entry.output.startswith("fault:") for entry in trial.diary()))
        run.kill(signal.Signals[first])
        until(lambda: not is_pending(run.process.pid, signal.Signals[first]))
        with pytest.raises(Finding, match="did not end"):
            run.wait(1)
        run.kill(signal.Signals[second])
        assert run.wait_for_stop() == code
        assert not (trial.out / "report.json").exists()
        run.check_gone()
        trial.look()
        assert len(trial.missing()) == len(painted.outputs) - 3
        trial.finish()
        trial.check_work(1)
    finally:
        trial.close()


def is_pending(pid: int, number: int) -> bool:
    """Has this process still to meet a signal that was sent to it? (proc(5): SigPnd, ShdPnd)"""
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def test_nohup_keeps_its_meaning(hanging):
    run = hanging.start(driver=("nohup",))
    assert run.await_steps(1)
    run.kill(signal.SIGHUP)
    with pytest.raises(Finding, match="did not end"):
        run.wait(1)


def command(pid: int) -> bytes:
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


def test_a_hook_does_not_hold_up_a_stop(hanging):
    run = hanging.start(run='{on_start: ["sh", "-c", "sleep 3600"]}')
    until(lambda: any(b"3600" in command(pid) for pid in run.family()))
    run.kill(signal.SIGTERM)
    assert run.wait_for_stop() == 143
    run.check_gone()
    assert "hook 'sh -c sleep 3600' was ended, as the run was" in hanging.words()


def spoil_picture(out: Path, name: str) -> None:
    (out / name).write_bytes((out / name).read_bytes()[:-1])


def lose_picture(out: Path, name: str) -> None:
    (out / name).unlink()


def add_picture(out: Path, name: str) -> None:
    shutil.copy(out / name, out / "other.png")


def cut_records(out: Path, name: str) -> None:
    for record in (out / ".pipeline/records").glob("*.json"):
        record.write_text("{")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_picture, "is not the picture it should be"),
        (lose_picture, "is recorded and absent"),
        (add_picture, "a stranger's file"),
        (cut_records, "is not whole"),
    ],
)
def test_a_look_sees(spoil, words, painted, tmp_path):
    trial = Trial(painted, tmp_path / "trial", seed=1)
    shutil.copytree(painted.finished, trial.out)
    trial.look()
    trial.check_no_strays()
    spoil(trial.out, painted.outputs[0])
    with pytest.raises(Finding, match=words):
        trial.look()


def test_a_part_that_was_left_is_a_stray(painted, tmp_path):
    trial = Trial(painted, tmp_path / "trial", seed=1)
    shutil.copytree(painted.finished, trial.out)
    (trial.out / "jpg/.pipeline-abc.part").write_bytes(b"")
    with pytest.raises(Finding, match=r"stray files: \['jpg/.pipeline-abc.part'\]"):
        trial.check_no_strays()


def test_work_done_twice_is_counted(painted, tmp_path):
    trial = Trial(painted, tmp_path / "trial", seed=1)
    rows = [("a", 1, 0.5, 7), ("a", 2, 0.7, 7), ("a", 3, 1.5, 7), ("a", 3, 9.0, 8), ("b", 1, 9.5, 8), ("b", 3, 9.6, 8)]
    (trial.folder / "diary").write_text("".join(f"{' '.join(map(str, row))}\n" for row in rows))
    assert trial.begun() == {"a": 2, "b": 2}
    assert trial.steps_lost() == 1
    assert trial.longest_loss() == pytest.approx(0.8)  # from step 2, which was kept, to step 3
    trial.check_work(1)
    with pytest.raises(Finding, match="a pair was begun 2 times with 0 processes lost"):
        trial.check_work(0)
