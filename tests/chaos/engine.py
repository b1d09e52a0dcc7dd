"""A worker that paints in milliseconds: everything of pipeline/batch/engines/worker but TensorFlow and the painting itself.

    python -m tests.chaos.engine COMMANDS MESSAGES

Started by a driver of tests/chaos/start.py; the product itself has no way to it.

A pixel is the result of a chaotic map, one iteration a step, started from content, style, options and seed. Whoever loses or
repeats a step, or resumes from another pair's state, gets another picture.

Checkpoints are saved every CHAOS_SAVE_SECONDS. Each step is written to a diary (CHAOS_DIARY: one line "output step
monotonic-seconds pid"), from which the harness counts work. Mischief lies ready in a folder (CHAOS_FAULTS), a file for
each: its name is `<pair id>.<n>`, its text `<step> <what>`. Whoever meets it takes the file away, so that it happens once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import pipeline.batch.checkpoints as checkpoints
import pipeline.batch.engines.worker as worker
from pipeline.errors import Diverged
from pipeline.images.encode import to_uint8
from pipeline.images.scale import resize
from pipeline.job import Losses, Reading
from pipeline.sizes import result_size
from pipeline.store.records import pair_id
from pipeline.stylize import Progress, Stylization

STEP_SECONDS = 0.001
_HOARD = 400 << 20  # bytes; above any max_memory of tests/chaos


class Workshop:
    """Stands where the loaded network would."""

    def __init__(self, weights: Any, max_memory: int | None = None) -> None:
        self.weights = weights

    def tiling(self, *_of: Any, **_how: Any) -> None:
        """In no tiles."""


def paint(content, styles, options, workshop, *, start=None, resume=None):
    """As pipeline.stylize.paint, in pure NumPy: a third of the steps at half the size, the others at the full one."""
    began = time.perf_counter() - (resume.seconds if resume else 0.0)
    output = PAIR["output"]
    width, height = result_size(content, options)
    stages = [(options.steps // 3, width // 2, height // 2), (options.steps - options.steps // 3, width, height)]
    trace: list[Reading] = list(resume.trace) if resume else []
    state = np.zeros((1, 1, 3), np.float32)
    for stage in range(resume.stage if resume else 0, len(stages)):
        steps, width, height = stages[stage]
        if resume and stage == resume.stage:
            state, done = resume.arrays["state"], resume.step
        else:
            state, done = _mixture(content, styles, options, width, height, state), 0
        for step in range(done + 1, steps + 1):
            time.sleep(STEP_SECONDS)
            state = (np.float32(3.9) * state * (1 - state) + np.float32(0.01 * step)) % np.float32(1.0)
            number = step + sum(steps for steps, *_ in stages[:stage])
            total = float("nan") if _misbehave(output, number) else float(state.mean())
            if not np.isfinite(total):
                raise Diverged(f"the loss became {total} at step {number}; lower the learning rate")
            _enter(output, number)
            seconds = time.perf_counter() - began
            reading = Reading(step=step, seconds=seconds, total=total, content=total, style=0.0, tv=0.0, side=width)
            if stage == len(stages) - 1:
                trace.append(reading)
            progress = Progress(stage, step, seconds, tuple(trace), {"state": state})
            yield reading, lambda progress=progress: progress
    first, last = (Losses(total=end.total, content=end.content, style=0.0, tv=0.0) for end in (trace[0], trace[-1]))
    return Stylization(
        pixels=to_uint8(state * np.float32(255)),
        alpha=None,
        trace=tuple(trace),
        first=first,
        last=last,
        setup_seconds=0.0,
        seconds=time.perf_counter() - began,
        precision="float32",
    )


def _mixture(content, styles, options, width, height, coarse):
    """Where a stage starts from: everything that a pair's key is made of, and the last stage's result."""
    state = resize(content.pixels, width, height) / 255
    for style, share in styles:
        state = state + np.float32(share) * resize(style.pixels, width, height) / 255
    state = state + np.float32(options.style_weight + (options.seed % 97) / 97) + coarse.mean()
    return state.astype(np.float32) % np.float32(1.0)


def _enter(output: str, step: int) -> None:
    os.write(DIARY, f"{output} {step} {time.monotonic():.6f} {os.getpid()}\n".encode())


def _misbehave(output: str, step: int) -> bool:
    """Do what lies ready for this pair and step; True asks for a loss that is no number."""
    for path in sorted(FAULTS.glob(f"{pair_id(output)}.*")):
        due, what = path.read_text().split()
        if int(due) != step:
            continue
        path.unlink()
        _enter(f"fault:{what}:{output}", step)
        match what:
            case "nan":
                return True
            case "hang":
                time.sleep(3600)
            case "deaf":  # in a library that lets no signal through
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
                time.sleep(3600)
            case "memory":
                hoard = bytearray(os.urandom(1)) * _HOARD
                time.sleep(3600)
                del hoard
            case "raise":
                raise RuntimeError("a bug for this test")
            case "exit":
                os._exit(7)
            case signal_name:
                os.kill(os.getpid(), signal.Signals[signal_name])
                time.sleep(0.05)  # until it is delivered
    return False


PAIR: dict[str, str] = {}
DIARY = -1
FAULTS = Path()


def main(arguments: list[str]) -> None:
    """Serve pairs as the worker does."""
    global DIARY, FAULTS
    DIARY = os.open(os.environ["CHAOS_DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    FAULTS = Path(os.environ["CHAOS_FAULTS"])
    if inject := os.environ.pop("CHAOS_STRACE_WORKER", ""):
        os.execvp("strace", [*inject.split("\n"), *sys.orig_argv])

    _stand_in("tensorflow", errors=types.SimpleNamespace(ResourceExhaustedError=MemoryError))
    _stand_in("pipeline.nst.engine", Workshop=Workshop)
    sys.modules["pipeline.stylize"].paint = paint
    checkpoints.SAVE_SECONDS = float(os.environ["CHAOS_SAVE_SECONDS"])
    worker._start_tensorflow = lambda: {"device": "none", "threads": 1, "versions": {"numpy": np.__version__}}
    answer = worker._Painter.answer

    def remember_whose_turn_it_is(painter: worker._Painter, command: Mapping[str, Any]) -> dict[str, Any]:
        PAIR["output"] = command["job"]["output"]
        return answer(painter, command)

    worker._Painter.answer = remember_whose_turn_it_is
    worker.main(arguments)


def _stand_in(name: str, **contents: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module


if __name__ == "__main__":
    main(sys.argv[1:])
