"""A clip that is killed goes on with the next frame, and ends in the same bytes. Real engine, random weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from clips_night_kit import shots, write_video
from conftest import REPOSITORY
from patience import PATIENCE, until

from pipeline.clips.reading import clip_facts
from pipeline.store.layout import frame_name

pytest.importorskip("av")
pytest.importorskip("cv2")
pytestmark = pytest.mark.slow

OUTPUT = "walk--wave.mp4"
MANIFEST = """\
version: 1
input: input
output: OUT
run: {threads: 1}
defaults:
  {size: 48, steps: 4, steps_per_frame: 3, weights: random, precision: float32, style_loss: gram, history: 3,
    content_layers: [conv2_1], style_layers: [conv1_1, conv2_1], empty_areas: alike, match_color: none}
pairs:
  - {content: walk.mkv, style: style/wave.png}
"""


def _start(project: Path, out: str) -> subprocess.Popen[bytes]:
    (project / f"{out}.yaml").write_text(MANIFEST.replace("OUT", out))
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", f"{out}.yaml", "-q"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


def _worker_of(driver: int) -> psutil.Process:
    """The child that paints; another one opens pictures, and may be gone."""
    for child in psutil.Process(driver).children():
        with suppress(psutil.Error):
            if "pipeline.batch.engines.worker" in child.cmdline():
                return child
    raise AssertionError("nobody paints")


def test_a_clip_whose_driver_is_killed_ends_in_the_same_bytes(project: Path) -> None:
    write_video(project / "input/walk.mkv", shots(3, 1))
    assert _start(project, "whole").wait(PATIENCE) == 0
    run = _start(project, "killed")
    until((project / "killed" / frame_name(OUTPUT, 1)).exists)
    worker = _worker_of(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait(PATIENCE)
    psutil.wait_procs([worker], PATIENCE)
    assert not (project / "killed" / OUTPUT).exists()
    assert _start(project, "killed").wait(PATIENCE) == 0
    for number in range(4):
        one, other = (read_pixels(project / out / frame_name(OUTPUT, number)) for out in ("whole", "killed"))
        assert one == other, f"frame {number}"
    assert (project / "killed" / OUTPUT).read_bytes() == (project / "whole" / OUTPUT).read_bytes()
    assert clip_facts(project / "whole" / OUTPUT).frames == 4


def read_pixels(path: Path) -> bytes:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.tobytes()
