"""Do two versions of the program paint the same bytes?

    python -m tests.same_bytes OTHER_CHECKOUT [--keep FOLDER] [--only GLOB]

Paints the demo and one pair for each kind of evaluation (tiles, pyramid, each optimizer, each unit of the losses, two
blended styles, kept colours) with this checkout and with the other one, on this machine, and compares files, pixels, and the
losses that a picture says of itself. Ends with 1 where files differ. Each pair is painted in a run of its own: the last digit
of a measured loss may depend on which shapes the same process measured before.

--only names pairs by a glob, `losses-*`. With --keep, pictures of the other checkout that stand there already are not painted
again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from PIL import Image

Losses = Mapping[str, Mapping[str, float]]
"""By `first` and `last`, and by name."""

HERE = Path(__file__).resolve().parent.parent

_PAIR = "  - {{content: content/{content}.jpg, style: {style}, output: {name}.png, options: {{{options}}}}}\n"
_UNITS = {  # a style weight that paints in that unit
    "normalized": "3e-2",
    "paper": "1e2",
    "means": "1e-1",
    "sums": "1e-4",
    "roots": "1e-1",
    "per_pixel": "1e-4",
}
CASES = {
    "tiles": "size: 320, steps: 3, tile: 256, precision: float32",
    "tiles-bfloat16": "size: 320, steps: 3, tile: 256, precision: bfloat16, content_layers: [conv2_2, conv4_2]",
    "pyramid": "scales: 2, size: 256",
    "adam": "optimizer: adam",
    "gd": "optimizer: gd",
    "plain-lbfgs": "preconditioner: none, history: 5, clip: end, precision: float32",
    "blend": "precision: float32",
    "linear": "content_layers: [conv4_2_linear], style_layers: [conv1_1_linear, relu3_1, pool4]",
    "zero-border": "border: zero, pooling: avg",
    "absolute": "tv_kind: absolute, tv_unit: means, tv_weight: 1",
    "beta": "tv_kind: 2.5",
    "noise": "init: noise, seed: 5",
    "style-first": "init: style, scales: 2, size: 256",
    "histogram": "preserve_color: histogram",
    "luminance": "preserve_color: luminance, strength: 0.8",
    "squeezed": "style_aspect: content, style_scale: 0.7",
} | {f"losses-{unit}": f"losses: {unit}, style_weight: {weight}" for unit, weight in _UNITS.items()}


def manifest() -> str:
    """One pair per case, and the demo's four."""
    lines = [f"version: 1\ninput: {HERE / 'input'}\ndefaults: {{size: 192, steps: 8, seed: 7}}\npairs:\n"]
    for name, options in CASES.items():
        style = "style/starry-flow.jpg"
        if name == "blend":
            style = "[{image: style/starry-flow.jpg, weight: 2}, {image: style/ink-waves.jpg, weight: 1}]"
        lines.append(_PAIR.format(content="coffee", style=style, name=name, options=options))
    for content, style in (("cat", "stained-glass"), ("astronaut", "palette-knife")):
        size = 320 if content == "cat" else 288
        options = f"size: {size}, steps: 80"
        lines.append(_PAIR.format(content=content, style=f"style/{style}.jpg", name=f"demo-{content}", options=options))
    for style in ("starry-flow", "ink-waves"):
        options = "size: 320, steps: 80"
        lines.append(_PAIR.format(content="coffee", style=f"style/{style}.jpg", name=f"demo-{style}", options=options))
    return "".join(lines)


def names_in(text: str, only: str) -> list[str]:
    """The pairs of a manifest that a glob names."""
    return [name for name in re.findall(r"output: (\S+)\.png", text) if fnmatchcase(name, only)]


def paint(checkout: Path, folder: Path, name: str) -> Path:
    """The picture of one pair, painted by a checkout's program into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.yaml").write_text(manifest().replace("pairs:", "output: out\npairs:", 1))
    words = [sys.executable, "-P", "-m", "pipeline", "run", "m.yaml", "--only", f"{name}.png"]
    done = subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(checkout)}, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout} ended with code {done.returncode}")
    return folder / "out" / f"{name}.png"


class Comparison(NamedTuple):
    """What two pictures have in common. `losses` is the largest relative difference of a loss, at the start or at the end;
    None where they are equal."""

    files: bool
    pixels: bool
    losses: float | None

    def __str__(self) -> str:
        if self.files:
            return "same"
        pixels = "same pixels" if self.pixels else "OTHER PIXELS"
        return f"OTHER FILE  {pixels}, " + ("same losses" if self.losses is None else f"losses to {self.losses:.1e}")


def compare(ours: Path, theirs: Path) -> Comparison:
    """Two pictures by their bytes, pixels, and losses."""
    with Image.open(ours) as one, Image.open(theirs) as other:
        pixels = (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())
        said = [json.loads(image.text["stylize"])["losses"] for image in (one, other)]
    return Comparison(
        ours.read_bytes() == theirs.read_bytes(),
        pixels,
        None if said[0] == said[1] else largest_difference(*said),
    )


def largest_difference(ours: Losses, theirs: Losses) -> float:
    """Of losses by name, at the `first` and `last` evaluation; a name that only one of them has differs by all."""
    pairs = [
        (ours.get(when, {}).get(name), theirs.get(when, {}).get(name))
        for when in {*ours, *theirs}
        for name in {*ours.get(when, {}), *theirs.get(when, {})}
    ]
    return max(
        math.inf if None in pair else abs(pair[0] - pair[1]) / max(map(abs, pair))
        for pair in pairs
        if pair[0] != pair[1]
    )


def main() -> None:
    """Paint with both, compare, say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="the other checkout's pictures")
    parser.add_argument("--only", metavar="GLOB", default="*")
    arguments = parser.parse_args()
    names = names_in(manifest(), arguments.only)
    if not names:
        parser.error(f"no pair is called {arguments.only!r}; there are {', '.join(names_in(manifest(), '*'))}")
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        kept = arguments.keep or Path(scratch) / "other"
        for name in names:
            theirs = paint(arguments.other.resolve(), kept, name)
            found[name] = compare(paint(HERE, Path(scratch) / "this", name), theirs)
    for name, comparison in found.items():
        print(f"{name:18} {comparison}")
    sys.exit(not all(comparison.files for comparison in found.values()))


if __name__ == "__main__":
    main()
