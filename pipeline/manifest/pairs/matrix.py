"""The axes of a matrix, and the combinations of it that are painted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.manifest.options.precedence import Layer, LayerReader, Setting
from pipeline.manifest.pairs.cells import Axis, Cells, Combination, Otherwise, among, read_exclusions, read_otherwise
from pipeline.manifest.pairs.choices import WITHOUT_CONTENT, Chooser, Picture
from pipeline.manifest.pairs.naming import Pattern
from pipeline.manifest.section import IGNORED_PREFIX
from pipeline.manifest.sections import MatrixSection
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node

_PICTURES = ("content", "style")


@dataclass(frozen=True, slots=True)
class Matrix:
    """Axes, the first varying slowest; combinations that are left out, and those that are painted
    otherwise."""

    axes: tuple[Axis, ...]
    exclusions: tuple[Cells, ...] = ()
    otherwise: tuple[Otherwise, ...] = ()

    @property
    def size(self) -> int:
        """The number of combinations, the excluded ones counted in."""
        return math.prod(len(axis.choices) for axis in self.axes)

    def __str__(self) -> str:
        return " x ".join(f"{len(axis.choices)} {axis.name}" for axis in self.axes)

    def combinations(self) -> Iterator[Combination]:
        """Every combination that is not excluded."""
        for chosen in itertools.product(*(range(len(axis.choices)) for axis in self.axes)):
            if not any(among(cells, chosen) for cells in self.exclusions):
                yield chosen

    def picture(self, role: str, chosen: Combination) -> Picture:
        """The content or style of a combination."""
        index = next((index for index, axis in enumerate(self.axes) if axis.name == role), None)
        picture = self.axes[index].choices[chosen[index]] if index is not None else WITHOUT_CONTENT
        assert isinstance(picture, Picture)
        return picture

    def options(self, chosen: Combination) -> Combination:
        """What decides about the options of a combination: equal for those that have the same."""
        axes = (choice for axis, choice in zip(self.axes, chosen, strict=True) if axis.name not in _PICTURES)
        return (*axes, *(among(one.cells, chosen) for one in self.otherwise))

    def nearer(self, chosen: Combination) -> tuple[Layer, ...]:
        """What a combination has otherwise, the nearest last."""
        return tuple(one.layer for one in self.otherwise if among(one.cells, chosen))

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
    exclusions = read_exclusions(section, node, axes, reader, problems)
    otherwise = read_otherwise(section, node, axes, reader, problems)
    if not is_sound or exclusions is None or otherwise is None:
        return None
    return Matrix(tuple(axes), exclusions, otherwise)


def _items(node: Node) -> Sequence[Node]:
    assert isinstance(node, ListNode)
    return node.items
