"""`make gallery` paints configs/gallery.yaml and lays out one strip for each of its folders, in
docs/gallery.

A strip is the photograph, the style, and what each distance makes of them, all of one height.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pipeline.manifest import load_manifest

_ROOT = Path(__file__).resolve().parent.parent
_MANIFEST = _ROOT / "configs/gallery.yaml"
_HEIGHT = 176  # pixels; a strip of six is as wide as a page
_GAP = 6
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
        strip = _strip([Image.open(path).convert("RGB") for path in pictures])
        strip.save(_ROOT / f"docs/gallery/{name}.jpg", quality=_QUALITY, optimize=True)
    return 0


def _strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures beside each other, each brought to one height."""
    scaled = [
        picture.resize((round(picture.width * _HEIGHT / picture.height), _HEIGHT), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    strip = Image.new("RGB", (sum(picture.width + _GAP for picture in scaled) - _GAP, _HEIGHT), "white")
    left = 0
    for picture in scaled:
        strip.paste(picture, (left, 0))
        left += picture.width + _GAP
    return strip


if __name__ == "__main__":
    sys.exit(main())
