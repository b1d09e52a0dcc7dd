"""Plain areas that are stroked: where they are, and what neighbours are looked up for there."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.images.emptiness import glance, plainer_than
from pipeline.images.picture import picture_from_array
from pipeline.options import Options
from pipeline.pictures import open_pictures, with_content
from pipeline.regions import plain_areas
from pipeline.schedule import Machine
from pipeline.stage_inputs import initial_image, stage_inputs


def busy(seed, spread, height=96, width=128):
    """Grain of so many grey levels around the middle."""
    grain = np.random.default_rng(seed).normal(128, spread, (height, width, 1))
    return np.clip(grain, 0, 255).repeat(3, -1).astype(np.uint8)


STROKES = busy(1, 12)
PHOTOGRAPH = busy(2, 12)
PHOTOGRAPH[:, :64] = 200
PAPER = busy(3, 12)
PAPER[:, :64] = 240
STROKED = Options(style_loss="neighbours", init="blurred", empty_areas="stroked", size=128)


def test_a_sky_is_plainer_than_strokes_and_what_is_as_busy_is_not():
    plain = plainer_than(glance(PHOTOGRAPH.astype(np.float32)), [glance(STROKES.astype(np.float32))])
    assert plain.shape == (96, 128)
    assert plain.dtype == np.float32
    assert plain[:, :48].min() > 0.99
    assert plain[:, 80:].max() < 0.01


def test_nothing_is_plainer_than_paper():
    here = glance(PHOTOGRAPH.astype(np.float32))
    assert not plainer_than(here, [glance(PAPER.astype(np.float32))]).any()
    both = [glance(each.astype(np.float32)) for each in (STROKES, PAPER)]
    assert not plainer_than(here, both).any()


def test_paper_that_cannot_be_seen_is_none():
    alpha = np.full((96, 128, 1), 255, np.uint8)
    alpha[:, :80] = 0
    style = picture_from_array(np.concatenate([PAPER, alpha], -1))
    assert plain_areas(picture_from_array(PHOTOGRAPH), [style]).levels[:, :48].min() > 0.99
    assert plain_areas(picture_from_array(PHOTOGRAPH), [picture_from_array(PAPER)]) is None


def test_a_shadow_on_a_face_is_not_plain_however_rough_the_strokes_are():
    """Four grey levels a pixel."""
    ramp = np.tile(np.abs(np.arange(128) * 4.5 % 510 - 255), (96, 1))[..., np.newaxis].repeat(3, -1).astype(np.float32)
    assert plainer_than(glance(ramp), [glance(busy(1, 60).astype(np.float32))])[:, :40].max() < 0.01


def test_strokes_grow_by_neighbours_alone_and_by_them_in_a_mixture():
    for style_loss in ("gram", "moments", "transport"):
        opened = open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], Options(style_loss=style_loss, empty_areas="stroked"))
        assert (opened.plain, opened.empty, opened.mask_notes) == (None, "alike", ())
    mixed = Options(style_loss={"gram": 0.1, "neighbours": 1.0}, empty_areas="stroked")
    assert open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], mixed).plain is not None


def test_where_nothing_is_stroked_a_pair_says_so_once_also_with_another_frame():
    opened = open_pictures(PHOTOGRAPH, [(PAPER, 1.0)], STROKED)
    assert opened.mask_notes == ("empty_areas: alike, as no part of the photograph is plainer than the style",)
    assert with_content(opened, opened.content).mask_notes == opened.mask_notes
    assert open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], STROKED).mask_notes == ()


@pytest.mark.parametrize("areas", ["alike", "apart"])
def test_only_stroked_areas_have_a_place(areas):
    assert open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], STROKED).plain is not None
    other = Options(style_loss="neighbours", init="blurred", empty_areas=areas)
    assert open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], other).plain is None


def test_the_next_frame_has_its_own_plain_areas():
    opened = open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], STROKED)
    turned = with_content(opened, picture_from_array(PHOTOGRAPH[:, ::-1]))
    np.testing.assert_allclose(turned.plain.levels, opened.plain.levels[:, ::-1], atol=0.05)


def test_the_start_has_grain_where_it_is_plain_and_the_same_twice():
    opened = open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], STROKED)
    stage = opened.schedule(STROKED, Machine(precision="float32")).stages[0]
    start, again = (initial_image(opened, stage_inputs(opened, STROKED, stage), STROKED, None) for _ in range(2))
    np.testing.assert_array_equal(start, again)
    half = start.shape[1] // 2
    assert start.dtype == np.float32
    assert 6 < start[:, : half - 12].std() < 18
    without = Options(style_loss="neighbours", init="blurred", size=128)
    plain = open_pictures(PHOTOGRAPH, [(STROKES, 1.0)], without)
    usual = initial_image(plain, stage_inputs(plain, without, stage), without, None)
    np.testing.assert_allclose(start[:, half + 12 :], usual[:, half + 12 :], atol=0.5)
