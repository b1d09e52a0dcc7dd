"""What several test files share: a small project on disk, and the program run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent

# No timing is asserted: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with input/content and input/style: two photographs and a painting of 48 x 40 pixels, each different."""
    return fill_project(tmp_path)


def fill_project(tmp_path: Path) -> Path:
    """Write the pictures of `project`."""
    for name, colour in (("content/dog", (180, 120, 60)), ("content/sea", (30, 90, 160)), ("style/wave", (20, 40, 90))):
        path = tmp_path / "input" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (48, 40), colour)
        for x in range(0, 48, 6):
            image.paste(tuple(255 - part for part in colour), (x, x % 12, x + 3, 30))
        image.save(path)
    return tmp_path


@pytest.fixture
def stylize() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, in a process of its own: stylize("run", "m.yaml", cwd=...)."""

    def call(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STYLIZE_")}
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=cwd,
            env=clean | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"} | environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return call
