"""Sampled hypercolumns, transport and self-similarity against NumPy; in tiles; the same bytes after a resume."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("usual_convolutions", "thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen, targets_by  # noqa: E402

from pipeline.images.picture import Picture  # noqa: E402
from pipeline.nst.engine import TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import VGG16, VGG19, reduction  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.positions import column_layers  # noqa: E402
from pipeline.nst.terms import sampling, self_similarity, transport  # noqa: E402
from pipeline.nst.terms.term import PICTURE, Region, Sources, Style  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402
from tests.thin import THIN  # noqa: E402

PAIR = Options(
    style_loss="transport", content_loss="self_similarity", tv_weight=0, weights="random", precision="float32"
)


def picture(seed, height=50, width=70):
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (-(-height // 8), -(-width // 8), 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse[:height, :width] + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


@pytest.fixture(scope="module")
def kernels():
    return load_kernels(locate("random"), THIN)


@pytest.fixture(scope="module", autouse=True)
def few_places():
    """Of the terms alone: tests of what places are ask for as many as they need."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (transport, self_similarity):
            patch.setattr(module, "SAMPLES", 60)
        yield


@pytest.fixture(scope="module")
def whole(kernels):
    """The evaluator, its targets for pictures 0 (content) and 1 (style), and the weights."""
    objective = objective_of(PAIR)
    evaluator = WholeEvaluator(objective, Extractor(kernels, THIN))
    targets = targets_by(evaluator, PAIR, tf.constant(picture(0)), tf.constant(picture(1, 44, 61)))
    return evaluator, targets, weights_of(PAIR)


@pytest.fixture(scope="module")
def evaluated(whole):
    evaluator, targets, weights = whole
    return evaluator(tf.constant(picture(2)), targets, weights)


# ------------------------------------------------------------------------------------------------------------- places


class Image:
    def __init__(self, size, opacity=None):
        self.size, self._opacity = size, opacity

    def opacity(self, cell):
        assert cell == 1
        return self._opacity


def test_places_are_spread_evenly_to_every_end():
    """Also where a layer's last position is none, as it is no whole one: else up to 15 pixels of an edge stay bare."""
    for weights in (None, np.ones((70, 100), np.float32)):
        at = sampling.places(Image((70, 100)), 1024, 3, weights)
        assert (at.min(0).tolist(), at.max(0).tolist()) == ([0, 0], [69, 99])
        counts = np.histogram2d(*at.T, bins=(5, 7), range=((0, 70), (0, 100)))[0]
        assert 15 < counts.min() <= counts.max() < 45  # 29 in the mean


def test_places_in_the_strip_that_a_layer_cuts_off_are_taken_at_its_edge():
    found = sampling.lookups(["block1_conv1", "block3_conv2"], (50, 70), np.array([[49, 69], [0, 3]], np.int32))
    rows_and_columns = {layer: np.stack(lookup.table[:2], -1).tolist() for layer, lookup in found.items()}
    assert rows_and_columns == {"block1_conv1": [[49, 69], [0, 3]], "block3_conv2": [[11, 16], [0, 0]]}


def test_a_place_that_nearly_all_miss_is_found():
    opacity = np.zeros((640, 480), np.float32)
    opacity[639, 7] = 0.2
    assert (sampling.places(Image((640, 480), opacity), 50, seed=0) == (639, 7)).all()


def test_places_depend_on_the_seed_alone():
    one, same, other = (sampling.places(Image((64, 64)), 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_no_place_is_where_nothing_can_be_seen():
    opacity = np.zeros((64, 64), np.float32)
    opacity[10:20, 40:50] = 0.9
    at = sampling.places(Image((64, 64), opacity), 100, seed=0)
    assert at.shape == (100, 2)
    assert (opacity[at[:, 0], at[:, 1]] > 0).all()
    assert sampling.places(Image((64, 64), 0 * opacity), 10, seed=0).shape == (10, 2)


def test_the_layers_are_the_papers_for_vgg16():
    assert column_layers(VGG16) == (
        *("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2"),
        *("block3_conv1", "block3_conv2", "block3_conv3", "block4_conv3", "block5_conv3"),
    )
    assert column_layers(VGG19)[-2:] == ("block4_conv4", "block5_conv4")


def test_a_hypercolumn_is_what_layers_say_where_the_pixel_lies():
    random = np.random.default_rng(0)
    layers = ("block1_conv1", "block3_conv2")
    features = {layer: random.normal(size=(32 // reduction(layer), 48 // reduction(layer), 4)) for layer in layers}
    at = sampling.places(Image((32, 48)), 20, seed=1)
    found = sampling.lookups(layers, (32, 48), at)
    for layer in layers:
        expected = features[layer][at[:, 0] // reduction(layer), at[:, 1] // reduction(layer)]
        got = sampling.sampled(tf.constant(features[layer], tf.float32), found[layer])
        np.testing.assert_allclose(got, expected, rtol=1e-6)


# ---------------------------------------------------------------------------------------------------------- distances


def columns_of(extractor, image, at, scales):
    """Hypercolumns in NumPy."""
    found = {layer: each.numpy() for layer, each in extractor(tf.constant(image), tuple(scales)).items()}

    def of(layer):
        rows, columns = np.minimum(at // reduction(layer), np.array(found[layer].shape[:2]) - 1).T
        return found[layer][rows, columns] * float(scales[layer])

    return np.concatenate([of(layer) for layer in scales], -1).astype(np.float64)


def cosines(a, b):
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
    return 1 - a @ b.T


def test_transport_is_the_papers_with_moments_and_palette(kernels, whole, evaluated):
    extractor, target = Extractor(kernels, THIN), whole[1]["style"].statistics
    at, style_at = (sampling.places(Image(size), 60, seed) for size, seed in (((50, 70), 0), ((44, 61), 1)))
    A = columns_of(extractor, picture(2), at, target.scales)
    B = columns_of(extractor, picture(1, 44, 61), style_at, target.scales)
    assert (B**2).mean() == pytest.approx(1, rel=1e-3)
    d = cosines(A, B)
    columns = max(d.min(1).mean(), d.min(0).mean())
    moments, first = [], 0
    for layer in target.scales:
        a, b = (each[:, first : first + THIN.channels(layer)] for each in (A, B))
        first += a.shape[1]
        for one, other in ((a.mean(0), b.mean(0)), (np.cov(a.T, bias=True), np.cov(b.T, bias=True))):
            moments.append(0.5 * np.abs(one - other).mean() / np.abs(other).mean())
    basis = np.array(transport._BASIS)
    a, b = (
        (image[where[:, 0], where[:, 1]] / 255) @ basis
        for image, where in ((picture(2), at), (picture(1, 44, 61), style_at))
    )
    d = np.linalg.norm(a[:, np.newaxis] - b, axis=-1) + cosines(a, b)
    palette = max(d.min(1).mean(), d.min(0).mean())
    expected = 100 / 3 * (columns + sum(moments) / len(target.scales) + 0.5 * palette)
    assert float(evaluated[0]["style"]) / PAIR.style_weight == pytest.approx(expected, rel=1e-3)


def test_self_similarity_is_the_difference_of_shares_of_distances(kernels, whole, evaluated):
    extractor, scales = Extractor(kernels, THIN), whole[1]["content"].statistics.scales
    at = sampling.places(Image((50, 70)), 60, 0)
    D, P = (cosines(*[columns_of(extractor, picture(n), at, scales)] * 2) for n in (2, 0))
    expected = np.abs(D / D.sum(0) - P / P.sum(0)).sum() / 60
    assert float(evaluated[0]["content"]) == pytest.approx(expected, rel=1e-3)


def test_a_picture_is_like_itself(whole):
    evaluator, targets, weights = whole
    losses, gradient = evaluator(tf.constant(picture(0)), targets, weights)
    assert float(losses["content"]) == pytest.approx(0, abs=1e-5)
    assert np.isfinite(gradient).all()
    flat, gradient = evaluator(tf.fill((50, 70, 3), 127.0), targets, weights)
    assert np.isfinite(float(flat["total"]))
    assert np.isfinite(gradient).all()


def test_a_photograph_that_is_plain_but_for_rounding_has_shares_of_nothing():
    """Distances of either sign add up to next to nothing, of which each would be thousands of times as much."""
    random = np.random.default_rng(0)
    plain = random.uniform(0, 30, 500) * (1 + 1e-4 * random.normal(size=(256, 500)))
    shares = self_similarity.shares(tf.constant(plain, tf.float32))
    assert np.abs(shares).sum(0).max() < 0.1


def test_a_plain_style_does_not_drown_everything(whole):
    """Its covariance is 0, of which any other one is infinitely many shares."""
    evaluator, _targets, weights = whole
    plain = tf.fill((44, 61, 3), 255.0)
    targets = targets_by(evaluator, PAIR, tf.constant(picture(0)), plain)
    losses, gradient = evaluator(tf.constant(picture(2)), targets, weights)
    assert float(losses["style"]) < 100 * PAIR.style_weight * 100  # thousands; without a bound 1e9 and more
    assert np.isfinite(gradient).all()


def test_relaxed_distance_gives_up_one_constraint():
    """By hand: rows' nearest are 1 and 3, in the mean 2; columns' are 1, 2 and 3, in the mean 2 as well."""
    assert float(transport.relaxed(tf.constant([[1.0, 2.0, 5.0], [4.0, 6.0, 3.0]]))) == 2.0
    assert float(transport.relaxed(tf.constant([[1.0, 9.0], [2.0, 9.0]]))) == 5.0  # the style's part that nobody has


def test_the_gradient_is_the_slope(whole, evaluated):
    evaluator, targets, weights = whole
    gradient = evaluated[1]
    way = gradient / tf.norm(gradient)
    up, down = (float(evaluator(picture(2) + sign * way, targets, weights)[0]["total"]) for sign in (1, -1))
    assert (up - down) / 2 == pytest.approx(float(tf.reduce_sum(gradient * way)), rel=0.05)


def test_in_tiles_the_same_places_are_looked_at(kernels, whole, evaluated):
    _evaluator, targets, weights = whole
    tiled = TiledEvaluator(objective_of(PAIR), Extractor(kernels, THIN), (50, 70, 3), Tiling(side=32, split=2))
    losses, gradient = tiled(tf.constant(picture(2)), targets, weights)
    for name, loss in evaluated[0].items():
        assert float(losses[name]) == pytest.approx(float(loss), rel=1e-4, abs=1e-7)
    assert float(tf.norm(gradient - evaluated[1]) / tf.norm(evaluated[1])) < 1e-3


def test_of_several_styles_each_gives_as_many_places_as_its_share_says():
    asked = []

    class Counting:
        size = (32, 32)

        def opacity(self, cell):
            return None

        def measured(self, probe, maps):
            asked.append(len(next(iter(maps.values())).table.rows))
            return {layer: tf.ones((asked[-1], 2)) for layer in probe.columns} | {PICTURE: tf.zeros((32, 32, 3))}

    sources = Sources(Counting(), [Style(Counting(), 3.0), Style(Counting(), 1.0)], None, None, seed=1)
    target = transport.Transport(("block1_conv1", "block2_conv1")).target(sources)
    assert asked == [45, 15]
    assert target.statistics.columns.shape == (60, 4)


def test_regions_whose_area_changes_take_no_new_trace(whole):
    evaluator, _targets, weights = whole
    content, styles = (
        Seen(evaluator, tf.constant(picture(0))),
        [Seen(evaluator, tf.constant(picture(n))) for n in (1, 2)],
    )
    found, traces = [], []
    for columns in (20, 40, 20):
        left = np.zeros((50, 70), np.float32)
        left[:, :columns] = 1
        masks = zip((left, 1 - left), styles, strict=True)
        regions = [Region(mask, [Style(style, 1.0)]) for mask, style in masks]
        sources = Sources(content, [], start=content, guide=content, seed=0, regions=regions)
        targets = evaluator._objective.targets(sources)
        found.append(float(evaluator.losses(tf.constant(picture(3)), targets, weights)["style"]))
        traces.append(len(evaluator._traced))
    assert found[0] == found[2] != found[1]
    assert len(set(traces)) == 1


def test_in_bfloat16_it_is_off_by_a_few_hundredths(kernels, evaluated):
    evaluator = WholeEvaluator(objective_of(PAIR), Extractor(kernels, THIN, precision="bfloat16"))
    targets = targets_by(evaluator, PAIR, tf.constant(picture(0)), tf.constant(picture(1, 44, 61)))
    losses = evaluator.losses(tf.constant(picture(2)), targets, weights_of(PAIR))
    for name in ("content", "style"):
        assert float(losses[name]) == pytest.approx(float(evaluated[0][name]), rel=0.03)


def test_taken_up_again_in_any_round_it_ends_in_the_same_bytes():
    options = Options(**PAIR.all_values() | {"size": 64, "scales": 1, "steps": 7, "history": 3})
    engine = TransferEngine(locate("random"), options)
    content, style = (Picture(picture(seed, 48, 64), None, str(seed), str(seed)) for seed in range(2))
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    painting = paint(pictures, options, schedule, engine)
    taken = [snapshot() for reading, snapshot in itertools.islice(painting, 6) if reading.step in (5, 6)]
    whole = result_of(painting)
    assert len(whole.trace) == 7
    for progress in taken:
        again = result_of(paint(pictures, options, schedule, engine, resume=progress))
        assert [reading.total for reading in again.trace] == [reading.total for reading in whole.trace]
        assert np.array_equal(again.pixels, whole.pixels)


@pytest.mark.parametrize("style_loss", ["transport", "gram"])
def test_a_round_forgets_the_last_ones_where_the_style_is_looked_at_elsewhere(style_loss):
    """With what it remembered, transport climbed at 512 px, where two rounds share few places."""
    how = {"size": 64, "scales": 1, "steps": 7, "history": 3, "style_loss": {style_loss: 1.0}}
    options = Options(**PAIR.all_values() | how)
    content, style = (Picture(picture(seed, 48, 64), None, str(seed), str(seed)) for seed in range(2))
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    painting = paint(pictures, options, schedule, TransferEngine(locate("random"), options))
    remembered = {reading.step: snapshot().arrays["curvatures"] for reading, snapshot in painting}
    assert remembered[5].any()
    assert remembered[6].any() == (style_loss == "gram")
    assert remembered[7].any()
