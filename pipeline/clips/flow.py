"""How things move from one frame of a clip to another, where that can be believed, and where one
shot ends and the next begins; pictures carried along.

The flow is OpenCV's DIS (Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse
Search", arXiv 1603.03590), both ways. With b(p) where position p of this frame stood in the other,
as a difference, and f the flow back from there, f̃(p) = f(p + b(p)), a position is reliable unless

    |f̃ + b|² > 0.01 (|f̃|² + |b|²) + 0.5      something was uncovered there
    |∇u|² + |∇v|² > 0.01 |b|² + 0.002          b = (u, v): on the edge of something that moves

which is Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated large displacement
optical flow" (ECCV 2010), Eq. 5 and 6; or it stood outside of the picture; or, ours, the photograph
shows something else there: what is flat, dark, or blinks has a flow of nothing both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
"""A photograph (height, width, 3), sRGB."""
Floats = NDArray[np.float32]

_RELATIVE, _ABSOLUTE = 0.01, 0.5  # Eq. 5, of squared lengths in pixels
_EDGE_RELATIVE, _EDGE_ABSOLUTE = 0.01, 0.002  # Eq. 6
# Grey levels, root mean square of the colours over 5 x 5 pixels, by which the photographs may
# differ beside twice what they differ by at the median, which is noise, or a fade, up to 30: of
# unrelated photographs one position in a hundred is alike then.
_OTHER, _BESIDE, _MOST_OTHER, _AROUND = 12.0, 2.0, 30.0, 5
# Pixels that at the median nothing moves by where the camera stands: noise of 8 grey levels makes
# 0.043, a pan by 0.03 pixels a frame 0.071.
_STANDS = 0.06
# By how much a flow has to be better than its opposite to be seen, around 2 pixels, in what is left
# of the photographs less their light around 3: all over a plain wall it is 1.15 at most, in a face
# 3 to 5. Around 6 pixels the wall moved as far from what moves before it.
_BETTER, _NEAR, _LIGHT = 1.5, 2.0, 3.0
_HARDLY = 0.25  # pixels, that noise moves by what stands; chosen
_UNSEEN = 1.0  # grey levels, by which nobody sees a difference
_DIMMED = 6.0  # grey levels; chosen: what differs by more was lit otherwise, or is something else
# The rim of a picture, in pixels, and how much of it has to be seen: a hand that reaches in is
# less.
_RIM, _MUCH = 6, 1 / 3
_SPECK, _SOFT, _END = 5, 1.5, 0.02  # pixels, pixels, and a share; chosen by eye
# How far away motion is looked for where there is none to be seen: of the longer side, and in
# pixels of what is made small for it; chosen.
_AWAY, _AWAY_SMALL = 1 / 12, 4.0
_NOTHING = 1e-6
# Pixels by which what is reliable is made smaller, and how softly it ends: measured for Gram
# matrices at 384 px; a moving body's rim is between both.
_ERODED, _BLURRED = 2, 2.0
# Of all positions, those that have to be reliable for two frames to be of one shot: of two that
# have nothing in common it is one in a hundred, of a pan by a fifth of the picture 0.7.
_OF_ONE_SHOT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """From one frame to another. `flow` (height, width, 2), float32, pixels right and down: where
    each position of the one stood in the other, as a difference. `reliable` (height, width), bool;
    `seen` likewise, with what is unreliable for no more than an edge that moves: it was there, but
    for a pixel or two."""

    flow: Floats
    reliable: NDArray[np.bool_]
    seen: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Of all positions, those that are reliable."""
        return float(self.reliable.mean())


def motion(here: Levels, there: Levels) -> Motion:
    """How the photograph `here` came about from `there`, of one size."""
    one, other = (cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY) for photograph in (here, there))
    with _alone():
        found = _dense(one, other)
        back, forth = _sure(here, there, found), _sure(there, here, _dense(other, one))
    height, width = one.shape
    x, y = _places(back)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = warped(forth, back, cv2.INTER_LINEAR) + back
    lengths = _squares(back) + _squares(returned - back)
    consistent = _squares(returned) <= _RELATIVE * lengths + _ABSOLUTE
    stands = ~back.any(-1)  # there is nothing by which its flow forth could be told
    seen = inside & (consistent | stands) & _alike(here, there, back)
    return Motion(back, seen & (_is_smooth(back) | _is_smooth(found) | stands), seen)


def warped(picture: NDArray[Any], flow: Floats, filter_: int = cv2.INTER_LANCZOS4) -> Floats:
    """A picture (height, width, channels) of the other frame carried to this one: at each position
    what stood where the flow says, float32, not cut off; beyond the border its mirror image."""
    x, y = _places(flow)
    found: Floats = cv2.remap(picture.astype(np.float32), x, y, filter_, borderMode=cv2.BORDER_REFLECT_101)
    return found


def softened(reliable: NDArray[np.bool_]) -> Floats:
    """How much each position is to be held, 0..1: what is reliable, a little smaller, with soft
    ends."""
    side = 2 * _ERODED + 1
    eroded = cv2.erode(reliable.astype(np.float32), np.ones((side, side), np.uint8), borderValue=1.0)
    blurred: Floats = cv2.GaussianBlur(eroded, (0, 0), _BLURRED, borderType=cv2.BORDER_REFLECT_101)
    return np.where(reliable, np.minimum(blurred, 1.0), 0.0).astype(np.float32)


def _dense(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Floats:
    """DIS, preset medium: 10 ms at 384 x 216."""
    flow: Floats = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(one, other, None)
    return flow


def _is_smooth(flow: Floats) -> NDArray[np.bool_]:
    """By Eq. 6."""
    down, right = (np.asarray(change, np.float32) for change in np.gradient(flow, axis=(0, 1)))
    found: NDArray[np.bool_] = _squares(down) + _squares(right) <= _EDGE_RELATIVE * _squares(flow) + _EDGE_ABSOLUTE
    return found


def _sure(here: Levels, there: Levels, flow: Floats) -> Floats:
    """The flow where the photograph has something by which it is seen. In what is plain, noise and
    light that changes make up a flow of pixels: that goes with what is around it. If the camera
    stands, a plain wall stands too, as does what hardly moves, and is not resampled."""
    along, against = (_detail(here, there, way) for way in (flow, -flow))
    light = np.mean(_blurred(here.astype(np.float32) - there, _LIGHT) ** 2, -1)
    unseen = _BETTER * along + _UNSEEN**2
    plain = (_structure(here) <= unseen) & (light <= _DIMMED**2)
    plain = _without_specks(plain)
    found = _merged(flow, _continued(flow, ~plain), plain)
    if _camera_moves(flow, plain):
        return found
    hardly = ~plain & (against <= unseen) & (_squares(flow) <= _HARDLY**2) & (light <= _DIMMED**2)
    return _merged(found, np.zeros_like(found), _without_specks(hardly | _behind(plain)))


def _without_specks(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = cv2.medianBlur(there.astype(np.uint8), _SPECK).astype(np.bool_)
    return found


def _merged(flow: Floats, other: Floats, there: NDArray[np.bool_]) -> Floats:
    """The flow, and the `other` one `there`, with soft ends: a picture that is carried by one that
    jumps is torn, into specks."""
    soft = np.clip((_blurred(there.astype(np.float32), _SOFT) - _END) / (1 - 2 * _END), 0, 1)[..., np.newaxis]
    found: Floats = (1 - soft) * flow + soft * other
    return found


def _camera_moves(flow: Floats, plain: NDArray[np.bool_]) -> bool:
    """As the rim of the picture says, where much of it can be seen to move or to stand."""
    rim = np.ones_like(plain)
    rim[_RIM:-_RIM, _RIM:-_RIM] = False
    seen = rim & ~plain
    return bool(seen.sum() >= _MUCH * rim.sum() and np.median(_squares(flow[seen])) > _STANDS**2)


def _behind(plain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is plain as far as the rim: a wall, and no cheek of a face that moves before it."""
    _count, parts = cv2.connectedComponents(plain.astype(np.uint8), connectivity=4)
    rim = np.ones_like(plain)
    rim[1:-1, 1:-1] = False
    found: NDArray[np.bool_] = plain & np.isin(parts, np.unique(parts[rim & plain]))
    return found


def _structure(here: Levels) -> Floats:
    """By how much the photograph would change if it moved by a pixel, as `_detail`: across or down,
    whichever changes it less."""
    ways = (np.full((*here.shape[:2], 2), way, np.float32) for way in ((1, 0), (0, 1)))
    return np.minimum(*(_detail(here, here, way) for way in ways))


def _continued(flow: Floats, known: NDArray[np.bool_]) -> Floats:
    """The mean of the flow that is known around each position."""
    height, width = known.shape
    factor = max(height, width) * _AWAY / _AWAY_SMALL
    size = max(1, round(width / factor)), max(1, round(height / factor))
    weight = known[..., np.newaxis].astype(np.float32)
    near, count = (
        _blurred(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), _AWAY_SMALL)
        for levels in (flow * weight, weight)
    )
    mean = near / (count[..., np.newaxis] + _NOTHING)
    found: Floats = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return found


def _detail(here: Levels, there: Levels, flow: Floats) -> Floats:
    """Squares of the difference of the photographs in what is smaller than light and shadow,
    (height, width), mean of the colours and of what is around."""
    apart = here.astype(np.float32) - warped(there, flow, cv2.INTER_LINEAR)
    squares: Floats = np.mean((apart - _blurred(apart, _LIGHT)) ** 2, -1)
    return _blurred(squares, _NEAR)


def _blurred(levels: Floats, sigma: float) -> Floats:
    found: Floats = cv2.GaussianBlur(levels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return found


def _alike(here: Levels, there: Levels, flow: Floats) -> NDArray[np.bool_]:
    """Where both photographs show the same."""
    size = (_AROUND, _AROUND)
    squares = cv2.blur(_difference(here, there, flow), size, borderType=cv2.BORDER_REFLECT_101)
    levels = np.sqrt(np.maximum(squares, 0))  # the filter goes on with sums, which round below 0
    found: NDArray[np.bool_] = levels <= min(_OTHER + _BESIDE * float(np.median(levels)), _MOST_OTHER)
    return found


def _difference(here: Levels, there: Levels, flow: Floats | None) -> Floats:
    """Squares of the difference of the photographs, (height, width), mean of the colours."""
    carried = there.astype(np.float32) if flow is None else warped(there, flow, cv2.INTER_LINEAR)
    found: Floats = np.mean((here.astype(np.float32) - carried) ** 2, -1)
    return found


def _places(flow: Floats) -> tuple[Floats, Floats]:
    """Columns and rows of the other frame, (height, width) each."""
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] + flow[..., 1]
    return x, y


def _squares(vectors: Floats) -> Floats:
    found: Floats = np.sum(vectors**2, -1)
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """OpenCV in one thread: how it divides a picture among several changes what is found."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def is_cut(here: Levels, there: Levels) -> bool:
    """Does the photograph `here` (height, width, 3) belong to another shot than `there`?"""
    return tells_cut(motion(here, there))


def tells_cut(found: Motion) -> bool:
    """The same, from the motion between both."""
    return found.share < _OF_ONE_SHOT
