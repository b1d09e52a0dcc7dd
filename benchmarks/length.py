"""Peak resident memory of a process that paints a clip, by the clip's length: frames decoded from H.264, walked through, kept
and written to an MP4.

64 x 48 pixels at 30 frames a second, each length in a fresh process. The frames are painted by the engine of tests/chaos, in
NumPy: what a network needs is that of a frame, and would hide what a clip's length needs. Other programs do not disturb it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, Section, table
from benchmarks.pictures import generated
from pipeline.clips.facts import as_json
from pipeline.images.reader import Reader

REPOSITORY = Path(__file__).resolve().parent.parent
RATE, WIDTH, HEIGHT = 30, 64, 48
SECONDS = (10, 600)
TARGET = 1.05  # of the longest over the shortest: what a process differs by from run to run
MANIFEST = """\
version: 1
input: {folder}
output: {folder}/out
defaults: {{size: 64, steps: 1, weights: random, style_loss: gram}}
pairs: [{{content: walk.mp4, style: style.png, output: walk.mp4}}]
"""


def measure(quick: bool) -> Section:
    peaks, rows = [], []
    for seconds in (1, 10) if quick else SECONDS:
        with tempfile.TemporaryDirectory() as folder:
            frames = _clip(Path(folder), seconds)
            known = json.dumps(
                as_json(Reader().clip(Path(folder) / "walk.mp4"))
            )  # by the process that looks, as in a run
            command = [sys.executable, "-m", "benchmarks.length", folder, known]
            environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
            done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
        peak, taken = map(float, done.stdout.split())
        peaks.append(peak)
        rows.append((f"{seconds} s, {frames:,} frames", f"{peak:.1f} MB", f"{1000 * taken / frames:.1f} ms"))
    text = f"{__doc__}\n{table(['clip', 'peak memory', 'processor time a frame'], rows)}\n"
    longest = f"memory, clip of {SECONDS[-1]} s / of {SECONDS[0]} s"
    figures = [] if quick else [Figure(longest, peaks[-1] / peaks[0], "at most", TARGET)]
    return Section(name="length", title="Clips by their length", text=text, figures=figures)


def _clip(folder: Path, seconds: int) -> int:
    """A window that moves over a picture, with its manifest; how many frames it has."""
    import av
    from PIL import Image

    scene = generated(128, 1)
    Image.fromarray(generated(WIDTH, 2)).save(folder / "style.png")
    (folder / "night.yaml").write_text(MANIFEST.format(folder=folder))
    with av.open(str(folder / "walk.mp4"), "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "60", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(seconds * RATE):
            at = number % HEIGHT
            window = np.ascontiguousarray(scene[at : at + HEIGHT, at : at + WIDTH])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(window, "rgb24").reformat(format="yuv420p")))
        output.mux(stream.encode(None))
    return seconds * RATE


class _Latest(dict[int, Any]):
    """What the engine of tests remembers of frames, as long as a frame is painted from it."""

    def __setitem__(self, number: int, value: Any) -> None:
        super().__setitem__(number, value)
        self.pop(number - 9, None)


def paint(folder: Path, facts: dict[str, Any]) -> float:
    """Paint the clip, of which the `facts` are known, in this process; the processor's seconds."""
    from pipeline.batch.messages import Command, Done
    from pipeline.batch.painter import Painter
    from pipeline.job import ShownNames
    from pipeline.manifest import load_manifest
    from pipeline.nst.weights import NetworkWeights
    from tests.chaos import engine

    class Painting(engine.ChaosBackend):  # type: ignore[misc]
        def is_cut(self, here: Any, there: Any) -> bool:
            return False

        def sequence(self, *arguments: Any, **named: Any) -> Any:
            painter = super().sequence(*arguments, **named)
            painter._memory = _Latest()
            return painter

    engine.STEP_SECONDS = 0.0
    (job,) = load_manifest(folder / "night.yaml").pairs
    command = Command(
        job=job,
        weights=NetworkWeights("random", None, "0" * 64),
        folder=folder / "out",
        names=ShownNames(content="walk.mp4", style=("style.png",), options={}),
        facts=facts,
    )
    painter = Painter(Painting(os.open(os.devnull, os.O_WRONLY), folder))
    began = time.process_time()
    for message in painter.paint(command):
        last = message
    assert isinstance(last, Done), last
    return time.process_time() - began


if __name__ == "__main__":
    taken = paint(Path(sys.argv[1]), json.loads(sys.argv[2]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, taken)  # kibibytes (getrusage(2))
