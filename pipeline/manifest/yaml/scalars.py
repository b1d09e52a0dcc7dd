"""What a plain (unquoted) word of YAML means: YAML 1.2's core schema, a little stricter.

PyYAML follows YAML 1.1, where `1e4` is text, `22:30` is 1350, `017` is 15 and `no` is false: none of it what people mean.
"""

from __future__ import annotations

import re

ScalarValue = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")  # no leading zeros: 017 stays text, as nobody agrees on its value
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, ScalarValue] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
    ".inf": float("inf"),
    "+.inf": float("inf"),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
LARGEST_INTEGER = 2**63 - 1  # what JSON readers and NumPy hold in 64 bits


def plain_scalar(text: str) -> ScalarValue:
    """The value of an unquoted word. An integer beyond 64 bits stays text: a label may be one, and no option is."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        # The length first: Python refuses to convert thousands of digits.
        is_too_large = len(text) > len(str(LARGEST_INTEGER)) + 1 or abs(int(text)) > LARGEST_INTEGER
        return text if is_too_large else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
