"""What masks do to a picture, from Python: in numbers, at small sizes, through the whole walk."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from pipeline import release, stylize
from pipeline.errors import BadImage, OptionError
from pipeline.nst.weights import locate
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.regions import MaskSources
from pipeline.schedule import Machine
from pipeline.stylize import paint, result_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

pytest.importorskip("tensorflow")

from pipeline.nst.engine import TransferEngine  # noqa: E402


def painting(seed, colour, height=48, width=64):
    """One colour with soft patches."""
    random = np.random.default_rng(seed)
    small = np.array(colour) + random.integers(-40, 41, (6, 8, 1))
    patches = Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))
    return np.array(patches.resize((width, height), Image.Resampling.BICUBIC))


CONTENT, RED, BLUE = painting(1, (120, 120, 120)), painting(2, (210, 50, 40)), painting(3, (40, 60, 210))
LAYERS = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}}
QUICK = {
    "size": 64,
    "steps": 8,
    "weights": "random",
    "style_loss": "gram",
    "match_color": "none",
    "precision": "float32",
    "history": 4,
} | LAYERS
LEFT = np.zeros((48, 64), np.uint8)
LEFT[:, :32] = 255
WHITE = np.full((48, 64), 255, np.uint8)
RIGHT_ALONE = np.dstack([RED, 255 - LEFT])  # its left half is transparent


def redness(pixels):
    """Red less blue, by column."""
    return (pixels[..., 0].astype(float) - pixels[..., 2]).mean(0)


def test_each_region_gets_the_colours_of_its_style():
    result = stylize(CONTENT, [{"image": RED, "mask": LEFT}, BLUE], **QUICK | {"match_color": "style"})
    columns = redness(result.pixels)
    assert columns[:24].min() > 60
    assert columns[40:].max() < -60
    assert result.last["style"] < result.first["style"]


def test_outside_of_all_regions_nothing_pulls():
    """Two layers see 8 pixels around them. By Adam, as what L-BFGS starts from spreads each move over the picture."""
    adam = {"optimizer": "adam", "tv_weight": 0, "content_weight": 0}
    result = stylize(CONTENT, [{"image": RED, "mask": LEFT}], **QUICK | adam)
    apart = np.abs(result.pixels.astype(int) - CONTENT).mean((0, 2))
    assert apart[:32].min() > 5
    assert apart[48:].max() == 0


def test_the_photograph_is_kept_where_its_mask_is_white():
    result = stylize(CONTENT, RED, content_mask=LEFT, **QUICK, tv_weight=0, content_weight=1000.0)
    apart = np.abs(result.pixels.astype(int) - CONTENT).mean((0, 2))
    assert apart[:20].mean() < 0.5 * apart[44:].mean()


def test_a_mask_that_keeps_nothing_as_nothing_is_kept_is_told():
    result = stylize(CONTENT, RED, content_mask=LEFT, **QUICK | {"content_weight": 0, "steps": 1})
    assert "mask array keeps nothing of the photograph, as 'content_weight' is 0" in result.notes


@pytest.mark.parametrize("style_loss", ["gram", "neighbours"])
def test_white_masks_make_the_same_pixels_as_none(style_loss):
    quick = QUICK | {"style_loss": style_loss, "steps": 2, "size": 48}
    masked = stylize(CONTENT, [{"image": RED, "mask": WHITE}], content_mask=WHITE, **quick)
    assert np.array_equal(masked.pixels, stylize(CONTENT, RED, **quick).pixels)


def test_only_what_the_own_mask_shows_is_looked_at():
    half = np.concatenate([RED[:, :32], BLUE[:, :32]], 1)
    style = {"image": half, "mask": {"style": LEFT}}
    assert redness(stylize(CONTENT, [style], **QUICK | {"match_color": "style"}).pixels).min() > 60


def test_a_colour_of_a_map_is_painted_in_what_has_it():
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (255, 0, 0), (0, 255, 0)
    half = np.concatenate([BLUE[:, :32], RED[:, :32]], 1)
    regions = {"content": colours, "style": colours[:, ::-1].copy()}
    columns = redness(stylize(CONTENT, half, regions=regions, **QUICK | {"match_color": "style"}).pixels)
    assert columns[:24].min() > 60
    assert columns[40:].max() < -60


def test_taken_up_again_at_any_size_a_pair_with_masks_ends_in_the_same_bytes():
    options = Options(**QUICK | {"size": 176, "scales": 2, "steps": 2})
    large = [np.array(Image.fromarray(each).resize((176, 132))) for each in (CONTENT, RED, BLUE)]
    masks = MaskSources([(LEFT, None), (None, None)], LEFT)
    pictures = open_pictures(large[0], [(large[1], 1.0), (large[2], 1.0)], options, masks=masks)
    engine = TransferEngine(locate("random"), options)
    schedule = pictures.schedule(options, Machine(precision="float32"))
    assert len(schedule.stages) == 2
    walk, taken = paint(pictures, options, schedule, engine), []
    for reading, snapshot in itertools.islice(walk, 2):
        if reading.step == 1:
            taken.append(snapshot())
    whole = result_of(walk)
    for progress in taken:
        again = result_of(paint(pictures, options, schedule, engine, resume=progress))
        assert np.array_equal(again.pixels, whole.pixels)


def test_a_photograph_recoloured_by_a_part_of_a_style_is_not_taken_for_one_with_the_same_mask_elsewhere():
    """The mask says what of the style is looked at, and then where the photograph is kept."""
    half = np.concatenate([RED[:, :32], BLUE[:, :32]], 1)
    quick = QUICK | {"match_color": "before", "empty_areas": "alike", "steps": 2}
    kept = stylize(CONTENT, half, content_mask=LEFT, **quick)
    release()
    stylize(CONTENT, [{"image": half, "mask": {"style": LEFT}}], **quick)
    again = stylize(CONTENT, half, content_mask=LEFT, **quick)
    assert [reading.content for reading in again.trace] == [reading.content for reading in kept.trace]


def test_a_result_says_which_masks_it_was_painted_with(tmp_path):
    Image.fromarray(LEFT).save(tmp_path / "sky.png")
    style = {"image": RED, "weight": 2, "mask": str(tmp_path / "sky.png")}
    said = stylize(CONTENT, [style], content_mask=str(tmp_path / "sky.png"), **QUICK | {"steps": 1}).settings
    assert said["style"] == [{"image": "array", "weight": 2, "mask": "sky.png"}]
    assert said["content_mask"] == "sky.png"
    assert list(said["sha256"]["masks"]) == ["sky.png"]


def test_a_style_that_is_painted_nowhere_is_noted():
    black = np.zeros_like(LEFT)
    result = stylize(CONTENT, [{"image": RED, "mask": black}, BLUE], **QUICK | {"steps": 1})
    assert "mask array is black everywhere, so array is painted nowhere" in result.notes


@pytest.mark.parametrize(
    ("style", "more", "words"),
    [
        ([{"image": RED, "mask": LEFT[:, :40]}], {}, "mask array is 40x48 pixels and array 64x48"),
        ([{"image": RED, "mask": 0 * LEFT}], {}, "no style is painted anywhere"),
        ([{"image": RED, "mask": {"style": 0 * LEFT}}], {}, "shows no style"),
        (
            [{"image": RIGHT_ALONE, "mask": {"style": LEFT}}],
            {},
            "mask array shows only what is transparent in style array",
        ),
        ([{"picture": RED}], {}, "a style is {'image'"),
        ([{"image": RED, "mask": {"sky": LEFT}}], {}, "a mask is a picture, or"),
        ([RED], {"regions": {"content": LEFT}}, "regions are {'content'"),
        ([RED], {"regions": {"content": LEFT, "style": [LEFT, LEFT]}}, "one map for each of the 1 styles"),
    ],
)
def test_what_cannot_be_is_told(style, more, words):
    with pytest.raises((BadImage, OptionError)) as caught:
        stylize(CONTENT, style, **more, **QUICK)
    assert words in str(caught.value)
