"""Manifests that the program writes: one to start from, and one that makes a picture again."""

from __future__ import annotations

import glob
import json
import os
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.manifest.options.keywords import options_from_python
from pipeline.manifest.options.presets import builtin_presets
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.pairs.naming import DEFAULT_PATTERN, identity, parse_pattern, picture_fields
from pipeline.manifest.pairs.pictures import PictureFinder, matches
from pipeline.options import LEFT_OUT
from pipeline.printable import printable


def starter_manifest(folder: Path, manifest: Path | None = None, styles: Sequence[Path] = ()) -> str:
    """The text of a commented manifest for the pictures in a folder; it runs as it is.

    Contents are in `folder`/content and styles in `folder`/style. With `styles`, pictures or
    folders of them, those are the styles, and the contents may lie in `folder` itself. `manifest`
    is the file that it will be (left out: one in `folder`); paths are written relative to that.
    Results go to `output` beside the folder, or in it if the manifest stands in it too. Raises
    UsageError if there is no content or no style.
    """
    finder = PictureFinder(folder, folder / "output")
    style_axis = [_from(folder, style) for style in styles] or ["style/*"]
    content_axis = ["content/*"]
    if styles and not finder.find("content/*"):
        content_axis = ["*", *_but_for(folder, styles)]
    contents = _found(finder, content_axis)
    painted_as = _found(finder, style_axis)
    if not contents or not painted_as:
        raise UsageError(_nothing_found(folder, finder, styles, bool(contents)))
    here = "." if manifest is None else os.path.relpath(os.path.realpath(folder), os.path.realpath(manifest.parent))
    return _STARTER.format(
        input=_quoted(here),
        output=_quoted(os.path.normpath(os.path.join(here, ".." if here != "." else ".", "output"))),
        contents=len(contents),
        styles=len(painted_as),
        pairs=len(contents) * len(painted_as),
        content=_quoted(contents[0]),
        style=_quoted(painted_as[0]),
        other=_quoted(painted_as[-1]),
        content_axis=", ".join(map(_quoted, content_axis)),
        style_axis=", ".join(map(_quoted, style_axis)),
        pattern=_quoted(_telling_apart(contents, painted_as)),
        presets="\n".join(f"#   {name:<18} {preset.summary}" for name, preset in builtin_presets().items()),
    )


def manifest_for_settings(settings: Mapping[str, Any]) -> str:
    """The text of a manifest that makes one picture again from the settings stored in it.

    `settings` has `content` (a name), `style` (a list of {image, weight}), `output` and `options`.
    Raises UsageError where they are not such settings, OptionError where an option has a value that
    this version does not know.
    """
    try:
        styles = [(str(style["image"]), float(style.get("weight", 1.0))) for style in settings["style"]]
        content, output = str(settings["content"]), str(settings["output"])
        given = dict(settings["options"])
        given |= {name: value for name, value in LEFT_OUT.items() if name not in given}
    except (KeyError, TypeError, ValueError, AttributeError):
        styles = []
    if not styles:
        raise UsageError("these settings do not say what was painted; were they stored by stylize?")
    preset = given.pop("preset", None)
    options_from_python(given)
    lines = ["# Every option is written out, so that the picture comes out the same whatever the presets are.\n"]
    if isinstance(setting := settings.get("painted_with"), dict):
        shown = ", ".join(f"{json.dumps(name)[1:-1]} {json.dumps(value)}" for name, value in setting.items())
        lines.append(f"# The same to the last byte with {shown}; elsewhere alike.\n")
    lines.append("version: 1\n")
    if isinstance(preset, str) and preset:
        if preset not in builtin_presets():
            lines.append(f"presets: {{{_quoted(preset)}: {{}}}}\n")
        given = {"preset": preset, **given}
    lines.append(f"pairs:\n  - content: {_quoted(content)}\n")
    if len(styles) == 1:
        lines.append(f"    style: {_quoted(styles[0][0])}\n")
    else:
        lines.append("    style:\n")
        lines += [f"      - {{image: {_quoted(image)}, weight: {weight!r}}}\n" for image, weight in styles]
    lines.append(f"    output: {_quoted(output)}\n    options:\n")
    lines += [f"      {name}: {json.dumps(value)}\n" for name, value in given.items()]
    return "".join(lines)


def _from(folder: Path, style: Path) -> str:
    """A picture, or all pictures of a folder, as a matrix names them: starting at `folder`."""
    # Real paths, as a manifest's input folder is one: `..` behind a link is another folder.
    name = os.path.relpath(os.path.realpath(style), os.path.realpath(folder))
    if style.is_dir():
        return posixpath.normpath(f"{glob.escape(name)}/*")
    return f"./{name}" if name.startswith("!") else name  # "!name" would take away


def _but_for(folder: Path, styles: Sequence[Path]) -> list[str]:
    """What takes those styles out of the contents that lie in `folder` beside them."""
    beside = [style.name for style in styles if os.path.realpath(style.parent) == os.path.realpath(folder)]
    return [f"!{glob.escape(name)}" for name in beside if not (folder / name).is_dir()]


def _found(finder: PictureFinder, axis: Sequence[str]) -> list[str]:
    """The pictures of an axis that was made here.

    It has plain names, all of a folder (`*`, `art/*`), and `!` before what is left out.
    """
    left_out = [part[1:] for part in axis if part.startswith("!")]
    found = []
    for part in axis[: len(axis) - len(left_out)]:
        if part.endswith("*"):
            found += finder.find(part)
        elif part.lower().endswith(PICTURE_SUFFIXES):
            found.append(part)
    return [name for name in dict.fromkeys(found) if not any(matches(pattern, name) for pattern in left_out)]


def _nothing_found(folder: Path, finder: PictureFinder, styles: Sequence[Path], has_contents: bool) -> str:
    endings = f"pictures end in one of {', '.join(PICTURE_SUFFIXES)}"
    if not folder.is_dir():
        return f"there is no folder {printable(folder)}; name the folder of your photographs"
    if styles:
        empty = ", ".join(printable(style) for style in styles) if has_contents else printable(folder)
        return f"{empty}: no picture to {'take a style from' if has_contents else 'paint'}; {endings}"
    if not has_contents and finder.find("*"):
        return (
            f"{printable(folder)} has no folder 'content'; to paint the pictures in it as they lie, name the paintings:"
            f" stylize init {printable(folder)} --style PICTURE_OR_FOLDER"
        )
    role = "style" if has_contents else "content"
    return f"{printable(folder / role)} holds no picture; put some there ({endings})" + (
        ", or name the paintings with --style" if has_contents else ""
    )


def _telling_apart(contents: Sequence[str], styles: Sequence[str]) -> str:
    """The shortest pattern of names that tells all pairs apart, `a.jpg` from `a.png` too."""
    content_fields = [picture_fields((name,), "content") for name in contents]
    style_fields = [picture_fields((name,), "style") for name in styles]
    for text in (DEFAULT_PATTERN, "{content.name}--{style.name}.png"):
        pattern = parse_pattern(text)
        names = {
            identity(pattern.render((content | style).__getitem__))
            for content in content_fields
            for style in style_fields
        }
        if len(names) == len(contents) * len(styles):
            return text
    return "{index}-{content.stem}--{style.stem}.png"


def _quoted(text: str) -> str:
    """Text as a double-quoted word of YAML, of which JSON's strings are a part."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


_STARTER = """\
# yaml-language-server: $schema=manifest.schema.json
# (`stylize schema > manifest.schema.json` beside this file gives your editor help and completion.)
# Found: {contents} contents and {styles} styles. `stylize plan` on this file says what a run would do and how long it takes.
version: 1
input: {input}  # content and style paths start here; relative to this file
output: {output}  # everything is written below it

run:                  # how to run; never changes a pixel
  # deadline: "06:00"   # no pair is started that would not finish by then
  # pair_timeout: 45m   # a pair that takes longer is stopped and failed
  retries: 1          # after a crash, lack of memory or time-out; never for a bad image

defaults:             # options of every pair; `stylize presets` lists the presets with their values
  preset: balanced
  seed: 7
# Presets:
{presets}

# presets:            # presets of your own
#   poster: {{extends: fine, size: 1024}}

pairs:
  # Every content with every style: {pairs} pairs. Patterns know * ? [abc] and ** for any folders; "!name" takes away.
  - matrix:
      content: [{content_axis}]
      style: [{style_axis}]
      # style_weight: [1e-2, 5e-2]  # any option may be an axis; then name it in `output` too
    output: {pattern}

  # One pair, with options of its own; painted before the others.
  # - content: {content}
  #   style: {style}
  #   output: one-of-a-kind.png
  #   priority: 10
  #   options: {{preset: fine, style_weight: 5e-2}}

  # Two styles blended, two parts of the first to one of the second.
  # - content: {content}
  #   style:
  #     - {{image: {style}, weight: 2}}
  #     - {{image: {other}, weight: 1}}
  #   output: blend.png
"""
