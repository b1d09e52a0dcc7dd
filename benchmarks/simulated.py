"""A farm that is not there: what Dask's workers would say, in a time that goes as fast as it is listened to.

Stands where the driver's line to Dask does (batch/engines/cluster/link); everything above it is the product's own. Each worker
says what a real one says (batch/messages): a reading a step, a checkpoint every so often, its last word with the trace.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import queue
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pipeline.batch.checkpoints import SAVE_SECONDS
from pipeline.batch.engines.cluster import proof
from pipeline.batch.engines.cluster.link import Heard, Offer
from pipeline.batch.messages import (
    Done,
    Failed,
    Machine,
    Message,
    Position,
    Read,
    Ready,
    Resumed,
    Saved,
    Started,
    encode,
)
from pipeline.errors import EnvironmentProblem, WorkerDied
from pipeline.images.file_bytes import hash_file
from pipeline.job import Job, Manifest, Painted
from pipeline.nst.weights import locate
from pipeline.reading import Reading
from pipeline.store.keys import pair_key
from pipeline.store.layout import thumbnail_name

_KEY = "the key of the pair"
LATENCY = 0.005  # seconds that a message is on its way; chosen


class Clock:
    """Seconds that go on with the driver's work, as the processor takes it, and when it waits for the farm."""

    def __init__(self) -> None:
        self.aside = 0.0  # of the processor, that is not the driver's
        self._leapt = 0.0
        self._worked = time.process_time()  # when it was looked at last: to ask costs more than the driver's look
        self._start = time.monotonic() - self._worked
        self._wall = time.time() - time.monotonic()
        self.began = self.now
        # In the place of the module `time`, for the rooms that plan by it.
        self.module = SimpleNamespace(
            monotonic=lambda: self.now,
            time=lambda: self._wall + self.now,
            process_time=self._work,
            sleep=lambda seconds: self.leap(self.now + seconds),
        )

    @property
    def now(self) -> float:
        return self._start + self._leapt + self._worked - self.aside

    def _work(self) -> float:
        self._worked = time.process_time()
        return self._worked

    def leap(self, moment: float) -> None:
        """Have it be so late, if it is not yet."""
        self._leapt += max(0.0, moment - self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How workers are. Seconds are those of a worker of usual speed."""

    pair_seconds: float
    steps: int
    every: int = 1  # steps that are said: with 10, every tenth
    speeds: float = 0.2  # standard deviation of the logarithm of workers' speeds
    slow: float = 0.02  # share of pairs that take `slower` times as long
    slower: float = 3.0
    crash: float = 0.002  # share of tries that end with the painting process
    bad: float = 0.001  # share of pairs that fail whatever is tried
    life: float = 4 * 3600.0  # mean seconds until a worker is lost
    away: float = 120.0  # until another stands in its place
    start: float = 6.0  # before the first pair of a worker (estimator.START_SECONDS)


@dataclass(eq=False, slots=True)
class Task:
    """A pair at a worker. `since` is when its work began that is not saved yet, `step` the last that was said."""

    token: str
    output: str
    address: str
    step_seconds: float
    since: float
    step: int
    fails: int = 0  # the step at which it does; 0 for never


@dataclass(slots=True)
class Books:
    """What happened, for the figures. Seconds are the workers' own."""

    counts: Counter[str] = field(default_factory=Counter)
    busy: float = 0.0
    lost: float = 0.0  # work that was not saved when its worker was lost, or its painting process died
    bytes: int = 0


class SimulatedFarm:
    """A Link of so many workers over the manifest's pairs. `inbox` is the object itself: who waits lets time go on."""

    def __init__(
        self, manifest: Manifest, clock: Clock, workers: int, habits: Habits, small: bytes, seed: int = 1
    ) -> None:
        self.topic, self.stands = "simulated", True
        self.inbox = self
        self.books = Books()
        self.began = self.ended = 0.0  # when pairs were first asked for, and when no more
        self._manifest, self._clock, self._habits, self._small = manifest, clock, habits, small
        self._jobs = {job.output: job for job in manifest.pairs}
        self._random = random.Random(seed)
        self._bad = {job.output for job in manifest.pairs if self._random.random() < habits.bad}
        self._events: list[tuple[float, int, Callable[[], Heard | None]]] = []
        self._number = itertools.count()
        self._moment = clock.now  # of what happens now; it is heard later where the driver is busy
        self._alive: dict[str, float] = {}  # speed by address
        self._started: set[str] = set()
        self._tasks: dict[str, Task] = {}
        self._at: dict[str, Task] = {}  # by address
        self._saved: dict[str, int] = {}  # steps, by output
        self._lines = Lines(habits.steps)
        for _worker in range(workers):
            self._appear()

    # ------------------------------------------------------------------------------------------------------- as a Link

    def get(self, timeout: float) -> Heard:
        with self._aside():
            until = self._clock.now + timeout
            while self._events and self._events[0][0] <= until:
                self._moment, _number, happen = heapq.heappop(self._events)
                self._clock.leap(self._moment)
                if (heard := happen()) is not None:
                    self._count(heard)
                    return heard
            self._clock.leap(until)
            raise queue.Empty

    def get_nowait(self) -> Heard:
        return self.get(0.0)

    def offers(self) -> list[Offer]:
        with self._aside():
            self.books.counts["looks at workers"] += 1
            self.began = self.began or self._clock.now
            return [Offer(address, 1) for address in sorted(self._alive)]

    def cut(self, heard: Heard) -> bool:
        return False

    def gone(self) -> EnvironmentProblem:
        return EnvironmentProblem("gone")

    def submit(self, token: str, address: str, task: Any, order: Mapping[str, Any], *, slot: bool) -> None:
        with self._aside():
            self.books.counts["tasks"] += 1
            self._moment = self._clock.now
            if not slot:
                answer = {"me": address, "host": "simulated", "versions": proof.versions(), "trouble": ""}
                self._later(LATENCY, lambda: Heard(token, answer=answer))
            elif address in self._alive:
                self.books.bytes += len(order["command"])
                self._begin(token, address, json.loads(order["command"])["job"]["output"])

    def drop(self, token: str) -> None: ...

    def call_for_more(self, task: Any, workers: int) -> None: ...

    def close(self) -> None:
        self.ended = self._clock.now

    # ---------------------------------------------------------------------------------------------------------- workers

    def _appear(self) -> None:
        address = f"tcp://10.0.{self._number_of_workers // 250}.{self._number_of_workers % 250}:40000"
        self.books.counts["workers"] += 1
        self._alive[address] = self._random.lognormvariate(0.0, self._habits.speeds)
        self._later(self._random.expovariate(1 / self._habits.life), lambda: self._vanish(address))

    @property
    def _number_of_workers(self) -> int:
        return self.books.counts["workers"]

    def _vanish(self, address: str) -> Heard | None:
        del self._alive[address]
        self.books.counts["workers lost"] += 1
        self._later(self._habits.away, self._appear)
        if (task := self._at.pop(address, None)) is None:
            return None
        self._end(task, lost=True)
        return Heard(task.token, lost="KilledWorker: the worker died")

    def _begin(self, token: str, address: str, output: str) -> None:
        step_seconds = self._habits.pair_seconds / self._habits.steps / self._alive[address]
        if self._random.random() < self._habits.slow:
            step_seconds *= self._habits.slower
        saved = self._saved.get(output, 0)
        begin = 0.0 if address in self._started else self._habits.start
        task = Task(token, output, address, step_seconds, self._moment, saved)
        if output in self._bad:
            task.fails = saved + 1
        elif self._random.random() < self._habits.crash:
            task.fails = self._random.randint(saved + 1, self._habits.steps)
        self._tasks[token] = self._at[address] = task
        first: list[Message] = [] if address in self._started else [Ready(Machine(device="CPU", threads=2))]
        first += [Started()]
        if saved:
            first += [Resumed(Position(saved, f"step {saved} of {self._habits.steps}"))]
        self._started.add(address)
        lines = tuple(encode(message).decode() for message in first)
        self._later(LATENCY, lambda: Heard(token, said=lines) if token in self._tasks else None)
        self._later(begin + self._habits.every * step_seconds, lambda: self._step(task))

    def _step(self, task: Task) -> Heard | None:
        if task.token not in self._tasks:
            return None  # its worker is gone
        task.step += min(self._habits.every, self._habits.steps - task.step)
        if task.step >= task.fails > 0:
            self._end(task, lost=True)
            return Heard(task.token, answer={"last": self._failure(task)})
        if task.step == self._habits.steps:
            self._end(task, lost=False)
            return Heard(task.token, answer={"last": self._picture(self._jobs[task.output])})
        self._later(self._habits.every * task.step_seconds, lambda: self._step(task))
        said = [self._lines.reading(task.step)]
        if self._moment - task.since >= SAVE_SECONDS:
            self.books.busy += self._moment - task.since
            task.since, self._saved[task.output] = self._moment, task.step
            said.append(encode(Saved(Position(task.step, f"step {task.step} of {self._habits.steps}"))).decode())
        return Heard(task.token, said=tuple(said))

    def _failure(self, task: Task) -> str:
        if task.output in self._bad:
            self.books.counts["pairs that cannot be painted"] += 1
            return encode(Failed(reason="its picture is damaged", reason_class="bad_image")).decode()
        self.books.counts["painting processes lost"] += 1
        return encode(Failed.by(WorkerDied("its painting process was killed"))).decode()

    def _end(self, task: Task, *, lost: bool) -> None:
        del self._tasks[task.token]
        self._at.pop(task.address, None)
        spent = self._moment - task.since
        self.books.lost += spent if lost else 0.0
        self.books.busy += 0.0 if lost else spent
        if not lost:
            self._saved.pop(task.output, None)

    # --------------------------------------------------------------------------------------------------------- pictures

    def _picture(self, job: Job) -> str:
        """The picture and its thumbnails on the disk, each of a few bytes; and what is said of it."""
        folder = self._manifest.output
        for name in (job.output, *(thumbnail_name(job.output, which) for which in ("content", "style", "result"))):
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self._small)
        return self._lines.done(job)

    # -------------------------------------------------------------------------------------------------------- the clock

    def _later(self, seconds: float, happen: Callable[[], Heard | None]) -> None:
        heapq.heappush(self._events, (self._moment + seconds, next(self._number), happen))

    def _count(self, heard: Heard) -> None:
        self.books.counts["messages"] += 1
        self.books.bytes += sum(map(len, heard.said)) + len((heard.answer or {}).get("last", ""))
        self.books.counts["lines"] += len(heard.said)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """What is done here is not the driver's work."""
        before = self._clock.module.process_time()
        try:
            yield
        finally:
            self._clock.aside += self._clock.module.process_time() - before


class Lines:
    """What workers say, written once for all pairs."""

    def __init__(self, steps: int) -> None:
        source = random.Random(2)
        self._weights = locate("random")
        self._readings = [self._reading(step, steps, source) for step in range(1, steps + 1)]
        self._steps: dict[int, str] = {}
        self._done = ""
        self._hash: Callable[..., str] = _remembered(hash_file)
        losses = self._readings[0].losses
        self._painted: dict[str, Any] = {
            "size": [384, 256],
            "steps": steps,
            "seconds": 0.61 * steps,
            "seconds_per_step": 0.61,
            "setup_seconds": 3.0,
            "peak_memory_bytes": 1_000_000_000,
            "precision": "bfloat16",
            "threads": 2,
            "painted_with": {
                **{"threads": 2, "device": "CPU", "processor": "AMD EPYC (avx2 fma avx512f)", "tiles": "none"},
                **{"tensorflow": "2.21.0", "numpy": "2.4.6", "pillow": "13.0.0"},
            },
            "tilings": {"384": {}},
            "losses": {"first": losses, "last": self._readings[-1].losses},
            "layer_losses": {"first": self._readings[0].layers, "last": self._readings[-1].layers},
            "trace": [reading.as_row() for reading in self._readings],
        }

    @staticmethod
    def _reading(step: int, steps: int, source: random.Random) -> Reading:
        """With as many digits as a real one has."""
        total = 1000.0 / step**0.7 * source.uniform(0.99, 1.01)
        parts = {"total": total, "content": 0.3 * total, "style": 0.69 * total, "tv": 0.01 * total}
        layers = {f"style/block{block}_conv1": float(f"{0.138 * total:.6g}") for block in range(1, 6)}
        layers["content/block4_conv2"] = float(f"{0.3 * total:.6g}")
        return Reading(step=step, seconds=0.61 * step, side=384, losses=parts, layers=layers)

    def reading(self, step: int) -> str:
        if step not in self._steps:
            self._steps[step] = encode(Read(self._readings[step - 1], coarse=False)).decode()
        return self._steps[step]

    def done(self, job: Job) -> str:
        weights = {"name": self._weights.name, "sha256": self._weights.sha256}
        painted = Painted(
            **self._painted,
            key=_KEY,
            weights=weights,
            seed=job.options.seed,
            options=job.options.as_dict(),
        )
        # Nothing but the key is another from pair to pair, and a trace takes long to be written.
        self._done = self._done or encode(Done(painted)).decode()
        return self._done.replace(_KEY, self.key(job))

    def key(self, job: Job) -> str:
        return pair_key(job, self._hash, self._weights.sha256)


def _remembered(ask: Callable[..., str]) -> Callable[..., str]:
    known: dict[Any, str] = {}
    return lambda path: known[path] if path in known else known.setdefault(path, ask(path))
