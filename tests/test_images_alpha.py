"""Transparency: the colours that are seen are the picture's own, whatever the opacity, the size and the use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.alpha import GROUND, extend
from pipeline.images.colour import match_covariance, match_histogram
from pipeline.images.encode import thumbnail
from pipeline.images.picture import open_picture
from pipeline.images.scale import LANCZOS, by_rows, lanczos, plane, resize_alpha
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.schedule import Machine
from pipeline.stage_inputs import initial_image, stage_inputs

RED = (220, 20, 20)
Floats = NDArray[np.float32]


def disc(opacity: int, width: int = 120, height: int = 100, soft: bool = True) -> NDArray[np.uint8]:
    """A red disc of an opacity, its edge fading; outside green hides at opacity 0."""
    rows, columns = np.mgrid[:height, :width]
    inside = np.clip(height / 3 - np.hypot(rows - height / 2, columns - width / 2) + 0.5, 0, 8 if soft else 1)
    levels = np.zeros((height, width, 4), np.uint8)
    levels[..., :3] = (0, 255, 0)
    levels[inside > 0, :3] = RED
    levels[..., 3] = np.rint(opacity * inside / inside.max())
    levels[(inside > 0) & (levels[..., 3] == 0), 3] = 1
    return levels


def disc_file(folder: Path, opacity: int, name: str = "disc.png", soft: bool = True) -> Path:
    Image.fromarray(disc(opacity, soft=soft)).save(folder / name)
    return folder / name


@pytest.mark.parametrize("longer_side", [None, 60, 77, 33])
@pytest.mark.parametrize("opacity", [1, 3, 50, 254, 255])
@pytest.mark.parametrize("soft", [True, False])
def test_one_colour_stays_that_colour_in_every_pixel_at_every_opacity_and_size(
    opacity: int, longer_side: int | None, soft: bool, tmp_path: Path
) -> None:
    picture = open_picture(disc_file(tmp_path, opacity, soft=soft), longer_side)
    np.testing.assert_allclose(picture.pixels, np.broadcast_to(np.float32(RED), picture.pixels.shape), atol=0.01)


def test_each_colour_counts_for_what_can_be_seen_of_it(tmp_path: Path) -> None:
    levels = np.zeros((64, 64, 4), np.uint8)
    levels[:, ::2] = (200, 0, 0, 255)
    levels[:, 1::2] = (0, 100, 0, 51)
    Image.fromarray(levels).save(tmp_path / "a.png")
    picture = open_picture(tmp_path / "a.png", 32)
    # (255 * 200 + 51 * 0) / 306 = 166.7 red and (51 * 100) / 306 = 16.7 green, away from the rim
    np.testing.assert_allclose(picture.pixels[8:-8, 8:-8].mean((0, 1)), (166.7, 16.7, 0), atol=0.5)


def test_resized_colours_do_not_ring_at_an_edge(tmp_path: Path) -> None:
    """Colours of a narrow range stay in it, also where a filter's weights nearly cancel."""
    random = np.random.default_rng(5)
    levels = np.zeros((90, 90, 4), np.uint8)
    levels[..., :3] = random.integers(100, 110, (90, 90, 3))
    levels[..., 3] = random.choice([0, 0, 0, 1, 20, 255], (90, 90))
    levels[levels[..., 3] == 0] = 0
    Image.fromarray(levels).save(tmp_path / "a.png")
    pixels = open_picture(tmp_path / "a.png", 47).pixels
    assert pixels.min() > 90
    assert pixels.max() < 120


def test_picture_that_cannot_be_seen_is_the_middle_of_the_range(tmp_path: Path) -> None:
    Image.new("RGBA", (48, 40), (255, 0, 0, 0)).save(tmp_path / "a.png")
    for side in (None, 32):
        np.testing.assert_array_equal(open_picture(tmp_path / "a.png", side).pixels, GROUND)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (33, 64)])
def test_one_visible_pixel_fills_the_picture(shape: tuple[int, int]) -> None:
    levels, alpha = np.full(shape, 9, np.float32), np.zeros(shape, np.float32)
    levels[-1, -1], alpha[-1, -1] = 77, 0.01
    np.testing.assert_allclose(extend(levels, alpha), 77, rtol=1e-5)


def test_rows_at_a_time_are_the_same_numbers_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.random.default_rng(3).uniform(0, 255, (61, 83)).astype(np.float32)
    monkeypatch.setattr("pipeline.images.scale._AT_ONCE", 7 * 83)
    for width, height, box in ((40, 30, None), (83, 20, None), (20, 61, None), (11, 12, (3.5, 2.25, 80.0, 59.5))):
        found = by_rows(lambda top, bottom: levels[top:bottom], levels.shape, width, height, LANCZOS, box)
        np.testing.assert_array_equal(found, lanczos(plane(levels), width, height, box))


@pytest.mark.parametrize("options", [Options(size=96), Options(size=64), Options(size=90, scales=2, style_scale=0.9)])
def test_no_stage_sees_a_ground_in_content_style_or_start(options: Options, tmp_path: Path) -> None:
    path = disc_file(tmp_path, 50)
    pictures = open_pictures(path, [(path, 1.0)], options)
    for stage in pictures.schedule(options, Machine(precision="float32")).stages:
        inputs = stage_inputs(pictures, options, stage)
        for pixels in (inputs.photograph, *inputs.style_images):
            np.testing.assert_allclose(pixels, np.broadcast_to(np.float32(RED), pixels.shape), atol=0.01)
        (alpha,) = inputs.style_alphas
        assert alpha is not None
        assert alpha.shape == inputs.style_images[0].shape[:2]


@pytest.mark.parametrize("shape", [(50, 40), (40, 50)])
def test_start_picture_of_another_shape_has_its_own_colours(shape: tuple[int, int], tmp_path: Path) -> None:
    path = disc_file(tmp_path, 50)
    Image.fromarray(np.full((*shape, 3), 99, np.uint8)).save(tmp_path / "photo.png")
    options = Options(init=str(path))
    pictures = open_pictures(tmp_path / "photo.png", [(tmp_path / "photo.png", 1.0)], options)
    (stage,) = pictures.schedule(options, Machine(precision="float32")).stages
    start = initial_image(pictures, stage_inputs(pictures, options, stage), options, None)
    np.testing.assert_allclose(start, np.broadcast_to(np.float32(RED), (*shape, 3)), atol=0.01)


def test_style_that_cannot_be_seen_is_refused_and_a_content_is_not(tmp_path: Path) -> None:
    Image.new("RGBA", (48, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    path = disc_file(tmp_path, 50)
    open_pictures(tmp_path / "clear.png", [(path, 1.0)], Options())
    with pytest.raises(BadImage, match=r"style clear\.png is completely transparent, so it shows no style; use one"):
        open_pictures(path, [(tmp_path / "clear.png", 1.0)], Options())


def half_seen(seed: int) -> tuple[Floats, Floats]:
    """Noise (40, 30, 3) whose upper half cannot be seen, and its opacity."""
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 30, 3)).astype(np.float32)
    alpha = np.ones((40, 30), np.float32)
    alpha[:20] = 0
    return pixels, alpha


@pytest.mark.parametrize("match", [match_histogram, match_covariance])
def test_colours_are_matched_by_what_can_be_seen(match: object) -> None:
    assert callable(match)
    style, style_alpha = half_seen(1)
    content, content_alpha = half_seen(2)
    content = np.clip(content / 4, 0, 255)
    matched = match(style, content, style_alpha, content_alpha)[20:]
    np.testing.assert_allclose(matched, match(style[20:], content[20:]), atol=1e-3)


@pytest.mark.parametrize("match", [match_histogram, match_covariance])
def test_soft_edges_count_for_half(match: object) -> None:
    """Two pixels of opacity 0.5 are as one of 1."""
    assert callable(match)
    content = np.random.default_rng(4).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    style = np.array([[[10, 0, 0], [10, 0, 0], [90, 50, 7]]], np.float32)
    soft = match(style, content, np.array([[0.5, 0.5, 1]], np.float32))
    np.testing.assert_allclose(soft[:, 1:], match(style[:, 1:], content), atol=1e-2)


def test_thumbnail_of_a_cut_out_is_a_cut_out() -> None:
    import io

    levels = disc(255)
    with Image.open(
        io.BytesIO(thumbnail(levels[..., :3].astype(np.float32), levels[..., 3] / np.float32(255)))
    ) as small:
        assert small.mode == "RGBA"
        assert small.getpixel((0, 0))[3] == 0  # type: ignore[index]
        assert small.getpixel((60, 50))[3] == 255  # type: ignore[index]


def test_opacity_is_resized_as_before() -> None:
    alpha = disc(200)[..., 3] / np.float32(255)
    assert resize_alpha(alpha, 60, 50).max() == pytest.approx(200 / 255, abs=0.02)
