"""Lengths on paper, which become pixels: `size: 30cm`. Standard library only."""

from __future__ import annotations

import re

LENGTH = r"^[0-9]{1,6}(\.[0-9]{1,6})?\s?(mm|cm|in)$"
PRINT_DPI = 300  # what printers ask for, and what `dpi: auto` is where no picture says another
_INCHES = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0}  # the inch is 25.4 mm (international yard, 1959)


def pixels_of(length: str, dpi: int) -> int:
    """How many pixels a length is at so many dots per inch, rounded; `length` matches `LENGTH`."""
    unit = length[-2:]
    return round(float(length[:-2]) * _INCHES[unit] * dpi)


def is_length(value: object) -> bool:
    """Whether a value of an option is a length."""
    return isinstance(value, str) and re.match(LENGTH, value) is not None
