"""Numbers of an axis that are not written one by one: `style_weight: {from: 1e-3, to: 1e-1, count:
5, log: true}`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pipeline.manifest.check import check
from pipeline.manifest.options.rules import RULES, OptionRule
from pipeline.manifest.sections import RangeSection
from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.scalars import LARGEST_INTEGER
from pipeline.manifest.yaml.tree import Entry, ListNode, MapNode, Node, ScalarNode

# Of a value, so that names of outputs stay short: 0.003162, and not 0.0031622776601683794.
_DIGITS = 4


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
