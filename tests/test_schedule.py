"""The stages of a pair: sizes, steps, precision, history, tiles. Arithmetic by hand, no TensorFlow."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BadImage
from pipeline.images.sizes import fit_longer_side
from pipeline.nst import tiling as rules
from pipeline.nst.tiling import Tiling
from pipeline.options import Options
from pipeline.schedule import Machine, Sized, schedule

GIB = 2**30
MACHINE = Machine(precision="bfloat16")
PHOTOGRAPH = Sized("photo.jpg", (4096, 3072))
STYLE = Sized("art.jpg", (3000, 2000))


@pytest.fixture(autouse=True, scope="module")
def large_machine():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "machine_memory", lambda: 256 * GIB)
        yield


def plan(content=PHOTOGRAPH, styles=(STYLE,), machine=MACHINE, **options):
    return schedule(Options(**options), content, styles, machine)


def sides(found):
    return [stage.longer_side for stage in found.stages]


# ------------------------------------------------------------------------------------------ stages


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (512, [512]),
        (724, [724]),
        (726, [363, 726]),
        (1024, [512, 1024]),
        (2048, [512, 1024, 2048]),
        (4096, [512, 1024, 2048, 4096]),
    ],
)
def test_a_picture_is_halved_until_it_is_at_most_724_pixels_long(size, expected):
    found = plan(size=size)
    assert sides(found) == expected
    assert [stage.name for stage in found.stages] == [f"{side} px" for side in expected]


@pytest.mark.parametrize(
    ("content", "style", "options"),
    [
        ((215, 382), (710, 276), {"wrap": "both"}),  # at 106 px: 96 x 48 of 107 x 53, of which a style is 31 high
        ((900, 900), (309, 256), {"size": 515, "style_scale": 0.6}),  # 31.48 of 256, as 64.375 and 38.4 are rounded
    ],
    ids=["as sides wrap", "as sides are rounded"],
)
def test_there_is_no_coarse_size_at_which_too_little_would_be_left_of_a_style(content, style, options):
    options = {"size": 512, "style_loss": "neighbours"} | options
    found = plan(Sized("photo.jpg", content), (Sized("art.jpg", style),), **options)
    assert len(found.stages) > 2
    assert min(min(each) for stage in found.stages for each in stage.style_sizes) >= 32


def test_a_number_of_scales_is_taken_at_any_size():
    assert sides(plan(size=512, scales=3)) == [128, 256, 512]
    assert sides(plan(size=2048, scales=1)) == [2048]


def test_there_are_fewer_sizes_where_a_side_would_be_shorter_than_64():
    long = Sized("long.jpg", (2048, 200))  # halved once 100, twice 50
    assert sides(plan(long, size=2048)) == [1024, 2048]
    assert sides(plan(size=2048, styles=(STYLE, long))) == [1024, 2048]


def test_coarse_sizes_take_half_the_steps_and_at_least_one():
    assert [stage.steps for stage in plan(size=2048, steps=200).stages] == [100, 100, 200]
    assert [stage.steps for stage in plan(size=1024, steps=1).stages] == [1, 1]


def test_neighbours_begin_at_64_pixels_and_end_in_a_last_pass():
    found = plan(size=512, style_loss="neighbours", steps=50)
    assert [(stage.longer_side, stage.steps, stage.last_pass) for stage in found.stages] == [
        *((side, 20, False) for side in (64, 128, 256, 512)),
        (512, 50, True),
    ]
    assert [stage.targets_every for stage in found.stages] == [0, 0, 0, 0, 5]
    assert (found.finish.last_pass, found.finish.steps) == (True, 0)
    assert sides(plan(size=512, scales=1, style_loss="neighbours")) == [512, 512]
    narrow = Sized("narrow.jpg", (512, 100))  # halved once 50, twice 25
    assert sides(plan(narrow, size=512, style_loss="neighbours"))[0] == 256


def test_transport_begins_at_64_pixels_and_looks_at_new_places_all_the_time():
    found = plan(size=512, style_loss="transport", steps=50)
    assert [(stage.longer_side, stage.steps) for stage in found.stages] == [(64, 25), (128, 25), (256, 25), (512, 50)]
    assert {stage.targets_every for stage in found.stages} == {5}
    assert not found.finish.last_pass
    similar = plan(size=512, content_loss="self_similarity")
    assert [(stage.longer_side, stage.targets_every) for stage in similar.stages] == [(512, 5)]


def test_neighbours_in_a_mixture_decide_how_it_walks():
    mixed = plan(size=512, style_loss={"gram": 0.1, "neighbours": 1.0}, steps=50)
    assert mixed == plan(size=512, style_loss="neighbours", steps=50)
    both = plan(size=512, style_loss={"transport": 1.0, "neighbours": 1.0}, steps=50)
    assert sides(both) == sides(mixed)
    assert {stage.targets_every for stage in both.stages} == {5}


def test_neighbours_are_cut_below_block_4_at_any_size():
    """Across the borders of tiles block 4 is brought to a quarter of the picture's resolution."""
    assert plan(size=512, style_loss="neighbours").tilings() == {}
    assert plan(size=512, style_loss="neighbours", tile=256).tilings()
    vast = Sized("vast.tif", (12_000, 12_000))
    for loss in ("neighbours", {"gram": 1.0, "neighbours": 1.0}):
        assert plan(vast, size=12_000, style_loss=loss).stages[-1].tiling.split == 3
    assert plan(vast, size=12_000).stages[-1].tiling.split == 5


def test_the_finished_picture_is_measured_and_not_walked_on():
    found = plan(size=1024)
    last = found.stages[-1]
    assert found.finish.name == "finished"
    assert found.finish.steps == 0
    assert (found.finish.size, found.finish.style_sizes) == (last.size, last.style_sizes)


# ------------------------------------------------------------------------------------------- sizes


def test_a_photograph_keeps_its_shape_at_every_size():
    found = plan(size=1024)
    assert [stage.size for stage in found.stages] == [(512, 384), (1024, 768)]
    assert found.size == found.opened[0] == (1024, 768)


def test_original_is_the_size_of_the_photograph():
    assert plan(Sized("photo.jpg", (700, 500)), size="original").size == (700, 500)
    assert sides(plan(Sized("photo.jpg", (1400, 1000)), size="original")) == [700, 1400]


def test_content_is_not_enlarged():
    assert plan(Sized("photo.jpg", (400, 300)), size=512).size == (400, 300)


def test_a_style_image_is_as_long_as_the_picture_times_style_scale():
    styles = (STYLE, Sized("small.jpg", (200, 300)))
    found = plan(size=1024, style_scale=0.5, styles=styles)
    # 2000 of 3000 is 341.3 of 512; half of 341 is 170.5, and halves are rounded up. The small one is
    # opened as it is and enlarged: 200 of 300 is 341.3 of 512 and 170.7 of 256.
    assert [stage.style_sizes for stage in found.stages] == [((256, 171), (171, 256)), ((512, 341), (341, 512))]
    assert found.opened == ((1024, 768), (512, 341), (200, 300))


def test_a_squeezed_style_image_has_the_contents_shape_and_is_opened_whole():
    found = plan(size=1024, style_aspect="content", style_scale=0.7)
    # 0.7 of 512 x 384 is 358.4 x 268.8, of 1024 x 768 it is 716.8 x 537.6
    assert [stage.style_sizes for stage in found.stages] == [((358, 269),), ((717, 538),)]
    assert found.opened[1] == (3000, 2000)


@pytest.mark.parametrize(
    ("content", "style", "options", "message"),
    [
        (
            (640, 160),
            (400, 400),
            {"size": 64},
            "content photo.jpg would be 64x16 pixels; its shorter side must be at least 32: raise size, or crop it",
        ),
        (
            (640, 480),
            (400, 400),
            {"size": 256, "style_scale": 0.1},
            "style art.jpg would be 26x26 pixels; its shorter side must be at least 32: "
            "raise size or style_scale, or crop it",
        ),
        (
            (640, 480),
            (400, 400),
            {"size": 256, "style_scale": 0.15, "style_aspect": "content"},
            "style art.jpg would be 38x29 pixels; its shorter side must be at least 32: "
            "raise size or style_scale, or crop it",
        ),
    ],
)
def test_too_little_of_a_picture_is_refused_with_its_name_and_what_to_do(content, style, options, message):
    with pytest.raises(BadImage) as refusal:
        plan(Sized("photo.jpg", content), (Sized("art.jpg", style),), **options)
    assert str(refusal.value) == message


# ------------------------------------------------------------------------ precision, history, tiles


@pytest.mark.parametrize(
    ("wanted", "machine", "expected"),
    [
        ("auto", "float32", "float32"),
        ("auto", "bfloat16", "bfloat16"),
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "float32", "bfloat16"),
    ],
)
def test_auto_is_the_machines_precision_and_the_finish_is_measured_in_float32(wanted, machine, expected):
    found = plan(size=1024, precision=wanted, machine=Machine(precision=machine))
    assert [stage.precision for stage in found.stages] == [expected, expected]
    assert found.finish.precision == "float32"


def test_large_pictures_are_remembered_for_fewer_steps():
    square = Sized("photo.jpg", (4096, 4096))
    # 1 GiB holds 42 pairs of float32 pictures of 1024 x 1024 x 3, 10 of 2048 x 2048, 2 of 4096 x 4096;
    # at most 20 are kept, and at least 4.
    assert [stage.history for stage in plan(square, size=4096).stages] == [20, 20, 10, 4]
    assert [stage.history for stage in plan(square, size=4096, history=7).stages] == [7, 7, 7, 7]


def test_without_tiles_there_is_nothing_to_name():
    assert plan(size=1024).tilings() == {}
    assert plan(size=4096, tile="off").tilings() == {}


def test_tiles_are_named_by_what_is_cut():
    names = ["512 px", "style 1 for 512 px", "1024 px", "style 1 for 1024 px", "finished", "style 1 for finished"]
    found = plan(Sized("photo.jpg", (1024, 1024)), size=1024, tile=256).tilings()
    assert list(found) == names
    assert {cut.side for cut in found.values()} == {256}


def test_what_does_not_fit_into_max_memory_is_cut():
    """Bytes of 1024 x 1024 pixels, from the table in nst/tiling: 0.7e9 of program; in bfloat16 960 a pixel, with 26 pictures of
    12 bytes a pixel and 40 of 6; in float32 1670 with 66 of 12: 2.29e9 and 3.28e9, of which 90 % of the limit are held."""
    styles = (Sized("large.jpg", (2048, 2048)), Sized("flat.jpg", (1024, 512)))
    square = Sized("photo.jpg", (2048, 2048))

    def cut(limit):
        return plan(square, styles, Machine(precision="bfloat16", max_memory=limit), size=1024, scales=1).tilings()

    assert cut(4 * GIB) == {}
    # Below the first pool, in float32: 0.7e9 + 1024² · (1060 + 792) = 2.64e9 of 2.90e9.
    assert cut(3 * GIB) == {"finished": Tiling(512, 1), "style 1 for finished": Tiling(512, 1)}
    assert list(cut(5 * 10**9 // 2)) == ["1024 px", "style 1 for 1024 px", "finished", "style 1 for finished"]


# ---------------------------------------------------------------------------- for any sizes and options

SIZES = st.tuples(st.integers(32, 5000), st.integers(32, 5000))
OPTIONS = st.builds(
    Options,
    size=st.integers(32, 3000) | st.just("original"),
    scales=st.integers(1, 6) | st.just("auto"),
    style_scale=st.floats(0.05, 4),
    style_aspect=st.sampled_from(["keep", "content"]),
    steps=st.integers(1, 9),
    tile=st.sampled_from(["auto", "off", 256]),
)


def planned(options, content, styles):
    """The schedule, or why there is none."""
    sized = [Sized(f"{number}.jpg", size) for number, size in enumerate((content, *styles))]
    try:
        return schedule(options, sized[0], sized[1:], MACHINE)
    except BadImage as error:
        return str(error)


def opened(size, longer_side):
    """The size of a file that is opened no larger than so, as the door for pixels does it."""
    return size if longer_side is None else fit_longer_side(*size, min(longer_side, max(size)))


@given(OPTIONS, SIZES, st.lists(SIZES, min_size=1, max_size=3))
def test_files_and_opened_pictures_have_the_same_schedule(options, content, styles):
    photograph = opened(content, None if options.size == "original" else options.size)
    side = max(1, round(max(photograph) * options.style_scale)) if options.style_aspect == "keep" else None
    style_images = [opened(style, side) for style in styles]
    found = planned(options, content, styles)
    assert planned(options, photograph, style_images) == found
    if not isinstance(found, str):
        assert found.opened == (photograph, *style_images)


@given(OPTIONS, SIZES)
def test_sizes_only_grow_up_to_the_result_and_never_beyond_the_photograph(options, content):
    found = planned(replace(options, style_scale=1.0, style_aspect="content"), content, [content])
    if isinstance(found, str):
        return
    assert found.size[0] <= content[0]
    assert found.size[1] <= content[1]
    assert max(found.size) == (max(content) if options.size == "original" else min(max(content), options.size))
    for coarse, fine in itertools.pairwise(stage.size for stage in found.stages):
        assert abs(2 * max(coarse) - max(fine)) <= 1.5  # to rounding, halved anew from the result's
    for stage in found.stages:
        assert min(stage.size) >= 32
