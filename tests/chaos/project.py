"""What is painted while runs are broken: a small manifest, and the pictures of a run that nobody disturbed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.store.layout import pair_id

REPOSITORY = Path(__file__).resolve().parents[2]
SIDE = 64  # pixels of a picture's longer side
_LONG_AGO = 1_700_000_000  # so that the hash table trusts the inputs' times

# Every kind of ending an output can have, and a folder to make on the way.
_NAMES = ("{0}--{1}.png", "jpg/{0}--{1}.jpg", "{0}--{1}.webp", "deep/er/{0}--{1}.tif")


@dataclass(frozen=True)
class Project:
    """A folder with input pictures, and what every undisturbed run makes of them.

    `golden` are the bytes of the pictures by output name, `seconds` is how long that run took; `fast` says which engine
    paints: tests/chaos/engine or the real one.
    """

    folder: Path
    outputs: tuple[str, ...]
    steps: int
    fast: bool
    golden: dict[str, bytes]
    seconds: float = 0.0

    @property
    def finished(self) -> Path:
        """The output folder of the undisturbed run."""
        return self.folder / "golden" / "out"

    def manifest(self, run: str) -> str:
        """The manifest's text; `run` is its section of that name and changes no byte: a picture names its
        tiles, which a limit on memory would choose if they were not off."""
        pairs = (
            f"  - {{content: content/{content}.png, style: style/{style}.png, output: {output}}}\n"
            for (content, style), output in zip(_couples(len(self.outputs)), self.outputs, strict=True)
        )
        return (
            f"version: 1\ninput: {self.folder / 'input'}\noutput: out\nrun: {run}\n"
            f"defaults: {{size: {SIDE}, steps: {self.steps}, weights: random, tile: off}}\npairs:\n{''.join(pairs)}"
        )

    def command(self) -> list[str]:
        """The program, painting with this project's engine."""
        return [sys.executable, "-m", "tests.chaos.start" if self.fast else "pipeline"]

    def all_files(self) -> set[str]:
        """What may lie below the output folder when a run has ended well, names relative to it; logs are not listed."""
        state = {".pipeline/lock", ".pipeline/records/hashes.json", ".pipeline/history/runs.jsonl"}
        for output in self.outputs:
            state |= {
                f".pipeline/records/{pair_id(output)}{end}"
                for end in (".json", ".content.webp", ".style.webp", ".result.webp")
            }
        return state | set(self.outputs) | {"report.json", "report.html", "report.txt"}


def make_project(folder: Path, *, pairs: int = 12, steps: int = 12, fast: bool = True) -> Project:
    """Draw the inputs, and paint all pairs once without a disturbance."""
    couples = _couples(pairs)
    source = np.random.default_rng(5)
    for kind, names in (("content", {content for content, _ in couples}), ("style", {style for _, style in couples})):
        (folder / "input" / kind).mkdir(parents=True)
        for name in sorted(names):
            small = Image.fromarray(source.integers(0, 256, (5, 6, 3), dtype=np.uint8))
            path = folder / "input" / kind / f"{name}.png"
            small.resize((SIDE, SIDE * 3 // 4), Image.Resampling.BICUBIC).save(path)
            os.utime(path, (_LONG_AGO, _LONG_AGO))
    outputs = tuple(_NAMES[i % len(_NAMES)].format(*couple) for i, couple in enumerate(couples))
    project = Project(folder, outputs, steps, fast, {})
    began = time.monotonic()
    place = folder / "golden"
    place.mkdir()
    (place / "night.yaml").write_text(project.manifest("{}"))
    (place / "faults").mkdir()
    command = [*project.command(), "run", "night.yaml", "-q"]
    subprocess.run(command, cwd=place, env=environment(place), check=True, stdin=subprocess.DEVNULL)
    for output in outputs:
        with Image.open(project.finished / output) as picture:
            picture.load()
        project.golden[output] = (project.finished / output).read_bytes()
    return replace(project, seconds=time.monotonic() - began)


def environment(place: Path, save_seconds: float = 60.0) -> dict[str, str]:
    """The environment of a run in `place`, nothing of the caller's STYLIZE_ variables in it. The fast engine saves checkpoints
    every `save_seconds`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STYLIZE_", "CHAOS_"))}
    return clean | {
        "PYTHONPATH": str(REPOSITORY),
        "CHAOS_DIARY": str(place / "diary"),
        "CHAOS_FAULTS": str(place / "faults"),
        "CHAOS_SAVE_SECONDS": str(save_seconds),
    }


def _couples(pairs: int) -> list[tuple[str, str]]:
    """Content and style of each pair: three styles, as many contents as it takes."""
    contents = (f"content{i}" for i in itertools.count())
    styles = [f"style{i}" for i in range(3)]
    return list(itertools.islice(((content, style) for content in contents for style in styles), pairs))
