"""The verb that compares: measure. TensorFlow runs in a process of its own."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.cli.arguments import EXIT_CODES, overrides_of
from pipeline.cli.paths import PathName
from pipeline.cli.questions import ask, look_at
from pipeline.cli.streams import print_json
from pipeline.clip_names import is_clip_name
from pipeline.errors import ExitCode, UsageError
from pipeline.printable import printable

_PROCESS = "pipeline.measuring"
_WORDS = {  # of the figures, which images/quality explains
    "style": "patches against the style's (0: as the style, 1: as the photograph)",
    "edges": "edges along the photograph's (1: all)",
    "empty": "what stands in its empty areas (0: nothing)",
    "hue": "colour that follows the photograph's (CIELAB units)",
    "speckle": "single pixels, beyond the style's own (share)",
    "clipped": "pixels at 0 or 255, beyond the style's own (share)",
    "rim": "difference at the edge against inside (1: no more)",
}


@click.command(epilog=EXIT_CODES, short_help="Say how near a picture is to its photograph and style.")
@click.argument("pictures", nargs=-1, required=True, type=PathName(), metavar="PICTURE...")
@click.option("--content", required=True, type=PathName(), help="The photograph that they show.")
@click.option(
    "--style",
    "styles",
    required=True,
    multiple=True,
    type=PathName(),
    metavar="PATH",
    help="The painting whose style they have; several are a blend (repeatable).",
)
@click.option("--set", "settings", metavar="OPTION=VALUE", multiple=True, help="Layers, network, weights.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: one line a number.")
def measure(
    pictures: tuple[Path, ...],
    content: Path,
    styles: tuple[Path, ...],
    settings: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
) -> int:
    """Say how near PICTURE is to its photograph and to a style, whoever painted it.

    Distances are in one unit for all presets, layer by layer: content 0 is the photograph, 1
    differs from it by as much as is in it; style 0 has the style's Gram matrix, 1000 nothing of it.
    """
    from pipeline.manifest import load_pictures

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    for path in (*pictures, content, *styles):
        _refuse_clip(path)
        look_at(path)
    # for its options alone: what they are, and what is wrong with them
    (job,) = load_pictures([content], styles[:1], os.devnull, overrides=overrides_of(settings)).pairs
    found = _measured(
        {
            "pictures": [str(path) for path in pictures],
            "content": str(content),
            "styles": [str(path) for path in styles],
            "options": job.options.all_values(),
        }
    )
    if as_json:
        print_json(found)
    else:
        click.echo(_csv(found) if as_csv else _text(found), nl=False)
    return ExitCode.OK


def _refuse_clip(path: Path) -> None:
    if is_clip_name(path.name):
        raise UsageError(
            f"{printable(path)} is a clip, and measure compares pictures; name a frame of it (those that were painted"
            " are below .pipeline/clips). How steady a clip is says the report"
        )


def _measured(question: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the process says that measures. Raises as `ask` does."""
    answer = ask(_PROCESS, question, "measuring process")
    found: list[dict[str, Any]] = answer["found"]
    return found


def _rows(each: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Kind, name and value of every number of a picture."""
    for kind in ("content", "style"):
        yield from ((kind, layer, value) for layer, value in each[kind].items())
    yield "tv", "picture", each["tv"]
    yield from (("figure", name, value) for name, value in each["figures"].items())


def _csv(found: Sequence[Mapping[str, Any]]) -> str:
    from pipeline.report.readings import cell

    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("picture", "width", "height", "kind", "name", "value"))
    for each in found:
        writer.writerows((cell(printable(each["picture"])), *each["size"], *row) for row in _rows(each))
    return written.getvalue()


def _text(found: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for each in found:
        width, height = each["size"]
        lines.append(f"{printable(each['picture'])}: {width}x{height}, {each['weights']['name']}")
        for kind, name, value in _rows(each):
            words = f"  {_WORDS[name]}" if kind == "figure" else ""
            lines.append(f"  {kind:<8} {name:<14} {value:10.4g}{words}".rstrip())
    return "\n".join(lines) + "\n"
