"""A pair that is stopped or killed goes on where it was, and ends in the same bytes. Real engine, random weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from patience import PATIENCE, until

from pipeline.store.disk import LocalStore
from pipeline.store.layout import checkpoint_name, pair_id

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent
HISTORY = 5  # pairs that L-BFGS remembers, which are quickly traced
STEPS = 14  # more than those, twice

# Two optimizers. Taken up again in the middle of a pyramid: test_stylize and test_term_neighbours.
MANIFEST = f"""\
version: 1
input: input
output: OUT
run: {{threads: 1}}
defaults:
  {{size: 48, steps: {STEPS}, weights: random, precision: float32, style_loss: gram, history: {HISTORY},
    content_layers: [conv2_1], style_layers: [conv1_1, conv2_1]}}
pairs:
  - {{content: content/dog.png, style: style/wave.png, output: lbfgs.png}}
  - {{content: content/sea.png, style: style/wave.png, output: adam.png, options: {{optimizer: adam}}}}
"""

# A worker that saves after every step, and stays where a signal is to meet it: it makes a step for which a file lies ready,
# `holds/OUTPUT-STEP`, takes the file away, and does not go on before it is told to stop.
HELD_AND_CAREFUL = """\
import os, signal, sys, time
from pipeline.batch.backend import TensorFlowBackend
from pipeline.batch.engines.worker import main

class Held(TensorFlowBackend):
    def paint(self, job, *others):
        painting = super().paint(job, *others)
        def held():
            while True:
                try:
                    step = next(painting)
                except StopIteration as end:
                    return end.value
                hold = os.path.join(os.path.dirname(__file__), "holds", f"{job.output}-{step[0].step}")
                if os.path.exists(hold):
                    os.remove(hold)
                    while not signal.getsignal(signal.SIGTERM).__self__.stopping:
                        time.sleep(0.02)
                yield step
        return held()

main(sys.argv[1:], start=Held, save_seconds=0.0)
"""
# A driver that gives its workers all the time that they need to save.
START = f"""\
import functools
from pipeline.batch.engines import local
from pipeline.cli.main import main

local._SAVE_SECONDS = {PATIENCE}
main(engine=functools.partial(local.LocalEngine, worker="held_and_careful"))
"""


@pytest.fixture
def nights(project) -> Iterator[Nights]:
    from PIL import Image

    for path in (project / "input").rglob("*.png"):
        Image.open(path).resize((96, 80)).save(path)
    nights = Nights(project)
    yield nights
    nights.end()


class Nights:
    """Runs over one manifest into folders of one's choice."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.running: list[subprocess.Popen[str]] = []
        (project / "held/holds").mkdir(parents=True)
        (project / "held/held_and_careful.py").write_text(HELD_AND_CAREFUL)
        (project / "held/held_start.py").write_text(START)

    def start(self, out: str, *holds: str) -> subprocess.Popen[str]:
        """A run in the background; its workers stay at the steps `holds`, each OUTPUT-STEP, once."""
        for hold in holds:
            (self.project / "held/holds" / hold).touch()
        (self.project / f"{out}.yaml").write_text(MANIFEST.replace("OUT", out))
        path = f"{self.project / 'held'}:{REPOSITORY}" if holds else str(REPOSITORY)
        run = subprocess.Popen(
            [sys.executable, "-m", "held_start" if holds else "pipeline", "run", f"{out}.yaml", "-v"],
            cwd=self.project,
            env=os.environ | {"PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(run)
        return run

    def held(self, hold: str) -> None:
        """Return when a worker has come to this step, and stays."""
        until(lambda: not (self.project / "held/holds" / hold).exists())

    def end(self) -> None:
        for run in self.running:
            run.kill()
            run.communicate()

    def report(self, out: str) -> dict[str, dict]:
        pairs = json.loads((self.project / out / "report.json").read_text())["pairs"]
        return {pair["output"]: pair for pair in pairs}

    def pictures(self, out: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.project / out).glob("*.png"))}


def heard(run: subprocess.Popen[str], words: str) -> list[str]:
    """Read what the run says, up to the line with these words."""
    lines = []
    for line in run.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"never said {words!r}: {''.join(lines)}")


def worker_of(run: subprocess.Popen[str]) -> psutil.Process:
    for child in psutil.Process(run.pid).children():
        with suppress(psutil.NoSuchProcess):  # one that looks at pictures comes and goes
            if "held_and_careful" in child.cmdline():  # the module that a worker runs
                return child
    raise AssertionError("there is no worker")


def test_stopped_and_killed_and_killed_again_it_ends_in_the_same_bytes(nights):
    whole = nights.start("whole")
    assert whole.wait(PATIENCE) == 0, whole.stderr.read()

    stopped = nights.start("out", "lbfgs.png-8")
    nights.held("lbfgs.png-8")
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(PATIENCE) == 143  # how soon is measured in benchmarks
    row = nights.report("out")["lbfgs.png"]
    assert row["status"] == "interrupted"
    assert row["steps"] == 8
    assert row["reason"] == f"stopped; step 8 of {STEPS} is saved, and the next run goes on from there"
    with np.load(nights.project / f"out/.pipeline/checkpoints/{pair_id('lbfgs.png')}.npz") as checkpoint:
        environment = json.loads(checkpoint["about"].tobytes())["environment"]
    assert (environment["threads"], environment["device"]) == (1, "CPU")  # else it would not be gone on from
    assert environment["processor"]
    assert environment["tensorflow"]
    assert "Nothing is wrong with them. The next run goes on" in (nights.project / "out/report.txt").read_text()

    killed = nights.start("out", "lbfgs.png-13", "adam.png-6")
    heard(killed, f"lbfgs.png: resumed at step 8 of {STEPS}")
    nights.held("lbfgs.png-13")
    worker_of(killed).kill()
    said = heard(killed, "lbfgs.png: resumed at step ")
    assert "killed (signal 9)" in "".join(said)
    nights.held("adam.png-6")
    until(LocalStore(nights.project / "out").path(checkpoint_name("adam.png")).exists)  # a thread of its own writes it
    killed.kill()
    killed.wait()
    assert list(nights.pictures("out")) == ["lbfgs.png"]

    last = nights.start("out")
    said = "".join(heard(last, "adam.png: resumed at step "))
    assert "painting lbfgs.png" not in said
    assert last.wait(PATIENCE) == 0, last.stderr.read()
    row = nights.report("out")["adam.png"]
    assert row["notes"][-1].startswith("resumed at step ")
    assert [reading["step"] for reading in row["trace"]] == list(range(1, STEPS + 1))
    seconds = [reading["seconds"] for reading in row["trace"]]
    assert seconds == sorted(seconds)  # what was spent before counts
    assert row["seconds"] > seconds[-1]
    assert nights.pictures("out") == nights.pictures("whole")
    assert not (nights.project / "out/.pipeline/checkpoints").exists()
