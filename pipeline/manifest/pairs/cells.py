"""Which combinations of a matrix are meant by some of their values: those that `exclude` leaves
out, and those that `overrides` paints otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.options.precedence import Layer, LayerReader, Setting
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.pairs.choices import Picture
from pipeline.manifest.pairs.pictures import matches
from pipeline.manifest.sections import MatrixSection
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node

Combination = tuple[int, ...]  # for each axis, which of its choices
Cells = Mapping[int, frozenset[int]]
"""By axis, which of its choices are meant; of any other axis, all."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One list of a matrix: pictures (`content`, `style`) or settings of the option `name`."""

    name: str
    choices: Sequence[Picture | Setting]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Options that some combinations have instead of those of their matrix."""

    cells: Cells
    layer: Layer


def among(cells: Cells, chosen: Combination) -> bool:
    """Whether a combination is meant."""
    return all(chosen[axis] in meant for axis, meant in cells.items())


def read_exclusions(
    section: MatrixSection, node: MapNode, axes: Sequence[Axis], reader: LayerReader, problems: Problems
) -> tuple[Cells, ...] | None:
    """The combinations to leave out; None with the fault noted if one names what is no axis.

    One without effect earns a warning.
    """
    found = [
        _cells(excluded.given, item, axes, reader, problems, "exclude")
        for excluded, item in zip(section.exclude, _items(node, "exclude"), strict=True)
    ]
    sound = tuple(cells for cells in found if cells is not None)
    return sound if len(sound) == len(found) else None


def read_otherwise(
    section: MatrixSection, node: MapNode, axes: Sequence[Axis], reader: LayerReader, problems: Problems
) -> tuple[Otherwise, ...] | None:
    """The combinations to paint otherwise, and how; None with every fault noted.

    An option that is an axis is none of theirs: two combinations could become one.
    """
    found = list(_otherwise(section, node, axes, reader, problems))
    sound = tuple(one for one in found if one is not None)
    return sound if len(sound) == len(found) else None


def _otherwise(
    section: MatrixSection, node: MapNode, axes: Sequence[Axis], reader: LayerReader, problems: Problems
) -> Iterator[Otherwise | None]:
    names = {axis.name for axis in axes}
    for override, item in zip(section.overrides, _items(node, "overrides"), strict=True):
        match: Any = override.match
        cells = _cells(match.given, item.entries["match"].node, axes, reader, problems, "override")
        layer = reader.layer(override.given, item, lambda place: f"{problems.at(place)} (overrides)")
        clashes = names & override.given.keys()
        for name in clashes:
            problems.add(
                item.entries[name].place,
                f"'{name}' is an axis of this matrix, whose values an override cannot change; use 'exclude', and a pair",
            )
        if not override.given.keys() - {"match"}:
            problems.add(item.place, "this override sets no option; write what is to be otherwise beside 'match'")
        sound = cells is not None and layer and not clashes
        yield Otherwise(cells, layer) if cells is not None and layer and sound else None


_EMPTY = {
    "exclude": "an empty exclusion would exclude every pair; name what to leave out",
    "override": "an empty match means every pair; put these options under 'options' of the matrix",
}
_NOTHING = {
    "exclude": "this excludes nothing: no pair of the matrix has these values",
    "override": "this overrides nothing: no pair of the matrix has these values",
}


def _cells(
    given: Mapping[str, Any],
    node: Node,
    axes: Sequence[Axis],
    reader: LayerReader,
    problems: Problems,
    purpose: str,
) -> Cells | None:
    """The combinations that have all values `given` in `node`; None with the fault noted."""
    assert isinstance(node, MapNode)
    positions = {axis.name: index for index, axis in enumerate(axes)}
    unknown = [name for name in given if name not in positions]
    for name in unknown:
        problems.add(node.entries[name].place, f"'{name}' is no axis of this matrix; they are {', '.join(positions)}")
    if not given:
        problems.add(node.place, _EMPTY[purpose])
    if unknown or not given:
        return None
    meant = {positions[name]: _meant(axes[positions[name]], value, reader) for name, value in given.items()}
    if not all(meant.values()) and all(axis.choices for axis in axes):
        problems.warn(node.place, _NOTHING[purpose])
    return meant


def _meant(axis: Axis, value: Any, reader: LayerReader) -> frozenset[int]:
    """Which choices of an axis have a value. A picture is meant by its name or a pattern of it; by
    that of its file alone, `wave*`, where no name with its folders is."""
    pictures = [choice for choice in axis.choices if isinstance(choice, Picture)]
    if axis.name in RULES:
        wanted = reader.resolve(axis.name, value)
        return _where(isinstance(choice, Setting) and choice.value == wanted for choice in axis.choices)
    by_name = _where(any(matches(value, name) for name in picture.names) for picture in pictures)
    if by_name or "/" in value:
        return by_name
    return _where(any(matches(value, name.rpartition("/")[2]) for name in picture.names) for picture in pictures)


def _where(hits: Iterable[bool]) -> frozenset[int]:
    return frozenset(index for index, hit in enumerate(hits) if hit)


def _items(node: MapNode, key: str) -> list[MapNode]:
    """The maps of a list that a section may have."""
    if key not in node.entries:
        return []
    listed = node.entries[key].node
    assert isinstance(listed, ListNode)
    return [item for item in listed.items if isinstance(item, MapNode)]
