"""The axes of a matrix, and the combinations of it that are not excluded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.options.precedence import Layer, LayerReader, Setting
from pipeline.manifest.pairs.choices import Chooser, Picture
from pipeline.manifest.pairs.naming import Pattern
from pipeline.manifest.pairs.pictures import matches
from pipeline.manifest.sections import IGNORED_PREFIX, MatrixSection
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node

_PICTURES = ("content", "style")
Combination = tuple[int, ...]  # for each axis, which of its choices


@dataclass(frozen=True, slots=True)
class Axis:
    """One list of a matrix: pictures (`content`, `style`) or settings of the option `name`."""

    name: str
    choices: Sequence[Picture | Setting]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Axes, the first varying slowest, and exclusions: by axis, which choices each means."""

    axes: tuple[Axis, ...]
    exclusions: tuple[Mapping[int, frozenset[int]], ...] = ()

    @property
    def size(self) -> int:
        """The number of combinations, the excluded ones counted in."""
        return math.prod(len(axis.choices) for axis in self.axes)

    def __str__(self) -> str:
        return " x ".join(f"{len(axis.choices)} {axis.name}" for axis in self.axes)

    def combinations(self) -> Iterator[Combination]:
        """Every combination that is not excluded."""
        for chosen in itertools.product(*(range(len(axis.choices)) for axis in self.axes)):
            if not any(all(chosen[axis] in meant for axis, meant in one.items()) for one in self.exclusions):
                yield chosen

    def picture(self, role: str, chosen: Combination) -> Picture:
        """The content or style of a combination."""
        index = next(index for index, axis in enumerate(self.axes) if axis.name == role)
        picture = self.axes[index].choices[chosen[index]]
        assert isinstance(picture, Picture)
        return picture

    def options(self, chosen: Combination) -> Combination:
        """The part of a combination that decides about options."""
        return tuple(choice for axis, choice in zip(self.axes, chosen, strict=True) if axis.name not in _PICTURES)

    def layer(self, chosen: Combination) -> Layer:
        """The settings of a combination."""
        picked = ((axis.name, axis.choices[choice]) for axis, choice in zip(self.axes, chosen, strict=True))
        return {name: setting for name, setting in picked if isinstance(setting, Setting)}

    def advice(self, pattern: Pattern) -> str:
        """What to do where two combinations want one output; empty where every axis is named in
        it."""
        fields = {field.split(".")[0] for field in pattern.fields}
        missing = [axis.name for axis in self.axes if len(axis.choices) > 1 and axis.name not in fields]
        names = [f"{{{name}.stem}}" if name in _PICTURES else f"{{{name}}}" for name in missing]
        return f"add {' and '.join(names)} to 'output'" if names else ""


def read_matrix(
    section: MatrixSection,
    node: MapNode,
    chooser: Chooser,
    reader: LayerReader,
    overrides: Layer,
    problems: Problems,
) -> Matrix | None:
    """The matrix of an entry, or None with every fault noted.

    An axis that an override sets has that one choice.
    """
    matrix = node.entries["matrix"].node
    assert isinstance(matrix, MapNode)
    axes: list[Axis] = []
    is_sound = True
    for name, entry in matrix.entries.items():
        if name.startswith(IGNORED_PREFIX):
            continue
        if name in _PICTURES:
            pictures = chooser.of_axis(name, entry.node)
            is_sound = is_sound and pictures is not None
            axes.append(Axis(name, pictures or ()))
        elif name in overrides:
            axes.append(Axis(name, (overrides[name],)))
        else:
            settings = [
                reader.setting(name, value, item, lambda place: f"{problems.at(place)} (matrix axis)")
                for value, item in zip(getattr(section.matrix, name), _items(entry.node), strict=True)
            ]
            is_sound = is_sound and None not in settings
            axes.append(Axis(name, [setting for setting in settings if setting is not None]))
    exclusions = _exclusions(section, node, axes, reader, problems)
    return Matrix(tuple(axes), tuple(exclusions)) if is_sound and exclusions is not None else None


def _exclusions(
    section: MatrixSection, node: MapNode, axes: Sequence[Axis], reader: LayerReader, problems: Problems
) -> list[Mapping[int, frozenset[int]]] | None:
    """The exclusions; None with the fault noted if one names what is no axis.

    One without effect earns a warning.
    """
    if not section.exclude:
        return []
    positions = {axis.name: index for index, axis in enumerate(axes)}
    exclusions: list[Mapping[int, frozenset[int]]] = []
    is_sound = True
    for excluded, item in zip(section.exclude, _items(node.entries["exclude"].node), strict=True):
        assert isinstance(item, MapNode)
        unknown = [name for name in excluded.given if name not in positions]
        for name in unknown:
            problems.add(
                item.entries[name].place, f"'{name}' is no axis of this matrix; they are {', '.join(positions)}"
            )
        if not excluded.given:
            problems.add(item.place, "an empty exclusion would exclude every pair; name what to leave out")
        is_sound = is_sound and not unknown and bool(excluded.given)
        if not unknown:
            meant = {
                positions[name]: frozenset(
                    index
                    for index, choice in enumerate(axes[positions[name]].choices)
                    if _is_meant(choice, name, value, reader)
                )
                for name, value in excluded.given.items()
            }
            if not all(meant.values()) and all(axis.choices for axis in axes):
                problems.warn(item.place, "this excludes nothing: no pair of the matrix has these values")
            exclusions.append(meant)
    return exclusions if is_sound else None


def _is_meant(choice: Picture | Setting, name: str, value: Any, reader: LayerReader) -> bool:
    if isinstance(choice, Picture):
        return any(matches(value, picture) for picture in choice.names)
    return bool(choice.value == reader.resolve(name, value))


def _items(node: Node) -> Sequence[Node]:
    assert isinstance(node, ListNode)
    return node.items
