"""The walk of one pair, from Python: what each option does to the picture."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from pipeline import Stylizer, stylize
from pipeline.errors import BadImage, OptionError, PairError
from pipeline.images.picture import Picture
from pipeline.nst.network import NETWORKS, VGG19
from pipeline.nst.weights import locate
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.schedule import Machine
from pipeline.stylize import paint, result_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

pytest.importorskip("tensorflow")

from pipeline.nst.engine import TransferEngine  # noqa: E402


def painting(seed, height=48, width=64):
    """Smooth colour with an edge: something for the content layer to hold on to."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    pixels = np.array(small.resize((width, height), Image.Resampling.BICUBIC))
    pixels[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
    return pixels


CONTENT, STYLE, OTHER = painting(1), painting(2, 60, 40), painting(3)
FULL = {
    "size": 64,
    "steps": 5,
    "weights": "random",
    "style_loss": "gram",
    "match_color": "none",
    "empty_areas": "alike",
}
# What an option does to a picture, two blocks of the network show as well as five, and a descent that remembers all steps there
# are as well as one with room for twenty: half the time goes into tracing the network and the other half into L-BFGS.
SHALLOW = {
    "content_layers": {"block2_conv1": 1.0},
    "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5},
}
QUICK = FULL | SHALLOW | {"history": 4}


def pixels(result):
    return np.array(result.image)


@pytest.fixture(scope="module")
def by_vgg19():
    """As `stylize`, with VGG19 itself: what is asked is how well a picture comes out."""
    with Stylizer() as paint:

        def painted(content, style, **options):
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(NETWORKS, "vgg19", VGG19)
                return paint(content, style, **options)

        yield painted


@pytest.fixture(scope="module")
def deep(by_vgg19):
    """A picture of 40 x 32 pixels and all of the network, by either precision: where processors have no arithmetic for
    bfloat16, a pixel costs nine times as much in it."""
    content, style = (np.array(Image.fromarray(picture).resize((40, 32))) for picture in (CONTENT, STYLE))
    options = FULL | {"steps": 10, "history": 4}
    return content, {name: by_vgg19(content, style, **options, precision=name) for name in ("float32", "bfloat16")}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls_and_the_picture_changes(deep, precision):
    content, result = deep[0], deep[1][precision]
    assert result.trace[-1].total < 0.5 * result.trace[0].total
    assert result.last["style"] < 0.5 * result.first["style"]
    assert pixels(result).shape == content.shape
    assert np.abs(pixels(result).astype(int) - content).mean() > 5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_photograph_painted_in_itself_is_met_exactly_in_the_descents_own_arithmetic(precision):
    """Targets are rounded as the picture is, so that bfloat16 does not pull a picture away from them."""
    result = stylize(CONTENT, CONTENT, **QUICK, precision=precision, tv_weight=0)
    assert result.first["content"] == 0
    assert result.first["style"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_of_the_finished_picture_is_measured_in_float32(precision):
    result = stylize(CONTENT, STYLE, **QUICK, precision=precision)
    again = stylize(result.pixels, STYLE, **(QUICK | {"steps": 1}), precision="float32")
    assert result.last["style"] == pytest.approx(again.first["style"], rel=1e-4)


def test_a_trace_has_one_reading_per_step_with_parts_that_sum():
    result = stylize(CONTENT, STYLE, **QUICK, tv_weight=3)
    assert [reading.step for reading in result.trace] == [1, 2, 3, 4, 5]
    for reading in result.trace:
        assert reading.total == pytest.approx(reading.content + reading.style + reading.tv, rel=1e-5)
    assert [a.seconds < b.seconds for a, b in zip(result.trace, result.trace[1:], strict=False)] == [True] * 4


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "gd"])
@pytest.mark.parametrize("losses", ["normalized", "paper", "means", "sums"])
def test_every_optimizer_lowers_the_loss_in_every_unit(optimizer, losses):
    result = stylize(CONTENT, STYLE, **(QUICK | {"steps": 8}), optimizer=optimizer, losses=losses, init="noise")
    assert min(reading.total for reading in result.trace) < result.trace[0].total


@pytest.mark.parametrize("init", ["content", "noise", "style"])
def test_equal_seeds_give_equal_bytes(init):
    first, second = (stylize(CONTENT, STYLE, **QUICK, init=init, seed=7) for _ in range(2))
    assert pixels(first).tobytes() == pixels(second).tobytes()
    assert [dataclasses.replace(r, seconds=0) for r in first.trace] == [
        dataclasses.replace(r, seconds=0) for r in second.trace
    ]


def test_another_seed_is_another_noise():
    first, second = (stylize(CONTENT, STYLE, **QUICK, init="noise", seed=seed) for seed in (7, 8))
    assert (pixels(first) != pixels(second)).any()


def test_init_from_a_file_starts_there(tmp_path):
    Image.fromarray(OTHER).save(tmp_path / "start.png")
    from_file = stylize(CONTENT, STYLE, **(QUICK | {"steps": 1}), init=str(tmp_path / "start.png"))
    np.testing.assert_array_equal(pixels(from_file), OTHER)  # one evaluation: the picture it was measured on


def test_init_of_another_shape_is_cropped_to_the_middle(tmp_path):
    wide = np.concatenate([np.zeros_like(OTHER), OTHER, np.zeros_like(OTHER)], axis=1)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    result = stylize(CONTENT, STYLE, **(QUICK | {"steps": 1}), init=str(tmp_path / "wide.png"))
    np.testing.assert_array_equal(pixels(result), OTHER)


def test_strength_0_is_the_content_and_a_half_lies_between():
    whole, half, none = (pixels(stylize(CONTENT, STYLE, **QUICK, strength=s)).astype(float) for s in (1, 0.5, 0))
    np.testing.assert_array_equal(none, CONTENT)
    np.testing.assert_allclose(half, (whole + CONTENT) / 2, atol=0.51)


def test_luminance_keeps_the_contents_colours():
    plain, kept = (pixels(stylize(CONTENT, STYLE, **QUICK, preserve_color=c)) for c in ("none", "luminance"))

    def chroma(picture):
        return np.array(Image.fromarray(picture).convert("YCbCr"))[..., 1:].astype(float)

    assert np.abs(chroma(kept) - chroma(CONTENT)).mean() < 0.5 * np.abs(chroma(plain) - chroma(CONTENT)).mean()


@pytest.mark.parametrize("way", ["histogram", "covariance"])
def test_a_recoloured_style_leaves_the_contents_colours(by_vgg19, way):
    options = QUICK | {"steps": 25, "content_weight": 0}
    plain, kept = (pixels(by_vgg19(CONTENT, STYLE, **options, preserve_color=c)).astype(float) for c in ("none", way))
    means = [np.abs(picture.mean(axis=(0, 1)) - CONTENT.mean(axis=(0, 1))).mean() for picture in (plain, kept)]
    assert means[1] < 0.5 * means[0]


def test_a_style_recoloured_for_one_content_is_not_taken_for_another():
    first = pixels(stylize(CONTENT, STYLE, **QUICK, preserve_color="histogram"))
    stylize(OTHER, STYLE, **QUICK, preserve_color="histogram")
    np.testing.assert_array_equal(pixels(stylize(CONTENT, STYLE, **QUICK, preserve_color="histogram")), first)


def painting_of(content, style, options, engine, resume=None):
    """The painting of two opened pictures, where `precision: auto` means bfloat16."""
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="bfloat16"))
    return paint(pictures, options, schedule, engine, resume=resume)


def test_a_file_opened_at_two_sizes_is_measured_twice():
    """Large photographs are opened no larger than a pair needs: the same file has other pixels at another size."""
    large = Picture(painting(1, 90, 120).astype(np.float32), None, "one file", "photo")
    small = Picture(large.pixels[::2, ::2], None, "one file", "photo")
    style = Picture(STYLE.astype(np.float32), None, "style", "style")
    options = Options(**QUICK | {"size": 60, "steps": 2})

    def painted(engine, content):
        return result_of(painting_of(content, style, options, engine)).pixels

    both = TransferEngine(locate("random"), options)
    painted(both, large)
    assert (painted(both, small) == painted(TransferEngine(locate("random"), options), small)).all()


def test_sixteen_bits_are_eight_with_more_places(tmp_path):
    result = stylize(CONTENT, STYLE, **QUICK, depth=16, strength=0.5, clip="end", optimizer="adam", learning_rate=200.0)
    assert np.abs(result.deep - np.array(result.image)).max() <= 1
    result.save(tmp_path / "a.TIF")
    assert result._repr_png_()
    for name in ("a.png", "a.PNG"):
        with pytest.raises(PairError, match=r"cannot have 16 bits per colour; use \.tif, or depth 8"):
            result.save(tmp_path / name)


def test_size_only_makes_content_smaller():
    assert stylize(CONTENT, STYLE, **(QUICK | {"size": 48})).image.size == (48, 36)
    assert stylize(CONTENT, STYLE, **(QUICK | {"size": 500})).image.size == (64, 48)
    assert stylize(CONTENT, STYLE, **(QUICK | {"size": "original"})).image.size == (64, 48)


def test_style_scale_changes_the_strokes():
    small, large = (pixels(stylize(CONTENT, STYLE, **QUICK, style_scale=scale)) for scale in (0.8, 2))
    assert (small != large).any()


def test_an_enlarged_style_is_noted():
    result = stylize(CONTENT, STYLE, **QUICK, style_scale=2)
    assert any("enlarged from 60 to 128 px" in note for note in result.notes)


def test_a_blend_lies_between_its_styles_and_a_share_of_all_is_that_style():
    one = pixels(stylize(CONTENT, STYLE, **QUICK))
    np.testing.assert_array_equal(pixels(stylize(CONTENT, [(STYLE, 3), (STYLE, 1)], **QUICK)), one)
    assert (pixels(stylize(CONTENT, [(STYLE, 1), (OTHER, 1)], **QUICK)) != one).any()


def test_layers_and_their_weights_are_free():
    paper_names = {"content_layers": ["relu4_2"], "style_layers": {"conv1_1": 1, "conv2_1": 0.5}}
    keras_names = {"content_layers": {"block4_conv2": 1}, "style_layers": {"block1_conv1": 1, "block2_conv1": 0.5}}
    first, second = (
        pixels(stylize(CONTENT, STYLE, **(FULL | layers), history=4)) for layers in (paper_names, keras_names)
    )
    np.testing.assert_array_equal(first, second)


def test_average_pooling_is_another_picture():
    assert (pixels(stylize(CONTENT, STYLE, **QUICK)) != pixels(stylize(CONTENT, STYLE, **QUICK, pooling="avg"))).any()


def test_a_picture_may_begin_as_middle_gray():
    """A plain picture varies nowhere."""
    result = stylize(CONTENT, STYLE, **QUICK, init="gray")
    assert result.first["tv"] == 0
    assert result.last["tv"] > 0


def test_taken_up_again_at_any_size_a_pair_in_bfloat16_ends_in_the_same_bytes():
    """In float32: tests/test_resume.py."""
    options = Options(**QUICK | {"size": 128, "scales": 2, "steps": 2}, precision="bfloat16")
    content, style = (
        Picture(np.asarray(Image.fromarray(source).resize((128, 128)), np.float32), None, name, name)
        for name, source in (("content", CONTENT), ("style", STYLE))
    )
    taken = []

    engine = TransferEngine(locate("random"), options)
    painting = painting_of(content, style, options, engine)
    for reading, snapshot in itertools.islice(painting, 1 + 1):  # all but the last step
        if (reading.side, reading.step) in ((64, 1), (128, 1)):
            taken.append(snapshot())
    whole = result_of(painting)
    assert len(taken) == 2
    for progress in taken:
        again = result_of(painting_of(content, style, options, engine, resume=progress))
        assert [reading.total for reading in again.trace] == [reading.total for reading in whole.trace]
        assert np.array_equal(again.pixels, whole.pixels)
        assert again.last == whole.last


def test_patience_that_ends_between_two_rounds_keeps_the_picture_also_of_a_pair_taken_up_there():
    """Neighbours are found anew after five evaluations: here none moves anything, and four in a row are enough."""
    still = {"style_loss": "neighbours", "optimizer": "gd", "learning_rate": 1e-12, "patience": 4, "steps": 12}
    options = Options(**FULL | still | {"scales": 1})
    content, style = (
        Picture(each.astype(np.float32), None, name, name) for each, name in ((CONTENT, "c"), (STYLE, "s"))
    )
    engine = TransferEngine(locate("random"), options)
    painting = painting_of(content, style, options, engine)
    *_others, (reading, snapshot) = itertools.islice(painting, 5 + 5)  # before the last pass, and of it
    assert (reading.final, reading.step) == (True, 5)
    progress = snapshot()
    for result in (result_of(painting), result_of(painting_of(content, style, options, engine, resume=progress))):
        assert len(result.trace) == 5
        assert [note for note in result.notes if note.startswith("stopped at step 5 of 12")]
        assert np.array_equal(result.pixels, CONTENT)


def test_bfloat16_finds_nearly_the_same_picture_and_is_measured_in_float32(deep):
    single, half = deep[1].values()
    assert (single.precision, half.precision) == ("float32", "bfloat16")
    assert half.last["total"] == pytest.approx(single.last["total"], rel=0.1)


def test_more_style_weight_is_less_style_distance():
    light, heavy = (stylize(CONTENT, STYLE, **(QUICK | {"steps": 25}), style_weight=w) for w in (1e-3, 10))
    assert heavy.last["style"] / 10 < light.last["style"] / 1e-3


def test_transparent_content_keeps_its_alpha():
    content = Image.fromarray(CONTENT).convert("RGBA")
    content.putalpha(Image.linear_gradient("L").resize(content.size))
    result = stylize(content, STYLE, **QUICK)
    assert result.image.mode == "RGBA"
    np.testing.assert_array_equal(np.array(result.image)[..., 3], np.array(content)[..., 3])


@pytest.mark.parametrize("options", [{}, {"init": "style"}])
def test_without_strength_soft_colours_come_back(options):
    """A red disc of opacity 50 on nothing; it came back mixed with a grey ground."""
    content = Image.new("RGBA", (64, 48), (0, 255, 0, 0))
    content.paste((220, 20, 20, 50), (20, 10, 50, 40))
    result = stylize(content, STYLE, **(QUICK | {"steps": 1, "strength": 0.0} | options))
    np.testing.assert_array_equal(np.unique(result.pixels.reshape(-1, 3), axis=0), [[220, 20, 20]])


def test_what_hides_in_a_cut_out_style_is_no_part_of_it():
    """Bytes are the same whatever hides where nothing can be seen, and other ones with what can be seen."""
    style = Image.fromarray(STYLE).convert("RGBA")
    width, height = style.size
    style.putalpha(0)
    style.paste(Image.fromarray(STYLE[: height // 2, : width // 2]), (0, 0))
    hidden = style.copy()
    hidden.paste((255, 0, 255, 0), (width // 2, 0, width, height))
    first, second = (stylize(CONTENT, each, **QUICK) for each in (style, hidden))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    with pytest.raises(BadImage, match="completely transparent, so it shows no style"):
        stylize(CONTENT, Image.new("RGBA", (48, 40)), **QUICK)


def test_sources_may_be_paths_images_or_arrays(tmp_path):
    path = tmp_path / "content.png"
    Image.fromarray(CONTENT).save(path)
    results = [pixels(stylize(content, STYLE, **QUICK)) for content in (path, str(path), Image.open(path), CONTENT)]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_noise_may_be_mixed_with_the_content():
    """One step at no weight moves nothing: what comes back is the beginning."""
    still = QUICK | {"steps": 1, "init": "noise", "content_weight": 0, "style_weight": 0, "tv_weight": 0}
    noise, flat, mixed = (
        pixels(stylize(CONTENT, STYLE, **still, **options)).astype(float)
        for options in ({}, {"noise_level": 0}, {"noise_level": 0, "noise_ratio": 0.25})
    )
    assert 35 < noise.std() < 45
    np.testing.assert_array_equal(flat, np.full_like(flat, 128))
    np.testing.assert_allclose(mixed, 0.25 * 127.5 + 0.75 * CONTENT, atol=0.51)


def test_a_style_in_the_contents_aspect_is_squeezed_and_not_cut():
    """A style that has the content's shape already is the same either way; another is not."""
    for style, same in ((STYLE, False), (np.asarray(Image.fromarray(STYLE).resize((64, 48))), True)):
        kept, squeezed = (pixels(stylize(CONTENT, style, **QUICK, style_aspect=a)) for a in ("keep", "content"))
        assert np.array_equal(kept, squeezed) == same


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"stepz": 3}, "'steps'"),
        ({"steps": 0}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"optimizer": "sgd"}, "lbfgs"),
        ({"content_layers": ["conv9_1"]}, "conv9_1"),
        ({"strength": 2}, "strength"),
        ({"scales": 0}, "scales"),
        ({"scales": "many"}, "auto"),
        ({"tile": 100}, "256"),
    ],
)
def test_a_wrong_option_is_a_value_error_that_names_it(options, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        stylize(CONTENT, STYLE, **options)
    assert isinstance(caught.value, OptionError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("style", [[], [(STYLE, 0)], [(STYLE, -1)], [(STYLE, float("nan"))], [(STYLE, "2")]])
def test_a_style_without_a_share_above_0_is_refused(style):
    with pytest.raises(OptionError, match=r"style"):
        stylize(CONTENT, style, **QUICK)


def test_a_strip_too_narrow_for_the_network_is_refused_by_name():
    with pytest.raises(BadImage, match=r"content array would be 64x16 pixels; its shorter side must be at least 32"):
        stylize(np.zeros((40, 160, 3), np.uint8), STYLE, **QUICK)


def test_losses_are_read_by_name_and_as_attributes():
    result = stylize(CONTENT, STYLE, **QUICK)
    assert result.last.total == result.last["total"] == pytest.approx(sum(list(result.last.values())[1:]))
    assert result.trace[-1].total == result.trace[-1].losses["total"]
    with pytest.raises(AttributeError, match="no loss named 'texture'; there are total, content, style, tv"):
        _ = result.last.texture
