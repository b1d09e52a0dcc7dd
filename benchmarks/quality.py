"""How good pictures are, in numbers that need no network: the pictures of `make gallery`, by each distance of the style.

The pictures of configs/gallery.yaml, which are painted first where they are not there yet, beside their photograph and style.
"style": how far the statistics of 7 x 7 patches at three scales are from the style's, as a share of the photograph's own
distance (sliced Wasserstein distance, Karras et al. 2018); "edges": agreement of the directions of edges with the photograph's;
"empty": how much stands in the photograph's empty areas, against the whole picture; "hue": colour that follows the
photograph's, in CIELAB units; "speckle" and "clipped": share of pixels above the style's own; "rim": the outermost pixels
against those inside. Where figures and eyes disagree, eyes win: under a coloured style "hue" is 5 to 20 with no rest of the
photograph's to be seen, as a blue sky becomes the style's blue, so that its target is for a grey style alone.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.figures import Figure, Section, significant, table
from benchmarks.machine import REPOSITORY
from pipeline.images.quality import Pixels, Quality, quality
from pipeline.manifest import load_manifest

MANIFEST = REPOSITORY / "configs/gallery.yaml"
DEFAULT = "neighbours"  # options.DEFAULT_PRESET's distance
GREY = "pen"  # the kind whose style has no colours
_QUICK = ("--set", "size=64", "--set", "steps=2", "--set", "weights=random")


def measure(quick: bool) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        manifest = _elsewhere(Path(folder)) if quick else MANIFEST
        subprocess.run(
            [sys.executable, "-m", "pipeline", "run", str(manifest), "-q", *(_QUICK if quick else ())],
            cwd=REPOSITORY,
            check=True,
        )
        found = list(_measured(manifest))
    names = [field.name for field in fields(Quality)]
    rows = [(f"{pair}: {distance}", *map(significant, astuple(each))) for pair, distance, each in found]
    ours = [each for _, distance, each in found if distance == DEFAULT]
    grey = [each.hue for pair, distance, each in found if distance == DEFAULT and pair == GREY]
    grams = [each for _, distance, each in found if distance == "gram"]
    figures = [
        Figure(
            "default, speckle above the style's, worst pair", 100 * max(q.speckle for q in ours), "at most", 0.1, " %"
        ),
        Figure("default, colour that follows the photograph's, grey style", max(grey), "at most", 3.0),
        Figure(
            "default, clipped above the style's, worst pair", 100 * max(q.clipped for q in ours), "at most", 2.0, " %"
        ),
        Figure("default, rim, worst pair", max(q.rim for q in ours), "at most", 1.2),
        Figure("default, edges of the photograph, median", statistics.median(q.edges for q in ours), "at least", 0.5),
        Figure(
            "default / Gram, distance of patches to the style, median",
            statistics.median(q.style / gram.style for q, gram in zip(ours, grams, strict=True)),
            "at most",
            1.0,
        ),
    ]
    text = f"{__doc__}\n{table(['picture', *names], rows)}\n"
    return Section(name="quality", title="How good the pictures are, in numbers", text=text, figures=figures)


def _elsewhere(folder: Path) -> Path:
    """The same manifest with another folder for what it paints."""
    text = MANIFEST.read_text(encoding="utf-8")
    text = text.replace("../output/gallery", str(folder / "out")).replace("../input", str(REPOSITORY / "input"))
    (folder / "gallery.yaml").write_text(text, encoding="utf-8")
    return folder / "gallery.yaml"


def _measured(manifest: Path) -> Iterator[tuple[str, str, Quality]]:
    """Each pair's kind of style, its distance, and its figures."""
    loaded = load_manifest(str(manifest))
    for job in loaded.pairs:
        with Image.open(loaded.output / job.output) as picture:
            painted = at_longer_side(picture, max(picture.size))
        with Image.open(job.content) as picture:
            photograph: Pixels = at_longer_side(picture.resize(painted.shape[1::-1]), max(painted.shape))
        with Image.open(job.styles[0].image) as picture:
            style = at_longer_side(picture, max(painted.shape))
        yield Path(job.output).parent.name, Path(job.output).stem, quality(painted, photograph, style)


def at_longer_side(picture: Image.Image, pixels: int) -> Pixels:
    """A picture of any mode as the figures take it."""
    factor = pixels / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
