"""A network for tests of what does not depend on one: how pictures are cut, walked, resumed, compared and kept."""

from __future__ import annotations

from pipeline.nst.network import VGG19, Network

THIN = Network("thin", ((2, 8), (2, 8), (1, 8), (2, 8), (1, 8)), VGG19.mean, VGG19.order)
"""VGG19's blocks, pools and names, and so what a position sees of a picture but for the convolutions that are left out; of
those the usual layers of content and style are there. It is traced in half the time and computed in next to none."""
