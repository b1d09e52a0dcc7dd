"""The equations of Gatys, Ecker & Bethge, written out in float64 NumPy: loops that follow the paper's sums literally."""

from __future__ import annotations

import numpy as np


def features(height=3, width=4, channels=5, seed=0):
    """Like activations after a ReLU: about half of them zero."""
    random = np.random.default_rng(seed)
    return np.maximum(random.normal(size=(height, width, channels)), 0).astype(np.float32)


def content_distance(F, P):
    """Eq. 1."""
    F, P = F.astype(np.float64), P.astype(np.float64)
    total = 0.0
    for y, x, i in np.ndindex(*F.shape):
        total += (F[y, x, i] - P[y, x, i]) ** 2
    return total / 2


def gram_matrix(F):
    """Eq. 3."""
    F = F.reshape(-1, F.shape[-1]).astype(np.float64)
    positions, channels = F.shape
    G = np.zeros((channels, channels))
    for i in range(channels):
        for j in range(channels):
            for k in range(positions):
                G[i, j] += F[k, i] * F[k, j]
    return G


def style_distance(F, S):
    """Eq. 4, for a style image of the picture's own size."""
    positions, channels = F.shape[0] * F.shape[1], F.shape[-1]
    G, A = gram_matrix(F), gram_matrix(S)
    total = 0.0
    for i in range(channels):
        for j in range(channels):
            total += (G[i, j] - A[i, j]) ** 2
    return total / (4 * channels**2 * positions**2)
