"""The manifest that makes a picture again, from the settings in it: a file that may come from
anybody.

Nothing but names of pictures and known options with valid values is taken from there: no hook, no
section `run`, no path that leads anywhere else.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError, OptionError, UsageError
from pipeline.job import Job, Manifest, RunSettings, shown_masks
from pipeline.manifest.load import load_text
from pipeline.manifest.options.keywords import options_from_python
from pipeline.manifest.options.presets import builtin_presets
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.pairs.naming import picture_fields
from pipeline.manifest.yaml.problems import Problems, shorten, suggestion
from pipeline.manifest.yaml.writer import yaml_text
from pipeline.options import LEFT_OUT
from pipeline.printable import ascii_only, printable
from pipeline.style_at import from_table
from pipeline.textures import TEXTURE
from pipeline.urls import is_url

_PATHS = ("init", "weights")  # options that may name a file
_LONGEST_NAME = 4096  # bytes of a path on Linux
_MOST_STYLES = 1000  # a blend of more was never painted
_LONGEST_REMARK = 200  # characters of one entry of the comment
_HEAD = "# Every option is written out, so that the picture comes out the same whatever the presets are.\n"
_INPUT = "# Names of pictures start in the folder 'input' beside this file; a line 'input: FOLDER' names another one.\n"


def manifest_for_settings(settings: Mapping[str, Any]) -> str:
    """The text of a manifest that makes one picture again from the settings stored in it.

    `settings` has `content` (a name), `style` (a list of {image, weight}), `output` and `options`.
    Of names that lead out of the input folder, and of addresses, only the last part is kept, and no
    preset but the program's own. The text was loaded and compared with the settings before it is
    returned. Raises UsageError where they are not such settings, OptionError where an option has a
    value that this version does not know.
    """
    pair = _pair(settings)
    options = options_from_python(given := _options(settings))
    values = options.all_values() | {name: _inside(given[name]) for name in _PATHS if given.get(name)}
    if values["preset"] not in builtin_presets():
        del values["preset"]
    text = yaml_text({"version": 1, "pairs": [pair | {"output": _as_pattern(pair), "options": values}]})
    _compare(text, pair, values)
    return _HEAD + _remark(settings) + _INPUT + text


def _pair(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The pair without its options. Raises UsageError."""
    try:
        content, output, styles = settings["content"], settings["output"], settings["style"]
        named = [(style["image"], style.get("weight", 1.0)) for style in _some(styles)]
        names = [content or output, output, *(image for image, _ in named)]
        if not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in names):
            raise ValueError
        if any(isinstance(share, bool) or not math.isfinite(share) for _, share in named):
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise UsageError("these settings do not say what was painted; were they stored by stylize?") from None
    blend: list[dict[str, Any]] = [{"image": _inside(image), "weight": float(share)} for image, share in named]
    for entry, style in zip(blend, styles, strict=True):
        if "mask" in style:
            entry["mask"] = _mask(style["mask"])
    is_plain = len(blend) == 1 and "mask" not in blend[0]
    photograph = {"content": _inside(content)} if content else {}
    pair = {**photograph, "style": blend[0]["image"] if is_plain else blend}
    if "style_at" in settings:
        pair = {**photograph, "style_at": _style_at(settings["style_at"], [entry["image"] for entry in blend])}
    beside = {name: _mask(settings[name]) for name in ("content_mask", "regions") if name in settings}
    return pair | beside | {"output": output}


def _as_pattern(pair: Mapping[str, Any]) -> str:
    """The output as a manifest names it. Braces hold a field there: where a picture's own name has
    some, its field stands for it."""
    output: str = pair["output"]
    if "{" not in output and "}" not in output:
        return output
    styles = pair.get("style", ())
    named = tuple(style["image"] for style in styles) if isinstance(styles, list) else (styles,)
    fields = picture_fields((pair.get("content", TEXTURE),), "content") | picture_fields(named, "style")
    fields_of = {value: f"{{{field}}}" for field, value in fields.items() if "{" in value or "}" in value}
    values = sorted(fields_of, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, values)), lambda match: fields_of[match[0]], output) if values else output


def _style_at(given: Any, images: Sequence[str]) -> dict[str, Any]:
    """Styles by the number of a frame. Raises UsageError."""
    try:
        points = from_table(given)
        if not points or not all(len(shares) == len(images) for _frame, shares in points):
            raise ValueError
        if not all(math.isfinite(share) and share >= 0 for _frame, shares in points for share in shares):
            raise ValueError
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise UsageError("these settings do not say what was painted; were they stored by stylize?") from None
    return {
        str(frame): [
            {"image": image, "weight": share} for image, share in zip(images, shares, strict=True) if share > 0
        ]
        for frame, shares in points
    }


def _mask(given: Any) -> Any:
    """A mask's name, or names by what they are of. Raises UsageError for anything else."""
    if isinstance(given, str) and 0 < len(given) <= _LONGEST_NAME:
        return _inside(given)
    if isinstance(given, dict) and given.keys() <= {"content", "style"}:
        return {where: _mask(name) for where, name in given.items()}
    if isinstance(given, list) and 0 < len(given) <= _MOST_STYLES:
        return [_mask(name) for name in given]
    raise UsageError("these settings do not say what was painted; were they stored by stylize?")


def _some(styles: Any) -> Sequence[Any]:
    if not isinstance(styles, list) or not 0 < len(styles) <= _MOST_STYLES:
        raise ValueError
    return styles


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The stored options, but for a preset of somebody's own, whose name says nothing here. Raises
    OptionError for a name that is none."""
    stored = settings.get("options")
    if not isinstance(stored, dict):
        raise UsageError("these settings do not say what was painted; were they stored by stylize?")
    if wrong := [name for name in stored if name not in RULES]:
        hint = suggestion(wrong[0], RULES)
        raise OptionError(f"unknown option '{printable(shorten(wrong[0]))}' in the settings of this picture{hint}")
    given = {**LEFT_OUT, **stored}
    if given.get("preset") not in builtin_presets():
        given.pop("preset", None)
    return given


def _inside(name: str) -> str:
    """A name that stays in the folder where it is looked for: its last part where it would not, as
    of an address."""
    leaves = name.startswith("/") or ".." in name.split("/") or is_url(name)
    return posixpath.basename(name.rstrip("/")) if leaves else name


def _compare(text: str, pair: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Load the manifest and look that it says this and nothing else. Raises UsageError."""
    problems = Problems("manifest", text)
    try:
        manifest = load_text(text, problems, Path("manifest"), only_names=True)  # whatever lies around here
    except ManifestError as error:
        raise UsageError(f"no manifest can be made of these settings: {error.problems[0].message}") from None
    if not _says(manifest, pair, values):
        raise UsageError("no manifest that says the same can be made of these settings")


def _says(manifest: Manifest, pair: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    if len(manifest.pairs) != 1 or manifest.run != RunSettings():
        return False
    (job,) = manifest.pairs
    blend = pair.get("style", [])
    blend = blend if isinstance(blend, list) else [{"image": blend, "weight": 1.0}]
    read = job.options.all_values()
    return (
        job.output == pair["output"]
        and job.content == manifest.input / (pair.get("content") or blend[0]["image"])
        and _styles_of(job) == _styles_in(pair, blend, manifest.input)
        and shown_masks(job, manifest.input) == _masks(pair, blend)
        and all(read[name] == value for name, value in values.items() if name not in _PATHS)
        and all(str(read[name]).endswith(str(values[name])) for name in _PATHS)
    )


def _styles_of(job: Job) -> dict[int, dict[Path, float]] | list[tuple[Path, float]]:
    """The styles of a job with their shares, by frame where they change."""
    if not job.style_at:
        return [(style.image, style.weight) for style in job.styles]
    return {
        frame: {style.image: share for style, share in zip(job.styles, shares, strict=True) if share > 0}
        for frame, shares in job.style_at
    }


def _styles_in(
    pair: Mapping[str, Any], blend: Sequence[Mapping[str, Any]], folder: Path
) -> dict[int, dict[Path, float]] | list[tuple[Path, float]]:
    """The same of a pair in a manifest."""
    if "style_at" not in pair:
        return [(folder / style["image"], style["weight"]) for style in blend]
    return {
        int(frame): {folder / style["image"]: style["weight"] for style in styles}
        for frame, styles in pair["style_at"].items()
    }


def _masks(pair: Mapping[str, Any], blend: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The masks of a pair as `shown_masks` has them."""
    beside = {name: pair[name] for name in ("content_mask", "regions") if name in pair}
    masks = {str(number): style["mask"] for number, style in enumerate(blend) if "mask" in style}
    return beside | ({"mask": masks} if masks else {})


def _remark(settings: Mapping[str, Any]) -> str:
    """What equal bytes depend on, as a comment."""
    setting = settings.get("painted_with")
    if not isinstance(setting, dict):
        return ""
    shown = [
        f"{name} {ascii_only(json.dumps(value))}"
        for name, value in setting.items()
        if re.fullmatch(r"[a-z_]{1,30}", name) and isinstance(value, str | int)
    ]
    shown = [entry for entry in shown if len(entry) <= _LONGEST_REMARK]
    return f"# The same to the last byte with {', '.join(shown)}; elsewhere alike.\n" if shown else ""
