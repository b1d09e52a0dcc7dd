"""High dynamic range brought to a screen: PQ and HLG (ITU-R BT.2100) to sRGB.

Light is made of the code values, its highlights are rolled off by the curve of ITU-R BT.2390-11
(5.4.1) from the clip's brightest (`told_peak`) to the 203 cd/m2 of white paper (ITU-R BT.2408-7,
table 1), and its colours are brought from BT.2020 to BT.709 (ITU-R BT.2407-0, 2). The
curve is applied to the largest of the three colours and the others follow, so that hues stay.
"""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


PQ, HLG = 16, 18
"""Curves by their numbers in ITU-T H.273, table 3."""
NAMES = {PQ: "PQ", HLG: "HLG"}

Floats = NDArray[np.float32]

_LEVELS = 65536  # of 16 bits
_WHITE = 203.0  # cd/m2
# BT.2100-2, table 4.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_PEAK = 10_000.0
# BT.2100-2, table 5; the gamma is that of a screen of 1,000 cd/m2.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_GAMMA = 1.2
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
# BT.2407-0, 2: linear BT.2020 to linear BT.709.
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
_GAINS = 8  # tables that are kept, one for each peak
_STEPS = 4096  # of the tables that curves are read from, by the square root of light
USUAL_PEAK = 1000.0
"""cd/m2; what clips are mastered for that do not say it (ITU-R BT.2408-7, 2.1)."""
# Of what they say is believed no more than PQ can code, and no less than the darkest screen that is
# called HDR (VESA DisplayHDR 400): below, it is a figure that somebody forgot to fill in.
_DARKEST, _BRIGHTEST = 400.0, 10_000.0
_MASTERING, _LIGHT_LEVEL = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
# AVMasteringDisplayMetadata (libavutil/mastering_display_metadata.h): ten fractions, of which the
# last is the largest luminance, then two flags; of the second says whether luminances are there.
_DISPLAY = struct.Struct("=20i2i")
_CONTENT = struct.Struct("=2I")  # AVContentLightMetadata: MaxCLL, MaxFALL, cd/m2


def to_screen(levels: NDArray[np.uint16], curve: int, peak: float = USUAL_PEAK) -> NDArray[np.uint8]:
    """Code values of 16 bits (height, width, 3), full range, in BT.2020, by `curve`; as sRGB of 8
    bits. `peak` is the brightest there is, in cd/m2; HLG knows shares of a screen's alone, and is
    shown on one of the usual peak."""
    peak = peak if curve == PQ else USUAL_PEAK
    light = _light(levels, curve)
    brightest: Floats = light.max(2, keepdims=True) / np.float32(_PQ_PEAK)
    scaled = light * _looked_up(_roll_off_gain(peak), brightest)
    colours: Floats = np.clip(scaled @ _TO_709.T / np.float32(_WHITE), 0.0, 1.0)
    shown: NDArray[np.uint8] = np.rint(_looked_up(_srgb_curve(), colours)).astype(np.uint8)
    return shown


def _light(levels: NDArray[np.uint16], curve: int) -> Floats:
    """cd/m2 of each colour."""
    light: Floats = _light_of_levels(curve)[levels]
    if curve == HLG:  # scene light to that of a screen (BT.2100-2, table 5: OOTF)
        luminance = np.maximum(light @ _LUMINANCE_2020, 1e-6)[..., np.newaxis]
        light = np.float32(USUAL_PEAK) * light * luminance ** np.float32(_GAMMA - 1)
    return light


@functools.cache
def _light_of_levels(curve: int) -> Floats:
    """Of each code value: cd/m2 (PQ), or scene light 0..1 (HLG)."""
    signal = np.arange(_LEVELS) / (_LEVELS - 1)
    if curve == PQ:
        return pq_light(signal).astype(np.float32)
    low, high = signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12
    return np.where(signal <= 0.5, low, high).astype(np.float32)


def pq_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """cd/m2 of PQ's values 0..1 (BT.2100-2, table 4: EOTF)."""
    root = signal ** (1 / _M2)
    light: NDArray[np.float64] = _PQ_PEAK * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def pq_signal(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `pq_light`."""
    power = (light / _PQ_PEAK) ** _M1
    signal: NDArray[np.float64] = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def rolled_off(light: NDArray[np.float64], peak: float = USUAL_PEAK) -> NDArray[np.float64]:
    """cd/m2 on a screen of _WHITE of cd/m2 on one of `peak`, which is above that (BT.2390-11,
    5.4.1; black stays 0)."""
    top, white = pq_signal(np.array([peak, _WHITE]))
    signal = np.minimum(pq_signal(light) / top, 1)
    most = white / top
    knee = 1.5 * most - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    return pq_light(np.where(signal < knee, signal, spline) * top)


@functools.lru_cache(_GAINS)
def _roll_off_gain(peak: float) -> Floats:
    """What light is multiplied by, by the square root of its share of _PQ_PEAK."""
    light = _PQ_PEAK * np.linspace(0, 1, _STEPS) ** 2
    gain = np.ones(_STEPS)
    gain[1:] = rolled_off(light[1:], peak) / light[1:]
    return gain.astype(np.float32)


@functools.cache
def _srgb_curve() -> Floats:
    """Grey levels of linear light (IEC 61966-2-1), by the square root of light."""
    light = np.linspace(0, 1, _STEPS) ** 2
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * value).astype(np.float32)


def _looked_up(table: Floats, share: Floats) -> Floats:
    """A table's values at shares 0..1, between its steps in straight lines."""
    at = np.sqrt(np.clip(share, 0.0, 1.0)) * np.float32(_STEPS - 1)
    low = np.minimum(at.astype(np.int32), _STEPS - 2)
    part = at - low
    found: Floats = table[low] * (1 - part) + table[low + 1] * part
    return found


def told_peak(frame: VideoFrame) -> float | None:
    """cd/m2 of the brightest there is: the content's own (MaxCLL) where it is said and the screen
    that it was mastered on could show it, else that screen's; None where nothing is said."""
    found = (_largest_of_screen(frame), _largest_of_content(frame))
    told = [each for each in found if each is not None and each > 0]
    return min(max(min(told), _DARKEST), _BRIGHTEST) if told else None


def _largest_of_screen(frame: VideoFrame) -> float | None:
    data = _side_data(frame, _MASTERING)
    if data is None or len(data) < _DISPLAY.size:
        return None
    *_, numerator, denominator, _has_primaries, has_luminance = _DISPLAY.unpack_from(data)
    return numerator / denominator if has_luminance and denominator else None


def _largest_of_content(frame: VideoFrame) -> float | None:
    data = _side_data(frame, _LIGHT_LEVEL)
    return float(_CONTENT.unpack_from(data)[0]) if data is not None and len(data) >= _CONTENT.size else None


def _side_data(frame: VideoFrame, kind: str) -> bytes | None:
    return next((bytes(each) for each in frame.side_data if each.type.name == kind), None)
