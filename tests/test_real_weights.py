"""Real pictures with the real network: the report's numbers are the picture's, and the same bytes come twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent


def run(folder: Path, stylize, name: str, options: str) -> dict:
    manifest = folder / f"{name}.yaml"
    manifest.write_text(
        f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: {name}\n"
        f"pairs: [{{content: content/cat.jpg, style: style/starry-flow.jpg, output: cat.png, options: {options}}}]\n"
    )
    done = stylize("run", str(manifest), cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / name / "report.json").read_text())


def test_losses_recomputed_from_the_saved_picture_equal_the_reports(tmp_path, stylize):
    report = run(
        tmp_path, stylize, "out", "{size: 64, steps: 60, precision: float32, weights: imagenet-8bit, style_loss: gram}"
    )
    script = [sys.executable, str(REPOSITORY / "tests/recompute.py"), str(tmp_path / "out/report.json"), "cat.png"]
    done = subprocess.run(
        [*script, str(REPOSITORY / "input")], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    recomputed = json.loads(done.stdout.splitlines()[-1])
    last = report["pairs"][0]["losses"]["last"]
    assert last["content"] == pytest.approx(recomputed["content"], rel=0.01)
    assert last["style"] == pytest.approx(recomputed["style"], rel=0.01)
    # and the descent went somewhere: the style distance of the photograph itself is far larger
    assert last["style"] < 0.05 * report["pairs"][0]["losses"]["first"]["style"]
    assert len(report["pairs"][0]["trace"]) == report["pairs"][0]["steps"] == 60


def test_the_same_manifest_gives_the_same_bytes(tmp_path, stylize):
    options = "{size: 48, steps: 4, seed: 3, init: noise, weights: imagenet-8bit, style_loss: gram}"
    for name in ("first", "second"):
        run(tmp_path, stylize, name, options)
    assert (tmp_path / "first/cat.png").read_bytes() == (tmp_path / "second/cat.png").read_bytes()
