"""Clips made here, small: photographs moved by a known camera, a body before a background, noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

INPUT = Path(__file__).resolve().parent.parent / "input"
WIDTH, HEIGHT = 160, 112


def photograph(name, width=WIDTH, height=HEIGHT):
    image = Image.open(INPUT / "content" / f"{name}.jpg").convert("RGB")
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def homography(frame):
    """Where a camera that pans, turns and comes nearer looks: (3, 3), from a frame's pixels to the first's."""
    angle, scale = np.deg2rad(0.35 * frame), 1 - 0.004 * frame
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [2e-5 * frame, 0, 1]])
    turn[:2] *= scale
    centre = np.array([[1, 0, WIDTH / 2], [0, 1, HEIGHT / 2], [0, 0, 1]])
    pan = np.array([[1, 0, 1.4 * frame], [0, 1, 0.5 * frame], [0, 0, 1]])
    return pan @ centre @ turn @ np.linalg.inv(centre)


def a_camera_moves(name, frames):
    """Frames, and of each the exact flow to the one before (height, width, 2)."""
    import cv2

    margin = 24
    wide = photograph(name, WIDTH + 2 * margin, HEIGHT + 2 * margin)
    inwards = np.array([[1, 0, margin], [0, 1, margin], [0, 0, 1]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    found = [
        cv2.warpPerspective(
            wide, inwards @ homography(number), (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
        for number in range(frames)
    ]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    here = np.stack([columns, rows, np.ones_like(rows)], -1)
    flows = [np.zeros((HEIGHT, WIDTH, 2))]
    for number in range(1, frames):
        there = here @ (np.linalg.inv(homography(number - 1)) @ homography(number)).T
        flows.append(there[..., :2] / there[..., 2:] - here[..., :2])
    return found, flows


def a_body_moves(frames, back=1, step=4):
    """Frames of a round piece of one photograph that crosses another, and what it uncovered of the last one in the last
    `back` frames."""
    ground, radius = photograph("coffee").astype(np.float32), HEIGHT / 3
    side = int(2 * radius)
    body = photograph("cat", side, side).astype(np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    found, covered = [], []
    for number in range(frames):
        left, top = 6 + step * number, HEIGHT // 6
        inside = np.hypot(rows - top - radius, columns - left - radius) < radius - 1
        frame, placed = ground.copy(), ground.copy()
        placed[top : top + side, left : left + side] = body
        frame[inside] = placed[inside]
        found.append(frame.astype(np.uint8))
        covered.append(inside)
    return found, covered[-1 - back] & ~covered[-1]


def noisy(name, frames, level):
    """Frames of a camera that stands, with noise of so many grey levels."""
    random = np.random.default_rng(0)
    still = photograph(name).astype(np.float32)
    return [
        np.clip(np.rint(still + random.normal(0, level, still.shape)), 0, 255).astype(np.uint8) for _ in range(frames)
    ]
