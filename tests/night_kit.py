"""A scheduler without painters: whole runs of the driver in this process, with scripted answers in the place of workers."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.batch.driver import run
from pipeline.batch.engines.protocol import Engine, Event
from pipeline.batch.messages import Command, Done, Failed, Machine, PairMessage, Read, Started
from pipeline.batch.plan import Plan, make_plan
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.errors import ExitCode
from pipeline.images.file_bytes import hash_file
from pipeline.job import Painted
from pipeline.manifest import load_manifest
from pipeline.store.disk import LocalStore
from pipeline.store.keys import pair_key
from pipeline.store.records import State

Answer = Callable[[Command], PairMessage]

PAIRS = """
  - {content: content/dog.png, style: style/wave.png, output: dog.png}
  - {content: content/sea.png, style: style/wave.png, output: sea.png}
"""


def painted(output: Path) -> Answer:
    """Workers that paint: a picture of one colour under the final name, and what a worker says of it."""

    def answer(command: Command) -> PairMessage:
        job = command.job
        path = output / job.output
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 40), (job.options.seed % 256, 9, 9)).save(path)
        losses = {"total": 1.0, "content": 0.5, "style": 0.5, "tv": 0.0}
        return Done(
            Painted(
                key=pair_key(job, hash_file, command.weights.sha256),
                size=[48, 40],
                steps=job.options.steps,
                seconds=1.0,
                losses={"first": losses, "last": losses},
                precision="float32",
                painted_with={"threads": 2, "device": "CPU", "processor": "8086", "tensorflow": "2.21.0"},
                weights={"name": command.weights.name, "sha256": command.weights.sha256},
                seed=job.options.seed,
                options=dict(command.names.options),
            )
        )

    return answer


def failed(reason_class: str, reason: str = "a reason", retry: bool = False, exit_code: int = 3) -> Answer:
    """Workers that fail."""
    failure = Failed(reason=reason, reason_class=reason_class, retry=retry, exit_code=ExitCode(exit_code))
    return lambda command: failure


class Scripted:
    """An engine that gives one answer a pair. `asked` are the outputs that it was given, in order."""

    machine = Machine(device="CPU", threads=2)

    def __init__(self, respond: Answer, asked: list[str]) -> None:
        self._respond, self._asked = respond, asked

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event]:
        while not stop() and (command := next_command()) is not None:
            output = command.job.output
            self._asked.append(output)
            yield Event(output, Started())
            yield Event(output, self._respond(command))


class InThisProcess:
    """An engine that paints as a worker does, but for the process: with the backend that it is given. `stop_after` is how many
    readings there are before the pair in hand is left."""

    def __init__(self, backend: Any, stop_after: float = math.inf) -> None:
        from pipeline.batch.painter import Painter

        self.machine = backend.machine
        self._painter, self._left = Painter(backend), stop_after

    def run(self, next_command: Callable[[], Command | None], stop: Callable[[], bool]) -> Iterator[Event]:
        while not stop() and (command := next_command()) is not None:
            yield Event(command.job.output, Started())
            for message in self._painter.paint(command, stopping=lambda: self._left <= 0):
                self._left -= isinstance(message, Read)
                yield Event(command.job.output, message)


def rehearsed_here(place: Path, stop_after: float = math.inf) -> InThisProcess:
    """The same with the engine of tests/chaos, which is told of mischief in the folder `place`."""
    from tests.chaos.engine import ChaosBackend

    (place / "faults").mkdir(parents=True, exist_ok=True)
    diary = os.open(place / "diary", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    return InThisProcess(ChaosBackend(diary, place / "faults"), stop_after)


def tensorflow_here() -> InThisProcess:
    """The same with TensorFlow as this process has it, whose threads are set already."""
    import tensorflow as tf

    from pipeline.batch.backend import TensorFlowBackend
    from pipeline.nst.engine import TransferEngine

    backend = TensorFlowBackend.__new__(TensorFlowBackend)
    backend.machine = Machine(device="CPU", threads=2, versions={"tensorflow": tf.__version__})
    backend.precision, backend.out_of_memory = "float32", (MemoryError,)
    backend._open, backend._engine = TransferEngine, None
    return InThisProcess(backend)


class Nights:
    """Runs over one manifest in `project`. `asked` are the outputs that workers were given in the last run, in order."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.output = project / "out"
        self.asked: list[str] = []
        self.manifest()

    def manifest(self, pairs: str = PAIRS, run: str = "{}", options: str = "") -> None:
        (self.project / "night.yaml").write_text(
            f"version: 1\ninput: input\noutput: out\nrun: {run}\n"
            f"defaults: {{size: 48, steps: 4, weights: random, style_loss: gram{options}}}\npairs:{pairs}"
        )

    def run(self, answer: Answer | None = None, voice: Any = None, **selection: Any) -> dict[str, Any]:
        """One run; returns its report. `selection` are fields of Selection."""
        self.asked = []
        return self.run_with(Scripted(answer or painted(self.output), self.asked), voice, **selection)

    def run_with(self, engine: Engine, voice: Any = None, **selection: Any) -> dict[str, Any]:
        """The same with an engine of one's own."""
        manifest = load_manifest(self.project / "night.yaml")
        return run(manifest, Selection(**selection), voice or Quiet(), engine=lambda settings, log: engine)

    def plan(self) -> Plan:
        """What the next run would do."""
        return make_plan(load_manifest(self.project / "night.yaml"), State(LocalStore(self.output)))

    def report(self) -> dict[str, Any]:
        return json.loads((self.output / "report.json").read_text())


def statuses(report: Mapping[str, Any]) -> dict[str, str]:
    return {pair["output"]: pair["status"] for pair in report["pairs"]}
