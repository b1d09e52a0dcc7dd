"""Masks in a manifest: names with fields, their places in messages, keys, what `plan` and `check` say. No TensorFlow."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from manifest_kit import project_with_pictures
from PIL import Image

from pipeline.batch.fit import why_masks_do_not_fit, why_not, worth_knowing
from pipeline.errors import BadImage, ManifestError
from pipeline.images import colour_codes, region_maps
from pipeline.images import region_colours as region_colours_module
from pipeline.images.colour_codes import RegionColour, distance, notes_of_maps
from pipeline.images.facts import ImageFacts
from pipeline.images.icc import grey_profile, power_curve, rgb_profile
from pipeline.images.masks import open_mask
from pipeline.images.reader import READER
from pipeline.images.region_colours import region_colours
from pipeline.images.region_maps import open_region_map
from pipeline.images.sizes import wrong_shape
from pipeline.job import Job, StyleImage, shown_masks
from pipeline.manifest import load_manifest, manifest_for_settings
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.regions import MaskSources, notes_of_regions, parts_at, regions_of, regions_of_maps
from pipeline.store.keys import pair_key


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


TWO = """\
pairs:
  - content: photos/dog.jpg
    style:
      - {image: art/wave.jpg, weight: 2, mask: "masks/{content.stem}-sky.png"}
      - {image: art/starry.jpg, mask: {content: masks/land.png, style: "masks/{style.stem}.png"}}
    content_mask: "masks/{content.name}-keep.png"
"""


def test_masks_are_named_by_their_pictures(load, tmp_path):
    (job,) = load(TWO).pairs
    masks = tmp_path / "input/masks"
    first, second = job.styles
    assert (first.mask, first.own_mask) == (masks / "dog-sky.png", None)
    assert (second.mask, second.own_mask) == (masks / "land.png", masks / "starry.png")
    assert job.content_mask == masks / "dog.jpg-keep.png"
    assert job.masks == job.inputs[-4:]
    assert job.places[str(masks / "land.png")].endswith(":8:49")
    assert job.homes == {}  # names that are written out may lie behind links


def test_each_photograph_of_a_matrix_has_its_own(load, tmp_path):
    text = (
        "pairs:\n  - matrix:\n      content: [photos/*.jpg]\n"
        "      style: [[{image: art/wave.jpg, mask: 'masks/{content.stem}.png'}]]\n"
        "    content_mask: 'keep/{content.parent}/{content.stem}.png'\n"
    )
    jobs = load(text).pairs
    assert [job.styles[0].mask.name for job in jobs] == ["amsterdam.png", "dog.png", "private-me.png"]
    assert jobs[0].content_mask == tmp_path / "input/keep/photos/amsterdam.png"
    home = str((tmp_path / "input/masks").resolve())
    assert jobs[0].home_of(jobs[0].styles[0].mask) == home  # as a pattern found the photograph


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("'m/{content.stm}.png'", "unknown field '{content.stm}'; did you mean 'content.stem'?"),
        ("'m/{seed}.png'", "unknown field '{seed}'; a mask's are content.stem,"),
        ("'m/{.png'", "a brace stands alone in 'm/{.png'"),
        ("{}", "'mask' is empty; give 'content', 'style' or both, or a name"),
        ("{sky: a.png}", "unknown key 'sky'"),
        ("[a.png]", "'mask' must be text; got a list"),
        ("''", "'mask' must not be empty"),
    ],
)
def test_what_is_no_mask_is_told_at_its_place(load, mask, words):
    with pytest.raises(ManifestError) as caught:
        load(f"pairs:\n  - {{content: photos/dog.jpg, style: [{{image: art/wave.jpg, mask: {mask}}}]}}\n")
    (problem,) = caught.value.problems
    assert problem.message.startswith(words)
    assert problem.line == 5


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (
            "content_mask: 'm/{style.stem}.png'",
            "unknown field '{style.stem}'; a content's mask has content.stem,",
        ),
        (
            "regions: {content: '{style.name}', style: a.png}",
            "unknown field '{style.name}'; a content's mask has",
        ),
    ],
)
def test_a_mask_of_the_content_knows_no_style(load, mask, words):
    with pytest.raises(ManifestError) as caught:
        load(f"pairs:\n  - {{content: photos/dog.jpg, style: art/wave.jpg, {mask}}}\n")
    assert [problem.message[: len(words)] for problem in caught.value.problems] == [words]


def test_what_has_no_content_has_no_mask_of_one(load):
    texture = "style: art/wave.jpg, options: {size: 64}"
    with pytest.raises(ManifestError, match="'content_mask' says where the content is kept, and this pair has none"):
        load(f"pairs:\n  - {{{texture}, content_mask: a.png}}\n")
    assert len(load(f"pairs:\n  - {{{texture}, regions: {{content: a.png, style: b.png}}}}\n").pairs) == 1


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ("{content: a.png}", "'style' is missing"),
        ("{content: a.png, style: [a.png, b.png]}", "'regions' has 2 maps of styles and the pair 1 styles"),
        ("a.png", "'regions' must be a map"),
    ],
)
def test_maps_are_of_the_content_and_of_each_style(load, regions, words):
    with pytest.raises(ManifestError) as caught:
        load(f"pairs:\n  - {{content: photos/dog.jpg, style: art/wave.jpg, regions: {regions}}}\n")
    assert words in caught.value.problems[0].message


def test_maps_and_masks_exclude_each_other(load):
    with pytest.raises(ManifestError, match="'regions' say where each style is painted"):
        load(
            "pairs:\n  - {content: photos/dog.jpg, style: [{image: art/wave.jpg, mask: a.png}],"
            " regions: {content: a.png, style: b.png}}\n"
        )


def test_one_name_with_fields_is_a_map_for_each_style(load):
    (job,) = load(
        "pairs:\n  - {content: photos/dog.jpg, style: [{image: art/wave.jpg}, {image: art/starry.jpg}],"
        " regions: {content: 'maps/{content.stem}.png', style: 'maps/{style.stem}.png'}}\n"
    ).pairs
    assert [path.name for path in job.masks] == ["dog.png", "wave.png", "starry.png"]


# ------------------------------------------------------------------------------- keys and messages

JOB = Job(output="a.png", content=Path("/c"), styles=(StyleImage(Path("/s")),), options=Options())


def key(job):
    return pair_key(job, lambda path: hashlib.sha256(str(path).encode()).hexdigest(), "w")


def test_a_pair_without_masks_keeps_its_key():
    """As version 0.3 made it."""
    assert "masks" not in JOB.to_json()
    assert Job.from_json(JOB.to_json()) == JOB


@pytest.mark.parametrize("name", ["mask", "own_mask", "region_map"])
def test_a_mask_is_part_of_the_key_and_of_the_message_to_a_worker(name):
    masked = replace(JOB, styles=(StyleImage(Path("/s"), **{name: Path("/m")}),))
    assert (
        len({key(JOB), key(masked), key(replace(masked, styles=(StyleImage(Path("/s"), **{name: Path("/n")}),)))}) == 3
    )
    assert Job.from_json(masked.to_json()) == masked


def test_so_is_where_the_photograph_is_kept():
    assert len({key(JOB), key(replace(JOB, content_mask=Path("/m"))), key(replace(JOB, region_map=Path("/m")))}) == 3


def settings(job, folder):
    shown = shown_masks(job, folder)
    masks = shown.pop("mask", {})
    styles = [{"image": f"art/{style.image.name}", "weight": style.weight} for style in job.styles]
    return {
        "content": "photos/dog.jpg",
        "style": [each | ({"mask": masks[str(n)]} if str(n) in masks else {}) for n, each in enumerate(styles)],
        **shown,
        "output": "x.png",
        "options": Options().as_dict(),
    }


def test_a_pictures_settings_make_its_masks_again(load, tmp_path):
    (job,) = load(TWO).pairs
    text = manifest_for_settings(settings(job, tmp_path / "input"))
    (tmp_path / "again.yaml").write_text(text)
    (again,) = load_manifest(tmp_path / "again.yaml").pairs
    assert (again.styles, again.content_mask) == (job.styles, job.content_mask)


def test_settings_that_lead_out_of_the_folder_name_the_last_part(load, tmp_path):
    (job,) = load(TWO).pairs
    stored = settings(job, tmp_path / "input") | {"content_mask": "../../etc/keep.png"}
    assert 'content_mask: "keep.png"' in manifest_for_settings(stored)


# ------------------------------------------------------------------------------------ plan and check


def pair(mask="sky.png", own=None):
    style = StyleImage(Path("art.png"), mask=Path(mask), own_mask=own and Path(own))
    return Job(
        output="a.png", content=Path("photo.png"), styles=(style,), options=Options(), places={mask: "m.yaml:4:5"}
    )


SIZES = {"photo.png": (640, 480), "art.png": (300, 200), "sky.png": (320, 240), "wide.png": (640, 400)}


def size(path):
    return SIZES[path.name]


def test_a_mask_has_the_shape_of_its_picture():
    assert why_masks_do_not_fit(pair(), size) is None
    assert why_masks_do_not_fit(pair("wide.png"), size) == (
        "m.yaml:4:5: mask wide.png is 640x400 pixels and photo.png 640x480; a mask must have the shape of its picture,"
        " at any size: crop or scale it"
    ).replace("m.yaml:4:5: ", "" if "wide.png" not in pair("wide.png").places else "m.yaml:4:5: ")
    assert "mask sky.png is 320x240 pixels and art.png 300x200" in why_masks_do_not_fit(pair(own="sky.png"), size)


def test_a_mask_of_a_texture_has_the_shape_of_the_texture():
    """And not that of its style, which stands for the content of a pair without one."""
    for side, shape in ((480, None), (400, "m.yaml:4:5: mask sky.png is 320x240 pixels and texture 640x400")):
        texture = replace(pair(), content=Path("art.png"), options=Options(size=(640, side)))
        assert (why_masks_do_not_fit(texture, size) or "None").startswith(shape or "None")


@pytest.mark.parametrize("sizes", [((512, 341), (5184, 3456)), ((5184, 3456), (512, 341)), ((100, 33), (300, 100))])
def test_sides_rounded_to_whole_pixels_are_of_one_shape(sizes):
    assert wrong_shape("m", sizes[0], "p", sizes[1]) is None


def opened(**black):
    return {
        Path(name): ImageFacts(*each, "PNG", "", is_black=name.removesuffix(".png") in black)
        for name, each in SIZES.items()
    }


def test_a_black_mask_is_told_before_it_is_painted():
    two = replace(pair(), styles=(*pair().styles, StyleImage(Path("art.png"))))
    assert why_not(two, opened(sky=True)) is None
    assert (
        worth_knowing(two, opened(sky=True), {})[-1]
        == "mask sky.png is black everywhere, so art.png is painted nowhere"
    )
    assert worth_knowing(pair(), opened(), {}) == worth_knowing(replace(JOB, content=Path("photo.png")), opened(), {})


def test_a_pair_of_black_masks_alone_is_refused():
    assert why_not(pair(), opened(sky=True)) == (
        "no style is painted anywhere, as mask sky.png is black everywhere; paint white where a style is to be"
    )
    assert "shows no style" in why_not(
        pair(own="sky.png"), opened(sky=True) | {Path("art.png"): opened()[Path("sky.png")]}
    )


def test_the_reader_tells_a_black_picture(tmp_path):
    for name, level in (("black", 0), ("nearly", 1)):
        Image.new("L", (40, 40), level).save(tmp_path / f"{name}.png")
    assert READER.inspect(tmp_path / "black.png").is_black
    assert not READER.inspect(tmp_path / "nearly.png").is_black


@pytest.mark.parametrize(("paint", "is_black"), [((0, 0, 0), True), ((0, 0, 2), True), ((0, 0, 9), False)])
def test_the_reader_takes_for_black_what_is_a_mask_of_nothing(tmp_path, paint, is_black):
    """Black drawn on a transparent ground, whatever colour that has, is none; nor is a blue too dark for a level."""
    mask = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
    mask.paste((*paint, 255), (0, 0, 20, 40))
    mask.save(tmp_path / "m.png")
    assert READER.inspect(tmp_path / "m.png").is_black == is_black
    assert open_mask(tmp_path / "m.png", "p", (40, 40)).levels.any() != is_black


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB"])
def test_half_of_a_masks_numbers_is_half_whatever_its_profile(tmp_path, mode, gamma):
    """In linear light 128 was 188 of 255."""
    curve, grey = power_curve(gamma), mode != "RGB"
    profile = (
        grey_profile(curve) if grey else rgb_profile((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3127, 0.3290), curve)
    )
    image = Image.new("L", (40, 40), 128).convert(mode)
    image.save(tmp_path / "m.png", icc_profile=profile)
    image.info["icc_profile"] = profile
    for source in (tmp_path / "m.png", image):
        np.testing.assert_allclose(open_mask(source, "p", (40, 40)).levels, 128 / 255, atol=1e-6)


def test_what_fits_a_photographs_file_fits_it_opened_smaller():
    """294 of 162 pixels are 4269 of 2338 to a pixel, and 300 of 164 as well, which was refused after `check`."""
    assert wrong_shape("m", (162, 294), "p", (2338, 4269)) is None
    assert wrong_shape("m", (162, 294), "p", (164, 300), opened_smaller=True) is None
    assert open_mask(np.zeros((294, 162), np.uint8), "p", (164, 300)).size == (162, 294)
    with pytest.raises(BadImage, match="mask array is 162x292 pixels and p 164x300"):
        open_mask(np.zeros((292, 162), np.uint8), "p", (164, 300))


# ---------------------------------------------------------------------------------- files to levels


def test_a_mask_is_brightness_of_what_can_be_seen(tmp_path):
    image = Image.new("RGBA", (64, 32), (255, 0, 0, 255))
    image.paste((255, 255, 255, 128), (32, 0, 64, 32))
    image.save(tmp_path / "m.png")
    levels = open_mask(tmp_path / "m.png", "p", (64, 32)).levels
    assert levels[0, 0] == pytest.approx(76 / 255)  # 0.299 of 255, in whole numbers
    assert levels[0, 63] == pytest.approx(128 / 255)


def test_a_mask_is_made_smaller_by_means_and_never_leaks(tmp_path):
    levels = np.zeros((64, 128), np.uint8)
    levels[:, 64:] = 255
    Image.fromarray(levels).save(tmp_path / "m.png")
    mask = open_mask(tmp_path / "m.png", "p", (64, 32))
    assert mask.levels.shape == (32, 64)
    assert mask.levels[:, :30].max() == 0
    assert mask.levels[:, 34:].min() == 1
    assert mask.resized(32, 16).mean() == pytest.approx(0.5, abs=0.01)


def test_a_mask_of_another_shape_is_refused(tmp_path):
    Image.new("L", (64, 64)).save(tmp_path / "m.png")
    with pytest.raises(BadImage, match=r"mask m\.png is 64x64 pixels and p 64x32"):
        open_mask(tmp_path / "m.png", "p", (64, 32))


def given(levels):
    return open_mask(np.asarray(levels, np.float64), "p", (np.shape(levels)[1], np.shape(levels)[0]))


LEFT = np.pad(np.ones((32, 16)), [(0, 0), (0, 48)])


def test_styles_without_a_mask_share_what_the_others_leave():
    regions = regions_of([(given(LEFT), None), (None, None), (None, None)], [1, 1, 3])
    first, rest = parts_at(regions, 64, 32)
    assert [style.number for style in rest.styles] == [1, 2]
    np.testing.assert_array_equal(first.mask + rest.mask, 1)
    # twice as strong, by their shares, and 1 on the whole: a quarter of the area, and three
    assert rest.strength / first.strength == pytest.approx(2)
    assert 0.25 * first.strength + 0.75 * rest.strength == pytest.approx(1)


def test_a_white_mask_is_none_and_a_black_one_no_region():
    white, black = given(np.ones((32, 64))), given(np.zeros((32, 64)))
    (only,) = parts_at(regions_of([(white, None), (None, None), (black, None)], [1, 1, 1]), 64, 32)
    assert (only.mask, only.strength, [style.number for style in only.styles]) == (None, 1.0, [0])
    notes = notes_of_regions(regions_of([(white, None), (None, None), (black, None)], [1, 1, 1]), "abc", 64, 32)
    assert notes == [
        "mask array is black everywhere, so c is painted nowhere",
        "the masks leave nothing for b, which has none",
    ]
    with pytest.raises(BadImage, match="no style is painted anywhere"):
        parts_at(regions_of([(black, None)], [1]), 64, 32)


# ------------------------------------------------------------------------------------------- colours

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 200, 0)


def drawn(*boxes, size=(96, 64)):
    image = Image.new("RGB", size, RED)
    for colour, box in boxes:
        image.paste(colour, box)
    return image


def test_colours_of_a_map_are_its_regions_and_not_those_of_soft_edges(tmp_path):
    large = drawn((BLUE, (0, 0, 480, 640)), (GREEN, (700, 100, 900, 300)), size=(960, 640))
    soft = large.resize((96, 64), Image.Resampling.LANCZOS)
    assert len(soft.getcolors()) > 3
    found = region_colours(soft, "m")
    assert [region.colour for region in found] == [BLUE, RED, GREEN]
    assert [round(region.share, 2) for region in found] == [0.5, 0.43, 0.07]


def test_a_jpeg_has_the_colours_that_were_drawn(tmp_path):
    drawn((BLUE, (0, 0, 50, 64))).save(tmp_path / "m.jpg", quality=75)
    found = open_region_map(tmp_path / "m.jpg", "p", (96, 64))
    assert len(found.colours) == 2
    labels = found.labels == [abs(colour.colour[2] - 255) < 40 for colour in found.colours].index(True)
    assert (labels[:, :50] == 1).all()
    assert not labels[:, 50:].any()


def test_soft_edges_become_one_of_the_regions_that_they_touch():
    """Half red and half blue is magenta, which is a region too, elsewhere."""
    magenta = (128, 0, 128)
    image = drawn((BLUE, (0, 0, 48, 64)), (magenta, (47, 0, 49, 64)), (magenta, (80, 50, 96, 64)))
    found = open_region_map(image, "p", (96, 64))
    assert {colour.colour for colour in found.colours} == {RED, BLUE, magenta}
    edge = found.labels[:40, 40:56]
    assert {found.colours[number].colour for number in np.unique(edge)} == {RED, BLUE}


def test_a_region_may_be_one_pixel():
    found = open_region_map(drawn((GREEN, (10, 10, 11, 11))), "p", (96, 64))
    number = [region.colour for region in found.colours].index(GREEN)
    assert np.argwhere(found.labels == number).tolist() == [[10, 10]]


def test_the_share_of_a_colour_is_that_of_the_pixels_to_which_it_is_nearest(monkeypatch):
    """In a map of many colours, without a look at each pixel by itself: 262,144 took 10 s, and more than the reader has."""
    looked_at = []
    for module in (colour_codes, region_colours_module):
        monkeypatch.setattr(module, "distance", lambda *both: looked_at.append(None) or distance(*both))
    colours = [(red, green, blue) for red in (0, 120, 240) for green in (0, 120, 240) for blue in (0, 120, 240)]
    boxes = [(colour, (number % 6 * 16, number // 6 * 12, 96, 64)) for number, colour in enumerate(colours)]
    whole = drawn(*boxes).resize((512, 341), Image.Resampling.NEAREST)
    found = region_colours(whole, "m")
    assert len(found) > 20
    assert len(looked_at) < 512 * 341 / 10
    pixels = np.asarray(whole, int).reshape(-1, 3)
    apart = np.stack([np.abs(pixels - region.colour).max(-1) for region in found], -1)
    shares = np.bincount(apart.argmin(-1), minlength=len(found)) / len(pixels)
    np.testing.assert_allclose([region.share for region in found], shares)


def test_a_photograph_is_no_map():
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with pytest.raises(BadImage, match="has more than 32 colours, so it is no map"):
        open_region_map(noise, "p", (96, 96))


def test_colours_that_only_one_side_has_are_told_with_their_share(tmp_path):
    content = region_colours(drawn((BLUE, (0, 0, 24, 64)), (GREEN, (90, 0, 96, 64))), "c")
    style = region_colours(drawn(((255, 255, 0), (0, 0, 48, 64))), "s")
    assert notes_of_maps(content, [("s.png", style)]) == [
        "colour #0000ff, 25 % of the content's map, is in no style's: painted in all of the styles",
        "colour #00c800, 6.2 % of the content's map, is in no style's: painted in all of the styles",
        "colour #ffff00, 50 % of map s.png, is not in the content's: not used",
    ]
    drawn((BLUE, (0, 0, 24, 64))).save(tmp_path / "m.png")
    assert [(each.colour, each.share) for each in READER.colours(tmp_path / "m.png")] == [(RED, 0.75), (BLUE, 0.25)]


def test_a_picture_without_a_flat_colour_is_refused_by_the_reader_too(tmp_path):
    """`check` took it for a map, and the run did not."""
    across, down = np.arange(96), np.arange(72)[:, np.newaxis]
    wild = np.dstack(np.broadcast_arrays(across * 53 % 256, down * 71 % 256, (across * 31 + down * 17) % 256))
    Image.fromarray(wild.astype(np.uint8)).save(tmp_path / "m.png")
    for look in (READER.colours, lambda path: open_region_map(path, "p", (96, 72))):
        with pytest.raises(BadImage, match=r"m\.png has no flat colour, so it is no map of regions"):
            look(tmp_path / "m.png")


def test_a_map_of_numbers_that_are_near_one_another_is_told():
    """As programs write classes: 0, 1, 2. It was one region without a word."""
    levels = np.repeat(np.arange(3, dtype=np.uint8), 32)
    classes = Image.fromarray(np.tile(levels, (64, 1))).convert("RGB")
    content, style = region_colours(classes, "c"), region_colours(drawn((BLUE, (0, 0, 24, 64))), "s")
    assert (
        notes_of_maps(content, [("s.png", style)])[0]
        == "the content's map makes no regions: its colours are all less than 32 of 255 apart, and so one"
    )
    assert not [note for note in notes_of_maps(style, [("c.png", content)]) if "makes no regions" in note]


def test_a_colour_is_painted_in_what_has_it_in_the_styles():
    content = open_region_map(drawn((BLUE, (0, 0, 24, 64)), (GREEN, (80, 0, 96, 64))), "c", (96, 64))
    first, second = (
        open_region_map(drawn((colour, (0, 0, 48, 64))), "s", (96, 64)) for colour in ((10, 10, 250), (255, 255, 0))
    )
    red, blue, green = regions_of_maps(content, [first, second])
    assert [style.number for style in red.styles] == [0, 1]
    assert [(style.number, style.own.levels.mean()) for style in blue.styles] == [(0, 0.5)]
    assert [(style.number, style.own) for style in green.styles] == [(0, None), (1, None)]


def test_a_line_that_is_lost_in_a_smaller_map_is_no_part_of_its_style():
    """Of one style a line has the colour, at no pixel of the map made smaller; of the other a half. Else all of the
    first was looked at."""
    line, half = drawn((BLUE, (101, 0, 102, 256)), size=(384, 256)), drawn((BLUE, (0, 0, 48, 64)))
    content, *styles = (open_region_map(each, "p", (96, 64)) for each in (half, line, half))
    assert [region.colour for region in styles[0].colours] == [RED, BLUE]
    blue = next(region for region in regions_of_maps(content, styles) if region.mask.levels[0, 0])
    assert [style.number for style in blue.styles] == [1]


def test_what_is_far_from_every_flat_place_takes_the_nearest_colour_and_no_hours(monkeypatch):
    """Red and blue lie flat at two ends of a long strip of dots, which are nearer to blue."""
    strip = np.zeros((9, 400, 3), np.uint8)
    strip[:, ::2], strip[:, 1::2] = (60, 0, 200), (0, 60, 200)
    strip[:, :5], strip[:, -5:] = (255, 0, 0), (0, 0, 255)
    rounds = []
    grown = region_maps._grown
    monkeypatch.setattr(region_maps, "_grown", lambda *given: rounds.append(1) or grown(*given))
    colours = (RegionColour((255, 0, 0), 0.5), RegionColour((0, 0, 255), 0.5))
    labels = region_maps.labelled(Image.fromarray(strip), colours)
    assert len(rounds) == region_maps._EDGE
    assert (labels[:, 100:300] == 1).all()
    assert (labels[:, :5] == 0).all()


def test_no_distance_is_held_for_each_colour_of_a_map_and_a_mask_of_it_is_a_byte_a_pixel():
    """Of 24 colours the distances alone would be 48 bytes a pixel."""
    wide = 400
    most = {}
    for count in (2, 24):
        strips = np.zeros((64, wide, 3), np.uint8)
        levels = np.arange(count) * (250 // count)
        strips[:] = np.stack([levels, 255 - levels, levels % 97], -1)[np.arange(wide) * count // wide]
        colours = tuple(
            RegionColour(tuple(map(int, strips[0, (2 * n + 1) * wide // (2 * count)])), 1 / count) for n in range(count)
        )
        tracemalloc.start()
        labels = region_maps.labelled(Image.fromarray(strips), colours)
        most[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sorted(set(labels.ravel().tolist())) == list(range(count))
    assert max(most.values()) < 24 * 2 * 64 * wide
    mask = open_region_map(drawn((BLUE, (0, 0, 24, 64))), "p", (96, 64)).mask(1)
    assert mask.levels.nbytes == 96 * 64
    for size in ((96, 64), (48, 32)):
        assert mask.resized(*size).dtype == np.float32
    assert mask.resized(48, 32).mean() == pytest.approx(0.25, abs=0.01)


def test_a_map_has_the_regions_of_its_file_from_python_too(tmp_path):
    """Opacity is no part of a map: colours that cannot be seen were regions of a file alone."""
    image = Image.new("RGBA", (96, 72), (0, 0, 255, 0))
    image.paste((255, 0, 0, 255), (0, 0, 40, 72))
    image.save(tmp_path / "m.png")
    for source in (tmp_path / "m.png", image, np.asarray(image)):
        found = open_region_map(source, "p", (96, 72))
        assert [region.colour for region in found.colours] == [(0, 0, 255), (255, 0, 0)]


def test_a_region_that_is_transparent_in_its_style_is_painted_from_all_that_can_be_seen():
    """It was painted from a Gram matrix of zeros."""
    art = np.full((64, 96, 4), 200, np.uint8)
    art[:, :24, 3], art[:, 24:, 3] = 0, 255  # blue in the map
    map_of = drawn((BLUE, (0, 0, 24, 64)))
    masks = MaskSources([(None, None)], maps=(map_of, [map_of]))
    opened = open_pictures(np.full((64, 96, 3), 90, np.uint8), [(art, 1.0)], Options(), masks=masks)
    red, blue = opened.regions
    assert [each.own is None for each in (red.styles[0], blue.styles[0])] == [False, True]
    assert opened.mask_notes == ("colour #0000ff of map PIL image lies where style array is transparent: not used",)
