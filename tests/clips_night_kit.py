"""Clips for tests, made where they are needed: a window that moves over a picture of coarse noise; and nights over one."""

from __future__ import annotations

import importlib
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from conftest import REPOSITORY
from night_kit import rehearsed_here
from numpy.typing import NDArray
from patience import PATIENCE
from PIL import Image

from pipeline.batch.driver import run
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.manifest import Override, load_manifest
from pipeline.store.layout import frame_name, pair_id

WIDTH, HEIGHT = 64, 48
OUTPUT = "walk--wave.mkv"
STEPS = 3  # evaluations of a frame
MANIFEST = """\
version: 1
input: input
output: out
run: {run}
defaults: {{size: 64, steps: 3, weights: random, style_loss: gram{options}}}
pairs:
  - {{content: walk.mkv, style: style/wave.png, output: "{output}"}}
"""


def scene(seed: int) -> NDArray[np.uint8]:
    """A picture of soft blots, twice as large as a frame."""
    blots = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blots).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.BICUBIC))


def shots(*frames_of: int) -> list[NDArray[np.uint8]]:
    """Frames of shots of so many frames each, every shot over another scene; a frame moves by a pixel each way."""
    scenes = [scene(seed) for seed in range(1, len(frames_of) + 1)]
    return [
        np.ascontiguousarray(
            scenes[shot][step % HEIGHT : step % HEIGHT + HEIGHT, step % HEIGHT : step % HEIGHT + WIDTH]
        )
        for shot, count in enumerate(frames_of)
        for step in range(count)
    ]


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], rate: int = 10, last: float | None = None) -> None:
    """A lossless video (FFV1 in Matroska, whatever the name's ending): frames that are alike are read alike. The last one is
    shown so many seconds."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as output:
        stream: Any = output.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        packets = [packet for pixels in frames for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24"))]
        packets += stream.encode(None)
        if last is not None:
            packets[-1].duration = round(last / packets[-1].time_base)
        output.mux(packets)


class Night:
    """Runs over a manifest of one clip."""

    def __init__(self, project: Path) -> None:
        self.project, self.place = project, project / "rehearsal"
        (self.place / "faults").mkdir(parents=True)
        self.clip(6)
        self.manifest()

    @classmethod
    def at(cls, project: Path) -> Night:
        """One that was begun there."""
        night = cls.__new__(cls)
        night.project, night.place = project, project / "rehearsal"
        return night

    def clip(self, *frames_of: int) -> None:
        """The clip has shots of so many frames."""
        write_video(self.project / "input/walk.mkv", shots(*frames_of))

    def manifest(self, output: str = OUTPUT, run: str = "{}", options: str = "") -> None:
        options = f", {options}" if options else ""
        (self.project / "night.yaml").write_text(MANIFEST.format(output=output, run=run, options=options))

    def run(self, *settings: str, stop_after: float = math.inf) -> dict[str, Any]:
        """A run; the row of its clip. `settings` are like those of --set."""
        overrides = [Override(*setting.split("=", 1), origin="--set") for setting in settings]
        manifest = load_manifest(self.project / "night.yaml", overrides=overrides)
        engine = rehearsed_here(self.place, stop_after)
        report = run(manifest, Selection(), Quiet(), engine=lambda settings, log: engine)
        (pair,) = report["pairs"]
        return dict(pair)

    def killed(self, where: str, when: str) -> None:
        """A run in a process of its own that SIGKILL ends as the function `where`, module:name, is called: for the time of that
        number, or with that argument."""
        tests = Path(__file__).parent
        command = [sys.executable, __file__, str(self.project), where, when]
        paths = os.pathsep.join(map(str, (REPOSITORY, tests)))
        died = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.PIPE, timeout=PATIENCE)
        assert died.returncode == -signal.SIGKILL, died.stderr.decode()

    def lay_fault(self, frame: int, what: str, step: int = 2) -> Path:
        """Mischief at a step of a frame, from 0."""
        number = len(list((self.place / "faults").iterdir()))
        path = self.place / "faults" / f"{pair_id(OUTPUT)}.{number}"
        path.write_text(f"{frame * STEPS + step} {what}")
        return path

    def painted(self) -> list[int]:
        """Which frames were painted since this was asked last, from 0, in order."""
        diary = self.place / "diary"
        lines = diary.read_text().splitlines() if diary.exists() else []
        diary.unlink(missing_ok=True)
        return [int(line.split()[1]) - 1 for line in lines if not line.startswith("fault:")]

    @property
    def result(self) -> Path:
        return self.project / "out" / OUTPUT

    def frame(self, number: int) -> Path:
        return self.project / "out" / frame_name(OUTPUT, number)

    def undisturbed(self) -> bytes:
        """What a run that nobody disturbs makes of the clip; its output folder is gone again."""
        self.run()
        self.painted()
        whole = self.result.read_bytes()
        (self.project / "out").rename(self.project / "undisturbed")
        return whole


def _die_at(where: str, when: str) -> None:
    """Have this process killed at a call of a function."""
    module, _, path = where.partition(":")
    home: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        home = getattr(home, each)
    function, calls = getattr(home, name), count(1)

    def counted(*arguments: Any, **named: Any) -> Any:
        if when in (str(next(calls)), *(each for each in arguments if isinstance(each, str))):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    setattr(home, name, counted)


if __name__ == "__main__":
    project, where, when = sys.argv[1:]
    _die_at(where, when)
    Night.at(Path(project)).run()
