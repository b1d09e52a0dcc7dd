"""Which tiles a picture is cut into, and the memory that is foreseen for it: arithmetic, no TensorFlow."""

from __future__ import annotations

import functools
import itertools

import pytest

from pipeline.nst import tiling as rules
from pipeline.nst import tiling as tiling_module
from pipeline.nst.tiling import Tiling, extra_work, history_length, needed_bytes, tiling
from pipeline.options import Options

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


@pytest.fixture(autouse=True)
def large_machine(monkeypatch):
    monkeypatch.setattr(rules, "machine_memory", lambda: 256 * GIB)


SPLITS = (0, 1, 2, 3, 5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("side", SIDES)
def test_under_a_limit_the_first_cut_that_fits_is_taken(precision, side):
    options, pixels = Options(), side * side
    for limit in (GIB, 4 * GIB, 12 * GIB, 200 * GIB):
        taken = split(side, precision=precision, max_memory=limit)
        assert all(needed_bytes(options, pixels, precision, other) > 0.9 * limit for other in SPLITS if other < taken)
    assert taken == 0  # there is room for everything


def test_a_small_machine_is_a_limit_too(monkeypatch):
    assert split(2048, precision="float32") == 1
    monkeypatch.setattr(rules, "machine_memory", lambda: 6 * GIB)
    assert split(2048, precision="float32") > 1
    assert split(512) == 0


def test_a_side_larger_than_the_limit_bears_is_not_taken():
    assert tiling(Options(tile=8192), 4096 * 4096, "bfloat16", 6 * GIB).side == 1024


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_each_further_cut_takes_less_memory_and_more_work(precision):
    needed = [needed_bytes(Options(), 2048 * 2048, precision, split) for split in SPLITS]
    assert all(further < nearer for nearer, further in itertools.pairwise(needed))
    work = [extra_work(Tiling(1024, split) if split else None, 2048 * 2048) for split in SPLITS]
    assert work[0] == 0
    assert all(further > nearer for nearer, further in itertools.pairwise(work))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_neighbours_take_more_memory_which_grows_no_faster_than_the_picture(precision):
    matched, gram = Options(style_loss="neighbours"), Options()
    for pixels, split in itertools.product((256**2, 1024**2, 4096**2), SPLITS[:-1]):
        assert needed_bytes(matched, pixels, precision, split) > needed_bytes(gram, pixels, precision, split)
    small, large = (needed_bytes(matched, side * side, precision, 3) for side in (2048, 4096))
    assert large < 4 * small


@pytest.mark.parametrize(
    ("side", "split", "gibibytes"), [(1024, 1, 2.78), (1024, 2, 2.49), (1024, 3, 2.20), (2048, 1, 7.17)]
)
def test_peaks_of_neighbours_in_tiles_are_foreseen(side, split, gibibytes):
    """As fresh processes took on a processor with AMX; without `_MATCHED_IN_TILES` they are 9 to 25 % too low."""
    foreseen = needed_bytes(Options(style_loss="neighbours"), side**2, "bfloat16", split) / 2**30
    assert foreseen == pytest.approx(gibibytes, rel=0.05)


def test_areas_that_are_stroked_hold_the_photographs_hypercolumns_too():
    usual, stroked = (Options(style_loss="neighbours", empty_areas=areas) for areas in ("alike", "stroked"))
    numbers = (2 * 64 + 2 * 128 + 4 * 256) / 16 + 2 * 512 / 64  # a pixel
    # while neighbours are found; an evaluation, which comes after it, takes as much or more
    finding = functools.partial(
        tiling_module._matching_bytes, pixels=4096**2, precision="bfloat16", split=3, evaluation=0
    )
    more = finding(stroked) - finding(usual)
    assert more == pytest.approx(2 * numbers * 4096**2)


def test_neighbours_are_cut_no_further_than_below_block_4():
    mixed = Options(style_loss={"gram": 1.0, "neighbours": 1.0})
    assert tiling(mixed, 8192**2, "float32", GIB).split == 3
    assert tiling(Options(), 8192**2, "float32", GIB).split == 5
    assert tiling(mixed, 8192**2, "float32", None).split == 3  # larger than all that 3 is taken for elsewhere


def test_the_features_of_shallow_content_layers_are_foreseen():
    usual, shallow = (
        needed_bytes(Options(content_layers={layer: 1.0}), 10**6, "float32", 2)
        for layer in ("block4_conv2", "block2_conv2")
    )
    assert shallow - usual == 10**6 * (4 * 128 / 4 - 4 * 512 / 64)


def test_large_pictures_are_remembered_for_fewer_steps_unless_told():
    sides = (512, 1448, 2048, 4096, 8192)
    gram, neighbours = Options(style_loss={"gram": 1}), Options(style_loss={"neighbours": 1})
    assert [history_length(gram, side * side) for side in sides] == [20, 20, 10, 4, 4]
    assert [history_length(neighbours, side * side) for side in sides] == [10, 10, 10, 4, 4]
    assert history_length(Options(history=100), 4096 * 4096) == 100


@pytest.mark.parametrize(("precision", "number"), [("float32", 4), ("bfloat16", 2)])
def test_what_is_remembered_is_foreseen_in_its_own_numbers(precision, number):
    """Two pictures of three colours a pair."""
    shorter, longer = (needed_bytes(Options(history=history), 10**6, precision, 0) for history in (10, 30))
    assert longer - shorter == 20 * 2 * 3 * number * 10**6


def test_what_is_made_of_kernels_counts_where_it_is_made(monkeypatch):
    """36 floats for each filter of 128 inputs and outputs or more, 9 for each of the others: up to block2_conv2 of VGG19."""
    options = Options(style_loss="gram", content_layers={"block2_conv2": 1.0}, style_layers={"block1_conv1": 1.0})
    needed = {}
    for lacks in (False, True):
        monkeypatch.setattr(tiling_module, "lacks_long_vectors", lambda lacks=lacks: lacks)
        needed[lacks] = {name: needed_bytes(options, 10**6, name, 0) for name in ("float32", "bfloat16")}
    few, many = 3 * 64 + 64 * 64 + 64 * 128, 128 * 128
    assert needed[True]["float32"] - needed[False]["float32"] == 4 * (9 * few + 36 * many)
    assert needed[True]["bfloat16"] == needed[False]["bfloat16"]
