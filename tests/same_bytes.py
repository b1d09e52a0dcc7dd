"""Do two versions of the program paint the same bytes?

    python -m tests.same_bytes OTHER_CHECKOUT [--keep FOLDER] [--only GLOB]

Paints the demo and one pair for each kind of evaluation (tiles, pyramid, each optimizer, each unit of the losses, two
blended styles, kept colours) with this checkout and with the other one, on this machine, and compares the files. A
picture holds its settings and losses in its metadata, so that equal files mean equal losses too. Ends with 1 where files
differ. With --keep, pictures of the other checkout that stand there already are not painted again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

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


def paint(checkout: Path, folder: Path, only: str) -> dict[str, str]:
    """The pictures' SHA-256 by name, painted by a checkout's program into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.yaml").write_text(manifest().replace("pairs:", "output: out\npairs:", 1))
    words = [sys.executable, "-P", "-m", "pipeline", "run", "m.yaml", "--only", only]
    done = subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(checkout)}, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout} ended with code {done.returncode}")
    pictures = sorted((folder / "out").glob("*.png"))
    return {picture.stem: hashlib.sha256(picture.read_bytes()).hexdigest() for picture in pictures}


def main() -> None:
    """Paint with both, compare, say what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--only", default="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept = arguments.keep or Path(scratch) / "other"
        theirs = paint(arguments.other.resolve(), kept, arguments.only)
        ours = paint(HERE, Path(scratch) / "this", arguments.only)
        if arguments.only != "*":
            theirs = {name: digest for name, digest in theirs.items() if name in ours}
    for name in sorted({*ours, *theirs}):
        print("same  " if ours.get(name) == theirs.get(name) else "OTHER ", name)
    sys.exit(ours != theirs)


if __name__ == "__main__":
    main()
