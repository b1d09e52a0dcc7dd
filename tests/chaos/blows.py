"""The kinds of blows: each is a function that strikes the runs of a trial and leaves the checks of a finished night to it.

A kind that kills counts its kills in the trial. What the seed of a trial decides: where it begins, whom it strikes, and when.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.trial import Run, Trial, check


@dataclass(frozen=True)
class Kind:
    """A kind of trial. `share` is how often it is tried beside the others; `needs` names what may be missing here."""

    strike: Callable[[Trial], None]
    share: float
    needs: str = ""


# ------------------------------------------------------------------------------------------------------------ kill -9


def kill_drivers(trial: Trial) -> None:
    """The driver is killed one to three times in a row, then left to finish."""
    trial.begin()
    for _ in range(trial.chance.randint(1, 3)):
        run = trial.start()
        if run.await_some_moment() and run.kill():
            _count(trial, "driver killed")
        run.wait()
        if trial.chance.random() < 0.5:  # else the next run starts at once, beside whatever is left of this one
            run.check_gone()
        trial.look()
    trial.finish()
    trial.check_work(trial.kills)


def kill_workers(trial: Trial) -> None:
    """Workers are killed again and again under a run that goes on."""
    trial.begin()
    patient = trial.chance.random() < 0.5
    jobs = trial.chance.randint(1, 2)
    run = trial.start(run=f"{{retries: {100 if patient else 0}, jobs: {jobs}}}")
    for _ in range(trial.chance.randint(2, 8)):
        if not run.await_steps(trial.chance.randint(0, 2 * trial.project.steps)):
            break
        time.sleep(trial.chance.uniform(0, 0.03))
        if workers := run.family():
            with suppress(ProcessLookupError):
                os.kill(trial.chance.choice(workers), signal.SIGKILL)
                _count(trial, "worker killed")
        trial.look()
    code = run.wait()
    check(code in ((0,) if patient else (0, 3)), f"killed workers made the run end with {code}: {trial.words()}")
    run.check_gone()
    trial.look()
    trial.finish()
    trial.check_work(trial.kills)


# At these calls a process is between two states of the disk. With how often a run of twelve pairs comes to them.
_DRIVER_CALLS = {
    "renameat": 17,
    "fsync": 38,
    "openat": 400,
    "mkdirat": 4,
    "flock": 1,
    "ftruncate": 1,
    "pwrite64": 1,
    "unlinkat": 6,
}
_WORKER_CALLS = {"renameat": 48, "fsync": 96, "mkdirat": 4, "close": 160, "write": 250}


def kill_at_calls(trial: Trial) -> None:
    """The driver or a worker is killed as it enters the k-th rename, fsync, ..."""
    trial.begin()
    for _ in range(trial.chance.randint(1, 2)):
        whom = trial.chance.choice(("driver", "worker"))
        call, often = trial.chance.choice(list((_DRIVER_CALLS if whom == "driver" else _WORKER_CALLS).items()))
        tracer = strace(f"{call}:signal=SIGKILL:when={trial.chance.randint(1, often)}")
        run = trial.start(run="{retries: 0}", **{whom: tracer})
        code = run.wait()
        check(
            code in (0, 3, -signal.SIGKILL), f"a {whom} killed at {call} made the run end with {code}: {trial.words()}"
        )
        for _ in range(trial.report()["counts"]["failed"] if code == 3 else 1 if code else 0):
            _count(trial, f"{whom} killed at {call}")  # each worker of a run comes to its k-th call
        run.check_gone()
        trial.look()
    trial.finish()
    trial.check_work(trial.kills)


# --------------------------------------------------------------------------------------------------------------- the disk


def fail_calls(trial: Trial) -> None:
    """A call that writes fails, once or from then on, with ENOSPC or EIO, in the driver or in the worker."""
    trial.begin()
    whom = trial.chance.choice(("driver", "worker"))
    call = trial.chance.choice(("renameat", "fsync", "mkdirat"))
    often = (_DRIVER_CALLS if whom == "driver" else _WORKER_CALLS)[call]
    error = trial.chance.choice(("ENOSPC", "EIO", "EDQUOT"))
    when = f"{trial.chance.randint(1, often)}{trial.chance.choice(('', '+'))}"
    run = trial.start(**{whom: strace(f"{call}:error={error}:when={when}")})
    code = run.wait()
    trial.blows[f"{error} at {call}"] += 1
    words = trial.words()
    check(code in (0, 3, 4), f"{error} at {call} {when} of the {whom} made the run end with {code}: {words}")
    check("Traceback" not in words, f"{error} at {call} {when} of the {whom} is told as a traceback: {words}")
    run.check_gone()
    trial.look()
    check(not parts(trial), f"{error} at {call} {when} of the {whom} left {parts(trial)}")
    trial.finish()


def fill_disk(trial: Trial) -> None:
    """The output folder is a disk that is too small for the night; then somebody makes room."""
    trial.out.mkdir()
    room = trial.chance.randint(24, 420)
    _mount(trial.out, room)
    try:
        run = trial.start(run=f"{{retries: {trial.chance.randint(0, 1)}}}")
        code = run.wait()
        trial.blows["disk full"] += 1
        words = trial.words()
        check(code in (0, 4), f"a disk of {room} KiB made the run end with {code}: {words}")
        check("Traceback" not in words, f"a disk of {room} KiB is told as a traceback: {words}")
        check(code == 0 or "full" in words or "space" in words, f"nobody says that the disk is full: {words}")
        run.check_gone()
        trial.look()
        check(not parts(trial), f"a disk of {room} KiB was left with {parts(trial)}")
        _mount(trial.out, 64 << 10, again=True)
        trial.finish()
    finally:
        subprocess.run(["umount", "-l", str(trial.out)], check=True)


# ----------------------------------------------------------------------------------------------- pairs that misbehave

# What the engine does -> the class of the pair's failure.
_MISDEEDS = {
    "nan": "diverged",
    "hang": "timeout",
    "deaf": "timeout",
    "SIGSTOP": "timeout",
    "memory": "memory",
    "raise": "bug",
    "exit": "worker_died",
    "SIGKILL": "worker_died",
    "SIGSEGV": "worker_died",
    "SIGABRT": "worker_died",
}
_LEAST_LIMIT, _PATIENT_LIMIT = 2, 20  # seconds for a pair, which takes a tenth of one


def _limits(trial: Trial) -> str:
    """Limits that only the guilty overstep: on a slow machine the others have as long as all of them took when nobody
    disturbed them, and where no clock is held to, longer."""
    least = _LEAST_LIMIT if trial.timed else _PATIENT_LIMIT
    return f"pair_timeout: {max(least, math.ceil(trial.project.seconds))}s, max_memory: 300MiB"


def misbehave(trial: Trial) -> None:
    """One to three pairs hang, crash, diverge or eat memory, once each; the others do not notice."""
    trial.begin()
    missing = sorted(trial.missing())
    guilty = trial.chance.sample(missing, min(len(missing), trial.chance.randint(1, 3)))
    deeds = {output: trial.chance.choice(list(_MISDEEDS)) for output in guilty}
    for output, deed in deeds.items():
        trial.lay_fault(output, trial.chance.randint(1, trial.project.steps), deed)
        trial.blows[deed] += 1
    retries = trial.chance.randint(0, 1)
    run = trial.start(run=f"{{retries: {retries}, {_limits(trial)}}}")
    code = run.wait()
    run.check_gone()
    trial.look()
    failed = {output for output, deed in deeds.items() if deed == "raise" or not retries}
    due = 1 if "raise" in deeds.values() else 3 if failed else 0
    check(code == due, f"{deeds} with {retries} retries made the run end with {code}, not {due}: {trial.words()}")
    check(trial.missing() == failed, f"{deeds}: missing are {sorted(trial.missing())}, not {sorted(failed)}")
    trial.finish()


# ------------------------------------------------------------------------------------------------------------ signals


def send_signals(trial: Trial) -> None:
    """SIGTERM, SIGINT or SIGHUP, perhaps twice, perhaps while a worker is stopped: the run ends in order and says so."""
    trial.begin()
    run = trial.start()
    if not run.await_some_moment():
        run.wait()
        trial.finish()
        return
    number, due = trial.chance.choice(((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)))
    twice = trial.chance.random() < 0.3
    if trial.chance.random() < 0.2:
        _stop_workers(run)
        trial.blows["worker stopped"] += 1
    run.kill(number)
    if twice:
        time.sleep(trial.chance.uniform(0, 0.05))
        run.kill(number)
    trial.blows[f"{number.name} twice" if twice else number.name] += 1
    code = run.wait_for_stop()
    check(code in (0, due, -number), f"{number.name} made the run end with {code}: {trial.words()}")
    run.check_gone()
    trial.look()
    if code == due and not twice:
        check(not parts(trial), f"{number.name} left {parts(trial)}")
    trial.finish()
    trial.check_work(1)


def stop_workers(trial: Trial) -> None:
    """A worker is stopped in its tracks (SIGSTOP) and then its driver is killed: it must go with it."""
    trial.begin()
    run = trial.start()
    if run.await_steps(trial.chance.randint(1, 2 * trial.project.steps)):
        _stop_workers(run)
        if run.kill():
            _count(trial, "driver of a stopped worker killed")
    run.wait()
    run.check_gone()
    trial.look()
    trial.finish()
    trial.check_work(trial.kills)


# ------------------------------------------------------------------------------------------------------------- damage


def damage_files(trial: Trial) -> None:
    """Between two runs files below the output folder are cut, emptied, overwritten, or go. A run makes them good; only what
    bears no sign any more of being ours is left for a person to look at."""
    shutil.copytree(trial.project.finished, trial.out)
    files = sorted(trial.files())
    for path in trial.chance.sample(files, trial.chance.randint(1, 6)):
        name = str(path.relative_to(trial.out))
        if picture := name in trial.project.golden:
            trial.removed.add(name)
        trial.blows[_damage(trial, path, picture=picture)] += 1
    if trial.chance.random() < 0.1:
        shutil.rmtree(trial.out / ".pipeline")
        trial.blows["state lost"] += 1
    unrecorded = {output for output in trial.removed if not trial.is_recorded(output)}
    run = trial.start()
    code = run.wait()
    failed = {pair["output"] for pair in trial.report()["pairs"] if pair["status"] == "failed"}
    check(code == (3 if failed else 0), f"a run over damaged files ended with {code}: {trial.words()}")
    check(failed <= trial.removed, f"these were whole and failed: {sorted(failed - trial.removed)}")
    # What no record speaks of, and has its own metadata still, passes for right as long as it decodes.
    check(trial.missing() <= failed | unrecorded, f"taken for right: {sorted(trial.missing() - failed - unrecorded)}")
    for output in trial.missing():
        (trial.out / output).unlink()
    trial.finish()


def _damage(trial: Trial, path: Path, *, picture: bool) -> str:
    data = path.read_bytes()
    ways = ["cut", "emptied", "gone", "half overwritten"] + ([] if picture else ["noise", "other JSON"])
    way = trial.chance.choice(ways)
    cut = trial.chance.randrange(len(data)) if data else 0
    match way:
        case "cut":
            path.write_bytes(data[:cut])
        case "emptied":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "half overwritten":
            path.write_bytes(data[:cut] + bytes(len(data) - cut))
        case "noise":
            path.write_bytes(trial.chance.randbytes(len(data)))
        case "other JSON":
            path.write_text(trial.chance.choice(_OTHER_JSON))
    return f"{'picture' if picture else 'state'} {way}"


_OTHER_JSON = (
    "null",
    "[]",
    "{}",
    "3",
    '"words"',
    '{"schema": 1}',
    '{"a": 1}',
    '{"a": [1]}',
    "[[]]",
    "[" * 100_000,
    '{"schema": 1, "key": 3, "sha256": 4, "size": "big", "mtime_ns": null, "outcome": 7}',
    '{"schema": 1, "key": "k", "sha256": "s", "size": 1, "mtime_ns": 1, "outcome": {"size": "wide", "precision": "float32"}}',
)


def resume(trial: Trial) -> None:
    """A pair is cut off in its middle, by a kill or by SIGTERM; the next run goes on from its checkpoint. Or that was damaged,
    or is another pair's, and is left alone. Either way the picture is the one of a run without a break."""
    trial.save_seconds = 0.0
    output, other = trial.chance.sample(trial.project.outputs, 2)
    step = trial.chance.randint(3, trial.project.steps)
    trial.lay_fault(output, step, "hang")
    run = trial.start("--only", output)
    check(run.await_steps(step), f"the run ended before its pair hung: {trial.words()}")
    checkpoint = trial.checkpoint_of(output)
    run.await_file(checkpoint)  # a thread of its own writes it
    time.sleep(0.05)
    run.kill()
    _count(trial, "driver killed")
    run.wait()
    run.check_gone()
    trial.look()
    damaged = trial.chance.random() < 0.5
    if damaged and trial.chance.random() < 0.3:
        checkpoint.rename(trial.checkpoint_of(other))
        trial.blows["checkpoint of another pair"] += 1
    elif damaged:
        trial.blows[_damage(trial, checkpoint, picture=False)] += 1
    before = len(trial.diary())
    trial.finish()
    again = {entry.step for entry in trial.diary()[before:] if entry.output == output}
    if damaged:
        return
    check(min(again, default=step) > 1, f"a pair killed at step {step} began anew and not from its checkpoint")
    check(max(again, default=0) == trial.project.steps, f"it was resumed, and painted steps {sorted(again)}")
    trial.blows["resumed"] += 1


# ----------------------------------------------------------------------------------------------------------- two runs


def overlap(trial: Trial) -> None:
    """A second run beside the first is refused at once; when the first is killed, one that waits goes on."""
    trial.begin()
    trial.lay_fault(sorted(trial.missing())[0], 1, "hang")
    first = trial.start()
    check(first.await_steps(1), f"the first run ended before its time: {trial.words()}")
    code = trial.start().wait_for_stop()
    check(code == 11, f"a second run ended with {code}: {trial.words()}")
    check(str(first.process.pid) in trial.words(), f"it does not name the holder: {trial.words()}")
    trial.blows["second run"] += 1
    waiting = trial.start("--wait", "60s")
    time.sleep(trial.chance.uniform(0, 1))
    if first.kill():
        _count(trial, "driver killed under a waiting run")
    code = waiting.wait()
    check(code == 0, f"the run that waited ended with {code}: {trial.words()}")
    trial.look()
    trial.finish()
    trial.check_work(trial.kills)


KINDS = {
    "drivers": Kind(kill_drivers, 8),
    "workers": Kind(kill_workers, 4),
    "calls": Kind(kill_at_calls, 6, needs="strace"),
    "errors": Kind(fail_calls, 3, needs="strace"),
    "disk": Kind(fill_disk, 1, needs="mount"),
    "misdeeds": Kind(misbehave, 3),
    "signals": Kind(send_signals, 3),
    "stopped": Kind(stop_workers, 1),
    "damage": Kind(damage_files, 3),
    "resume": Kind(resume, 3),
    "overlap": Kind(overlap, 1),
}


def strace(injection: str) -> tuple[str, ...]:
    """The words before a command that make the kernel strike at a call. The tracer stands aside (-D), so that the process
    that is started is the one that is struck."""
    return (
        "strace",
        "-D",
        "-q",
        "-o",
        "/dev/null",
        "-e",
        f"trace={injection.split(':')[0]}",
        "-e",
        f"inject={injection}",
    )


def lacking(what: str, folder: Path) -> str:
    """Why kinds that need this cannot be tried here; nothing where they can."""
    if what == "strace":
        if shutil.which("strace") is None:
            return "strace is not installed (Debian: apt-get install strace)"
        probe = subprocess.run([*strace("renameat:error=EIO"), "true"], capture_output=True, text=True, check=False)
        return f"strace may not trace here: {probe.stderr.strip()}" if probe.returncode else ""
    if what == "mount":
        (probed := folder / "mount").mkdir(exist_ok=True)
        try:
            _mount(probed, 64)
            subprocess.run(["umount", str(probed)], check=True)
        except (OSError, subprocess.CalledProcessError):
            return "no file system may be mounted here (needs root)"
    return ""


def parts(trial: Trial) -> list[str]:
    """Temporary files that lie below the output folder."""
    return [str(path.relative_to(trial.out)) for path in trial.files() if path.name.endswith(".part")]


def _count(trial: Trial, what: str) -> None:
    trial.kills += 1
    trial.blows[what] += 1


def _stop_workers(run: Run) -> None:
    for pid in run.family():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def _mount(folder: Path, kib: int, *, again: bool = False) -> None:
    options = f"size={kib}k" + (",remount" if again else "")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
