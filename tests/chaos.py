"""Kill runs at random moments and look at what they leave.

    python tests/chaos.py [--rounds 20] [--seed 1]

Each round starts a run over twelve small pairs (random weights) and kills its driver or its worker with SIGKILL after a
random time. After every blow: each picture that has its final name is whole and equals, byte for byte, that of an undisturbed
run, and no process is left. At the end a plain run finishes the rest, and the folder equals the undisturbed one. Exit code 1
otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

PAIRS = 12
GONE_SECONDS = 2.0  # promised: a killed driver's worker is gone within this time


def make_project(folder: Path) -> Path:
    """Four contents, three styles; every combination."""
    source = np.random.default_rng(5)
    for kind, count in (("content", 4), ("style", 3)):
        (folder / "input" / kind).mkdir(parents=True)
        for i in range(count):
            small = Image.fromarray(source.integers(0, 256, (5, 6, 3), dtype=np.uint8))
            small.resize((48, 40), Image.Resampling.BICUBIC).save(folder / "input" / kind / f"{kind}{i}.png")
    manifest = folder / "night.yaml"
    manifest.write_text(
        "version: 1\ninput: input\noutput: out\nrun: {retries: 0}\n"
        "defaults: {size: 48, steps: 12, weights: random}\n"
        'pairs: [{matrix: {content: ["content/*.png"], style: ["style/*.png"]}}]\n'
    )
    return manifest


def start(manifest: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pipeline", "run", str(manifest), "-q"], stderr=subprocess.DEVNULL)


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").glob("*.png"))}


def workers(driver: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(driver).children()
    return []


def check(folder: Path, golden: dict[str, bytes], family: list[psutil.Process]) -> None:
    until = time.monotonic() + GONE_SECONDS
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family):
        assert time.monotonic() < until, "a process outlived its driver"
        time.sleep(0.02)
    for name, data in pictures(folder).items():
        assert data == golden[name], f"{name} is not the picture it should be"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)

    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    manifest = make_project(folder)
    began = time.monotonic()
    assert start(manifest).wait() == 0
    whole_run = time.monotonic() - began
    golden = pictures(folder)
    assert len(golden) == PAIRS
    print(f"undisturbed run: {whole_run:.1f} s, {len(golden)} pictures")

    kills = {"driver": 0, "worker": 0}
    for number in range(1, arguments.rounds + 1):
        shutil.rmtree(folder / "out") if chance.random() < 0.5 and (folder / "out").exists() else None
        run = start(manifest)
        time.sleep(chance.uniform(0.3, whole_run))
        family = workers(run.pid)
        whom = "driver" if chance.random() < 0.5 or not family else "worker"
        with suppress(ProcessLookupError):
            os.kill(run.pid if whom == "driver" else family[0].pid, signal.SIGKILL)
        kills[whom] += 1
        if whom == "worker":
            code = run.wait()
            assert code in (0, 3), f"a killed worker made the run end with {code}"
        run.wait()
        check(folder, golden, family)
        print(f"round {number}: {whom} killed, {len(pictures(folder))} pictures, all right", flush=True)

    assert start(manifest).wait() == 0
    assert pictures(folder) == golden
    strays = [path.name for path in folder.rglob("*.part")]
    assert not strays, strays
    print(
        f"{sum(kills.values())} kills ({kills['driver']} of drivers, {kills['worker']} of workers), 0 half-written files"
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
