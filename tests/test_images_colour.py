"""Sizes, scaling and colours in numbers a person can check."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.images.colour import (
    blend,
    match_colours,
    match_covariance,
    match_histogram,
    match_palette,
    match_tones,
    transfer_luminance,
)
from pipeline.images.scale import cover, resize, resize_alpha
from pipeline.images.sizes import fit_longer_side

Floats = NDArray[np.float32]


def flat(*colour: float, height: int = 4, width: int = 6) -> Floats:
    return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()


def noise(height: int = 12, width: int = 10, low: float = 60, high: float = 200, seed: int = 7) -> Floats:
    return np.random.default_rng(seed).uniform(low, high, (height, width, 3)).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("size", "longer_side", "expected"),
    [
        ((1600, 1200), 512, (512, 384)),
        ((1200, 1600), 512, (384, 512)),
        ((100, 100), 64, (64, 64)),
        ((1000, 3), 10, (10, 1)),  # 0.03 rows: at least 1
        ((4, 1), 2, (2, 1)),  # 0.5 is rounded up
        ((100, 65), 10, (10, 7)),  # 6.5 is rounded up
        ((512, 384), 1024, (1024, 768)),
    ],
)
def test_longer_side_is_met_and_the_shorter_rounded(
    size: tuple[int, int], longer_side: int, expected: tuple[int, int]
) -> None:
    assert fit_longer_side(*size, longer_side) == expected


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 20_000))
def test_longer_side_is_always_exact_and_the_shape_kept_to_half_a_pixel(width: int, height: int, side: int) -> None:
    new_width, new_height = fit_longer_side(width, height, side)
    assert max(new_width, new_height) == side
    factor = side / max(width, height)
    assert abs(new_width - width * factor) <= 0.5 + 1e-6 or new_width == 1
    assert abs(new_height - height * factor) <= 0.5 + 1e-6 or new_height == 1


# -------------------------------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize("size", [(3, 2), (24, 16), (6, 4)])
def test_flat_picture_stays_flat_at_every_size(size: tuple[int, int]) -> None:
    resized = resize(flat(10.25, 127.5, 255), *size)
    assert resized.shape == (size[1], size[0], 3)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, flat(10.25, 127.5, 255, height=size[1], width=size[0]), rtol=1e-5)


def test_fine_pattern_becomes_its_mean_and_not_another_pattern() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    pixels = np.repeat(checks[..., np.newaxis], 3, axis=2).astype(np.float32)
    np.testing.assert_allclose(resize(pixels, 10, 10)[2:-2, 2:-2], 127.5, atol=0.5)  # at the rim the pattern is cut


def test_fractions_of_grey_levels_survive() -> None:
    pixels = flat(0, 0, 0, height=2, width=2)
    pixels[0, 0] = 1
    assert resize(pixels, 1, 1)[0, 0, 0] == pytest.approx(0.25)


def test_overshoot_is_cut_off_at_black_and_white() -> None:
    pixels = flat(0, 0, 0, height=8, width=8)
    pixels[:, 4:] = 255
    enlarged = resize(pixels, 64, 8)
    assert enlarged.min() == 0
    assert enlarged.max() == 255
    alpha = resize_alpha(pixels[..., 0] / np.float32(255), 64, 8)
    assert (alpha.min(), alpha.max(), alpha.shape) == (0, 1, (8, 64))
    assert alpha.dtype == np.float32


@pytest.mark.parametrize("size", [(10, 12), (5, 6)])
def test_resized_picture_shares_no_memory_with_the_first(size: tuple[int, int]) -> None:
    pixels = noise()
    resized = resize(pixels, *size)
    assert not np.shares_memory(resized, pixels)
    assert not np.shares_memory(resize_alpha(pixels[..., 0], *size), pixels)
    if size == (10, 12):
        np.testing.assert_array_equal(resized, pixels)


def test_cover_fills_the_frame_and_cuts_off_evenly() -> None:
    pixels = flat(0, 0, 0, height=4, width=12)
    pixels[:, 4:8] = 200  # the middle square
    np.testing.assert_array_equal(cover(pixels, 4, 4), flat(200, 200, 200, height=4, width=4))
    np.testing.assert_array_equal(cover(pixels.transpose(1, 0, 2), 4, 4), flat(200, 200, 200, height=4, width=4))


def test_cover_of_a_strip_by_one_across_it_does_not_enlarge_all_of_it() -> None:
    """Whole, it would be 3000 x 900,000 pixels."""
    strip = np.random.default_rng(1).uniform(0, 255, (3000, 10, 3)).astype(np.float32)
    covered = cover(strip, 3000, 10)
    assert covered.shape == (10, 3000, 3)
    np.testing.assert_allclose(covered.mean((0, 1)), strip[1500:1501].mean((0, 1)), atol=40)


def test_cover_is_a_cut_from_the_whole() -> None:
    pixels = np.random.default_rng(2).uniform(0, 255, (40, 300, 3)).astype(np.float32)
    np.testing.assert_allclose(cover(pixels, 20, 20), resize(pixels, 150, 20)[:, 65:85], atol=1e-3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_cover_has_the_size_asked_for(height: int, width: int, new_height: int, new_width: int) -> None:
    covered = cover(flat(9, 9, 9, height=height, width=width), new_width, new_height)
    assert covered.shape == (new_height, new_width, 3)
    np.testing.assert_allclose(covered, 9, rtol=1e-5)


# ------------------------------------------------------------------------------------------------------------ luminance


def test_luminance_comes_from_the_result_and_chroma_from_the_content() -> None:
    # Y of (100, 150, 200) is 0.299 * 100 + 0.587 * 150 + 0.114 * 200 = 140.75; of a grey of 120 it is 120: 20.75 less.
    np.testing.assert_allclose(
        transfer_luminance(flat(120, 120, 120), flat(100, 150, 200)), flat(79.25, 129.25, 179.25), rtol=1e-5
    )


def test_luminance_transfer_is_the_exchange_of_y_in_yiq() -> None:
    # The NTSC matrix of 1953, to four digits.
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    result, content = noise(seed=1), noise(seed=2, low=100, high=150)
    moved = transfer_luminance(result, content) @ to_yiq.T
    np.testing.assert_allclose(moved[..., 0], (result @ to_yiq.T)[..., 0], atol=1e-3)
    np.testing.assert_allclose(moved[..., 1:], (content @ to_yiq.T)[..., 1:], atol=0.02)  # the rows sum to 0.0001


def test_luminance_transfer_stays_within_black_and_white() -> None:
    np.testing.assert_array_equal(transfer_luminance(flat(255, 255, 255), flat(255, 0, 0))[..., 0], 255)


# ------------------------------------------------------------------------------------------------------------ histogram


def test_levels_go_to_the_levels_of_the_same_rank() -> None:
    style, content = flat(0, 0, 0, height=1, width=4), flat(0, 0, 0, height=1, width=4)
    style[0, :, 0] = [30, 10, 40, 20]
    content[0, :, 0] = [200, 100, 110, 250]
    matched = match_histogram(style, content)
    np.testing.assert_array_equal(matched[0, :, 0], [200, 100, 250, 110])
    assert matched.dtype == np.float32


def test_histogram_of_pictures_of_other_sizes_is_matched() -> None:
    content, style = noise(30, 40, seed=3), noise(20, 20, low=0, high=50, seed=4)
    matched = match_histogram(style, content)
    assert matched.shape == style.shape
    quantiles = np.linspace(0.1, 0.9, 9)
    # 2 grey levels: 400 and 1200 pixels do not have the same quantiles to the last digit
    np.testing.assert_allclose(
        np.quantile(matched, quantiles, axis=(0, 1)), np.quantile(content, quantiles, axis=(0, 1)), atol=2
    )


def test_picture_matched_to_itself_is_itself() -> None:
    pixels = noise()
    np.testing.assert_allclose(match_histogram(pixels, pixels), pixels, rtol=1e-6)
    np.testing.assert_allclose(match_covariance(pixels, pixels), pixels, atol=0.01)


def test_flat_style_takes_the_median_of_the_content() -> None:
    content = flat(0, 0, 0, height=1, width=5)
    content[0, :, 1] = [0, 10, 50, 90, 250]
    np.testing.assert_array_equal(match_histogram(flat(7, 7, 7), content)[..., 1], 50)


# ----------------------------------------------------------------------------------------------------------- covariance


def moments(pixels: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    colours = pixels.reshape(-1, 3).astype(np.float64)
    return colours.mean(axis=0), np.cov(colours.T, bias=True)


def test_mean_and_covariance_become_those_of_the_content() -> None:
    content = noise(seed=5, low=110, high=140)
    content[..., 1] = 0.5 * content[..., 0] + 0.5 * content[..., 1]  # channels that depend on each other
    matched = match_covariance(noise(20, 8, seed=6), content)
    for found, wanted in zip(moments(matched), moments(content), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.01)


def test_one_channel_is_stretched_by_the_ratio_of_deviations() -> None:
    style, content = flat(100, 100, 100, height=1, width=2), flat(50, 60, 70, height=1, width=2)
    style[0, :, 0] = [90, 110]  # mean 100, deviation 10
    content[0, :, 0] = [20, 80]  # mean 50, deviation 30
    np.testing.assert_allclose(match_covariance(style, content), content, atol=1e-3)


def test_roots_are_symmetric_so_that_no_channel_comes_first() -> None:
    # The style's red and green are independent with deviation 10. The content's have deviation 20 along (1, 1) and 10
    # along (1, -1), so its symmetric root keeps these directions: (10, 10) becomes (20, 20), (10, -10) stays.
    style = np.array([[[110, 110, 0], [110, 90, 0]], [[90, 110, 0], [90, 90, 0]]], np.float32)
    far, near = 30 / np.sqrt(2), 10 / np.sqrt(2)  # (20 ± 10) / √2
    offsets = [[(far, near, 0), (near, far, 0)], [(-far, -near, 0), (-near, -far, 0)]]
    content = (np.array([100, 100, 0]) + np.array(offsets)).astype(np.float32)
    expected = np.array([[[120, 120, 0], [110, 90, 0]], [[90, 110, 0], [80, 80, 0]]], np.float32)
    np.testing.assert_allclose(match_covariance(style, content), expected, atol=1e-3)


@pytest.mark.parametrize("grey_style", [True, False])
@pytest.mark.parametrize("grey_content", [True, False])
def test_grey_pictures_have_finite_colours_and_the_contents_mean(grey_style: bool, grey_content: bool) -> None:
    style, content = noise(seed=8, low=90, high=160), noise(seed=9, low=90, high=160)
    if grey_style:
        style[...] = style[..., :1]
    if grey_content:
        content[...] = content[..., :1]
    matched = match_covariance(style, content)
    assert np.isfinite(matched).all()
    np.testing.assert_allclose(moments(matched)[0], moments(content)[0], atol=0.01)
    if grey_content:
        np.testing.assert_allclose(matched[..., 0], matched[..., 1], atol=0.01)


def test_flat_style_takes_the_mean_colour_of_the_content() -> None:
    content = noise(seed=10)
    matched = match_covariance(flat(3, 3, 3), content)
    np.testing.assert_allclose(matched, np.broadcast_to(moments(content)[0], matched.shape), atol=0.01)


# ---------------------------------------------------------------------------------------------------------------- blend


def test_blend_is_exact_at_both_ends_and_linear_between() -> None:
    content, result = noise(seed=11), noise(seed=12)
    np.testing.assert_array_equal(blend(content, result, 0.0), content)
    np.testing.assert_array_equal(blend(content, result, 1.0), result)
    np.testing.assert_allclose(blend(flat(0, 100, 200), flat(100, 100, 100), 0.25), flat(25, 100, 175))
    assert blend(content, result, 0.3).dtype == np.float32


@pytest.mark.parametrize("change", [transfer_luminance, match_histogram, match_covariance])
def test_colour_changes_leave_what_they_are_given_alone(change: object) -> None:
    first, second = noise(seed=13), noise(seed=14)
    copies = first.copy(), second.copy()
    assert callable(change)
    change(first, second)
    np.testing.assert_array_equal(first, copies[0])
    np.testing.assert_array_equal(second, copies[1])


def test_the_result_takes_mean_and_covariance_of_the_style():
    result, style = noise(20, 24, seed=1) * 0.3 + 90, noise(30, 20, seed=2) * 0.2 + 60
    matched = match_colours(result.astype(np.float32), [(style.astype(np.float32), None, 1.0)])
    ours, theirs = (pixels.reshape(-1, 3).astype(float) for pixels in (matched, style))
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(ours.T), np.cov(theirs.T), atol=3)


def test_of_several_styles_the_colours_lie_between():
    result = noise(20, 24, seed=1) * 0.1 + 90
    dark, bright = (np.full((4, 4, 3), level, np.float32) for level in (40, 200))
    matched = match_colours(result.astype(np.float32), [(dark, None, 3.0), (bright, None, 1.0)])
    np.testing.assert_allclose(matched.reshape(-1, 3).mean(0), 80, atol=0.01)


def test_with_half_the_strength_colours_go_half_of_their_way():
    result, style = noise(seed=1), noise(low=20, high=90, seed=2)
    half, whole = (match_colours(result, [(style, None, 1.0)], None, strength) for strength in (0.5, 1.0))
    np.testing.assert_allclose(half, (result + whole) / 2, atol=1e-3)
    np.testing.assert_array_equal(match_colours(result, [(style, None, 1.0)], None, 0.0), result)


def test_a_result_in_the_styles_colours_stays():
    style = (noise(30, 20, seed=2) * 0.4 + 60).astype(np.float32)
    np.testing.assert_allclose(match_colours(style, [(style, None, 2.0)]), style, atol=0.05)


# ------------------------------------------------------------------------------------------------ tones


def plateaus(*levels_and_counts):
    grey = np.concatenate([np.full(count, level, np.float32) for level, count in levels_and_counts])
    return np.repeat(grey[np.newaxis, :, np.newaxis], 3, axis=2)


PAPER_AND_INK = plateaus((240, 80), (20, 20))


def test_two_greys_of_a_sky_become_nearly_the_styles_paper_and_the_darkest_its_ink() -> None:
    """At a slope of a quarter, 30 levels of the sky become 7.5, around the paper's."""
    picture = plateaus((10, 20), (200, 40), (230, 40))
    found = np.unique(match_tones(picture, [(PAPER_AND_INK, None, 1.0)]).round(2))
    np.testing.assert_allclose(found, [20, 236.25, 243.75], atol=0.05)


def test_a_picture_with_the_styles_tones_keeps_them() -> None:
    np.testing.assert_allclose(match_tones(PAPER_AND_INK, [(PAPER_AND_INK, None, 1.0)]), PAPER_AND_INK, atol=0.01)


def test_noise_grows_by_a_quarter_at_most() -> None:
    noise = np.random.default_rng(0).normal(128, 2, (64, 64, 1)).astype(np.float32).repeat(3, axis=2)
    ramp = np.linspace(0, 255, 4096, dtype=np.float32).reshape(64, 64, 1).repeat(3, axis=2)
    matched = match_tones(noise, [(ramp, None, 1.0)])
    assert 1.24 * noise.std() < matched.std() < 1.2501 * noise.std()
    assert matched.mean() == pytest.approx(ramp.mean(), abs=1)


def test_tones_of_several_styles_count_by_their_shares() -> None:
    one, other = plateaus((200, 10)), plateaus((100, 10))
    picture = plateaus((50, 25), (150, 75))
    matched = match_tones(picture, [(one, None, 3.0), (other, None, 1.0)])
    np.testing.assert_allclose(np.unique(matched.round(2)), [100, 200], atol=0.05)


def test_tones_leave_what_colours_differ_by() -> None:
    picture = np.random.default_rng(1).uniform(80, 160, (16, 16, 3)).astype(np.float32)
    matched = match_tones(picture, [(picture * 0.5 + 60, None, 1.0)])
    np.testing.assert_allclose(matched[..., 0] - matched[..., 1], picture[..., 0] - picture[..., 1], atol=1e-3)


def test_what_cannot_be_seen_has_no_tones() -> None:
    hidden = np.concatenate([PAPER_AND_INK, plateaus((120, 900))], axis=1)
    seen = np.concatenate([np.ones((1, 100), np.float32), np.zeros((1, 900), np.float32)], axis=1)
    picture = plateaus((60, 30), (180, 70))
    expected = match_tones(picture, [(PAPER_AND_INK, None, 1.0)])
    np.testing.assert_array_equal(match_tones(picture, [(hidden, seen, 1.0)]), expected)
    cut_out = np.concatenate([picture, plateaus((0, 900))], axis=1)
    np.testing.assert_array_equal(match_tones(cut_out, [(PAPER_AND_INK, None, 1.0)], seen)[:, :100], expected)


def test_half_the_strength_goes_half_the_way_to_palette_and_tones() -> None:
    picture = np.random.default_rng(2).uniform(20, 220, (16, 16, 3)).astype(np.float32)
    style = [(np.random.default_rng(3).uniform(60, 255, (16, 16, 3)).astype(np.float32), None, 1.0)]
    whole = match_palette(picture, style)
    np.testing.assert_allclose(match_palette(picture, style, strength=0.5), (picture + whole) / 2, atol=1e-3)
    np.testing.assert_allclose(whole, match_tones(match_colours(picture, style), style), atol=1e-4)
