"""The manifest of pictures that are named one by one: what `stylize paint` acts on. Nobody writes
it down."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.clip_names import OUTPUT_SUFFIXES as CLIP_SUFFIXES
from pipeline.clip_names import VIDEO_SUFFIXES, is_clip_name, is_numbered
from pipeline.errors import UsageError
from pipeline.job import Manifest
from pipeline.manifest.load import load_text
from pipeline.manifest.options.overrides import Override
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.pairs.naming import DEFAULT_PATTERN
from pipeline.manifest.pairs.pictures import PictureFinder
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.writer import yaml_text
from pipeline.printable import is_text, printable

NAME = "paint"  # of the manifest, in messages and in the report that nobody reads


def load_pictures(
    contents: Sequence[Path],
    styles: Sequence[Path],
    output: str | None = None,
    *,
    blend: Sequence[float] | None = None,
    masks: Sequence[Path] = (),
    content_mask: Path | None = None,
    overrides: Sequence[Override] = (),
) -> Manifest:
    """Every content in every style, in the order they are named; a folder among the styles stands
    for the pictures in it. With `blend` every content is painted once, in all styles at once, each
    with its weight; so it is with `masks`, which say where the first styles are painted, the others
    having the rest. `content_mask` says where how much of the content is kept.

    `output` is the name of the result, a pattern of names as in a manifest, or a folder; left out,
    results are named by their pictures and go to the working directory. Raises UsageError where a
    picture is missing or several would get one name, ManifestError for options that cannot be.
    """
    for content in contents:
        _look_for(content, "photograph")
        if not any(override.option == "frames" for override in overrides):
            _refuse_clip(content)
    painted_as = [name for style in styles for name in _pictures(style)]
    axis = [_together(painted_as, blend, masks)] if blend is not None or masks else painted_as
    if output is not None and not is_text(output):
        raise UsageError(f"{printable(output)} is no text (UTF-8); give another name with -o")
    folder, pattern = _where(output)
    if pattern is not None and "{" not in pattern and len(contents) * len(axis) > 1:
        raise UsageError(
            f"{printable(str(output))} is one name, and there are {len(contents) * len(axis)} pictures to paint; "
            "give a folder (-o results/), or a pattern (-o '{content.stem}-{style.stem}.png')"
        )
    entry: dict[str, Any] = {
        "matrix": {"content": [_named(content) for content in contents], "style": axis},
        "output": pattern or DEFAULT_PATTERN,
    }
    if content_mask is not None:
        _look_for(content_mask, "mask")
        entry["content_mask"] = _named(content_mask)
    text = yaml_text({"version": 1, "input": ".", "output": os.path.abspath(folder), "pairs": [entry]})
    here = Path.cwd()
    problems = Problems(NAME, has_places=False)
    manifest = load_text(text, problems, here / NAME, overrides=overrides)
    return replace(manifest, file=here, name=NAME)


def _together(styles: Sequence[str], weights: Sequence[float] | None, masks: Sequence[Path]) -> list[dict[str, Any]]:
    """One style of all of them, with what was given for each."""
    blended = [{"image": style} for style in styles] if weights is None else _blended(styles, weights)
    if len(masks) > len(styles):
        raise UsageError(
            f"--mask is given {len(masks)} times, and the number of paintings is {len(styles)}; "
            "give at most one for each, in the order of --style"
        )
    for mask, style in zip(masks, blended, strict=False):
        _look_for(mask, "mask")
        style["mask"] = _named(mask)
    return blended


def _blended(styles: Sequence[str], weights: Sequence[float]) -> list[dict[str, Any]]:
    if len(weights) != len(styles):
        shown = ":".join(f"{weight:g}" for weight in weights)
        raise UsageError(
            f"--blend {shown} has {len(weights)} weights, and the number of paintings is {len(styles)}; "
            "give one for each, in the order of --style"
        )
    return [{"image": style, "weight": weight} for style, weight in zip(styles, weights, strict=True)]


def _look_for(picture: Path, role: str) -> None:
    if picture.is_dir():
        others = "" if role == "mask" else ", or paint all of them with stylize run FOLDER"
        raise UsageError(f"{printable(picture)} is a folder; name the {role}s in it{others}")
    if not picture.exists():
        raise UsageError(f"there is no {role} {printable(picture)}")
    if not is_text(picture):
        raise UsageError(f"the name of {role} {printable(picture)} is no text (UTF-8); rename it")


def _refuse_clip(content: Path) -> None:
    name = os.fspath(content)
    if is_numbered(name):
        raise UsageError(f"{printable(content)}: its name stands for numbered frames; take '%' out of the name")
    if is_clip_name(name):
        raise UsageError(
            f"{printable(content)} is a clip, and here pictures are painted; name it in a manifest (docs/clips.md), or"
            " paint its first frame (--set frames=first)"
        )


def _pictures(style: Path) -> list[str]:
    """A style's name, or those of the pictures in a folder of them."""
    if not style.is_dir():
        _look_for(style, "painting")
        return [_named(style)]
    finder = PictureFinder(style, style / ".")
    found = [_named(style / name) for name in finder.find("*")]
    if not found:
        raise UsageError(f"{printable(style)} holds no picture; pictures end in one of {', '.join(PICTURE_SUFFIXES)}")
    return found


def _named(picture: Path) -> str:
    """A picture as a matrix names it; "!name" would take it away."""
    name = os.fspath(picture)
    return f"./{name}" if name.startswith("!") else name


def _where(output: str | None) -> tuple[str, str | None]:
    """The folder that results go to, and the pattern of their names below it, where one is given:
    what has a field, or ends as pictures and clips do, is meant for a name."""
    if output is None:
        return ".", None
    is_name = "{" in output or output.lower().endswith((*PICTURE_SUFFIXES, *VIDEO_SUFFIXES, *CLIP_SUFFIXES))
    if not is_name or output.endswith("/") or os.path.isdir(output):
        return output, None
    before, _, _ = output.partition("{")
    folder = posixpath.dirname(before)
    return folder or ".", output[len(folder) :].lstrip("/") if folder else output
