"""Does a value that was read have the shape that we write? Said by the type hints of dataclasses.

What stands in an output folder can be anybody's: a seal that holds says that it is whole, and
nothing of what is in it.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

_DEEPEST = 40  # a manifest has 32, and what it says is a few levels down in a record
_LARGEST = 2**63  # of whole numbers: bytes and nanoseconds are below
_NUMBERS = frozenset({int, float})

MOST = 1e9
"""Of seconds and whatever else is counted, where a file can be anybody's: thirty years."""

Check = Callable[[Any], bool]


def fits(value: Any, hint: Any) -> bool:
    """Is it a value of this type: JSON's own, lists and tables of them, alternatives, literals, or
    anything that JSON has? Numbers are finite, whole ones are no truth values."""
    return _check_of(hint)(value)


def fitting(kind: type, fields: Any, *, unseen: str = "") -> dict[str, Any] | None:
    """Those of `fields` that the dataclass `kind` has; None where they are no table, or one of them
    has another type, but for the field `unseen`, which the caller looks at. What is missing is not
    missed here."""
    if not isinstance(fields, Mapping):
        return None
    checks = _checks_of(kind)
    known = {name: value for name, value in fields.items() if name in checks}
    return known if all(checks[name](value) for name, value in known.items() if name != unseen) else None


@functools.cache
def _checks_of(kind: type) -> dict[str, Check]:
    return {name: _check_of(hint) for name, hint in typing.get_type_hints(kind).items()}


@functools.cache  # a plan of ten thousand pairs asks a million times
def _check_of(hint: Any) -> Check:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _is_json
    if hint is float:
        return _is_number
    if hint is int:
        return lambda value: isinstance(value, int) and _is_number(value)
    if origin in (typing.Union, types.UnionType):
        checks = [_check_of(part) for part in parts]
        return lambda value: any(check(value) for check in checks)
    if origin is typing.Literal:
        return lambda value: isinstance(value, str | int) and value in parts
    if origin in (list, Sequence):
        of_item = _check_of(parts[0])
        return lambda value: isinstance(value, list) and all(map(of_item, value))
    if origin in (dict, Mapping):
        if parts[1] is Any:
            return lambda value: _is_table(value) and _are_json(list(value.values()))
        if parts[1] is float:
            return lambda value: _is_table(value) and _are_numbers(value.values())
        of_value = _check_of(parts[1])
        return lambda value: _is_table(value) and all(map(of_value, value.values()))
    return lambda value: isinstance(value, hint)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and set(map(type, value)) <= {str}


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _are_numbers(values: Collection[Any]) -> bool:
    """The same of many, in a fourth of the time where none is enormous: a record has a thousand."""
    with suppress(OverflowError):
        if _NUMBERS.issuperset(map(type, values)) and sum(map(abs, values)) < _LARGEST:
            return True
    return all(map(_is_number, values))


def _is_json(value: Any) -> bool:
    return _are_json([value])


def _are_json(level: list[Any]) -> bool:
    """Level by level, so that no depth is too much for it."""
    for _ in range(_DEEPEST):
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            if kind is list:
                deeper += item
            elif _is_table(item):
                deeper += item.values()
            elif not _is_number(item):
                return False
        if not deeper:
            return True
        level = deeper
    return False
