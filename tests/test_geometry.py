"""Where tiles lie, counted position by position: no TensorFlow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nst.geometry import Geometry
from pipeline.nst.network import VGG19, is_pool, reduction

LENGTHS = st.integers(32, 150)
DEPTHS = st.integers(1, len(VGG19.layers))
GEOMETRIES = st.builds(
    lambda height, width, frame, depth, side: (
        VGG19.layers[:depth],
        Geometry(height, width, frame=frame, names=VGG19.layers[:depth], side=side),
    ),
    *(LENGTHS, LENGTHS, st.sampled_from([0, 8]), DEPTHS, st.integers(16, 100)),
)


def seen(names, place):
    """The first and last pixel that a position of the last of the layers `names` sees, borders aside."""
    first = last = place
    for name in reversed(names):
        first, last = (2 * first, 2 * last + 1) if is_pool(name) else (first - 1, last + 1)
    return first, last


def test_two_tiles_by_hand():
    """100 x 32 pixels in a frame of 8 are 116 x 48. In the layers up to block1_pool, whose positions are 2 pixels long and
    see 3 to one side, tiles of 64 and the frame are 2 of 58 rows."""
    geometry = Geometry(100, 32, frame=8, names=VGG19.names_up_to(["block1_pool"]), side=64)
    first, second = geometry
    assert (first.rows, first.columns) == ((0, 58), (0, 48))
    assert (second.rows, second.columns) == ((58, 116), (0, 48))
    assert (first.top, first.left, first.bottom, first.right) == (0, 0, 62, 48)
    assert (second.top, second.left, second.bottom, second.right) == (54, 0, 116, 48)
    assert geometry.of_padded(second, "block1_pool") == (29, 0, 29, 24)
    assert geometry.of_picture(first, "block1_pool") == (0, 0, 25, 16)
    assert geometry.of_picture(second, "block1_pool") == (25, 0, 25, 16)
    assert geometry.in_tile(second, "block1_pool", framed=True) == (2, 0, 29, 24)
    assert geometry.in_tile(second, "block1_pool", framed=False) == (2, 4, 25, 16)
    assert geometry.in_tile(second, "block1_conv2", framed=False) == (4, 8, 50, 32)


@pytest.mark.parametrize(
    ("deepest", "halo"),
    [
        # Filters see one position, pools one to the right: 1 + 1, of single pixels ...
        ("block1_conv2", 2),
        ("block1_pool", 4),  # ... + 1 = 3, in whole positions of 2 pixels
        ("block2_pool", 12),  # + 2 + 2 + 2 = 9, in whole positions of 4
        ("block3_conv1", 16),  # + 4 = 13
        ("block5_conv1", 96),  # 13 + 3 * 4 + 4 + 4 * 8 + 8 + 16 = 85, in whole positions of 16
    ],
)
def test_a_halo_is_what_a_core_sees_in_whole_positions(deepest, halo):
    geometry = Geometry(1000, 64, frame=0, names=VGG19.names_up_to([deepest]), side=400)
    _first, middle, _last = geometry
    assert middle.rows[0] - middle.top == middle.bottom - middle.rows[1] == halo


@given(GEOMETRIES)
def test_every_core_holds_a_position_of_every_layer(made):
    """What is looked up in a tile is looked up somewhere, also where nothing of it lies there."""
    names, geometry = made
    for tile, name in itertools.product(geometry, names):
        assert min(geometry.in_tile(tile, name, framed=False)[2:]) > 0


@given(GEOMETRIES)
def test_cores_cover_the_padded_input_without_overlap(made):
    _names, geometry = made
    covered = np.zeros(geometry.padded, int)
    for tile in geometry:
        covered[slice(*tile.rows), slice(*tile.columns)] += 1
    assert (covered == 1).all()


@given(GEOMETRIES)
def test_tiles_begin_with_whole_positions_of_every_layer(made):
    names, geometry = made
    unit = max(reduction(name) for name in names)
    for tile in geometry:
        for begins in (tile.rows[0], tile.columns[0], tile.top, tile.left):
            assert begins % unit == 0
        for ends, whole in zip((tile.bottom, tile.right), geometry.padded, strict=True):
            assert ends % unit == 0 or ends == whole


@given(GEOMETRIES)
def test_every_position_belongs_to_one_core(made):
    names, geometry = made
    for layer in names:
        factor = reduction(layer)
        padded = np.zeros([length // factor for length in geometry.padded], int)
        picture = np.zeros((geometry.height // factor, geometry.width // factor), int)
        for tile in geometry:
            for counted, (top, left, height, width) in (
                (padded, geometry.of_padded(tile, layer)),
                (picture, geometry.of_picture(tile, layer)),
            ):
                if height and width:
                    assert min(top, left) >= 0
                    counted[top : top + height, left : left + width] += 1
        assert (padded == 1).all(), layer
        assert (picture == 1).all(), layer


@given(GEOMETRIES)
def test_a_core_is_the_same_positions_in_tile_padded_input_and_picture(made):
    """The pixel at which a position begins, found by each of the three."""
    names, geometry = made
    for layer, tile in itertools.product(names, geometry):
        factor = reduction(layer)
        offset = geometry.frame // factor
        of_padded, of_picture = geometry.of_padded(tile, layer), geometry.of_picture(tile, layer)
        framed, cropped = (geometry.in_tile(tile, layer, framed=framed) for framed in (True, False))
        assert (framed.top + tile.top // factor, framed.left + tile.left // factor) == of_padded[:2]
        assert framed[2:] == of_padded[2:]
        assert (cropped.top + tile.top // factor, cropped.left + tile.left // factor) == (
            of_picture.top + offset,
            of_picture.left + offset,
        )
        assert cropped[2:] == of_picture[2:]
        for inside, length in ((framed[::2], tile.bottom - tile.top), (framed[1::2], tile.right - tile.left)):
            assert 0 <= inside[0] <= sum(inside) <= length // factor


@given(GEOMETRIES)
def test_a_tile_holds_every_pixel_that_its_core_sees(made):
    names, geometry = made
    for depth, layer in enumerate(names, start=1):
        for tile in geometry:
            top, left, height, width = geometry.of_padded(tile, layer)
            for first, count, begins, ends, whole in (
                (top, height, tile.top, tile.bottom, geometry.padded[0]),
                (left, width, tile.left, tile.right, geometry.padded[1]),
            ):
                if count:
                    low, high = seen(names[:depth], first)[0], seen(names[:depth], first + count - 1)[1]
                    assert begins <= max(0, low), layer
                    assert min(whole - 1, high) < ends, layer


@given(LENGTHS, LENGTHS, st.sampled_from([0, 8]), st.integers(1, 13), st.integers(16, 100))
def test_tiles_hold_whole_cells_and_every_cell_belongs_to_one(height, width, frame, depth, side):
    """Of 4 pixels, also those that the border cuts off; each tile holds two of them, to go on from at the border."""
    geometry = Geometry(height, width, frame=frame, names=VGG19.layers[:depth], side=side, cell=4)
    counted = np.zeros((-(-height // 4), -(-width // 4)), int)
    for tile in geometry:
        top, left, down, across = geometry.of_cells(tile, 4)
        assert down >= 2
        assert across >= 2
        counted[top : top + down, left : left + across] += 1
        for name in VGG19.layers[:depth]:
            if reduction(name) <= 4 and not is_pool(name):  # a layer's positions are those of the cells
                there = geometry.of_picture(tile, name)
                assert (there.top, there.left) == (top * 4 // reduction(name), left * 4 // reduction(name))
                assert there.height == min(4 * down, height - 4 * top) // reduction(name)
    assert (counted == 1).all()
