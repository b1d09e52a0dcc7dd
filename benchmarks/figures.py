"""What a benchmark hands back, and how it is shown: medians, ratios, tables, targets met or missed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.images.quality import to_lab

# Of CIELAB's ΔE: Mahy, Van Eycken and Oosterlinck, Color Research and Application 19 (1994).
NOTICEABLE = 2.3


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that has a target. `bound` is `at most` or `at least`; `unit` stands behind the numbers."""

    what: str
    measured: float
    bound: str
    target: float
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.target if self.bound == "at most" else self.measured >= self.target


@dataclass(slots=True, kw_only=True)
class Section:
    """The result of one benchmark: its words and tables in Markdown, and the figures that have targets.

    `machine` is where and when it was measured (`machine.description`): sections may be renewed one by one.
    """

    name: str
    title: str
    text: str
    figures: list[Figure] = field(default_factory=list)
    machine: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Section:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**fields, "figures": [Figure(**figure) for figure in fields["figures"]]})


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what was measured side by side: a machine that slows down slows both of a pair."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def evaluations_to(target: float, count: int, judge: Callable[[int], float]) -> int | None:
    """The first of `count` evaluations after which `judge(number)` is down to `target`, found by halving, as the best
    picture's loss only falls. None where it never gets there."""
    if judge(count) > target:
        return None
    low, high = 0, count  # not down after `low`, down after `high`
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if judge(middle) <= target else (middle, high)
    return high


def stands_at(pictures: Mapping[int, NDArray[np.uint8]]) -> int:
    """The first of the steps from which on no picture (height, width, 3) differs noticeably from the last."""
    steps = sorted(pictures)
    last = to_lab(pictures[steps[-1]])
    found = steps[-1]
    for step in reversed(steps[:-1]):
        if np.linalg.norm(to_lab(pictures[step]) - last, axis=-1).mean() >= NOTICEABLE:
            break
        found = step
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is words, the others are numbers and stand to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def significant(value: float, digits: int = 3) -> str:
    """A number with so many digits that count: 0.0634, 12.3, 1,230; from a billion on 4.38e+16."""
    if value == 0 or abs(value) >= 1e9:
        return f"{value:.{digits}g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.{max(0, digits - 1 - math.floor(math.log10(abs(rounded))))}f}"


def targets_table(sections: Sequence[Section]) -> str:
    """Every figure that has a target, and whether it was met."""
    rows = [
        (
            figure.what,
            f"{significant(figure.measured)}{figure.unit}",
            f"{figure.bound} {significant(figure.target)}{figure.unit}",
            "met" if figure.met else "**missed**",
        )
        for section in sections
        for figure in section.figures
    ]
    return table(["figure", "measured", "target", ""], rows)


def render(by_kind: Mapping[str, Sequence[Section]]) -> str:
    """RESULTS.md: a part for each kind of machine (`machine.kind`)."""
    parts = [
        "# Benchmarks\n",
        'Written by `make bench`; `make bench ARGS="limit race"` renews single sections, `ARGS=--quick` only prints. Absolute\n'
        "times belong to one machine and one moment: what is claimed are ratios, measured side by side in one run. Processors\n"
        "of other kinds have parts of their own, by the best instructions that they have for convolutions.\n",
    ]
    for kind, sections in by_kind.items():
        parts.append(f"## Processors with {kind}\n")
        if any(section.figures for section in sections):
            parts.append(f"### Targets, {kind}\n\n{targets_table(sections)}\n")
        for section in sections:
            where = "; ".join(f"{name} {value}" for name, value in section.machine.items())
            text = f"{section.text.strip()}\n\n_{where}; took {section.seconds:.0f} s._\n"
            parts.append(f"### {section.title}, {kind}\n\n{text}")
    return "\n".join(parts)
