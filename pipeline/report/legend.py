"""What stands where on a sheet, in words; and what its pictures and values are called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.printable import printable
from pipeline.report.axes import PHOTOGRAPH, STYLE, Axis, shares_of
from pipeline.report.quantities import percent
from pipeline.report.settings import shown
from pipeline.textures import TEXTURE

_MOST_VALUES = 6  # of an option that are listed; of more their number is told


def legend(places: Mapping[str, Sequence[Axis]]) -> str:
    """`Rows: photograph (3). Columns: style (4). Blocks: seed (1, 2).`: for each place its axes,
    without those of one value."""
    told = {place: [axis for axis in axes if len(axis.values) > 1] for place, axes in places.items()}
    return " ".join(f"{place}: {', '.join(map(_words, axes))}." for place, axes in told.items() if axes)


def _words(axis: Axis) -> str:
    if axis.name in (PHOTOGRAPH, STYLE) or len(axis.values) > _MOST_VALUES:
        return printable(f"{axis.name} ({len(axis.values)})")
    return printable(f"{axis.name} ({', '.join(shown(json.loads(value)) for value in axis.values)})")


def value_words(name: str, pair: Mapping[str, Any]) -> str:
    """`seed 7`: an option of a pair."""
    return printable(f"{name} {shown(pair['options'].get(name))}")


def content_words(pair: Mapping[str, Any], folder: str = "") -> str:
    """The name of a pair's photograph, without the folder that all have in common."""
    return printable(pair["content"].removeprefix(folder)) if pair["content"] else TEXTURE


def style_words(pair: Mapping[str, Any], folder: str = "") -> str:
    """The names of a pair's styles, of a blend each with its share."""
    return " + ".join(each_style(pair, folder))


def each_style(pair: Mapping[str, Any], folder: str = "") -> list[str]:
    """The same, each for itself."""
    names = [printable(name.removeprefix(folder)) for name in pair["style"]]
    if len(names) == 1:
        return names
    return [f"{name} {percent(share)}" for name, share in zip(names, shares_of(pair), strict=True)]


def common_folder(names: Sequence[str]) -> str:
    """The folder of all names, with its last slash; "" if they have none in common."""
    folders = {name[: name.rfind("/") + 1] for name in names}
    return folders.pop() if len(folders) == 1 else ""
