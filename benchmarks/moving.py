"""Clips that are made here: a photograph before a moving camera, a body that crosses another, a camera that stands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import photograph

Frames = list[NDArray[np.uint8]]
_MARGIN = 1.35  # of the photograph around what the camera sees


def camera(name: str, width: int, height: int, frames: int) -> Frames:
    """A camera that pans, turns and comes nearer: a homography from frame to frame."""
    wide = _covering(name, round(width * _MARGIN), round(height * _MARGIN))
    found = []
    for number in range(frames):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), -0.35 * number, 1 / (1 - 0.005 * number))
        turn[:, 2] += (-0.012 * width * number, -0.005 * height * number)
        inwards = np.array([[1, 0, -wide.shape[1] / 2 + width / 2], [0, 1, -wide.shape[0] / 2 + height / 2], [0, 0, 1]])
        tilt = np.eye(3)
        tilt[2, 0] = -1e-5 * number
        whole = tilt @ np.vstack([turn, [0, 0, 1]]) @ inwards
        moved = cv2.warpPerspective(
            wide, whole, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        found.append(moved)
    return found


def body(name: str, ground: str, width: int, height: int, frames: int) -> Frames:
    """A round piece of one photograph that crosses another: it covers and uncovers."""
    behind, side = _covering(ground, width, height).astype(np.float32), height * 2 // 3
    piece = _covering(name, side, side)
    rows, columns = np.mgrid[:side, :side]
    inside = np.clip(side / 2 - 2 - np.hypot(rows - side / 2 + 0.5, columns - side / 2 + 0.5), 0, 1).astype(np.float32)
    found = []
    for number in range(frames):
        place = np.array([[1, 0, 0.06 * width + 0.03 * width * number], [0, 1, height / 6 + 0.01 * height * number]])
        shown = cv2.warpAffine(inside, place, (width, height))[..., np.newaxis]
        moved = cv2.warpAffine(piece, place, (width, height), flags=cv2.INTER_CUBIC)
        found.append(np.rint(shown * moved + (1 - shown) * behind).astype(np.uint8))
    return found


def standing(name: str, width: int, height: int, frames: int, noise: float) -> Frames:
    """A camera that stands, with noise of so many grey levels."""
    random, still = np.random.default_rng(0), _covering(name, width, height).astype(np.float32)
    return [
        np.clip(np.rint(still + random.normal(0, noise, still.shape)), 0, 255).astype(np.uint8) for _ in range(frames)
    ]


def _covering(name: str, width: int, height: int) -> NDArray[np.uint8]:
    """The middle of a photograph of input/content in this shape."""
    whole = photograph(f"content/{name}.jpg", 448)
    factor = min(whole.shape[0] / height, whole.shape[1] / width)
    tall, wide = round(height * factor), round(width * factor)
    top, left = (whole.shape[0] - tall) // 2, (whole.shape[1] - wide) // 2
    middle = whole[top : top + tall, left : left + wide]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
