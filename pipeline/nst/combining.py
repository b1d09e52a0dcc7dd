"""Measures of tiles and of the picture: from the one to the other by each term's own rule, and
gradients back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from pipeline.nst.objective import Probes
from pipeline.nst.terms.term import Combine

Found = dict[str, dict[str, Any]]
"""What was measured, by layer and term: nests of tensors."""

Grid = list[list[Found]]
"""What was measured of each tile, by row and column."""


def joined(probes: Probes, grid: Grid) -> Found:
    """The tiles' measures as the picture's."""
    rules = _rules(probes)
    return {
        layer: {
            name: tf.nest.map_structure(
                lambda *leaves, join=rules[name].join: join(_in_rows(leaves, grid)),
                *(tile[layer][name] for row in grid for tile in row),
            )
            for name in of_terms
        }
        for layer, of_terms in grid[0][0].items()
    }


def split(probes: Probes, grid: Grid, by_measured: Found) -> list[Found]:
    """The gradient by the picture's measures, as gradients by each tile's, row by row."""
    rules = _rules(probes)
    tiles: list[Found] = [{} for row in grid for _ in row]
    for layer, of_terms in by_measured.items():
        for name, gradients in of_terms.items():
            leaves = [tf.nest.flatten(tile[layer][name]) for row in grid for tile in row]
            parts = [
                [part for row in rules[name].split(whole, _in_rows(pieces, grid)) for part in row]
                for whole, *pieces in zip(tf.nest.flatten(gradients), *leaves, strict=True)
            ]
            for found, *own in zip(tiles, *parts, strict=True):
                found.setdefault(layer, {})[name] = tf.nest.pack_sequence_as(gradients, own)
    return tiles


def _rules(probes: Probes) -> dict[str, Combine]:
    return {probe.name: probe.combine for probe in probes.probes}


def _in_rows(leaves: Sequence[Any], grid: Grid) -> list[list[Any]]:
    """Leaves of all tiles, row by row."""
    rest = iter(leaves)
    return [[next(rest) for _ in row] for row in grid]
