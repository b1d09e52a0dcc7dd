"""How the pairs of a run went, by output, in little memory: a night on a farm has a hundred
thousand of them.

An outcome with the readings of its trace takes 100 to 300 KB as Python's objects. The first are
kept as they are; of the others the report's readings are kept, and all of it packed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from pipeline.job import Outcome, Status
from pipeline.packing import Packer
from pipeline.store.records import thin

# Readings of all traces of a report: each takes a kilobyte of memory and 360 bytes of report.json.
# So three hundred pairs have 200 each, as many as a usual pair has steps; a thousand have the 60
# that records keep of every pair; from thirty thousand on each has two.
_MOST_READINGS = 60_000
_FEWEST = 2  # of a pair: the first and the last
_MOST_WHOLE = 30_000  # readings of outcomes that are not packed: some 30 MB
_BESIDE = 10  # readings that take as much as all else of an outcome
_NAMES = tuple(field.name for field in fields(Outcome))


class Outcomes:
    """Outcomes of a run over so many `pairs`."""

    def __init__(self, pairs: int) -> None:
        self._readings = max(_FEWEST, _MOST_READINGS // max(pairs, 1))
        self._whole: dict[str, Outcome] = {}
        self._packed: dict[str, tuple[Status, bytes]] = {}
        self._held = 0  # readings of those that are whole
        self._packer = Packer()

    def add(self, outcome: Outcome) -> None:
        """Keep it, in the place of an earlier one; its trace may be thinned."""
        output = outcome.output
        self.thin(outcome)
        self._packed.pop(output, None)
        if (before := self._whole.pop(output, None)) is not None:
            self._held -= len(before.trace) + _BESIDE
        if self._held < _MOST_WHOLE:
            self._whole[output] = outcome
            self._held += len(outcome.trace) + _BESIDE
        else:
            self._packed[output] = outcome.status, self._pack(outcome)

    def thin(self, outcome: Outcome) -> None:
        """Leave as many readings as each pair may have in the report of such a run."""
        outcome.trace = thin(outcome.trace, self._readings)

    def get(self, output: str) -> Outcome | None:
        """How the pair went; None where that is not known."""
        if (entry := self._packed.get(output)) is not None:
            return self._unpacked(entry[1])
        return self._whole.get(output)

    def pop(self, output: str) -> Outcome | None:
        """The same, and forget it."""
        outcome = self.get(output)
        self._packed.pop(output, None)
        self._whole.pop(output, None)
        return outcome

    def __contains__(self, output: str) -> bool:
        return output in self._whole or output in self._packed

    def statuses(self) -> Iterator[tuple[str, Status]]:
        """Outputs with their statuses."""
        yield from ((output, outcome.status) for output, outcome in self._whole.items())
        yield from ((output, status) for output, (status, _packed) in self._packed.items())

    def _pack(self, outcome: Outcome) -> bytes:
        return self._packer.pack({name: getattr(outcome, name) for name in _NAMES})

    def _unpacked(self, packed: bytes) -> Outcome:
        return Outcome(**self._packer.unpack(packed))
