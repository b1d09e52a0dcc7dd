"""The rows of a report, in little memory: a night on a farm has a hundred thousand of them.

A row takes some five kilobytes as Python's tables. The first are kept so; of the others, what all
pages look at is kept, once for all rows that have it alike, and the readings are packed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.packing import Packer

Row = Mapping[str, Any]

_MOST_WHOLE = 2000  # rows that are kept as they are: some ten megabytes
# What is alike in many rows: half of what a row takes in memory are its options.
_ALIKE = ("options", "weights", "painted_with", "style", "style_shares", "size", "tilings", "flags")
_WORDS = ("status", "reason", "reason_class", "content", "precision", "node")  # the same, as texts or null
# What is looked at where a pair itself is shown, and where report.json is written.
_PACKED = ("key", "losses", "layer_losses", "trace", "meta", "notes", "masks", "style_at", "clip")


class Rows:
    """Takes in the rows of one report, each with the same keys in the same order."""

    def __init__(self) -> None:
        self._taken = 0
        self._shared: dict[str, Any] = {}
        self._words: dict[str | None, str | None] = {}
        self._shape: _Shape | None = None

    def take(self, row: dict[str, Any]) -> Row:
        """The row as it is held; nobody changes what it has."""
        for name in _ALIKE:
            row[name] = self._shared.setdefault(json.dumps(row[name]), row[name])
        self._taken += 1
        if self._taken <= _MOST_WHOLE:
            return row
        for name in _WORDS:
            row[name] = self._words.setdefault(row[name], row[name])
        self._shape = self._shape or _Shape(tuple(row))
        return PackedRow(self._shape, row)


class _Shape:
    """What packed rows have in common: their keys, the place of each, and the pattern of what is
    packed."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.held = tuple(name for name in names if name not in _PACKED)
        self.places = {name: place for place, name in enumerate((*self.held, *_PACKED))}
        self._packer = Packer()
        self._last: tuple[bytes, list[Any]] = b"", []

    def pack(self, row: Row) -> bytes:
        return self._packer.pack([row[name] for name in _PACKED])

    def unpacked(self, packed: bytes) -> list[Any]:
        """Kept until another row's are asked for: whoever wants one of them wants the others."""
        if self._last[0] is not packed:
            self._last = packed, self._packer.unpack(packed)
        return self._last[1]


class PackedRow(Mapping[str, Any]):
    """A row of a report, to be read as a table."""

    __slots__ = ("_held", "_packed", "_shape")

    def __init__(self, shape: _Shape, row: Row) -> None:
        self._shape = shape
        self._held = tuple(row[name] for name in shape.held)
        self._packed = shape.pack(row)

    def __getitem__(self, name: str) -> Any:
        place = self._shape.places[name]
        beyond = place - len(self._held)
        return self._held[place] if beyond < 0 else self._shape.unpacked(self._packed)[beyond]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shape.names)

    def __len__(self) -> int:
        return len(self._shape.names)
