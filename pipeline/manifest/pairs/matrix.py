"""The axes of a matrix, also those whose numbers are not written one by one (`style_weight: {from:
1e-3, to: 1e-1, count: 5, log: true}`), and the combinations of it that are painted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.check import check
from pipeline.manifest.options.precedence import Layer, LayerReader, Setting
from pipeline.manifest.options.rules import RULES, OptionRule
from pipeline.manifest.pairs.cells import Axis, Cells, Combination, Otherwise, among, read_exclusions, read_otherwise
from pipeline.manifest.pairs.choices import WITHOUT_CONTENT, Chooser, Picture
from pipeline.manifest.pairs.naming import Pattern
from pipeline.manifest.section import IGNORED_PREFIX
from pipeline.manifest.sections import MatrixSection, RangeSection
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.scalars import LARGEST_INTEGER
from pipeline.manifest.yaml.tree import Entry, ListNode, MapNode, Node, ScalarNode

_PICTURES = ("content", "style")
# Of a value, so that names of outputs stay short: 0.003162, and not 0.0031622776601683794.
_DIGITS = 4


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


def with_ranges(node: MapNode, problems: Problems) -> MapNode | None:
    """The entry of a matrix with each range of numbers as the list that it stands for; None with
    the fault noted. Its values have the range's place."""
    matrix = node.entries["matrix"].node
    if not isinstance(matrix, MapNode):
        return node
    axes, is_sound = dict(matrix.entries), True
    for name, entry in matrix.entries.items():
        if name in RULES and RULES[name].number is not None and isinstance(entry.node, MapNode):
            values = _values(name, entry.node, problems)
            is_sound = is_sound and values is not None
            axes[name] = Entry(entry.place, ListNode(entry.node.place, list(values or ())))
    if not is_sound:
        return None
    return MapNode(
        node.place, node.entries | {"matrix": Entry(node.entries["matrix"].place, MapNode(matrix.place, axes))}
    )


def _values(name: str, node: Node, problems: Problems) -> list[Node] | None:
    asked: Any = check(RangeSection, node, problems, f"the range of '{name}'")
    if asked is None:
        return None
    rule, start = RULES[name], getattr(asked, "from")
    if fault := _fault(start, asked.to, log=asked.log):
        problems.add(node.place, f"'{name}': {fault}")
        return None
    values = [_rounded(value, rule) for value in _between(start, asked.to, asked.count, log=asked.log)]
    if any(isinstance(value, int) and abs(value) > LARGEST_INTEGER for value in values):
        problems.add(node.place, f"'{name}': whole numbers of a range are at most {LARGEST_INTEGER}")
        return None
    if len(set(values)) < len(values):
        problems.add(node.place, f"'{name}': so many numbers are not all different once they are rounded; lower count")
        return None
    return [ScalarNode(node.place, value, repr(value), quoted=False) for value in values]


def _fault(start: float, to: float, *, log: bool) -> str:
    """What is wrong with a range, as a sentence; else empty."""
    if start == to:
        return "a range goes from one number to another"
    if log and min(start, to) <= 0:
        return "a range with log: true has numbers above 0 only"
    return ""


def _between(start: float, to: float, count: int, *, log: bool) -> Iterator[float]:
    """`count` numbers with equal differences, or with `log` equal ratios; the ends are exact."""
    for index in range(count):
        share = index / (count - 1)
        if index in (0, count - 1):
            yield to if index else start
        elif log:
            yield math.exp((1 - share) * math.log(start) + share * math.log(to))
        else:
            yield (1 - share) * start + share * to


def _rounded(value: float, rule: OptionRule) -> int | float:
    return round(value) if rule.number is int else float(f"{value:.{_DIGITS}g}")
