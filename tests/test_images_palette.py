"""A style's palette, colour by colour: Oklab, the transport between palettes, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.images.colour import match_tones
from pipeline.images.palette import from_oklab, match_each_colour, oklab, palette_of, transported

BLUE, YELLOW, GREEN, PAPER = (30, 45, 130), (225, 185, 60), (70, 130, 50), (240, 232, 215)


def stripes(*colours_and_widths):
    """(8, width, 3)."""
    columns = [np.tile(np.float32(colour), (width, 1)) for colour, width in colours_and_widths]
    return np.tile(np.concatenate(columns)[np.newaxis], (8, 1, 1))


def test_oklab_of_white_black_and_red_is_the_published_one() -> None:
    """CSS Color 4: red is oklab(62.796% 0.22486 0.12585)."""
    found = oklab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.float64))
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 0], [0.62796, 0.22486, 0.12585]], atol=1e-4)


def test_oklab_and_back_is_the_same_colour() -> None:
    colours = np.random.default_rng(0).uniform(0, 255, (100, 3))
    np.testing.assert_allclose(from_oklab(oklab(colours)), colours, atol=1e-3)


def test_a_palette_is_colours_with_their_shares() -> None:
    colours, shares = palette_of(stripes((BLUE, 30), (YELLOW, 10)))
    np.testing.assert_allclose(sorted(shares), [0.25, 0.75])
    np.testing.assert_allclose(colours[shares.argmax()], oklab(np.float64(BLUE)), atol=1e-6)


def test_of_a_palette_only_what_can_be_seen_counts() -> None:
    picture = stripes((BLUE, 30), (YELLOW, 10))
    colours, shares = palette_of(picture, (picture[..., 0] < 100).astype(np.float32))
    np.testing.assert_allclose(colours, [oklab(np.float64(BLUE))], atol=1e-6)
    np.testing.assert_allclose(shares, [1.0])


def test_a_pale_sky_and_a_pale_field_each_take_the_styles_own_hue() -> None:
    sky, field = (110, 120, 140), (150, 145, 110)
    found = transported(stripes((sky, 20), (field, 20)), [(stripes((BLUE, 20), (YELLOW, 20)), None, 1.0)])
    there, here = found[0, 0], found[0, -1]
    assert np.linalg.norm(there - BLUE) < np.linalg.norm(there - YELLOW) / 4
    assert np.linalg.norm(here - YELLOW) < np.linalg.norm(here - BLUE) / 4


def test_a_meadow_stays_green_under_a_style_that_is_half_sky() -> None:
    picture = stripes((GREEN, 38), (BLUE, 2))
    found = transported(picture, [(stripes((GREEN, 20), (BLUE, 20)), None, 1.0)])
    assert np.linalg.norm(found[0, 0] - GREEN) < np.linalg.norm(found[0, 0] - BLUE) / 4


def test_a_picture_in_the_styles_palette_keeps_each_colour_in_its_hue() -> None:
    picture = stripes((BLUE, 20), (YELLOW, 20), (PAPER, 40))
    found = match_each_colour(picture, [(picture, None, 1.0)])
    np.testing.assert_allclose(found, picture, atol=12)


def test_yellow_stars_stay_yellow_under_a_style_that_is_mostly_blue_and_green() -> None:
    """Hues of Oklab: by six degrees, where a linear map to the style's mean and covariance turns them by twenty."""
    random = np.random.default_rng(5)
    night = stripes((BLUE, 60), ((60, 110, 170), 60), (GREEN, 30), (YELLOW, 10)) + random.normal(0, 9, (8, 160, 3))
    painted = stripes((BLUE, 110), ((60, 110, 170), 20), (GREEN, 10), (YELLOW, 20)) + random.normal(0, 9, (8, 160, 3))
    found = oklab(match_each_colour(np.float32(painted), [(np.float32(night), None, 1.0)])[:, 140:].mean((0, 1)))
    wanted = oklab(np.float64(YELLOW))
    assert abs(np.angle(complex(*found[1:]) / complex(*wanted[1:]), deg=True)) < 8


def test_what_smoothness_takes_from_a_palette_is_given_back() -> None:
    """Chroma and lightness are spread as those of the colours that were used."""
    random = np.random.default_rng(6)
    style = np.clip(random.normal((120, 110, 90), (60, 30, 50), (64, 64, 3)), 0, 255).astype(np.float32)
    found, wanted = (
        oklab(np.float64(each)).reshape(-1, 3) for each in (transported(style, [(style, None, 1.0)]), style)
    )
    np.testing.assert_allclose(found.std(0), wanted.std(0), rtol=0.15)


def test_grain_between_two_colours_of_a_style_grows_little() -> None:
    """The map is smooth: a level of difference becomes no more than three and a half."""
    grain = np.random.default_rng(0).normal(0, 2, (64, 64, 1)).astype(np.float32)
    picture = np.float32((128, 120, 100)) + grain
    found = transported(picture, [(stripes((BLUE, 20), (YELLOW, 20)), None, 1.0)])
    assert found.std(axis=(0, 1)).max() < 3.5 * grain.std()


def test_of_several_styles_each_gives_colours_by_its_share() -> None:
    picture = stripes(((90, 90, 100), 40))
    mostly_blue, mostly_yellow = (
        transported(picture, [(stripes((BLUE, 20)), None, blue), (stripes((YELLOW, 20)), None, 1.0)])
        for blue in (9.0, 0.1)
    )
    assert mostly_blue[0, 0, 2] > mostly_blue[0, 0, 0]
    assert mostly_yellow[0, 0, 2] < mostly_blue[0, 0, 2]


def test_what_cannot_be_seen_changes_no_colour() -> None:
    picture, style = stripes(((110, 120, 140), 20), ((150, 145, 110), 20)), stripes((BLUE, 20), (YELLOW, 20))
    seen = np.ones(picture.shape[:2], np.float32)
    hidden = np.concatenate([picture, stripes(((255, 0, 0), 9))], axis=1)
    opacity = np.concatenate([seen, np.zeros((8, 9), np.float32)], axis=1)
    whole = match_each_colour(picture, [(style, None, 1.0)])
    np.testing.assert_allclose(match_each_colour(hidden, [(style, None, 1.0)], opacity)[:, :40], whole, atol=1e-3)


def test_half_the_strength_goes_half_the_way() -> None:
    picture = np.random.default_rng(2).uniform(20, 220, (16, 16, 3)).astype(np.float32)
    style = [(np.random.default_rng(3).uniform(60, 255, (16, 16, 3)).astype(np.float32), None, 1.0)]
    half, whole = (match_each_colour(picture, style, None, strength) for strength in (0.5, 1.0))
    np.testing.assert_allclose(half, (picture + whole) / 2, atol=1e-3)
    moved = transported(match_tones(picture, style), style)
    np.testing.assert_allclose(whole, match_tones(moved, style), atol=1e-4)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (300, -20, 128)])
def test_a_picture_of_one_colour_has_a_palette_too(colour) -> None:
    found = match_each_colour(stripes((colour, 10)), [(stripes((BLUE, 10)), None, 1.0)])
    np.testing.assert_allclose(found[0, 0], BLUE, atol=2)
