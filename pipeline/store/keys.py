"""A pair's key: everything that decides its pixels. A picture that bears the key asked for today is
up to date."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.clip_names import is_numbered
from pipeline.idle_options import with_effect
from pipeline.job import Job
from pipeline.nst.network import MATCHED, NORMALIZATION, PLACES
from pipeline.options import NEUTRAL, Options

KEY_SCHEMA = 1  # raise when the make-up of the key changes
ALGORITHM = 5  # raise with every change that changes pixels
ENLARGED = 1  # likewise, of pairs with `enlarge`
# Names: of a set of options, and of a file whose hash is in the key; and what decides memory and
# rounding alone.
WITHOUT_EFFECT = frozenset({"preset", "weights", "tile"})
# numbers in a key that are raised when pixels change
_RAISED = ("algorithm", "places", "matched", "normalization", "enlarged")
FRAME_SUFFIX = ".png"  # of a frame as it is kept (store/layout)


def pair_key(job: Job, sha256: Callable[[Path], str], weights_sha256: str) -> str:
    """SHA-256 of everything that decides a pair's pixels and bytes: the inputs' contents, the
    options, the network.

    File names, times, threads, tiles, versions and the preset's name are not in it: moving a
    project or updating a library does not repaint a gallery. Neither is an option without effect
    (`seed` where nothing is noise, `quality` of a PNG): it counts as left out, whatever it is.
    `sha256` gives the hash of an input file's bytes; what it raises (BadImage), this raises.
    """
    return _hash(job, with_effect(job.options, Path(job.output).suffix), sha256, weights_sha256)


def former_key(job: Job, sha256: Callable[[Path], str], weights_sha256: str) -> str:
    """The key as it was made to version 0.2, with options without effect: pictures that bear it are
    as up to date as those with `pair_key`."""
    return _hash(job, job.options, sha256, weights_sha256)


def outdated_keys(job: Job, sha256: Callable[[Path], str], weights_sha256: str) -> frozenset[str]:
    """The keys of the very same pair in earlier versions, which painted it otherwise. Raises as
    `pair_key` does."""
    found = set()
    for decided in (with_effect(job.options, Path(job.output).suffix), job.options):
        makeup = _makeup(job, decided, sha256, weights_sha256)
        now = {name: makeup.pop(name) for name in _RAISED if name in makeup}
        for numbers in itertools.product(*(range(number + 1) for number in now.values())):
            before = {
                name: number for name, number in zip(now, numbers, strict=True) if number
            }  # 0: there was none yet
            if before != now:
                found.add(_digest(makeup | before))
    return frozenset(found)


def shared_key(
    job: Job, sha256: Callable[[Path], str], weights_sha256: str, sizes: Sequence[Sequence[int]] = ()
) -> str:
    """SHA-256 of what all frames of a clip have in common: everything but the photograph, what a
    frame has of its own (`frame_key`), and what decides which frames there are and how they are
    packed. `sizes` are those it is painted at, which styles decide too that not all frames have."""
    usual = Options()
    decided = replace(with_effect(job.options, FRAME_SUFFIX), frames=usual.frames, dpi=usual.dpi)

    def of_all(path: Path) -> str:
        return _ONE_EACH if path in job.masks and is_numbered(path.name) else sha256(path)

    makeup = _makeup(job, decided, of_all, weights_sha256) | {"content": None, "format": FRAME_SUFFIX}
    if makeup.pop("style_at", None):
        makeup["styles"] = [[*size] for size in sizes]
        makeup["masks"] = makeup["masks"]["content"] if job.masks else None
    return _digest(makeup)


_ONE_EACH = "one for each frame"  # in the place of a mask's hash


def frame_key(shared: str, photograph: str, before: Sequence[str], own: Mapping[str, Any] = {}) -> str:
    """SHA-256 of what decides a frame: what all share, its photograph's pixels (their SHA-256), the
    keys of the frames before it that it was painted from (none of the first after a cut), and what
    it has of its `own`: styles that change, a mask for each frame."""
    return _digest({"shared": shared, "photograph": photograph, "before": [*before], **own})


def _hash(job: Job, decided: Options, sha256: Callable[[Path], str], weights_sha256: str) -> str:
    return _digest(_makeup(job, decided, sha256, weights_sha256))


def _digest(makeup: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(makeup, sort_keys=True).encode()).hexdigest()


def _makeup(job: Job, decided: Options, sha256: Callable[[Path], str], weights_sha256: str) -> dict[str, Any]:
    # Keys of the first version have this word, whatever the option is.
    options = _deciding(decided) | {"tile": "auto"}
    if job.options.starts_from_file:
        options["init"] = sha256(Path(job.options.init))
    makeup: dict[str, Any] = {
        "schema": KEY_SCHEMA,
        "algorithm": ALGORITHM,
        "content": None if job.options.is_texture else sha256(job.content),
        "styles": [[sha256(style.image), style.weight] for style in job.styles],
        "options": options,
        "weights": weights_sha256,
        "format": Path(job.output).suffix.lower(),
    }
    if job.style_at:
        makeup["style_at"] = [[frame, [*shares]] for frame, shares in job.style_at]
        makeup["styles"] = [[sha256(style.image), None] for style in job.styles]
    if job.masks:
        makeup["masks"] = _masks(job, sha256)
    if decided.samples:
        makeup["places"] = PLACES
    if "neighbours" in decided.style_losses:
        makeup["matched"] = MATCHED
    if job.options.normalize == "channels":
        makeup["normalization"] = NORMALIZATION
    if decided.enlarge:
        makeup["enlarged"] = ENLARGED
    return makeup


def _masks(job: Job, sha256: Callable[[Path], str]) -> dict[str, Any]:
    """Masks and region maps by their contents, None for none: of each style, and of the content."""

    def of(mask: Path | None) -> str | None:
        return None if mask is None else sha256(mask)

    return {
        "styles": [[of(style.mask), of(style.own_mask), of(style.region_map)] for style in job.styles],
        "content": [of(job.content_mask), of(job.region_map)],
    }


def _deciding(options: Options) -> dict[str, Any]:
    """Every option but those `WITHOUT_EFFECT`, and those that came later and are at the value that
    paints as before they came: a new option does not repaint a gallery."""
    return {
        name: value
        for name, value in options.as_dict().items()
        if name not in WITHOUT_EFFECT and not (name in NEUTRAL and value == NEUTRAL[name])
    }
