"""Empty areas painted apart: where a picture is empty, and what that does to what is painted there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.images.emptiness import empty_as_in, glance
from pipeline.images.picture import picture_from_array
from pipeline.manifest.options.presets import builtin_presets, usual_values
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.regions import parts_at, regions_of_emptiness


def half_empty(seed, low, high, height=48, width=64, empty=slice(0, 32)):
    """Black and white dots, but for a half of one grey."""
    pixels = np.random.default_rng(seed).choice([low, high], (height, width, 1)).repeat(3, -1).astype(np.uint8)
    pixels[:, empty] = high
    return pixels


CONTENT, STYLE = half_empty(1, 0, 255), half_empty(2, 40, 230)
DOTS = np.random.default_rng(3).choice([0, 255], (48, 64, 1)).repeat(3, -1).astype(np.uint8)


def test_one_grey_is_empty_and_dots_are_not():
    levels = glance(CONTENT.astype(np.float32)).empty
    assert levels.shape == (48, 64)
    assert levels.dtype == np.float32
    assert levels[:, :20].min() > 0.95
    assert levels[:, 44:].max() < 0.01


def test_a_large_picture_is_looked_at_at_a_glance():
    large = np.array(Image.fromarray(CONTENT).resize((1280, 960), Image.Resampling.NEAREST), np.float32)
    levels = glance(large).empty
    assert levels.shape == (192, 256)
    assert levels[:, :96].mean() > 0.9


def test_a_soft_gradient_is_empty():
    """A sky: 128 grey levels from top to bottom, half a level a pixel."""
    sky = np.linspace(255, 127, 256, dtype=np.float32)[:, np.newaxis, np.newaxis].repeat(200, 1).repeat(3, 2)
    assert glance(sky).empty.min() > 0.95


def test_an_empty_area_is_like_those_of_a_style_by_the_rank_of_its_brightness():
    """Black on the left, grey dots in the middle, white on the right; a style whose paper is its lightest."""
    black, white, dots = np.full((48, 40, 3), 10), np.full((48, 40, 3), 250), 100 + DOTS[:, :40] // 4
    picture = np.concatenate([black, dots, white], 1).astype(np.float32)
    here, style = glance(picture), glance(STYLE.astype(np.float32))
    levels = empty_as_in(here, [style])
    assert here.empty[:, :24].min() > 0.95
    assert levels[:, :24].max() < 0.05
    assert levels[:, -24:].min() > 0.95


def test_empty_areas_and_the_rest_are_the_whole_picture():
    content, style = (picture_from_array(each) for each in (CONTENT, STYLE))
    first, second = parts_at(regions_of_emptiness(content, [style]), 64, 48)
    np.testing.assert_allclose(first.mask + second.mask, 1, atol=1e-6)
    assert first.mask[:, :20].min() > 0.95
    assert first.strength == second.strength == 1
    (empty,), (busy,) = first.styles, second.styles
    np.testing.assert_allclose(empty.own.levels + busy.own.levels, 1, atol=1e-6)


@pytest.mark.parametrize(("content", "style"), [(CONTENT, DOTS), (DOTS, STYLE), (np.full_like(DOTS, 200), STYLE)])
def test_there_is_nothing_apart_where_one_of_them_has_no_empty_areas_or_nothing_else(content, style):
    assert regions_of_emptiness(picture_from_array(content), [picture_from_array(style)]) == ()


def test_a_style_that_is_nowhere_more_empty_than_not_has_no_empty_areas():
    """Grain just above the threshold: everywhere a little empty."""
    grain = np.clip(np.random.default_rng(5).normal(128, 8.0, (96, 128, 1)), 0, 255).repeat(3, -1).astype(np.uint8)
    levels = glance(grain.astype(np.float32)).empty
    assert levels.mean() > 0.03
    assert levels.max() < 0.5
    assert regions_of_emptiness(picture_from_array(CONTENT), [picture_from_array(grain)]) == ()


def test_of_a_style_only_what_can_be_seen_is_empty_or_not():
    """Its empty half is transparent: what stands there instead is no paper."""
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:, :32] = 0
    dots_alone = picture_from_array(np.concatenate([STYLE, alpha], -1))
    paper_alone = picture_from_array(np.concatenate([STYLE, 255 - alpha], -1))
    for style in (dots_alone, paper_alone):
        assert regions_of_emptiness(picture_from_array(CONTENT), [style]) == ()
    alpha[:, 16:32] = 255
    (region, _rest) = regions_of_emptiness(
        picture_from_array(CONTENT), [picture_from_array(np.concatenate([STYLE, alpha], -1))]
    )
    assert region.mask.levels[:, :20].min() > 0.95


def test_of_several_styles_those_with_empty_areas_paint_them():
    pictures = [picture_from_array(each) for each in (DOTS, STYLE)]
    empty, busy = regions_of_emptiness(picture_from_array(CONTENT), pictures)
    assert [style.number for style in empty.styles] == [1]
    assert [(style.number, style.own is None) for style in busy.styles] == [(0, True), (1, False)]


def test_masks_win_over_empty_areas():
    from pipeline.regions import MaskSources

    mask = np.full((48, 64), 255, np.uint8)
    mask[:, :10] = 0
    opened = open_pictures(
        CONTENT, [(STYLE, 1.0)], Options(empty_areas="apart"), masks=MaskSources([(mask, None)], None)
    )
    assert len(opened.regions) == 1


def test_a_pair_without_empty_areas_says_so():
    opened = open_pictures(CONTENT, [(DOTS, 1.0)], Options(empty_areas="apart"))
    assert opened.regions == ()
    assert "next to none" in opened.mask_notes[0]


def test_statistics_paint_empty_areas_apart_unless_a_program_is_asked_for():
    assert usual_values()["empty_areas"] == "alike"
    for style_loss in ("gram", "moments", "histogram"):
        assert usual_values(style_loss)["empty_areas"] == "apart"
        assert usual_values(style_loss)["match_color"] == "both"
    ours = {"balanced", "draft", "fine", "classic", "drawing", "print", "mosaic", "painting", "nnst", "strotss"}
    for name, preset in builtin_presets().items():
        if name not in ours:
            assert preset.options["empty_areas"] == "alike", name
            assert preset.options["match_color"] == "none", name


def test_settings_tell_a_value_that_is_left_out_where_it_is_stored_and_is_not_what_comes_with_the_style_loss():
    from pipeline.report.settings import changed_options

    stored = Options(style_loss="gram", losses="paper").as_dict()
    assert "empty_areas" not in stored
    told = changed_options(stored, "random")
    assert (told["empty_areas"], told["match_color"]) == ("alike", "none")
    assert "empty_areas" not in changed_options(Options(style_loss="gram", empty_areas="apart").as_dict(), "random")


@pytest.mark.slow
def test_gram_matrices_leave_empty_areas_empty_where_they_are_painted_apart():
    """How much stands in the content's empty half, inside of what two layers see."""
    pytest.importorskip("tensorflow")
    from pipeline import stylize

    layers = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}}
    quick = {
        "size": 64,
        "steps": 25,
        "weights": "random",
        "style_loss": "gram",
        "precision": "float32",
        "history": 10,
    } | layers
    quick |= {"content_weight": 0, "tv_weight": 0, "match_color": "none", "init": "noise"}
    there = {}
    for areas in ("alike", "apart"):
        pixels = stylize(CONTENT, STYLE, empty_areas=areas, **quick).pixels.astype(float)
        there[areas] = pixels[:, 4:20].std(), pixels[:, 44:].std()
    assert there["apart"][0] < 0.5 * there["alike"][0]
    assert there["apart"][1] > 0.8 * there["alike"][1]


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_pairs_with_and_without_it_share_an_engine_and_no_measure():
    pytest.importorskip("tensorflow")
    from pipeline import Stylizer

    quick = {"size": 48, "steps": 2, "style_loss": "gram", "precision": "float32", "match_color": "before"}
    quick |= {"content_layers": {"block1_conv2": 1.0}, "style_layers": {"block1_conv1": 1.0}}
    with Stylizer(weights="random", **quick) as paint:
        apart = paint(CONTENT, STYLE, empty_areas="apart").pixels
        alike = paint(CONTENT, STYLE, empty_areas="alike").pixels
        assert np.array_equal(paint(CONTENT, STYLE, empty_areas="apart").pixels, apart)
    with Stylizer(weights="random", **quick) as paint:
        assert np.array_equal(paint(CONTENT, STYLE, empty_areas="alike").pixels, alike)
    assert not np.array_equal(apart, alike)
