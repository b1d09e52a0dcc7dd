"""`make gallery` paints configs/gallery.yaml and lays out one strip for each of its folders, in
docs/gallery, and the README's first picture, docs/demo.jpg.

A strip is the photograph, the style, and what each distance makes of them, all of one height. The
first picture is what the default makes of some of them, above photograph and style.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from pipeline.images.sheet import GAP, beside, of_height
from pipeline.manifest import load_manifest

_ROOT = Path(__file__).resolve().parent.parent
_MANIFEST = _ROOT / "configs/gallery.yaml"
_HEIGHT = 176  # pixels; a strip of six is as wide as a page
_FIRST, _FIRST_HEIGHT = ("pen", "print", "brush"), 250  # of the README's picture
_QUALITY = 88  # of JPEG: strips of about 100 kB


def main() -> int:
    """Paint what is not painted yet, and lay out the strips."""
    painted = subprocess.run([sys.executable, "-m", "pipeline", "run", str(_MANIFEST)], check=False, cwd=_ROOT)
    if painted.returncode:
        return painted.returncode
    manifest = load_manifest(str(_MANIFEST))
    rows: dict[str, list[Path]] = {}
    for job in manifest.pairs:
        row = rows.setdefault(Path(job.output).parent.name, [job.content, job.styles[0].image])
        row.append(manifest.output / job.output)
    (_ROOT / "docs/gallery").mkdir(exist_ok=True)
    for name, pictures in rows.items():
        strip = beside([of_height(Image.open(path).convert("RGB"), _HEIGHT) for path in pictures])
        strip.save(_ROOT / f"docs/gallery/{name}.jpg", quality=_QUALITY, optimize=True)
    first = [[Image.open(path).convert("RGB") for path in rows[name][:3]] for name in _FIRST]
    beside([_above(*pictures) for pictures in first]).save(_ROOT / "docs/demo.jpg", quality=_QUALITY, optimize=True)
    return 0


def _above(photograph: Image.Image, style: Image.Image, result: Image.Image) -> Image.Image:
    """The result above its photograph and its style, which are together as wide."""
    result = of_height(result, _FIRST_HEIGHT)
    below = beside([of_height(picture, _HEIGHT) for picture in (photograph, style)])
    below = below.resize((result.width, round(below.height * result.width / below.width)), Image.Resampling.LANCZOS)
    both = Image.new("RGB", (result.width, result.height + GAP + below.height), "white")
    both.paste(result, (0, 0))
    both.paste(below, (0, result.height + GAP))
    return both


if __name__ == "__main__":
    sys.exit(main())
