"""A scheduler without painters: whole runs of the driver in this process, with scripted answers in the place of workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.batch.driver import run
from pipeline.batch.engines.local import Event
from pipeline.batch.plan import PlannedPair
from pipeline.batch.selection import Selection
from pipeline.cli.progress import Quiet
from pipeline.manifest import load_manifest

Answer = Callable[[PlannedPair], Mapping[str, Any]]

PAIRS = """
  - {content: content/dog.png, style: style/wave.png, output: dog.png}
  - {content: content/sea.png, style: style/wave.png, output: sea.png}
"""


def painted(output: Path) -> Answer:
    """Workers that paint: a picture of one colour under the final name, and what a worker says of it."""

    def answer(pair: PlannedPair) -> Mapping[str, Any]:
        path = output / pair.job.output
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 40), (pair.job.options.seed % 256, 9, 9)).save(path)
        losses = {"total": 1.0, "content": 0.5, "style": 0.5, "tv": 0.0}
        return {
            "type": "done",
            "key": pair.key,
            "size": [48, 40],
            "steps": pair.job.options.steps,
            "seconds": 1.0,
            "losses": {"first": losses, "last": losses},
            "precision": "float32",
            "painted_with": {"threads": 2, "device": "CPU", "processor": "8086", "tensorflow": "2.21.0"},
        }

    return answer


def failed(reason_class: str, reason: str = "a reason", retry: bool = False, exit_code: int = 3) -> Answer:
    """Workers that fail."""
    message = {"reason": reason, "class": reason_class, "retry": retry, "exit_code": exit_code, "traceback": None}
    return lambda pair: {"type": "failed", **message}


class Nights:
    """Runs over one manifest in `project`. `asked` are the outputs that workers were given in the last run, in order."""

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self._monkeypatch = project, monkeypatch
        self.output = project / "out"
        self.asked: list[str] = []
        self.manifest()

    def manifest(self, pairs: str = PAIRS, run: str = "{}", options: str = "") -> None:
        (self.project / "night.yaml").write_text(
            f"version: 1\ninput: input\noutput: out\nrun: {run}\n"
            f"defaults: {{size: 48, steps: 4, weights: random{options}}}\npairs:{pairs}"
        )

    def run(self, answer: Answer | None = None, voice: Any = None, **selection: Any) -> dict[str, Any]:
        """One run; returns its report. `selection` are fields of Selection."""
        respond = answer or painted(self.output)
        asked = self.asked = []

        class Scripted:
            machine: Mapping[str, Any] = {"device": "CPU", "threads": 2}

            def __init__(self, *_: Any, **__: Any) -> None: ...

            def __class_getitem__(cls, _: Any) -> type[Scripted]:
                return cls

            def run(
                self, next_task: Callable[[], PlannedPair | None], stop: Callable[[], bool]
            ) -> Iterator[Event[PlannedPair]]:
                while not stop() and (pair := next_task()) is not None:
                    asked.append(pair.job.output)
                    yield Event(pair, {"type": "started"})
                    yield Event(pair, respond(pair))

        self._monkeypatch.setattr("pipeline.batch.scheduler.Supervisor", Scripted)
        report = run(load_manifest(self.project / "night.yaml"), Selection(**selection), voice or Quiet())
        return report

    def report(self) -> dict[str, Any]:
        return json.loads((self.output / "report.json").read_text())


def statuses(report: Mapping[str, Any]) -> dict[str, str]:
    return {pair["output"]: pair["status"] for pair in report["pairs"]}
