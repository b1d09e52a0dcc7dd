"""Manifests that the program writes: one to start from, and one that makes a picture again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.manifest.keywords import options_from_python
from pipeline.manifest.pictures import PictureFinder
from pipeline.manifest.presets import builtin_presets
from pipeline.manifest.rules import PICTURE_SUFFIXES


def starter_manifest(folder: Path, manifest: Path | None = None) -> str:
    """The text of a commented manifest for the pictures in `folder`/content and `folder`/style; it runs as it is.

    `manifest` is the file that it will be (left out: one in `folder`); paths are written relative to that. Results go to
    `output` beside the folder, or in it where the manifest stands in it too.
    Raises UsageError if there is no picture in one of the two.
    """
    contents, styles = _pictures(folder, "content"), _pictures(folder, "style")
    here = "." if manifest is None else os.path.relpath(os.path.realpath(folder), os.path.realpath(manifest.parent))
    return _STARTER.format(
        input=_quoted(here),
        output=_quoted(os.path.normpath(os.path.join(here, ".." if here != "." else ".", "output"))),
        contents=len(contents),
        styles=len(styles),
        pairs=len(contents) * len(styles),
        content=_quoted(contents[0]),
        style=_quoted(styles[0]),
        other=_quoted(styles[-1]),
        presets="\n".join(f"#   {preset.name:<10} {preset.summary}" for preset in builtin_presets().values()),
    )


def manifest_for_settings(settings: Mapping[str, Any]) -> str:
    """The text of a manifest that makes one picture again from the settings stored in it.

    `settings` has `content` (a name), `style` (a list of {image, weight}), `output` and `options`. Raises UsageError where
    they are not such settings, OptionError where an option has a value that this version does not know.
    """
    try:
        styles = [(str(style["image"]), float(style.get("weight", 1.0))) for style in settings["style"]]
        content, output = str(settings["content"]), str(settings["output"])
        given = dict(settings["options"])
    except (KeyError, TypeError, ValueError, AttributeError):
        styles = []
    if not styles:
        raise UsageError("these settings do not say what was painted; were they stored by stylize?")
    preset = given.pop("preset", None)
    options_from_python(given)
    lines = [
        "# Every option is written out, so that the picture comes out the same whatever the presets are.\nversion: 1\n"
    ]
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


def _pictures(folder: Path, role: str) -> list[str]:
    pictures = PictureFinder(folder, folder / "output").find(f"{role}/*")
    if not pictures:
        raise UsageError(
            f"{folder / role} holds no picture; put some there that end in one of {', '.join(PICTURE_SUFFIXES)}"
        )
    return pictures


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
      content: ["content/*"]
      style: ["style/*"]
      # style_weight: [0.5, 2]      # any option may be an axis; then name it in `output` too
    output: "{{content.stem}}--{{style.stem}}.png"

  # One pair, with options of its own; painted before the others.
  # - content: {content}
  #   style: {style}
  #   output: one-of-a-kind.png
  #   priority: 10
  #   options: {{preset: fine, style_weight: 2}}

  # Two styles blended, two parts of the first to one of the second.
  # - content: {content}
  #   style:
  #     - {{image: {style}, weight: 2}}
  #     - {{image: {other}, weight: 1}}
  #   output: blend.png
"""
