"""Real pictures with the real network: the report's numbers are the picture's, and the same bytes come twice."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from conftest import Command, call_command

pytestmark = pytest.mark.slow

pytest.importorskip("tensorflow")

from recompute import recompute  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent


# A history of four pairs is traced in a quarter of the time of twenty, and once for both.
CAT = (
    "{size: 64, steps: 60, precision: float32, weights: imagenet-8bit, style_loss: gram, history: 4,"
    " match_color: none, empty_areas: alike}"
)
NOISE = "{size: 48, steps: 4, seed: 3, init: noise, weights: imagenet-8bit, style_loss: gram, history: 4}"


def run(folder: Path, command: Command, **pairs: str) -> dict:
    """Paint the cat into FOLDER, once by the options of each of `pairs`, which are called as their outputs; the report."""
    rows = "".join(
        f"\n  - {{content: content/cat.jpg, style: style/starry-flow.jpg, output: {name}.png, options: {options}}}"
        for name, options in pairs.items()
    )
    manifest = folder.with_suffix(".yaml")
    manifest.write_text(f"version: 1\ninput: {REPOSITORY / 'input'}\noutput: {folder}\npairs:{rows}\n")
    done = command("run", str(manifest), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def painted(tmp_path_factory, warm_commands) -> tuple[Path, dict]:
    """An output folder and its report."""
    folder = tmp_path_factory.mktemp("real") / "out"
    return folder, run(folder, functools.partial(call_command, "pipeline", warm_commands), cat=CAT, noise=NOISE)


def test_losses_recomputed_from_the_saved_picture_equal_the_reports(painted):
    folder, report = painted
    recomputed = recompute(folder / "report.json", "cat.png", REPOSITORY / "input")
    (cat,) = (pair for pair in report["pairs"] if pair["output"] == "cat.png")
    last = cat["losses"]["last"]
    assert last["content"] == pytest.approx(recomputed["content"], rel=0.01)
    assert last["style"] == pytest.approx(recomputed["style"], rel=0.01)
    # and the descent went somewhere: the style distance of the photograph itself is far larger
    assert last["style"] < 0.05 * cat["losses"]["first"]["style"]
    assert len(cat["trace"]) == cat["steps"] == 60


def test_the_same_manifest_gives_the_same_bytes(painted, tmp_path, stylize):
    """Alone, and in a process that painted another pair as well."""
    run(tmp_path / "again", stylize, noise=NOISE)
    assert (tmp_path / "again/noise.png").read_bytes() == (painted[0] / "noise.png").read_bytes()
