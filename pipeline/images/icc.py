"""ICC profiles: whether one is small enough to be worked through, and small ones of our own.

ICC.1:2022 (profile version 4.4); its sections in brackets. LittleCMS does for every pixel what a
profile says, so its steps and tables are counted first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

# The largest of printers' profiles are some MB.
MAX_BYTES = 2**25
MAX_TAGS = 100  # LittleCMS reads no more
# What a profile may do one after the other is five steps (10.12); of free steps (10.17) profiles
# have three.
MAX_STEPS = 16
MAX_CHANNELS = 4  # of a step: a table of n channels takes 2^n points a pixel; CMYK has 4
MAX_ENTRIES = 65_536  # of a curve

_HEADER, _COUNT, _ENTRY = 128, struct.Struct(">I"), struct.Struct(">4sII")
_D50 = (0.9642, 1.0, 0.8249)  # 7.2.16

Matrix = Sequence[Sequence[float]]
Point = tuple[float, float]
"""CIE x and y."""


def too_much(profile: bytes) -> str | None:
    """What a profile has too much of, as the end of a sentence; None where all is well."""
    if len(profile) > MAX_BYTES:
        return f"has {len(profile) / 2**20:.0f} MiB"
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None  # none at all, as LittleCMS will say
    (count,) = _COUNT.unpack_from(profile, _HEADER)
    if count > MAX_TAGS:
        return f"has {count:,} parts"
    for tag in _tags(profile, count):
        if found := _tag_too_much(tag):
            return found
    return None


def _tags(profile: bytes, count: int) -> Iterator[bytes]:
    whole = min(count, (len(profile) - _HEADER - 4) // _ENTRY.size)  # it may be cut short
    for _name, at, size in _ENTRY.iter_unpack(profile[_HEADER + 4 :][: whole * _ENTRY.size]):
        yield profile[at : at + size].ljust(52, b"\0")


def _tag_too_much(tag: bytes) -> str | None:
    kind = tag[:4]
    if kind == b"mpet":  # 10.17
        return _steps_too_much(tag)
    channels = max(tag[8], tag[9])
    if kind in (b"mft1", b"mft2", b"mAB ", b"mBA ") and channels > MAX_CHANNELS:  # 10.10 to 10.13
        return f"has tables of {channels} channels"
    if kind == b"curv" and (entries := _COUNT.unpack_from(tag, 8)[0]) > MAX_ENTRIES:  # 10.6
        return f"has curves of {entries:,} points"
    return None


def _steps_too_much(tag: bytes) -> str | None:
    (steps,) = _COUNT.unpack_from(tag, 12)
    if steps > MAX_STEPS:
        return f"has {steps:,} steps"
    for number in range(steps):
        if len(tag) < 16 + 8 * (number + 1):
            return None
        (at,) = _COUNT.unpack_from(tag, 16 + 8 * number)
        step = tag[at : at + 2**20].ljust(16, b"\0")
        channels = max(struct.unpack_from(">HH", step, 8))
        if channels > MAX_CHANNELS:
            return f"has a step of {channels} channels"
        if step.startswith(b"cvst") and step.count(b"parf") + step.count(b"samf") > MAX_STEPS * channels:
            return "has curves of too many pieces"
    return None


def is_linear(profile: bytes) -> bool:
    """Whether the numbers of red are in proportion to light (10.6, 10.18)."""
    (count,) = _COUNT.unpack_from(profile, _HEADER)
    table = profile[_HEADER + 4 :][: min(count, MAX_TAGS) * _ENTRY.size]
    curve = next((profile[at : at + size] for name, at, size in _ENTRY.iter_unpack(table) if name == b"rTRC"), b"")
    powers = (b"curv\0\0\0\0\0\0\0\0", b"curv\0\0\0\0\0\0\0\1\1\0", power_curve(1))
    return curve.startswith(powers)


def rgb_profile(red: Point, green: Point, blue: Point, white: Point, curve: bytes) -> bytes:
    """The profile (version 2.4) of a monitor whose colours are these; `curve` as `power_curve` or
    `srgb_curve` gives it."""
    to_d50 = _product(_adaptation(_xyz(white)), _primaries(red, green, blue, white))
    columns = {
        name: b"XYZ \0\0\0\0" + _fixed([row[column] for row in to_d50])
        for column, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    }
    return _monitor(b"RGB ", columns | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(curve: bytes) -> bytes:
    """The profile (version 2.4) of a monitor that shows grey alone."""
    return _monitor(b"GRAY", {b"kTRC": curve})


def _monitor(space: bytes, own: Mapping[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(_D50), **own}
    table, body, start = _COUNT.pack(len(tags)), b"", _HEADER + 4 + _ENTRY.size * len(tags)
    for name, content in tags.items():
        table += _ENTRY.pack(name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x12s48x", start + len(body), 0x02400000, b"mntr", space, b"XYZ ", b"acsp", _fixed(_D50)
    )
    return header + table + body


def power_curve(gamma: float) -> bytes:
    """Light is the number to the power of `gamma`."""
    return b"para\0\0\0\0\0\0\0\0" + _fixed([gamma])


def srgb_curve() -> bytes:
    """IEC 61966-2-1."""
    return b"para\0\0\0\0\0\3\0\0" + _fixed([2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def _fixed(numbers: Sequence[float]) -> bytes:
    """s15Fixed16 (4.6)."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


# Bradford's matrix of cone responses (annex E.3).
_CONES = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def _adaptation(white: Sequence[float]) -> Matrix:
    """What brings XYZ under a white to those under D50."""
    here, there = (_applied(_CONES, xyz) for xyz in (white, _D50))
    scaled = [[cone * there[row] / here[row] for cone in _CONES[row]] for row in range(3)]
    return _product(_inverse(_CONES), scaled)


def _primaries(red: Point, green: Point, blue: Point, white: Point) -> Matrix:
    """RGB to XYZ: columns so that the sum of all three is white."""
    columns = [_xyz(point) for point in (red, green, blue)]
    matrix = [list(row) for row in zip(*columns, strict=True)]
    amounts = _applied(_inverse(matrix), _xyz(white))
    return [[value * amount for value, amount in zip(row, amounts, strict=True)] for row in matrix]


def _xyz(point: Point) -> tuple[float, float, float]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _applied(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _product(first: Matrix, second: Matrix) -> Matrix:
    columns = list(zip(*second, strict=True))
    return [_applied(columns, row) for row in first]


def _inverse(m: Matrix) -> Matrix:
    """By cofactors. Raises ZeroDivisionError for colours on one line."""
    cofactors = [
        [
            m[(row + 1) % 3][(column + 1) % 3] * m[(row + 2) % 3][(column + 2) % 3]
            - m[(row + 1) % 3][(column + 2) % 3] * m[(row + 2) % 3][(column + 1) % 3]
            for row in range(3)
        ]
        for column in range(3)
    ]
    determinant = sum(m[0][column] * cofactors[column][0] for column in range(3))
    return [[value / determinant for value in row] for row in cofactors]
