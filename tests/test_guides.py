"""The newcomer's guides in docs/architecture.md: each is done here as it is written there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.images import decode, encode
from pipeline.images.inspection import inspect_image
from pipeline.images.picture import open_picture
from pipeline.manifest import builtin_presets
from pipeline.manifest.options import presets
from pipeline.options import Options

REPOSITORY = Path(__file__).resolve().parent.parent
GUIDES = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def code_of(guide: str, language: str) -> str:
    """The code block of a guide, `**A term.**` and so on."""
    found = re.search(rf"\*\*{guide}\.\*\*.*?```{language}\n(.*?)```", GUIDES, re.DOTALL)
    assert found, guide
    return found[1]


def test_a_preset_is_added_by_its_lines_of_yaml(tmp_path, monkeypatch):
    text = presets._BUILT_IN_FILE.read_text(encoding="utf-8")
    (tmp_path / "presets.yaml").write_text(text.rstrip() + "\n\n" + code_of("A preset", "yaml"))
    monkeypatch.setattr(presets, "_BUILT_IN_FILE", tmp_path / "presets.yaml")
    builtin_presets.cache_clear()
    try:
        assert builtin_presets()["postcard"].options == {"size": 400, "style_weight": 0.05}
    finally:
        monkeypatch.undo()
        builtin_presets.cache_clear()


def test_an_image_format_is_added_by_its_names(tmp_path, monkeypatch):
    """PPM, which is neither read nor written today."""
    path = tmp_path / "a.ppm"
    Image.new("RGB", (48, 40), (10, 20, 30)).save(path)
    with pytest.raises(Exception, match="ppm"):
        inspect_image(path)
    monkeypatch.setitem(decode.FORMATS, "PPM", "PpmImagePlugin")
    assert inspect_image(path).format == "PPM"
    assert open_picture(path).pixels[0, 0].tolist() == [10, 20, 30]
    monkeypatch.setitem(encode.FORMAT_OF_SUFFIX, ".ppm", "PPM")
    assert encode.format_for(".ppm", 10_000) == "PPM"


@pytest.mark.slow
def test_a_term_is_added_by_its_ten_lines(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    from dataclasses import dataclass
    from typing import ClassVar

    from nst_kit import targets_by

    from pipeline.nst import terms
    from pipeline.nst.evaluator import WholeEvaluator
    from pipeline.nst.extractor import Extractor
    from pipeline.nst.kernels import load_kernels
    from pipeline.nst.objective import objective_of, weights_of
    from pipeline.nst.terms.sums import positions
    from pipeline.nst.terms.term import ADD, PICTURE, Target, Weighted
    from pipeline.nst.weights import locate

    names = {"ADD": ADD, "PICTURE": PICTURE, "Target": Target, "ClassVar": ClassVar, "dataclass": dataclass}
    exec(code_of("A term", "python"), names | {"tf": tf, "positions": positions}, names)
    term = names["MeanColour"]()
    term.target.__globals__.update(names, tf=tf, positions=positions)
    monkeypatch.setattr(terms, "TERMS", (*terms.TERMS, lambda options: Weighted(term, 2.0, {})))
    grey, red = tf.fill((40, 48, 3), 100.0), tf.constant([200.0, 100.0, 100.0]) * tf.ones((40, 48, 3))
    evaluator = WholeEvaluator(objective_of(Options()), Extractor(load_kernels(locate("random"))))
    targets = targets_by(evaluator, Options(), grey, red)
    loss = evaluator.losses(grey, targets, weights_of(Options()))["mean_colour"]
    assert float(loss) == pytest.approx(2 * 100**2)


@pytest.mark.slow
def test_an_engine_is_added_by_its_lines(project):
    """In a process of its own, as threads are set once per process."""
    pytest.importorskip("tensorflow")
    pair = "{content: content/dog.png, style: style/wave.png, output: dog.png}"
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\n"
        f"defaults: {{size: 48, steps: 2, weights: random, style_loss: gram, history: 1,"
        " content_layers: [conv2_1], style_layers: [conv1_1, conv2_1]}\n"
        f"run: {{threads: 2}}\npairs: [{pair}]\n"
    )
    program = (
        """
from pathlib import Path
from pipeline.batch.backend import TensorFlowBackend
from pipeline.batch.driver import run
from pipeline.batch.engines.protocol import Event
from pipeline.batch.messages import Started
from pipeline.batch.painter import Painter
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.manifest import load_manifest
"""
        + code_of("An engine", "python")
        + """
report = run(load_manifest(Path("m.yaml")), Selection(), Quiet(), engine=InThisProcess)
print([pair["status"] for pair in report["pairs"]])
"""
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['done']\n", done.stderr
    assert Image.open(project / "out" / "dog.png").size == (48, 40)


def test_the_manifest_of_the_print_page_is_one(tmp_path):
    from pipeline.manifest import load_manifest

    page = (REPOSITORY / "docs" / "print.md").read_text(encoding="utf-8")
    for name in ("photos/harbour.jpg", "photos/house.jpg", "art/wave.jpg"):
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    (tmp_path / "m.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    jobs = load_manifest(tmp_path / "m.yaml").pairs
    assert [(job.options.size, job.options.sharpen_to, job.options.dpi) for job in jobs] == [
        (1024, 5906, 300),  # 50 / 2.54 * 300 = 5905.5
        (1024, "original", 300),
    ]


def test_the_manifest_of_the_masks_page_is_one(tmp_path):
    """Every name in it is found, and every pair has the masks that the page says."""
    from pipeline.manifest import load_manifest

    page = (REPOSITORY / "docs" / "masks.md").read_text(encoding="utf-8")
    text = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
    for name in ("photos/house.jpg", "photos/tower.jpg"):
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    (tmp_path / "m.yaml").write_text(text)
    jobs = load_manifest(tmp_path / "m.yaml").pairs
    assert [[mask.name for mask in job.masks] for job in jobs] == [
        ["house-sky.png", "house-keep.png"],
        ["house-sky.png"],
        ["tower-sky.png"],
        ["house.png", "stained-glass.png"],
    ]
