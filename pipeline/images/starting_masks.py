"""Masks to begin with, from a photograph alone: by brightness, by colour, and of the sky. They are
there to be edited.

Run as a process, so that whoever asks loads no NumPy: a question in JSON on stdin, an answer on
stdout.

    {"picture": path, "folder": path, "colours": number, "force": bool}
    {"written": [names], "kept": [names], "notes": [sentences]} or {"error": sentence, "exit_code"}
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pipeline.errors import ExitCode, StylizeError
from pipeline.images.picture import open_picture
from pipeline.images.quality import to_lab
from pipeline.images.scale import Floats, by_rows
from pipeline.printable import printable

Mask = NDArray[np.bool_]

_SIDE = 1024  # pixels: enough to edit by hand, and a mask may have any size
# Pixels of softness before anything is told apart, as a share of the longer side: single leaves and
# waves are no regions. Chosen by eye at 512 px.
_SOFT = 1 / 128
_AROUND = 7  # pixels: specks and streaks that are thinner than half of it go
_SAMPLED = 8_000  # pixels of which colours are found
_ROUNDS = 20  # of k-means; the demo's photographs stand still after 15
_PALETTE = (
    *((230, 25, 75), (60, 180, 75), (0, 130, 200), (255, 225, 25)),
    *((245, 130, 48), (145, 30, 180), (70, 240, 240), (128, 128, 128)),
)  # Trubetskoy's colours that are told apart at a glance; each is more than 32 from the others
MOST_COLOURS = len(_PALETTE)


def brightness_masks(lightness: Floats) -> dict[str, Mask]:
    """The darkest, the middle and the lightest third of all pixels (height, width), but for specks:
    each pixel is in one of them."""
    low, high = np.quantile(lightness, (1 / 3, 2 / 3))
    third = np.asarray(_without_specks((lightness >= low).astype(np.uint8) + (lightness >= high)))
    return {name: third == number for number, name in enumerate(("dark", "middle", "light"))}


def colour_labels(lab: Floats, count: int) -> NDArray[np.intp]:
    """The cluster of each pixel (height, width) of Lab colours (height, width, 3), the largest
    first: Lloyd's k-means from the starts of k-means++, the same each time."""
    pixels = lab.reshape(-1, 3)
    random = np.random.default_rng(0)
    some = pixels[random.choice(len(pixels), min(_SAMPLED, len(pixels)), replace=False)]
    centres = some[:1]
    while len(centres) < count:
        apart = _squared(some, centres).min(1)
        if not apart.any():
            break  # fewer colours than were asked for
        centres = np.vstack([centres, some[random.choice(len(some), p=apart / apart.sum())]])
    for _ in range(_ROUNDS):
        near = _squared(some, centres).argmin(1)
        centres = np.stack([some[near == n].mean(0) if (near == n).any() else c for n, c in enumerate(centres)])
    found = np.concatenate([_squared(rows, centres).argmin(1) for rows in np.array_split(pixels, 64)])
    order = np.argsort(-np.bincount(found, minlength=len(centres)))
    ranked: NDArray[np.intp] = np.argsort(order)[found].reshape(lab.shape[:2])
    return ranked


def _squared(some: Floats, others: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.square(some[:, np.newaxis].astype(np.float64) - others).sum(-1)
    return found


# Shen and Wang's: the thresholds of gradients that are tried, how much the sky's evenness counts
# beside the ground's, and the height, as a share of the picture's, below which a sky is none.
_THRESHOLDS = np.arange(5.0, 605.0, 5.0)
_EVEN = 2.0
_LOWEST = 1 / 30
# A sky takes most of the upper edge and hardly any of the lower one, as shares of them; rooms and
# tables do not. Chosen by eye at the demo's photographs and a landscape.
_WIDEST, _DEEPEST = 0.5, 0.1


def sky_mask(pixels: Floats, lab: Floats) -> Mask | None:
    """The sky in a photograph (height, width, 3), 0..255; None where there seems to be none.

    Shen & Wang, "Sky region detection in a single image for autonomous ground robot navigation"
    (International Journal of Advanced Robotic Systems 10, 2013): in each column the sky is what
    lies above the first gradient over a threshold; of all thresholds that one is taken with which
    sky and ground are each most even in colour. Where we differ: what lies below and has the sky's
    colour is sky as well, where it hangs together with it, as between the branches of a tree; and a
    region that is neither lighter nor bluer than what is below it is a wall.
    """
    gradient = _gradient(pixels.mean(-1))
    best, above = -1.0, np.zeros(gradient.shape, np.bool_)
    before = -1
    for threshold in _THRESHOLDS:
        sky = np.cumsum(gradient > threshold, 0) == 0
        if (size := int(sky.sum())) == before or not 0 < size < sky.size:
            continue
        before = size
        if (evenness := _evenness(pixels, sky)) > best:
            best, above = evenness, sky
    if above.sum(0).mean() < _LOWEST * len(above):
        return None
    light, blue = (lab[above].mean(0) - lab[~above].mean(0))[[0, 2]]
    if light <= 0 and blue >= 0:
        return None
    found = _connected(_like(pixels, above) & (gradient < np.quantile(gradient[~above], 0.5)) | above)
    return found if found[0].mean() >= _WIDEST and found[-1].mean() < _DEEPEST else None


def _gradient(grey: Floats) -> Floats:
    """Length of Sobel's gradient, 0 at the rim."""
    found = np.zeros_like(grey)
    right, left = grey[:, 2:], grey[:, :-2]
    across = (right - left)[:-2] + 2 * (right - left)[1:-1] + (right - left)[2:]
    below, above = grey[2:], grey[:-2]
    down = (below - above)[:, :-2] + 2 * (below - above)[:, 1:-1] + (below - above)[:, 2:]
    found[1:-1, 1:-1] = np.hypot(across, down)
    return found


def _evenness(pixels: Floats, sky: Mask) -> float:
    """Their J: one over determinants and largest eigenvalues of both parts' covariances."""
    total = 0.0
    for part, weight in ((pixels[sky], _EVEN), (pixels[~sky], 1.0)):
        values = np.linalg.eigvalsh(np.cov(part.reshape(-1, 3), rowvar=False, bias=True))
        total += weight * (abs(float(np.prod(values))) + abs(float(values[-1])))
    return 1.0 / (total + 1e-9)


def _like(pixels: Floats, sky: Mask) -> Mask:
    """Where colours are those of the sky, by Mahalanobis' distance: 3 holds 97 % of them."""
    seen = pixels[sky].astype(np.float64)
    covariance = np.cov(seen, rowvar=False, bias=True) + np.eye(3)  # a grey level each: skies may be of one colour
    apart = pixels - seen.mean(0)
    inside: Mask = np.einsum("hwc,cd,hwd->hw", apart, np.linalg.inv(covariance), apart) < 3.0**2
    return inside


def _connected(places: Mask) -> Mask:
    """Of places those that hang together with the top row."""
    found = np.zeros_like(places)
    found[0] = places[0]
    while True:
        grown = found.copy()
        for rows in (range(1, len(places)), range(len(places) - 2, -1, -1)):
            for row in rows:
                step = 1 if rows.step > 0 else -1
                grown[row] |= _spread(grown[row - step] & places[row], places[row])
        if (grown == found).all():
            return found
        found = grown


def _spread(seeds: Mask, places: Mask) -> Mask:
    """Of the runs of places in a row those with a seed in them."""
    runs = np.cumsum(np.diff(places.astype(np.int8), prepend=0) == 1) * places
    has = np.bincount(runs, weights=seeds, minlength=1) > 0
    has[0] = False
    return np.asarray(has[runs])


def starting_masks(pixels: Floats, count: int) -> Iterator[tuple[str, Image.Image]]:
    """Masks of a photograph (height, width, 3), 0..255, by name, and a map of its colours."""
    soft = _softened(pixels)
    lab: Floats = to_lab(np.rint(soft).astype(np.uint8)).astype(np.float32)
    for name, mask in brightness_masks(lab[..., 0]).items():
        yield name, Image.fromarray(mask)
    labels = np.asarray(_without_specks(colour_labels(lab, count)))
    for number in range(int(labels.max()) + 1):
        yield f"colour{number + 1}", Image.fromarray(labels == number)
    yield "regions", Image.fromarray(np.array(_PALETTE, np.uint8)[labels])
    sky = sky_mask(soft, lab)
    if sky is not None:
        yield "sky", _without_specks(sky)


def _without_specks(labels: NDArray[Any]) -> Image.Image:
    """Labels or places, each pixel as most of those around it."""
    levels = labels.astype(np.uint8) * (255 if labels.dtype == np.bool_ else 1)
    return Image.fromarray(levels).filter(ImageFilter.ModeFilter(_AROUND))


def _softened(pixels: Floats) -> Floats:
    """The picture without what is smaller than a region: made small and large again."""
    height, width, _ = pixels.shape
    factor = max(1.0, max(height, width) * _SOFT / 2)
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    soft = np.empty_like(pixels)
    for channel in range(3):
        levels = pixels[..., channel]
        reduced = by_rows(lambda top, bottom, it=levels: it[top:bottom], levels.shape, *small, Image.Resampling.BOX)  # type: ignore[misc]
        soft[..., channel] = by_rows(
            lambda top, bottom, it=reduced: it[top:bottom],  # type: ignore[misc]
            reduced.shape,
            width,
            height,
            Image.Resampling.BILINEAR,
        )
    return soft


def write_masks(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question. What stands there already was edited, and is kept. Raises BadImage."""
    path, folder = Path(question["picture"]), Path(question["folder"])
    picture = open_picture(path, _SIDE)
    written, kept = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in starting_masks(picture.pixels, question["colours"]):
        file = folder / f"{path.stem}-{name}.png"
        if file.exists() and not question["force"]:
            kept.append(file.name)
            continue
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            mask.convert("L" if mask.mode == "1" else mask.mode).save(part, "PNG")
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        written.append(file.name)
    has_sky = any(name.endswith("-sky.png") for name in (*written, *kept))
    return {"written": written, "kept": kept, "notes": [] if has_sky else [f"{path.name}: no sky was found"]}


if __name__ == "__main__":
    try:
        answer = write_masks(json.load(sys.stdin))
    except StylizeError as error:
        answer = {"error": str(error), "exit_code": int(error.exit_code)}
    except OSError as error:
        where = f"{printable(os.fsdecode(error.filename))}: " if error.filename else ""
        answer = {
            "error": f"cannot write masks: {where}{error.strerror}; name another folder with -o",
            "exit_code": int(ExitCode.ENVIRONMENT),
        }
    json.dump(answer, sys.stdout)
