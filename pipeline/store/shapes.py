"""Does a value that was read have the shape that we write? Said by the type hints of dataclasses.

What stands in an output folder can be anybody's: a seal that holds says that it is whole, and
nothing of what is in it.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

_DEEPEST = 40  # a manifest has 32, and what it says is a few levels down in a record
_LARGEST = 2**63  # of whole numbers: bytes and nanoseconds are below


def fits(value: Any, hint: Any, deepest: int = _DEEPEST) -> bool:
    """Is it a value of this type: JSON's own, lists and tables of them, alternatives, literals, or
    anything that JSON has? Numbers are finite, whole ones are no truth values."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if deepest < 0:
        return False
    if hint is Any:
        return _is_json(value, deepest)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part, deepest) for part in parts)
    if origin is typing.Literal:
        return isinstance(value, str | int) and value in parts
    if origin is list:
        return isinstance(value, list) and all(fits(item, parts[0], deepest - 1) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(
            isinstance(name, str) and fits(item, parts[1], deepest - 1) for name, item in value.items()
        )
    if hint is float:
        return _is_number(value)
    if hint is int:
        return isinstance(value, int) and _is_number(value)
    return isinstance(value, hint)


def fitting(kind: type, fields: Any) -> dict[str, Any] | None:
    """Those of `fields` that the dataclass `kind` has; None where they are no table, or one of them
    has another type. What is missing is not missed here."""
    if not isinstance(fields, Mapping):
        return None
    hints = _hints(kind)
    known = {name: value for name, value in fields.items() if name in hints}
    return known if all(fits(value, hints[name]) for name, value in known.items()) else None


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return isinstance(value, float) and math.isfinite(value)


def _is_json(value: Any, deepest: int) -> bool:
    if value is None or isinstance(value, str | bool) or _is_number(value):
        return True
    return fits(value, list[Any], deepest) or fits(value, dict[str, Any], deepest)
