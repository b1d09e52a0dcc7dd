"""Along which two axes the pictures of a report differ most: rows and columns of its sheet."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PHOTOGRAPH, STYLE = "photograph", "style"
# Options that differ are looked at one by one and in pairs; of more the first are enough.
_MOST_OPTIONS = 10
_MOST_CELLS = 4  # for each picture: a sheet of more is mostly empty
_NO_AXES = frozenset({"weights", "preset"})  # what they decide is seen in the other options

Pair = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """What pairs differ in: the photograph, the style, or an option of this `name`. `values` are
    those that occur, as `key_of` gives them, in the order in which they are shown."""

    name: str
    values: tuple[str, ...]

    def key_of(self, pair: Pair) -> str:
        """A pair's value on this axis, as a text to compare by."""
        return key_of(self.name, pair)


def key_of(name: str, pair: Pair) -> str:
    """See Axis."""
    if name == PHOTOGRAPH:
        return str(pair["content"])
    if name == STYLE:
        return json.dumps([pair["style"], shares_of(pair)])
    return json.dumps(pair["options"].get(name))


def shares_of(pair: Pair) -> list[float]:
    """The styles' shares of the whole, which sum to 1; equal ones where they are not known."""
    shares = pair.get("style_shares") or []
    usable = len(shares) == len(pair["style"]) and all(isinstance(share, int | float) for share in shares)
    if not usable or not sum(shares) > 0:
        return [1 / len(pair["style"])] * len(pair["style"]) if pair["style"] else []
    return [round(share / sum(shares), 6) for share in shares]


def axes(pairs: Sequence[Pair]) -> tuple[Axis, Axis, list[Axis]]:
    """Rows, columns, and what else differs.

    Those two are taken that give most pictures a cell of their own; of equals, photograph and style
    where a quarter of the cells is filled, then those that leave fewer cells empty.
    """
    names = [PHOTOGRAPH, STYLE, *_options(pairs)]
    keys = {name: _keys(name, pairs) for name in names}
    kinds = {name: len(set(keys[name])) for name in names}

    def order(couple: tuple[str, str]) -> tuple[int, bool, int, int]:
        rows, columns = couple
        filled = len(set(zip(keys[rows], keys[columns], strict=True)))
        cells = kinds[rows] * kinds[columns]
        usual = couple == (PHOTOGRAPH, STYLE) and cells <= _MOST_CELLS * filled
        return -filled, not usual, cells, sum(map(names.index, couple))

    rows, columns = min(itertools.combinations(names, 2), key=order)
    found = {name: Axis(name, _sorted(name, keys[name])) for name in names}
    others = [found[name] for name in names if name not in (rows, columns) and kinds[name] > 1]
    return found[rows], found[columns], others


def _keys(name: str, pairs: Sequence[Pair]) -> list[str]:
    """The values of all pairs, each text held once."""
    seen: dict[str, str] = {}
    return [seen.setdefault(key, key) for key in (key_of(name, pair) for pair in pairs)]


def _options(pairs: Sequence[Pair]) -> list[str]:
    """Options that are not the same in all pairs."""
    seen: dict[str, str] = {}
    differ: dict[str, None] = {}
    each = {id(pair["options"]): pair["options"] for pair in pairs}  # many have the same
    for options in each.values():
        for name, value in options.items():
            text = json.dumps(value)
            if seen.setdefault(name, text) != text and name not in _NO_AXES:
                differ[name] = None
    return list(differ)[:_MOST_OPTIONS]


def _sorted(name: str, keys: Sequence[str]) -> tuple[str, ...]:
    rank: Callable[[str], Any] = _natural if name in (PHOTOGRAPH, STYLE) else _by_value
    return tuple(sorted(set(keys), key=rank))


def _natural(key: str) -> list[tuple[int, int, str]]:
    """`IMG_2` before `IMG_10`."""
    parts = re.split(r"([0-9]{1,18})", key.casefold())
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def _by_value(key: str) -> tuple[int, float, str]:
    """Numbers by size, then the rest as text."""
    value = json.loads(key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, key)
