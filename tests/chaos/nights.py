"""Longer than a trial: the soak, a dozen kills of the real engine, and a rehearsal of two nights in which all goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.chaos.project import Project, environment, make_project
from tests.chaos.trial import Trial, check
from tests.patience import PATIENCE

# ------------------------------------------------------------------------------------------------------------------- soak

SOAK_PAIRS = 500
SOAK_KILLS = 20
_EVERY = 10  # pairs; each tenth misbehaves once
_SOAK_DEEDS = ("nan", "exit", "SIGKILL", "SIGSEGV", "SIGABRT", "memory", "hang")


def soak(trial: Trial) -> None:
    """500 pairs, each tenth of which goes wrong once, under a driver that is killed twenty times: in the end every picture is
    there, and little was painted twice."""
    for output in trial.project.outputs[::_EVERY]:
        deed = trial.chance.choice(_SOAK_DEEDS)
        trial.lay_fault(output, trial.chance.randint(1, trial.project.steps), deed)
        trial.blows[deed] += 1
    limits = "{retries: 2, jobs: 2, pair_timeout: 2s, max_memory: 300MiB}"
    share = SOAK_PAIRS * trial.project.steps // (SOAK_KILLS + 2)
    for _ in range(SOAK_KILLS):
        run = trial.start(run=limits)
        if run.await_steps(trial.chance.randint(share // 2, share)) and run.kill():
            trial.kills += 1
            trial.blows["driver killed"] += 1
        run.wait()
        trial.look()
    code = trial.start(run=limits).wait()
    check(code == 0, f"the last run of the soak ended with {code}: {trial.words()}")
    trial.finish()
    trial.check_work(2 * trial.kills + SOAK_PAIRS // _EVERY)  # two pairs are in hand when a driver dies


# -------------------------------------------------------------------------------------------------------- the real engine

REAL_KILLS = 12
_PATIENT = "--retry-failed"  # a pair whose workers are killed in three runs would be quarantined, and rightly


def kill_real(trial: Trial) -> None:
    """Drivers and workers that paint with TensorFlow, killed at random moments."""
    while trial.kills < REAL_KILLS:
        run = trial.start(_PATIENT, run="{retries: 0}")
        time.sleep(trial.chance.uniform(0.2, 0.9 * trial.project.seconds))
        workers = run.family()
        whom = "driver" if trial.chance.random() < 0.5 or not workers else "worker"
        struck = run.kill() if whom == "driver" else _kill(workers[0])
        if struck:
            trial.kills += 1
            trial.blows[f"{whom} killed"] += 1
        code = run.wait()
        check(code in (0, 3, -signal.SIGKILL), f"a killed {whom} made the run end with {code}: {trial.words()}")
        run.check_gone()
        trial.look()
        if not trial.missing() or trial.chance.random() < 0.2:
            trial.finish(_PATIENT)
            for output in trial.chance.sample(trial.project.outputs, 3):
                (trial.out / output).unlink()
                trial.removed.add(output)
    trial.finish(_PATIENT)


def _kill(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


# -------------------------------------------------------------------------------------------------------------- rehearsal

GOLDEN = Path(__file__).with_name("rehearsal.json")
_PAIRS = {
    "good": "",
    "missing": "",
    "cut": "",
    "diverges": ", options: {style_weight: 1e40}",
    "slow": ", options: {steps: 1000000}",
    "killed": ", options: {steps: 1000000}",
}
# Not the same on two machines or in two nights, or the business of other tests.
_MASKED = frozenset(
    {"id", "versions", "flags", "device", "threads", "host", "command", "key", "options", "peak_memory_bytes", "trace"}
)
_MASKED_TIMES = frozenset({"started", "finished", "failing_since", "since"})


def rehearse(trial: Trial) -> None:
    """Two nights over six pairs, painted by TensorFlow at 64 pixels: one is good, the others fail, each in its own way. The
    report of both nights is the one in rehearsal.json, but for times and machine. (Without that file it is written.)"""
    inputs = trial.folder / "input"
    _draw(inputs)
    pairs = "".join(
        f"  - {{content: {name}.png, style: style.png, output: {name}.png{options}}}\n"
        for name, options in _PAIRS.items()
    )
    (trial.folder / "night.yaml").write_text(
        f"version: 1\nname: rehearsal\ninput: input\noutput: out\nrun: {{retries: 0, threads: 1, pair_timeout: 40s}}\n"
        f"defaults: {{size: 64, steps: 5, weights: random, precision: float32, style_loss: gram}}\npairs:\n{pairs}"
    )
    nights = []
    for _ in range(2):
        code = _night_with_a_kill(trial)
        check(code == 3, f"a night in which five of six pairs fail ended with {code}")
        nights.append(masked(json.loads((trial.out / "report.json").read_bytes()), str(trial.folder)))
    if not GOLDEN.exists():
        GOLDEN.write_text(json.dumps(nights, indent=1, sort_keys=True) + "\n")
    expected = json.loads(GOLDEN.read_text())
    for number, (night, golden) in enumerate(zip(nights, expected, strict=True), start=1):
        differences = list(_differences(golden, night, f"night {number}"))
        check(not differences, "the report is not the rehearsed one: " + "; ".join(differences))


def _night_with_a_kill(trial: Trial) -> int:
    """Run once; the worker is killed while it paints `killed`."""
    run = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "night.yaml", "--log-format", "json"],
        cwd=trial.folder,
        env=environment(trial.folder) | {"CHAOS_RUN": "rehearsal"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    try:
        for line in run.stderr:
            event = json.loads(line)
            if event["event"] == "started" and event["pair"] == "killed.png":
                trial.kills += _kill(_worker_of(run.pid))
        return run.wait()
    finally:
        run.kill()
        run.wait()


def _worker_of(driver: int) -> int:
    """The child that paints, which may only just begin; another one opens pictures."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for child in Path(f"/proc/{driver}/task/{driver}/children").read_text().split():
            with suppress(OSError):
                if b"engines.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        time.sleep(0.01)
    raise AssertionError("there is no worker")


def masked(value: Any, folder: str, name: str = "") -> Any:
    """A report without what differs from night to night: numbers with a fraction, times, the machine, this folder's path."""
    if name in _MASKED | _MASKED_TIMES:
        return "*"
    if isinstance(value, float):
        return "*"
    if isinstance(value, str):
        return value.replace(folder, "FOLDER")
    if isinstance(value, dict):
        return {key: masked(inner, folder, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, folder) for inner in value]
    return value


def _differences(expected: Any, got: Any, place: str) -> list[str]:
    both = isinstance(expected, dict) and isinstance(got, dict)
    if both and expected.keys() <= got.keys():  # later versions say more
        return [line for key in expected for line in _differences(expected[key], got[key], f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got, strict=True))
        return [line for i, (old, new) in pairs for line in _differences(old, new, f"{place}[{i}]")]
    return [] if expected == got else [f"{place}: expected {expected!r}, got {got!r}"]


def _draw(inputs: Path) -> None:
    inputs.mkdir()
    source = np.random.default_rng(3)
    for name in ("good", "cut", "diverges", "slow", "killed", "style"):
        small = Image.fromarray(source.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((64, 48), Image.Resampling.BICUBIC).save(inputs / f"{name}.png")
    whole = (inputs / "cut.png").read_bytes()
    (inputs / "cut.png").write_bytes(whole[: len(whole) // 2])


@dataclass(frozen=True)
class Night:
    """A longer piece: what is painted in it, and how it goes."""

    project: Callable[[Path], Project]
    strike: Callable[[Trial], None]


NIGHTS = {
    "soak": Night(lambda folder: make_project(folder, pairs=SOAK_PAIRS, steps=6), soak),
    "real": Night(lambda folder: make_project(folder, pairs=4, steps=20, fast=False), kill_real),
    "rehearsal": Night(lambda folder: make_project(folder, pairs=1), rehearse),
}
