"""A pair that is stopped or killed goes on where it was, and ends in the same bytes. Real engine, random weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.store.layout import pair_id

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent
STEPS = 50  # more than the 20 pairs of L-BFGS' history, twice

# Two optimizers. Taken up again in the middle of a pyramid: test_stylize and test_term_neighbours.
MANIFEST = f"""\
version: 1
input: input
output: OUT
run: {{threads: 1}}
defaults:
  {{size: 48, steps: {STEPS}, weights: random, precision: float32, style_loss: gram, content_layers: [conv2_1],
    style_layers: [conv1_1, conv2_1]}}
pairs:
  - {{content: content/dog.png, style: style/wave.png, output: lbfgs.png}}
  - {{content: content/sea.png, style: style/wave.png, output: adam.png, options: {{optimizer: adam}}}}
"""

# A worker that saves after every step, and takes its time, so that a signal meets the step that it is meant for.
SLOW_AND_CAREFUL = """\
import sys, time
from pipeline.batch.backend import TensorFlowBackend
from pipeline.batch.engines.worker import main

class Slow(TensorFlowBackend):
    def paint(self, *arguments):
        painting = super().paint(*arguments)
        def slowly():
            while True:
                try:
                    step = next(painting)
                except StopIteration as end:
                    return end.value
                time.sleep(0.1)
                yield step
        return slowly()

main(sys.argv[1:], start=Slow, save_seconds=0.0)
"""
START = """\
import functools
from pipeline.batch.engines.local import LocalEngine
from pipeline.cli.main import main

main(engine=functools.partial(LocalEngine, worker="slow_and_careful"))
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
        (project / "slow").mkdir()
        (project / "slow/slow_and_careful.py").write_text(SLOW_AND_CAREFUL)
        (project / "slow/slow_start.py").write_text(START)

    def start(self, out: str, *flags: str, slow: bool = True) -> subprocess.Popen[str]:
        (self.project / f"{out}.yaml").write_text(MANIFEST.replace("OUT", out))
        path = f"{self.project / 'slow'}:{REPOSITORY}" if slow else str(REPOSITORY)
        run = subprocess.Popen(
            [sys.executable, "-m", "slow_start" if slow else "pipeline", "run", f"{out}.yaml", "-v", *flags],
            cwd=self.project,
            env=os.environ | {"PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(run)
        return run

    def end(self) -> None:
        for run in self.running:
            run.kill()
            run.communicate()

    def report(self, out: str) -> dict[str, dict]:
        pairs = json.loads((self.project / out / "report.json").read_text())["pairs"]
        return {pair["output"]: pair for pair in pairs}

    def pictures(self, out: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.project / out).glob("*.png"))}


def until(run: subprocess.Popen[str], words: str) -> list[str]:
    """Read what the run says, up to the line with these words."""
    lines = []
    for line in run.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"never said {words!r}: {''.join(lines)}")


def worker_of(run: subprocess.Popen[str]) -> psutil.Process:
    words = {"slow_and_careful", "pipeline.batch.engines.worker"}  # the module that a worker runs
    return next(child for child in psutil.Process(run.pid).children() if words & {*child.cmdline()})


def test_stopped_and_killed_and_killed_again_it_ends_in_the_same_bytes(nights):
    whole = nights.start("whole", slow=False)
    assert whole.wait(timeout=120) == 0, whole.stderr.read()

    stopped = nights.start("out")
    until(stopped, f"lbfgs.png: step 25/{STEPS}")
    stopped.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert stopped.wait(timeout=60) == 143
    assert time.monotonic() - began < 30  # a hang; what it takes is measured in benchmarks
    row = nights.report("out")["lbfgs.png"]
    assert row["status"] == "interrupted"
    assert 25 <= row["steps"] < 40
    assert row["reason"] == f"stopped; step {row['steps']} of {STEPS} is saved, and the next run goes on from there"
    with np.load(nights.project / f"out/.pipeline/checkpoints/{pair_id('lbfgs.png')}.npz") as checkpoint:
        environment = json.loads(checkpoint["about"].tobytes())["environment"]
    assert (environment["threads"], environment["device"]) == (1, "CPU")  # else it would not be gone on from
    assert environment["processor"]
    assert environment["tensorflow"]
    assert "Nothing is wrong with them. The next run goes on" in (nights.project / "out/report.txt").read_text()

    killed = nights.start("out")
    until(killed, f"lbfgs.png: resumed at step {row['steps']} of {STEPS}")
    until(killed, f"lbfgs.png: step 45/{STEPS}")
    worker_of(killed).kill()
    said = until(killed, "lbfgs.png: resumed at step ")
    assert "killed (signal 9)" in "".join(said)
    until(killed, f"adam.png: step 20/{STEPS}")
    killed.kill()
    killed.wait()
    assert list(nights.pictures("out")) == ["lbfgs.png"]

    last = nights.start("out", slow=False)
    said = "".join(until(last, "adam.png: resumed at step "))
    assert "painting lbfgs.png" not in said
    assert last.wait(timeout=120) == 0, last.stderr.read()
    row = nights.report("out")["adam.png"]
    assert row["notes"][-1].startswith("resumed at step ")
    assert [reading["step"] for reading in row["trace"]] == list(range(1, STEPS + 1))
    seconds = [reading["seconds"] for reading in row["trace"]]
    assert seconds == sorted(seconds)  # what was spent before counts
    assert row["seconds"] > seconds[-1]
    assert nights.pictures("out") == nights.pictures("whole")
    assert not (nights.project / "out/.pipeline/checkpoints").exists()
