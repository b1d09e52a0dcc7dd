"""One trial: an output folder, runs that are struck, and what must be true of it afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.store.disk import LocalStore
from pipeline.store.layout import checkpoint_name, pair_id, record_name
from pipeline.store.records import read_record
from tests.chaos.project import Project, environment
from tests.patience import PATIENCE

GONE_SECONDS = 2.0  # promised: a killed driver's workers are gone within this time
STOP_SECONDS = 10.0  # promised: a run that is asked to stop has stopped
_LOOK = 0.002  # seconds between looks at the diary
_WAIT = 0.01  # and between looks whether a run has ended


class Finding(AssertionError):
    """A guarantee that did not hold."""


def check(holds: bool, text: str) -> None:
    """Raise Finding where something promised is not so."""
    if not holds:
        raise Finding(text)


@dataclass(frozen=True)
class Entry:
    """A line of the diary: a step that was painted."""

    output: str
    step: int
    seconds: float
    pid: int


class Trial:
    """An output folder of its own over a project's inputs. `kills` counts processes killed, `blows` everything done to it.

    `timed`: promises in seconds are held to by the clock, which asks for a machine that is not too slow or too busy. Where
    they are not, what was promised has to come all the same. `surroundings` are variables for its runs.
    """

    def __init__(self, project: Project, folder: Path, seed: int, *, timed: bool = False) -> None:
        self.project = project
        self.timed = timed
        self.surroundings: dict[str, str] = {}
        self.folder = folder
        self.out = folder / "out"
        self.chance = random.Random(seed)
        # After every step, after some, or never (which is what sixty seconds mean to pairs of some twenty milliseconds).
        self.save_seconds = self.chance.choice((0.0, 0.005, 60.0))
        self.kills = 0
        self.blows: Counter[str] = Counter()
        self.runs = 0
        self.removed: set[str] = set()  # pictures that the harness took away, whose records may stand without them
        self._started: list[Run] = []
        (folder / "faults").mkdir(parents=True)

    # ------------------------------------------------------------------------------------------------------ beforehand

    def begin(self) -> None:
        """By chance: nothing painted yet, or a finished folder that has lost some of its pictures."""
        if self.chance.random() < 0.5:
            return
        shutil.copytree(self.project.finished, self.out)
        for output in self.chance.sample(self.project.outputs, self.chance.randint(3, len(self.project.outputs))):
            (self.out / output).unlink()
            self.removed.add(output)
            if self.chance.random() < 0.5:
                self.record_of(output).unlink()

    def lay_fault(self, output: str, step: int, what: str) -> None:
        """Have the fast engine do something bad, once, when this pair comes to this step (tests/chaos/engine)."""
        number = len(list((self.folder / "faults").iterdir()))
        (self.folder / "faults" / f"{pair_id(output)}.{number}").write_text(f"{step} {what}")

    def record_of(self, output: str) -> Path:
        return LocalStore(self.out).path(record_name(output))

    def checkpoint_of(self, output: str) -> Path:
        return LocalStore(self.out).path(checkpoint_name(output))

    def is_recorded(self, output: str) -> bool:
        """Does a record that can be read speak of this picture?"""
        return read_record(LocalStore(self.out), record_name(output)) is not None

    def missing(self) -> set[str]:
        """Outputs that are not there yet, or are not what they should be."""
        return {output for output, data in self.project.golden.items() if _bytes(self.out / output) != data}

    # ------------------------------------------------------------------------------------------------------------ runs

    def start(self, *flags: str, run: str = "{}", driver: tuple[str, ...] = (), worker: tuple[str, ...] = ()) -> Run:
        """A run in the background. `driver` and `worker` are strace command lines to put before either process."""
        self.runs += 1
        (self.folder / "night.yaml").write_text(self.project.manifest(run))
        marker = f"{self.folder}#{self.runs}"
        surroundings = environment(self.folder, self.save_seconds) | {"CHAOS_RUN": marker} | self.surroundings
        if worker:
            surroundings["CHAOS_STRACE_WORKER"] = "\n".join(worker)
        self.said = self.folder / f"said{self.runs}"
        with self.said.open("wb") as said:
            process = subprocess.Popen(
                [*driver, *self.project.command(), "run", "night.yaml", "-q", *flags],
                cwd=self.folder,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        started = Run(process, marker, self)
        self._started.append(started)
        return started

    def close(self) -> None:
        """End whatever still runs."""
        for run in self._started:
            for pid in [run.process.pid, *run.family()] if run.process.poll() is None else run.family():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            run.process.wait()

    def diary(self) -> list[Entry]:
        """Every step painted so far, by whichever run."""
        with suppress(FileNotFoundError):
            lines = (self.folder / "diary").read_text().split("\n")[:-1]
            rows = (line.split(" ") for line in lines)
            return [Entry(name, int(step), float(seconds), int(pid)) for name, step, seconds, pid in rows]
        return []

    # ----------------------------------------------------------------------------------------------------------- looks

    def look(self) -> None:
        """What must be true at any instant, also while a run goes on: final names hold the right pictures, and none that
        was recorded is missing."""
        store, names = LocalStore(self.out), {output: record_name(output) for output in self.project.outputs}
        recorded = {output: read_record(store, name) for output, name in names.items() if store.exists(name)}
        for path in self.files():
            name = str(path.relative_to(self.out))
            if name.startswith((".pipeline/", "report.")) or path.name.endswith(".part"):
                continue
            check(name in self.project.golden, f"a stranger's file: {name}")
            data = _bytes(path)
            check(data == self.project.golden[name], f"{name} is not the picture it should be ({_size(data)})")
        for output, record in recorded.items():
            if output in self.removed and not (self.out / output).exists():
                continue
            check(record is not None, f"the record of {output} is not whole")
            check((self.out / output).exists(), f"{output} is recorded and absent")
            digest = hashlib.sha256(self.project.golden[output]).hexdigest()
            check(record is None or record.sha256 == digest, f"the record of {output} is of another picture")

    def finish(self, *flags: str) -> None:
        """A plain run, or one with `flags`, ends with 0 and has painted exactly what was left; the folder is as if nothing
        had happened."""
        left = self.missing()
        before = len(self.diary())
        run = self.start(*flags)
        code = run.wait()
        check(code == 0, f"the plain run ended with {code}: {self.words()}")
        self.look()
        check(not self.missing(), f"after the plain run these are missing or wrong: {sorted(self.missing())}")
        painted = {pair["output"] for pair in self.report()["pairs"] if pair["status"] == "done"}
        check(painted == left, f"the plain run painted {sorted(painted)}, left were {sorted(left)}")
        tries = {entry.output for entry in self.diary()[before:]}
        check(not self.project.fast or tries <= left, f"painted again without need: {sorted(tries - left)}")
        run.check_gone()
        self.check_no_strays()

    def check_no_strays(self) -> None:
        """Nothing lies about but what a run is to leave."""
        allowed = self.project.all_files()
        strays = [
            name
            for name in (str(path.relative_to(self.out)) for path in self.files())
            if name not in allowed and not (name.startswith(".pipeline/history/") and name.endswith(".log"))
        ]
        check(not strays, f"stray files: {strays}")

    def check_work(self, hits: int) -> None:
        """No pair was begun more often than once and once more per process that was lost; all of them together `hits` times
        more than there are pairs."""
        begun = self.begun()
        pairs = len(self.project.outputs)
        worst = max(begun.values(), default=0)
        check(worst <= 1 + hits, f"a pair was begun {worst} times with {hits} processes lost")
        check(begun.total() <= pairs + hits, f"{begun.total()} pairs begun of {pairs}, with {hits} processes lost")

    def report(self) -> dict[str, Any]:
        return json.loads((self.out / "report.json").read_bytes())

    def begun(self) -> Counter[str]:
        """How often each pair was taken up: a new process, or a step that is not the next."""
        begun: Counter[str] = Counter()
        last: dict[str, Entry] = {}
        for entry in self.diary():
            if entry.output.startswith("fault:"):
                continue
            before = last.get(entry.output)
            if before is None or before.pid != entry.pid or entry.step != before.step + 1:
                begun[entry.output] += 1
            last[entry.output] = entry
        return begun

    def steps_lost(self) -> int:
        """Steps that were painted more than once."""
        steps = Counter((entry.output, entry.step) for entry in self.diary())
        return sum(count - 1 for (output, _), count in steps.items() if not output.startswith("fault:"))

    def longest_loss(self) -> float:
        """Seconds of the longest stretch of painting that had to be done again."""
        longest = 0.0
        painted: dict[str, list[Entry]] = {}  # since each pair was last begun anew
        for entry in self.diary():
            before = painted.setdefault(entry.output, [])
            if before and entry.step <= before[-1].step:
                kept = [known for known in before if known.step < entry.step]
                longest = max(longest, before[-1].seconds - (kept[-1].seconds if kept else before[0].seconds))
                before[:] = kept
            before.append(entry)
        return longest

    def files(self) -> list[Path]:
        found = []
        for folder, _, names in os.walk(self.out):
            found += [Path(folder, name) for name in names]
        return found

    def words(self) -> str:
        """What the last run said."""
        return self.said.read_text(errors="replace").strip()[-2000:]


class Run:
    """A driver and its family."""

    def __init__(self, process: subprocess.Popen[bytes], marker: str, trial: Trial) -> None:
        self.process, self.marker, self.trial = process, marker, trial

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code (negative: the signal that ended it). A Finding where it does not end. Time in which it was ready and
        other programs had the processors does not count."""
        until = time.monotonic() + seconds - self._queued()
        while self.process.poll() is None:
            check(time.monotonic() < until + self._queued(), f"the run did not end within {seconds:g} s")
            time.sleep(_WAIT)
        return self.process.returncode

    def _queued(self) -> float:
        """Seconds that the driver has spent waiting for a processor, as the kernel counts them."""
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        return 0.0

    def kill(self, number: signal.Signals = signal.SIGKILL) -> bool:
        """Strike the driver; False where it had ended already."""
        if self.process.poll() is not None:
            return False
        self.process.send_signal(number)
        return True

    def family(self) -> list[int]:
        """The process ids of its workers (and of their tracers), by a mark in their environment."""
        mark = f"CHAOS_RUN={self.marker}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != self.process.pid:
                with suppress(OSError):
                    if mark in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                        found.append(int(entry))
        return found

    def wait_for_stop(self) -> int:
        """As `wait`, for a run that was asked to stop, or has nothing to do."""
        return self.wait(STOP_SECONDS if self.trial.timed else PATIENCE)

    def check_gone(self) -> None:
        """None of the family outlives the driver for long."""
        seconds = GONE_SECONDS if self.trial.timed else PATIENCE
        until = time.monotonic() + seconds
        while left := self.family():
            check(time.monotonic() < until, f"{len(left)} processes outlived their driver by {seconds:g} s")
            time.sleep(0.02)

    def await_steps(self, count: int) -> bool:
        """Wait until so many lines were added to the diary; False where the run ended first."""
        path = self.trial.folder / "diary"
        wanted = len(self.trial.diary()) + count
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            with suppress(FileNotFoundError):
                if path.read_bytes().count(b"\n") >= wanted:
                    return True
            check(time.monotonic() < until, "the run paints no more and does not end")
            time.sleep(_LOOK)
        return False

    def await_file(self, path: Path) -> None:
        """Wait until there is such a file, while the run goes on."""
        until = time.monotonic() + PATIENCE
        while not path.exists():
            check(time.monotonic() < until and self.process.poll() is None, f"there is no {path}")
            time.sleep(_WAIT)

    def await_some_moment(self) -> bool:
        """Wait for a moment in the run's life: mostly while it paints, sometimes at its start or its end."""
        chance = self.trial.chance
        left = len(self.trial.missing()) * self.trial.project.steps
        where = chance.random()
        if where < 0.1 or not self.trial.project.fast:
            time.sleep(chance.uniform(0, 0.8))
            return self.process.poll() is None
        if not self.await_steps(left if where < 0.2 else chance.randint(0, left)):
            return False
        time.sleep(chance.uniform(0, 0.3 if where < 0.2 else 0.04))
        return self.process.poll() is None


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _size(data: bytes | None) -> str:
    return "absent" if data is None else f"{len(data)} bytes"
