"""A Dask cluster of real processes on this machine, as Dask's own commands start it, and runs that paint on it."""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from patience import PATIENCE, until

from pipeline.store.layout import pair_id
from tests.chaos.project import environment as chaos_environment

REPOSITORY = Path(__file__).resolve().parent.parent
PAINTER = "tests.chaos.engine"


class Farm:
    """A scheduler and its workers, which paint with the engine of tests/chaos. `place` holds what that must be told, and the
    processes' logs; `command` starts a cluster of another kind, which
    writes its address into `scheduler.json` there."""

    def __init__(
        self, place: Path, scheme: str = "tcp", *, command: list[str] | None = None, **environment: str
    ) -> None:
        self.place = place
        (place / "faults").mkdir(parents=True, exist_ok=True)
        self._count = 0
        # saved after every step that finds the last one written
        self.environment = chaos_environment(place, save_seconds=0.0) | environment
        self.environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *_others_on_path()])
        self.workers: list[subprocess.Popen[bytes]] = []
        self.drivers: list[subprocess.Popen[str]] = []
        flags = ("--host", "127.0.0.1", "--protocol", scheme, "--port", "0")
        self.scheduler = self._process(command, {}) if command else self._start("scheduler", *flags)
        # Dask writes it in its place, so that it stands there empty first
        until(lambda: (self.file.exists() and self.file.stat().st_size) or self.scheduler.poll() is not None)
        assert self.scheduler.poll() is None, (place / "0.log").read_text()

    @property
    def file(self) -> Path:
        """Where the scheduler says its address."""
        return self.place / "scheduler.json"

    def _start(self, what: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        words = ["-m", "dask", what, "--no-dashboard", "--scheduler-file", str(self.file), *arguments]
        return self._process([sys.executable, *words], environment)

    def _process(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.place / f"{self._count}.log").open("wb") as log:
            self._count += 1
            return subprocess.Popen(
                command,
                cwd=self.place,
                env=self.environment | environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def worker(self, *arguments: str, slot: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        """One more worker, of one thread. Without a nanny it is one process, and dies as a machine does."""
        offered = ("--resources", "slot=1") if slot else ()
        folder = self.place / f"worker{self._count}"
        flags = (
            "--nthreads",
            "1",
            "--nworkers",
            "1",
            "--memory-limit",
            "0",
            "--local-directory",
            str(folder),
            *offered,
        )
        self.workers.append(self._start("worker", *flags, *(arguments or ("--no-nanny",)), **environment))
        return self.workers[-1]

    def have(self, workers: int) -> None:
        """See to it that so many are there, and no more: two of them paint two pairs at once."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) > workers:  # the oldest first: one that was told to close is among them
            kill_group(self.workers.pop(0))
        for _ in range(workers - len(self.workers)):
            self.worker()

    def close(self) -> None:
        """Kill everything."""
        for process in (*self.drivers, *self.workers, self.scheduler):
            kill_group(process)

    def lay_fault(self, output: str, *whats: str, step: int = 6, first: int = 0) -> None:
        """Mischief for a pair's first tries (tests/chaos/engine); `first` tells it from what was laid before."""
        for number, what in enumerate(whats, first):
            (self.place / "faults" / f"{pair_id(output)}.{number}").write_text(f"{step} {what}")

    def steps(self, output: str) -> list[int]:
        """The steps that were made of a pair, in order, by whoever made them."""
        return [step for step, _seconds in self._made(output)]

    def lost_work(self, output: str) -> list[tuple[int, float]]:
        """The work that was lost each time the pair was begun again: steps that were made twice, and the seconds from the last
        step that was saved to the last that was made."""
        made, first = self._made(output), {}
        for step, seconds in made:
            first.setdefault(step, seconds)
        begun = first.get(1, 0.0)
        return [
            (last - step + 1, seconds - first.get(step - 1, begun))
            for (last, seconds), (step, _) in itertools.pairwise(made)
            if step <= last
        ]

    def _made(self, output: str) -> list[tuple[int, float]]:
        """Steps of a pair with their times."""
        diary = self.place / "diary"
        lines = diary.read_text().splitlines() if diary.exists() else []
        words = (line.split() for line in lines if line.startswith(f"{output} "))
        return [(int(step), float(seconds)) for _, step, seconds, _pid in words]

    def harass(self, run: subprocess.Popen[str], due: Callable[[int], bool]) -> int:
        """Until the run ends, kill a worker and start another whenever it is `due` after so many; returns how many."""
        source, kills = random.Random(1), 0
        while run.poll() is None:
            time.sleep(0.1)
            if due(kills):
                victim = source.choice(self.workers)
                self.workers.remove(victim)
                kill_group(victim)
                self.worker()
                kills += 1
        return kills

    def painters_seen(self) -> set[str]:
        """The process ids of all that made a step."""
        diary = self.place / "diary"
        lines = diary.read_text().splitlines() if diary.exists() else []
        return {line.split()[3] for line in lines}

    def met(self, output: str, what: str = "hold") -> bool:
        """Has a painter come to the mischief that was laid?"""
        diary = self.place / "diary"
        return diary.exists() and f"fault:{what}:{output} " in diary.read_text()

    def holder(self, output: str) -> subprocess.Popen[bytes]:
        """The worker whose painter holds this pair."""
        until(lambda: self.met(output))
        lines = [line.split() for line in (self.place / "diary").read_text().splitlines()]
        pid = next(int(line[3]) for line in reversed(lines) if line[0] == f"fault:hold:{output}")
        (found,) = (worker for worker in self.workers if pid in painters(worker))
        return found

    def start(self, project: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`run night.yaml` on this cluster, going on."""
        self.drivers.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.start", "run", "night.yaml", *self.flags, *arguments],
                cwd=project,
                env=self.environment | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return self.drivers[-1]

    @property
    def flags(self) -> tuple[str, ...]:
        """What makes a run one on this cluster."""
        return ("--engine", "dask", "--scheduler", str(self.file))

    def run(self, project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same to its end."""
        return ended(self.start(project, *arguments, **environment))


def losses(run: subprocess.CompletedProcess[str]) -> Counter[str]:
    """How often each pair lost its worker, as the run said."""
    return Counter(re.findall(r"([\w-]+\.png): its worker ", run.stderr))


def ended(run: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """A run that comes to its end."""
    out, err = run.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


def painters(worker: subprocess.Popen[bytes]) -> list[int]:
    """The painting processes below a worker."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(worker.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if PAINTER in child.cmdline():
                    found.append(child.pid)
    return found


def kill_group(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """SIGKILL to a process and its children, as a machine that loses its power."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)


def _others_on_path() -> list[str]:
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [folder for folder in given if os.path.isabs(folder) and Path(folder) != REPOSITORY]
