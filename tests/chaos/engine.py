"""A worker that paints in milliseconds: all of pipeline/batch/engines/worker, with another backend.

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
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.batch.engines import worker
from pipeline.batch.messages import Machine
from pipeline.errors import Diverged
from pipeline.images.encode import to_uint8
from pipeline.images.scale import resize
from pipeline.reading import Reading
from pipeline.store.layout import pair_id
from pipeline.stylization import Stylization
from pipeline.stylize import Progress

STEP_SECONDS = 0.001
CUT_LEVELS = 60.0  # mean difference of photographs, in grey levels, above which a shot begins
_HOARD = 400 << 20  # bytes; above any max_memory of tests/chaos


class ChaosBackend:
    """Stands where TensorFlow would. `diary` is a file descriptor, `faults` the folder of mischief."""

    machine = Machine(device="none", threads=1, versions={"numpy": np.__version__})
    out_of_memory = (MemoryError,)

    def __init__(self, diary: int, faults: Path) -> None:
        self._diary, self._faults = diary, faults

    precision = "float32"

    def load(self, weights, options):
        """There is no network."""

    def paint(self, job, pictures, schedule, resume):
        """As pipeline.stylize.paint, in pure NumPy: a third of the steps at half the size, the others at the full one."""
        began = time.perf_counter() - (resume.seconds if resume else 0.0)
        options = job.options
        width, height = schedule.size
        stages = [(options.steps // 3, width // 2, height // 2), (options.steps - options.steps // 3, width, height)]
        trace: list[Reading] = list(resume.trace) if resume else []
        state = np.zeros((1, 1, 3), np.float32)
        for stage in range(resume.stage if resume else 0, len(stages)):
            steps, width, height = stages[stage]
            if resume and stage == resume.stage:
                state, done = resume.arrays["state"], resume.step
            else:
                state, done = _mixture(pictures, options, width, height, state), 0
            for step in range(done + 1, steps + 1):
                time.sleep(STEP_SECONDS)
                state = (np.float32(3.9) * state * (1 - state) + np.float32(0.01 * step)) % np.float32(1.0)
                number = step + sum(steps for steps, *_ in stages[:stage])
                total = float("nan") if self._misbehave(job.output, number) else float(state.mean())
                if not np.isfinite(total):
                    raise Diverged(f"the loss became {total} at step {number}; lower the learning rate")
                self._enter(job.output, number)
                seconds = time.perf_counter() - began
                losses = {"total": total, "content": total, "style": 0.0, "tv": 0.0}
                final = stage == len(stages) - 1
                reading = Reading(step=step, seconds=seconds, side=width, losses=losses, final=final)
                if final:
                    trace.append(reading)
                progress = Progress(stage, step, seconds, tuple(trace), {"state": state, "best": state * 255}, final)
                yield reading, lambda progress=progress: progress
        return Stylization(
            pixels=to_uint8(state * np.float32(255)),
            alpha=None,
            trace=tuple(trace),
            first=trace[0].losses,
            last=trace[-1].losses,
            setup_seconds=0.0,
            seconds=time.perf_counter() - began,
            precision="float32",
        )

    def is_cut(self, here, there):
        """Photographs that have next to nothing in common."""
        return bool(np.abs(here.astype(np.float32) - there).mean() > CUT_LEVELS)

    def sequence(self, job, pictures, schedule, *, frames, max_memory):
        """As pipeline.sequence.Sequence: a frame depends on all that a real one may."""
        return ChaosSequence(self, job, pictures, schedule)

    def _enter(self, output: str, step: int) -> None:
        os.write(self._diary, os.fsencode(f"{output} {step} {time.monotonic():.6f} {os.getpid()}\n"))

    def _misbehave(self, output: str, step: int) -> bool:
        """Do what lies ready for this pair and step; True asks for a loss that is no number."""
        for path in sorted(self._faults.glob(f"{pair_id(output)}.*")):
            due, what = path.read_text().split()
            if int(due) != step:
                continue
            path.unlink()
            self._enter(f"fault:{what}:{output}", step)
            if what == "nan":
                return True
            if what == "hold":
                _hold(self._faults / "go")
            else:
                _do(what)
        return False


class ChaosSequence:
    """Frames of a shot: each from its photograph, the pair's options and styles, and those before it that are wanted."""

    def __init__(self, backend, job, pictures, schedule):
        self._backend, self._job, self._pictures, self._size = backend, job, pictures, schedule.size
        self._memory = {}

    def wanted(self, number):
        return [number - back for back in (1, 2, 4, 8) if number >= back]

    def remember(self, frame, painted):
        self._memory[frame.number] = painted.astype(np.float32).mean()

    def paint(self, frame):
        from pipeline.sequence import PaintedFrame  # with its flow: not where stills are painted

        job, options = self._job, self._job.options
        began = time.perf_counter()
        pictures = replace(frame.pictures or self._pictures, content=frame.picture)
        before = [self._memory[other] for other in self.wanted(frame.number) if other in self._memory]
        coarse = np.full((1, 1, 3), sum(before) / 255, np.float32)
        coarse = coarse + np.float32(sum(map(_level, pictures.masks)))
        state = _mixture(pictures, options, *self._size, coarse)
        for step in range(1, options.steps + 1):
            time.sleep(STEP_SECONDS)
            state = (np.float32(3.9) * state * (1 - state) + np.float32(0.01 * step)) % np.float32(1.0)
            self._backend._misbehave(job.output, frame.number * options.steps + step)
            total = float(state.mean())
            losses = {"total": total, "content": total, "style": 0.0, "tv": 0.0}
            yield Reading(step=step, seconds=time.perf_counter() - began, side=max(self._size), losses=losses), None
        self._backend._enter(job.output, frame.number + 1)
        pixels = to_uint8(state * np.float32(255))
        self._memory[frame.number] = pixels.astype(np.float32).mean()
        flicker = abs(self._memory[frame.number] - before[0]) if before else None
        return PaintedFrame(
            number=frame.number,
            pixels=pixels,
            painted=pixels,
            alpha=None,
            first=losses,
            last=losses,
            evaluations=options.steps,
            seconds=time.perf_counter() - began,
            flicker=None if flicker is None else float(flicker),
            own_flicker=0.5 if before else None,
            reliable=1.0 if before else 0.0,
            cut=False,
        )


def _mixture(pictures, options, width, height, coarse):
    """Where a stage starts from: everything that a pair's key is made of, and the last stage's result."""
    state = resize(pictures.content.pixels, width, height) / 255
    for style, share in pictures.styles:
        state = state + np.float32(share) * resize(style.pixels, width, height) / 255
    state = state + np.float32(options.style_weight + (options.seed % 97) / 97) + coarse.mean()
    return state.astype(np.float32) % np.float32(1.0)


def _level(mask):
    return float((mask.levels if hasattr(mask, "levels") else mask.labels).mean())


def _hold(go: Path) -> None:
    """Stay at this step until SIGTERM comes, or the file `go` is there."""
    while not (signal.getsignal(signal.SIGTERM).__self__.stopping or go.exists()):
        time.sleep(0.02)


def _do(what: str) -> None:
    match what:
        case "nap":
            time.sleep(1.0)
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


def main(arguments: list[str]) -> None:
    """Serve pairs as the worker does."""
    diary = os.open(os.environ["CHAOS_DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if inject := os.environ.pop("CHAOS_STRACE_WORKER", ""):
        os.execvp("strace", [*inject.split("\n"), *sys.orig_argv])
    worker.main(
        arguments,
        start=lambda threads: ChaosBackend(diary, Path(os.environ["CHAOS_FAULTS"])),
        save_seconds=float(os.environ["CHAOS_SAVE_SECONDS"]),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
