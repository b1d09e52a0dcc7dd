"""The manifest of a folder of pictures: `init` writes it for a person, and a run that is given the
folder acts on it."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import ManifestError, UsageError
from pipeline.job import Manifest
from pipeline.manifest.load import load_text
from pipeline.manifest.options.overrides import Override
from pipeline.manifest.options.presets import builtin_presets
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.pairs.naming import DEFAULT_PATTERN, identity
from pipeline.manifest.pairs.pictures import PictureFinder, matches
from pipeline.manifest.yaml.problems import WHOLE_FILE, Problems
from pipeline.manifest.yaml.source import ENDINGS
from pipeline.manifest.yaml.writer import quoted, yaml_text
from pipeline.printable import is_text, printable

OUTPUT = "output"  # in the folder itself, beside its content
_NAME = "stylize.yaml"
_LEAVES_OUT = " leaves out "  # what the warning of manifest/pairs/left_out says
_NAMED = 3  # of what is left out; enough to see what is meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What a folder's manifest says: every content in every style.

    `content_axis` and `style_axis` are the lists of its matrix, which start at `folder`; `contents`
    and `styles` the pictures that they find today.
    """

    folder: Path
    content_axis: tuple[str, ...]
    style_axis: tuple[str, ...]
    contents: tuple[str, ...]
    styles: tuple[str, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Sentences on what lies there and is not taken, with how to take it."""
        problems = Problems("", has_places=False)
        with suppress(ManifestError):  # whoever runs the manifest is told
            warnings = load_text(self.yaml(OUTPUT), problems, self.folder / _NAME).warnings
            return tuple(warning.removeprefix(": ") for warning in warnings if _LEAVES_OUT in warning)
        return ()

    def yaml(self, output: str) -> str:
        """The manifest for a program, which stands in the folder and writes below `output`.

        Names of outputs do not depend on which pictures are there today: a photograph that is added
        renames nothing.
        """
        matrix = {"content": self.content_axis, "style": self.style_axis}
        return yaml_text(
            {
                "version": 1,
                "input": ".",
                "output": output,
                "defaults": _DEFAULTS,
                "pairs": [{"matrix": matrix, "output": DEFAULT_PATTERN}],
            }
        )


_DEFAULTS = {"preset": "balanced", "seed": 7}


def find_pictures(folder: Path, styles: Sequence[Path] = ()) -> Starter:
    """The contents and styles of a folder.

    Contents are in `folder`/content and styles in `folder`/style. With `styles`, pictures or
    folders of them, those are the styles, and the contents may lie in `folder` itself. Raises
    UsageError if there is no content or no style.
    """
    finder = PictureFinder(folder, folder / OUTPUT)
    style_axis = [_from(folder, style) for style in styles] or ["style/*"]
    content_axis = ["content/*"]
    if styles and not finder.find("content/*"):
        content_axis = ["*", *_but_for(folder, styles)]
    contents = _found(finder, content_axis)
    painted_as = _found(finder, style_axis)
    if not contents or not painted_as:
        raise UsageError(_nothing_found(folder, finder, styles, bool(contents)))
    return Starter(
        folder=folder,
        content_axis=tuple(content_axis),
        style_axis=tuple(style_axis),
        contents=tuple(contents),
        styles=tuple(painted_as),
    )


def load_folder(
    folder: Path,
    styles: Sequence[Path] = (),
    output: Path | None = None,
    *,
    overrides: Sequence[Override] = (),
    strict: bool = False,
) -> Manifest:
    """The jobs of a folder, as of the manifest that `init` would write into it. For `styles` see
    `find_pictures`.

    Results go to `output`, left out: the folder `output` in it. Raises ManifestError naming the
    folder.
    """
    problems = Problems(os.fspath(folder), has_places=False)
    try:
        starter = find_pictures(folder, styles)
    except UsageError as error:
        problems.add(WHOLE_FILE, str(error))
        problems.raise_found()
        raise
    if (folder / _NAME).exists():
        problems.warn(WHOLE_FILE, f"the manifest {_NAME} in it is not read; name it to run it")
    text = starter.yaml(OUTPUT if output is None else _text(os.path.abspath(output)))
    manifest = load_text(text, problems, folder / _NAME, overrides=overrides, strict=strict)
    arguments = [word for style in styles for word in ("--style", os.path.abspath(style))]
    arguments += ["--output", os.path.abspath(output)] if output is not None else []
    arguments += manifest.arguments
    warnings = list(manifest.warnings)
    if any(_LEAVES_OUT in warning for warning in warnings):
        warnings.append(f"{problems.file}: to take what is left out, change the patterns in a manifest (stylize init)")
    here = folder.absolute()
    return replace(manifest, file=here, name=here.name or _NAME, arguments=tuple(arguments), warnings=tuple(warnings))


def starter_manifest(folder: Path, manifest: Path | None = None, styles: Sequence[Path] = ()) -> str:
    """The text of a commented manifest for the pictures in a folder; it runs as it is.

    For `styles` see `find_pictures`. `manifest` is the file that it will be (left out: one in
    `folder`); paths are written relative to that. Results go to `output` beside the folder, or in
    it if the manifest stands in it too. Raises UsageError if there is no content or no style.
    """
    found = find_pictures(folder, styles)
    here = "."
    if manifest is not None:
        here = _text(os.path.relpath(os.path.realpath(folder), os.path.realpath(manifest.parent)))
    return _STARTER.format(
        input=quoted(here),
        output=quoted(os.path.normpath(os.path.join(here, ".." if here != "." else ".", OUTPUT))),
        contents=len(found.contents),
        styles=len(found.styles),
        left_out="".join(f"# {sentence}.\n" for sentence in found.left_out),
        pairs=len(found.contents) * len(found.styles),
        content=quoted(found.contents[0]),
        style=quoted(found.styles[0]),
        other=quoted(found.styles[-1]),
        content_axis=", ".join(map(quoted, _without(found.content_axis, _alike(found.contents)))),
        style_axis=", ".join(map(quoted, _without(found.style_axis, _alike(found.styles)))),
        pattern=quoted(DEFAULT_PATTERN),
        more=_entries(found),
        presets="\n".join(f"#   {name:<18} {preset.summary}" for name, preset in builtin_presets().items()),
    )


def _from(folder: Path, style: Path) -> str:
    """A picture, or all pictures of a folder, as a matrix names them: starting at `folder`."""
    # Real paths, as a manifest's input folder is one: `..` behind a link is another folder.
    name = _text(os.path.relpath(os.path.realpath(style), os.path.realpath(folder)))
    if style.is_dir():
        return posixpath.normpath(f"{glob.escape(name)}/*")
    return f"./{name}" if name.startswith("!") else name  # "!name" would take away


def _text(name: str) -> str:
    """A name that a manifest can hold. Raises UsageError for any other."""
    if not is_text(name):
        raise UsageError(f"{printable(name)} is no text (UTF-8), so no manifest can name it; rename it")
    return name


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
            f"{printable(folder)} has no folder 'content'; to paint the pictures in it as they lie, name the paintings"
            " with --style PICTURE_OR_FOLDER"
        )
    role = "style" if has_contents else "content"
    if not has_contents and (manifests := sorted(name for name in os.listdir(folder) if name.endswith(ENDINGS))):
        return f"{printable(folder)} is a folder without pictures; name the manifest in it ({_first(manifests)})"
    return f"{printable(folder / role)} holds no picture; put some there ({endings})" + (
        ", or name the paintings with --style" if has_contents else ""
    )


def _first(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _entries(found: Starter) -> str:
    """The matrices after the first, for pictures of one stem (`a.jpg` and `a.png`), which are named
    with their endings; and nothing where there are none."""
    contents, styles = (_alike(names) for names in (found.contents, found.styles))
    entries = []
    for content_axis, content in ((_without(found.content_axis, contents), "stem"), (contents, "name")):
        for style_axis, style in ((_without(found.style_axis, styles), "stem"), (styles, "name")):
            if (content, style) != ("stem", "stem") and content_axis and style_axis:
                pattern = f"{{content.{content}}}--{{style.{style}}}.png"
                axes = (", ".join(map(quoted, axis)) for axis in (content_axis, style_axis))
                entries.append(_ENTRY.format(*axes, quoted(pattern)))
    return "".join(["\n", _ALIKE, *entries]) if entries else ""


def _alike(names: Sequence[str]) -> tuple[str, ...]:
    """Pictures of a stem that others have too, in other files than those that differ in case alone:
    these are not told apart, as their names are one file where case does not count."""
    endings: dict[str, set[str]] = {}
    stems = {name: identity(posixpath.splitext(posixpath.basename(name))[0]) for name in names}
    for name, stem in stems.items():
        endings.setdefault(stem, set()).add(identity(posixpath.basename(name)))
    alike = [_text(name) for name in names if len(endings[stems[name]]) > 1]
    return tuple(f"./{name}" if name.startswith("!") else name for name in alike)


def _without(axis: Sequence[str], left_out: Sequence[str]) -> tuple[str, ...]:
    """An axis without some of its pictures: `!` takes them away from patterns, and names go."""
    names = [part for part in axis if part not in left_out]
    return (
        (*names, *(f"!{glob.escape(name)}" for name in left_out)) if any("*" in part for part in names) else (*names,)
    )


_ALIKE = "  # Pictures with one name but for its ending: that is part of their outputs' names.\n"
_ENTRY = """\
  - matrix:
      content: [{}]
      style: [{}]
    output: {}
"""

_STARTER = """\
# yaml-language-server: $schema=manifest.schema.json
# (`stylize schema > manifest.schema.json` beside this file gives your editor help and completion.)
# Found: {contents} contents and {styles} styles. `stylize plan` on this file says what a run would do and how long it takes.
{left_out}version: 1
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
      # style_weight: [5e-3, 2e-2]  # any option may be an axis; then name it in `output` too
    # overrides: [{{match: {{content: {content}, style: {style}}}, strength: 0.8}}]  # one otherwise; only that is painted anew
    output: {pattern}
{more}
  # One pair, with options of its own; painted before the others.
  # - content: {content}
  #   style: {style}
  #   output: one-of-a-kind.png
  #   priority: 10
  #   options: {{preset: fine, style_weight: 2e-2}}

  # Two styles blended, two parts of the first to one of the second.
  # - content: {content}
  #   style:
  #     - {{image: {style}, weight: 2}}
  #     - {{image: {other}, weight: 1}}
  #   output: blend.png
"""
