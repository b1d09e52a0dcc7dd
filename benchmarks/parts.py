"""What a step needs, part by part, what the machine could do it in, and what is left of its time: rows of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.figures import significant


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a step: what it is, and the seconds that it would take at the machine's best rate."""

    what: str
    amount: str
    could_be: float

    @classmethod
    def of_work(cls, what: str, operations: float, rate: float) -> Part:
        """By arithmetic, at a rate in operations a second."""
        return cls(what, f"{significant(operations / 1e9)} GFLOP", operations / rate)

    @classmethod
    def of_bytes(cls, what: str, moved: float, bandwidth: float) -> Part:
        """By bytes, at a bandwidth in bytes a second."""
        return cls(what, f"{significant(moved / 1e9)} GB", moved / bandwidth)


def what_is_left(picture: str, took: float, parts: Sequence[Part]) -> Iterator[tuple[str, ...]]:
    """Rows: the parts of a step that took so many seconds, and last what none of them accounts for."""
    for part in parts:
        yield (f"{picture}: {part.what}", part.amount, f"{part.could_be:.3f} s", significant(part.could_be / took))
    left = took - sum(part.could_be for part in parts)
    yield (f"{picture}: what is left", "", f"{left:.3f} s", significant(left / took))


def where_it_went(what: str, took: float, parts: Sequence[tuple[Part, float]]) -> Iterator[tuple[str, ...]]:
    """Rows: parts with the seconds that they took, of a step of so many seconds; the step; and last what is left between it
    and all that it could be."""
    could_be = sum(part.could_be for part, _seconds in parts)
    for part, seconds in [*parts, (Part("step", "", could_be), took)]:
        times = (f"{seconds:.3f} s", significant(seconds / took), f"{part.could_be:.3f} s")
        yield (f"{what}: {part.what}", part.amount, *times, f"{seconds - part.could_be:.3f} s")
    yield (f"{what}: what is left", "", f"{took - could_be:.3f} s", significant(1 - could_be / took), "", "")
