"""`make cookbook` paints the recipes of docs/cookbook.md at 256 pixels, each as a strip of its
photographs, styles and results.

A recipe is a heading, a manifest in YAML, and the picture that is named after it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pipeline.images.sheet import beside, of_height
from pipeline.job import Manifest
from pipeline.manifest import load_manifest

_ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).with_suffix(".md")
_FOLDER = _ROOT / "output/cookbook"
_SETTINGS = ("--set", "size=256", "--set", "seed=7")
_TEXTURE = ("--set", "size=[256, 256]", "--set", "seed=7")
_RECIPE = re.compile(
    r"^## (?P<title>.+?)$.*?^```yaml\n(?P<yaml>.+?)^```$.*?!\[[^\]]+\]\((?P<picture>[^)]+)\)", re.M | re.S
)
_HEIGHT, _WIDEST = 168, 1120  # pixels
_QUALITY = 86


class Recipe(NamedTuple):
    """A recipe: its title, its manifest, and the picture, relative to the page."""

    title: str
    yaml: str
    picture: str

    @property
    def name(self) -> str:
        """Of its files."""
        return Path(self.picture).stem


def recipes() -> Iterator[Recipe]:
    """The recipes of the page, in its order."""
    for found in _RECIPE.finditer(PAGE.read_text(encoding="utf-8")):
        yield Recipe(found["title"], found["yaml"], found["picture"])


def main() -> int:
    """Paint what is not painted yet, and lay out the strips."""
    for recipe in recipes():
        folder = _FOLDER / recipe.name
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "input").exists():
            (folder / "input").symlink_to(_ROOT / "input")
        manifest = folder / "recipe.yaml"
        manifest.write_text(recipe.yaml, encoding="utf-8")
        is_texture = load_manifest(str(manifest)).pairs[0].options.is_texture
        painting = [sys.executable, "-m", "pipeline", "run", str(manifest), *(_TEXTURE if is_texture else _SETTINGS)]
        if code := subprocess.run(painting, check=False, cwd=_ROOT).returncode:
            return code
        picture = PAGE.parent / recipe.picture
        picture.parent.mkdir(exist_ok=True)
        _strip(load_manifest(str(manifest))).save(picture, quality=_QUALITY, optimize=True)
    return 0


def _strip(manifest: Manifest) -> Image.Image:
    """Photographs, styles and results of a recipe, each once; copies of a texture, as it has no
    seam."""
    contents = [job.content for job in manifest.pairs if not job.options.is_texture]
    styles = [style.image for job in manifest.pairs for style in job.styles]
    shown = [Image.open(path).convert("RGB") for path in dict.fromkeys([*contents, *styles])]
    for job in manifest.pairs:
        result = Image.open(manifest.output / job.output).convert("RGB")
        shown.append(_copies(result) if job.options.is_texture else result)
    strip = beside([of_height(picture, _HEIGHT) for picture in shown])
    strip.thumbnail((_WIDEST, _HEIGHT), Image.Resampling.LANCZOS)
    return strip


def _copies(picture: Image.Image) -> Image.Image:
    """Two each way."""
    whole = Image.new("RGB", (2 * picture.width, 2 * picture.height))
    for left in (0, picture.width):
        for top in (0, picture.height):
            whole.paste(picture, (left, top))
    return whole


if __name__ == "__main__":
    sys.exit(main())
