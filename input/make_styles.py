"""Paint the style pictures of `input/style`: `python input/make_styles.py [FOLDER]`.

The same seeds give the same files, byte for byte, with the same NumPy and Pillow; other versions
may round differently. It takes a minute or two on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from styles_source import ink_waves, palette_knife, pen_hatching, stained_glass, starry_flow
from styles_source.paint import save

# name of the file: painter, and its seed (chosen by eye among a few)
PICTURES = {
    "starry-flow.jpg": (starry_flow.paint, 7),
    "stained-glass.jpg": (stained_glass.paint, 7),
    "ink-waves.jpg": (ink_waves.paint, 21),
    "palette-knife.jpg": (palette_knife.paint, 21),
    "pen-hatching.jpg": (pen_hatching.paint, 7),
}


def main(folder: Path) -> None:
    """Paint every picture into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (paint, seed) in PICTURES.items():
        picture = paint(np.random.default_rng(seed))
        size = save(picture, folder / name)
        sys.stdout.write(f"{folder / name}: {picture.width} x {picture.height} pixels, {size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "style")
