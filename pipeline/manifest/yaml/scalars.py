"""What a word means: a plain (unquoted) one of YAML, or one with a unit (`45m`, `6GiB`, `06:00`).

Plain words are read by YAML 1.2's core schema, a little stricter. PyYAML follows YAML 1.1, where
`1e4` is text, `22:30` is 1350, `017` is 15 and `no` is false: none of it what people mean.
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
    """The value of an unquoted word.

    An integer beyond 64 bits stays text: a label may be one, and no option is.
    """
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


# 1,000 and 1_000 and 1 000 and 1'000 (with no-break and thin spaces too), and 0,5.
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:[,_' \u00a0\u2009\u202f\u2019][0-9]{3})+(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")


def number_meant(text: str) -> str:
    """How a number is written that people write otherwise, as `1,000`; empty for anything else."""
    if _GROUPED.fullmatch(text):
        return re.sub(r"[^-+0-9.]", "", text)
    match = _DECIMAL_COMMA.fullmatch(text)
    return f"{match[1]}.{match[2]}" if match else ""


# Blanks that look like the space, or like nothing, and that YAML takes for letters.
FALSE_BLANKS = "\u00a0\u00ad\u1680\u180e\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
_FALSE_BLANK = re.compile(f"[{FALSE_BLANKS}]")


def false_blank(text: str) -> str:
    """`a no-break space (U+00A0)` of a blank that YAML takes for a letter, the first in a text;
    empty if there is none."""
    match = _FALSE_BLANK.search(text)
    if match is None:
        return ""
    name = {0xA0: "a no-break space", 0x3000: "a wide space"}.get(ord(match[0]), "an invisible character")
    return f"{name} (U+{ord(match[0]):04X})"


# --------------------------------------------------------------------------------- words with units

DURATION = r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?"
SIZE = r"[0-9]+(?:\.[0-9]+)?(?:kB|KiB|MB|MiB|GB|GiB|TB|TiB)"
TIME_OF_DAY = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
# SI and IEC 80000-13: kB and its kin are powers of 1000, KiB and its kin powers of 1024.
_BYTES = {
    "kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4,
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4,
}  # fmt: skip
_MAX_DIGITS = 12  # of one number: 30,000 years in seconds, 1 TB in bytes; keeps every product small


def seconds(text: object) -> float:
    """The seconds of `90s`, `45m`, `7h`, `1h30m` or `2d`; above 0."""
    if isinstance(text, str) and re.fullmatch(DURATION, text):
        parts = re.findall(r"([0-9]+)([dhms])", text)
        if all(len(number) <= _MAX_DIGITS for number, _ in parts):
            total = sum(int(number) * _SECONDS[unit] for number, unit in parts)
            if total > 0:
                return float(total)
    raise ValueError("must be a duration with its unit, like 90s, 45m, 7h or 1h30m")


def bytes_of_size(text: object) -> int:
    """The bytes of `700MiB`, `6GiB` or `1.5GB`; above 0."""
    if isinstance(text, str) and re.fullmatch(SIZE, text):
        number, unit = re.fullmatch(r"([0-9.]+)(.*)", text).groups()  # type: ignore[union-attr]
        if len(number) <= _MAX_DIGITS and (total := int(float(number) * _BYTES[unit])) > 0:
            return total
    raise ValueError("must be a size with its unit, like 700MiB or 6GiB")


def time_of_day(text: object) -> str:
    """`6:00` and `06:00` as `06:00`."""
    if isinstance(text, str) and re.fullmatch(TIME_OF_DAY, text):
        return text.zfill(5)
    raise ValueError("must be a time of day from 00:00 to 23:59, like 06:00")
