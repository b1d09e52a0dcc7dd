"""Pictures that wrap: the network, terms, tiles and enlarging go on from the other end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("usual_convolutions", "thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen, targets_by  # noqa: E402

from pipeline import stylize  # noqa: E402
from pipeline.images.scale import resize, resize_wrapped  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import NETWORKS, VGG19  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.terms import hypercolumns  # noqa: E402
from pipeline.nst.terms.neighbours_by_layer import _grid  # noqa: E402
from pipeline.nst.terms.term import PICTURE, Sources, Style  # noqa: E402
from pipeline.nst.terms.variation import Variation  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.nst.wrapping import closed, continued  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.schedule import Machine, Sized, notes_of_size, schedule  # noqa: E402
from tests.thin import THIN  # noqa: E402

WAYS = [(True, False), (False, True), (True, True)]


@pytest.fixture(scope="module")
def kernels():
    return load_kernels(locate("random"), THIN)


def noise(seed, height=48, width=64):
    """Patches and grain, float32 (height, width, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (-(-height // 16), -(-width // 16), 3)).repeat(16, 0).repeat(16, 1)
    return np.clip(coarse[:height, :width] + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


def rolled(image, wraps):
    """16 pixels, a position of block 5, along the sides that wrap."""
    return np.roll(np.asarray(image), [16 * wrapped for wrapped in wraps], (0, 1))


def relative(ours, theirs):
    return float(tf.norm(ours - theirs) / tf.norm(theirs))


# ------------------------------------------------------------------------------------ the network


@pytest.mark.parametrize("wraps", WAYS)
def test_a_closed_side_is_numpys_wrapped_pad_and_its_gradient_tensorflows(wraps):
    features = tf.constant(np.random.default_rng(0).normal(size=(1, 4, 5, 2)), tf.float32)
    weights = tf.constant(np.random.default_rng(1).normal(size=(1, 6, 7, 2)), tf.float32)

    def by_numpys_rule(features):
        around = features
        for axis, wrapped in enumerate(wraps, start=1):
            ends = [tf.gather(around, [place], axis=axis) for place in (-1 % around.shape[axis], 0)]
            ends = ends if wrapped else [tf.zeros_like(end) for end in ends]
            around = tf.concat([ends[0], around, ends[1]], axis)
        return around

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_sum(weights * function(features) ** 2)
        return tape.gradient(loss, features)

    np.testing.assert_array_equal(closed(features, wraps), by_numpys_rule(features))
    np.testing.assert_allclose(gradient(lambda x: closed(x, wraps)), gradient(by_numpys_rule), rtol=1e-5)


def test_a_padded_input_goes_on_as_often_as_it_takes():
    image = np.arange(1 * 2 * 3 * 1).reshape(1, 2, 3, 1)
    for around in ((0, 2), (5, 0), (3, 7)):
        expected = np.pad(image, [(0, 0), (around[0],) * 2, (around[1],) * 2, (0, 0)], "wrap")
        np.testing.assert_array_equal(continued(tf.constant(image), around), expected)


@pytest.mark.parametrize("wraps", WAYS)
def test_the_features_of_a_rolled_picture_are_rolled_features(kernels, wraps):
    layers = ["block1_conv1", "block2_pool", "block4_conv2", "block5_conv1"]
    extractor = Extractor(kernels, THIN, wraps=wraps)
    before, after = (extractor(tf.constant(image), layers) for image in (noise(0), rolled(noise(0), wraps)))
    for layer in layers:
        step = 16 * before[layer].shape[0] // 48
        expected = np.roll(before[layer], [step * wrapped for wrapped in wraps], (0, 1))
        assert before[layer].shape == after[layer].shape
        assert relative(after[layer], expected) < 1e-5


def test_another_way_over_the_same_kernels_is_not_changed_by_one_that_wraps(kernels):
    plain = Extractor(kernels, THIN)
    before = plain(tf.constant(noise(0)), ["block2_conv1"])["block2_conv1"]
    plain.with_options(pooling="max", border="mirror", precision="float32", wraps=(True, True))(
        tf.constant(noise(0)), ["block2_conv1"]
    )
    np.testing.assert_array_equal(plain(tf.constant(noise(0)), ["block2_conv1"])["block2_conv1"], before)


# --------------------------------------------------------------------------------- the objective


def sources(wrapped, plain, content, style):
    """Styles are seen as they are, and the rest by an evaluator that wraps."""
    seen = Seen(wrapped, tf.constant(content))
    return Sources(seen, [Style(Seen(plain, tf.constant(style)), 1.0)], start=seen, guide=seen, seed=0)


@pytest.mark.parametrize(("style_loss", "wrap"), [("gram", "x"), ("neighbours", "both")])
def test_the_gradient_of_a_rolled_picture_is_the_rolled_gradient(kernels, style_loss, wrap):
    """With a photograph that is rolled too; of `neighbours` in all passes but the last, whose grid does not roll."""
    options = Options(style_loss=style_loss, wrap=wrap, tv_weight=30.0)
    objective, weights = objective_of(options), weights_of(options)
    wrapped = WholeEvaluator(objective, Extractor(kernels, THIN, wraps=options.wraps))
    plain = WholeEvaluator(objective, Extractor(kernels, THIN))

    def evaluated(content, picture):
        targets = objective.targets(sources(wrapped, plain, content, noise(2)))
        return wrapped(tf.constant(picture), targets, weights)

    losses, gradient = evaluated(noise(0), noise(1))
    ours, our_gradient = evaluated(*(rolled(noise(seed), options.wraps) for seed in (0, 1)))
    for name, loss in losses.items():
        assert float(ours[name]) == pytest.approx(float(loss), rel=1e-4), name
    assert relative(our_gradient, rolled(gradient, options.wraps)) < 1e-3
    assert relative(our_gradient, gradient) > 0.1


@pytest.mark.parametrize(("style_loss", "wrap", "split"), [("gram", "y", 1), ("neighbours", "x", 3)])
def test_tiles_of_a_picture_that_wraps_are_exact(kernels, style_loss, wrap, split):
    options = Options(style_loss=style_loss, wrap=wrap)
    objective, weights = objective_of(options), weights_of(options)
    extractor = Extractor(kernels, THIN, wraps=options.wraps)
    # Only a side that wraps is a whole number of positions.
    height, width = (length + 5 * (not wrapped) for length, wrapped in zip((96, 128), options.wraps, strict=True))
    content, picture, style = (noise(seed, height, width) for seed in range(3))
    whole = WholeEvaluator(objective, extractor)
    tiled = TiledEvaluator(objective, extractor, picture.shape, Tiling(side=48, split=split))
    targets = objective.targets(sources(whole, WholeEvaluator(objective, Extractor(kernels, THIN)), content, style))
    losses, gradient = whole(tf.constant(picture), targets, weights)
    ours, our_gradient = tiled(tf.constant(picture), targets, weights)
    for name, loss in losses.items():
        assert relative(ours[name], loss) < 1e-5, name
    assert relative(our_gradient, gradient) < 1e-4
    found = tiled.features(tf.constant(content), ["block1_conv2", "block4_conv2"])
    for layer, features in whole.features(tf.constant(content), ["block1_conv2", "block4_conv2"]).items():
        assert relative(found[layer], features) < 1e-5


def test_all_of_the_network_in_tiles_wraps_too_also_where_halos_are_longer_than_the_picture(kernels):
    options = Options(wrap="both")
    objective, weights = objective_of(options), weights_of(options)
    extractor = Extractor(kernels, THIN, wraps=options.wraps)
    whole = WholeEvaluator(objective, extractor)
    targets = targets_by(whole, options, tf.constant(noise(0)), tf.constant(noise(2)))
    losses, gradient = whole(tf.constant(noise(1)), targets, weights)
    tiled = TiledEvaluator(objective, extractor, (48, 64, 3), Tiling(side=32, split=5))
    ours, our_gradient = tiled(tf.constant(noise(1)), targets, weights)
    assert relative(ours["total"], losses["total"]) < 1e-5
    assert relative(our_gradient, gradient) < 1e-4


@pytest.mark.parametrize("wraps", WAYS)
def test_variation_counts_the_ends_that_meet(wraps):
    """A bright pixel in a corner of 3 x 3 has two neighbours and, with each side that wraps, one more."""
    image = np.zeros((3, 3, 1), np.float32)
    image[0, 0] = 3.0
    found = Variation("squares", "sums", wraps)
    sums = found.measure(PICTURE, tf.constant(image), None)
    assert float(tf.add_n(sums.sums)) == 9 * (2 + sum(wraps))
    assert [float(count) for count in sums.counts] == [9 if wraps[0] else 6, 9 if wraps[1] else 6]


@pytest.mark.parametrize("wraps", WAYS)
@pytest.mark.parametrize("kind", ["squares", "absolute", 2.5])
def test_variation_that_wraps_on_both_sides_is_the_same_wherever_a_picture_begins(kind, wraps):
    """Of a picture that is continued by hand."""
    image = np.random.default_rng(0).uniform(0, 255, (5, 7, 3)).astype(np.float32)
    beyond = np.pad(image, [(0, int(wraps[0])), (0, int(wraps[1])), (0, 0)], "wrap")
    down, right = np.diff(beyond, axis=0)[:, :7], np.diff(beyond, axis=1)[:5]
    if isinstance(kind, float):
        rows, columns = min(len(down), len(right)), min(down.shape[1], right.shape[1])
        expected = ((down[:rows, :columns] ** 2 + right[:rows, :columns] ** 2) ** (kind / 2)).sum()
    else:
        power = 2 if kind == "squares" else 1
        expected = (np.abs(down) ** power).sum() + (np.abs(right) ** power).sum()
    term = Variation(kind, "sums", wraps)
    found = term.distance({PICTURE: term.measure(PICTURE, tf.constant(image), None)}, term.target(None), {})
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("wraps", WAYS)
def test_hypercolumns_between_both_ends_are_of_both(wraps):
    own = tf.constant(np.random.default_rng(2).normal(size=(4, 6, 3)), tf.float32)
    wide = np.pad(own, [(int(wraps[0]),) * 2, (int(wraps[1]),) * 2, (0, 0)], "wrap")
    enlarged = tf.image.resize(wide, [2 * length for length in wide.shape[:2]]).numpy()
    top, left = (2 * wrapped for wrapped in wraps)
    expected = enlarged[top : top + 8, left : left + 12]
    whole = hypercolumns._of_shape("block4_conv1", own, tf.constant((8, 12)), wraps)
    np.testing.assert_allclose(whole, expected, rtol=1e-5, atol=1e-6)
    where = tf.constant(list(itertools.product(range(8), range(12))), tf.int32)
    found = hypercolumns.at("block4_conv1", own, where, tf.constant((8, 12)), wraps)
    np.testing.assert_allclose(tf.reshape(found, (8, 12, 3)), expected, rtol=1e-5, atol=1e-6)


def test_grids_of_a_side_that_wraps_come_to_all_of_it():
    random = np.random.default_rng(0)
    columns = [set(_grid((40, 130), random, (False, True)) % 130) for _round in range(300)]
    assert set().union(*columns) == set(range(130))
    assert {len(each) for each in columns} == {64}


# ----------------------------------------------------------------------------------- the pictures


@pytest.mark.parametrize("size", [(96, 128), (24, 32)])
@pytest.mark.parametrize("wraps", WAYS)
def test_a_rolled_picture_is_enlarged_and_made_smaller_to_a_rolled_one(size, wraps):
    """At an edge that does not wrap nothing rolls either."""
    ours = resize_wrapped(rolled(noise(0), wraps), size[1], size[0], wraps)
    by = [16 * wrapped * length // old for wrapped, length, old in zip(wraps, size, (48, 64), strict=True)]
    np.testing.assert_allclose(ours, np.roll(resize_wrapped(noise(0), size[1], size[0], wraps), by, (0, 1)), atol=1e-3)
    assert np.abs(resize(noise(0), size[1], size[0]) - resize_wrapped(noise(0), size[1], size[0], wraps)).max() > 1


def sides(wrap, size, content=(1000, 750)):
    options = Options(wrap=wrap, size=size)
    photograph = Sized("photo.jpg", content)
    found = schedule(options, photograph, [Sized("art.jpg", (900, 800))], Machine(precision="float32"))
    return [stage.size for stage in found.stages], "".join(notes_of_size(options, photograph))


def test_sides_that_wrap_are_whole_positions_of_every_layer():
    assert sides("none", 300) == ([(300, 225)], "")
    note = "photo.jpg: 288 px long, not 300: sides that wrap are multiples of 16"
    assert sides("x", 300) == ([(288, 225)], note)
    assert sides("y", 300) == ([(300, 224)], "")
    assert sides("both", 300) == ([(288, 224)], note)
    assert sides("both", 1000) == ([(496, 368), (992, 736)], note.replace("288", "992").replace("300", "1000"))
    assert sides("both", "original") == ([(496, 368), (992, 736)], note.replace("288", "992").replace("300", "1000"))
    assert sides("both", 512) == ([(512, 384)], "")


def seam(image):
    """How far, in grey levels, neighbouring columns of a picture differ: those at its two ends, and all others."""
    picture = np.asarray(image, float)
    return np.abs(picture[:, 0] - picture[:, -1]).mean(), np.abs(np.diff(picture, axis=1)).mean((0, 2))


@pytest.mark.parametrize(("style_loss", "wrap"), [("gram", "both"), ("gram", "none"), ("neighbours", "x")])
def test_the_two_ends_of_a_picture_differ_no_more_than_other_neighbours_do(monkeypatch, style_loss, wrap):
    """And without `wrap` they do. With VGG19, whose strokes have a size; of each block one layer, or to the third."""
    four = ("block1_conv2", "block2_conv1", "block3_conv1", "block4_conv1")
    monkeypatch.setitem(NETWORKS, "vgg19", VGG19)
    monkeypatch.setattr("pipeline.nst.terms.neighbours.matched_layers", lambda network: four)
    random = np.random.default_rng(3)
    style = np.asarray(Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).resize((96, 96)))
    content = np.full((64, 64, 3), 128, np.uint8)
    start = {
        "init": "noise",
        "noise_level": 10,
        "seed": 1,
        "content_weight": 0,
        "steps": 16,
        "history": 8,
        "scales": 1,
    }
    if style_loss == "gram":
        start |= {"style_layers": ["conv1_1", "conv2_1", "conv3_1"], "content_layers": ["conv1_1"]}
    result = stylize(content, style, style_loss=style_loss, wrap=wrap, size=64, weights="imagenet-8bit", **start)
    ends, others = seam(result.image)
    assert (ends < np.quantile(others, 0.95)) == (wrap != "none")


def test_a_rolled_start_ends_in_a_rolled_picture(tmp_path):
    """With Gram matrices and no content, after some steps: to grey levels of rounding."""
    start = noise(5).round().astype(np.uint8)
    options = {"content_weight": 0, "style_loss": "gram", "steps": 4, "history": 3, "scales": 1, "precision": "float32"}
    options["weights"] = "random"

    def painted(name, pixels):
        Image.fromarray(pixels).save(tmp_path / name)
        flat = np.full_like(pixels, 128)
        result = stylize(flat, noise(6).astype(np.uint8), init=str(tmp_path / name), wrap="both", **options)
        return np.asarray(result.image, float)

    ours = painted("rolled.png", rolled(start, (True, True)))
    assert np.abs(ours - rolled(painted("start.png", start), (True, True))).max() <= 2
