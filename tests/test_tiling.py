"""Which tiles a picture is cut into, and the memory that is foreseen for it: arithmetic, no TensorFlow."""

from __future__ import annotations

import itertools

import pytest

from pipeline.job import Options
from pipeline.studio.tiling import EXTRA_WORK, history_length, needed_bytes, tiling

GIB = 2**30
SIDES = (512, 1024, 1448, 2048, 4096)


def split(side, *, tile="auto", precision="bfloat16", max_memory=None):
    cut = tiling(Options(tile=tile), side * side, precision, max_memory)
    return cut.split if cut else 0


def test_without_a_limit_only_large_pictures_are_cut_and_larger_ones_further():
    splits = [split(side) for side in SIDES]
    assert splits[:3] == [0, 0, 0]
    assert 0 < splits[3] <= splits[4]


def test_off_is_off_at_any_size_and_limit():
    assert split(8192, tile="off") == 0
    assert split(8192, tile="off", max_memory=GIB) == 0


def test_a_side_in_pixels_is_taken_as_it_is():
    cut = tiling(Options(tile=640), 512 * 512, "float32", None)
    assert cut.side == 640
    assert cut.split >= 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("side", SIDES)
def test_under_a_limit_the_first_cut_that_fits_is_taken(precision, side):
    options, pixels = Options(), side * side
    for limit in (GIB, 4 * GIB, 12 * GIB, 200 * GIB):
        taken = split(side, precision=precision, max_memory=limit)
        cheaper = [other for other in EXTRA_WORK if EXTRA_WORK[other] < EXTRA_WORK[taken]]
        assert all(needed_bytes(options, pixels, precision, other) > 0.9 * limit for other in cheaper)
    assert taken == 0  # there is room for everything


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_each_further_cut_takes_less_memory_and_more_work(precision):
    needed = [needed_bytes(Options(), 2048 * 2048, precision, split) for split in EXTRA_WORK]
    assert all(further < nearer for nearer, further in itertools.pairwise(needed))
    assert list(EXTRA_WORK.values()) == sorted(EXTRA_WORK.values())


def test_large_pictures_are_remembered_for_fewer_steps_unless_told():
    assert [history_length("auto", side * side) for side in (512, 1448, 2048, 4096, 8192)] == [20, 20, 10, 4, 4]
    assert history_length(100, 4096 * 4096) == 100
