"""Styles in regions: the equations of guides in NumPy, gradients, tiles, bfloat16, and what they do to a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen  # noqa: E402

from pipeline.nst.engine import SeenImage  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.terms import candidates, guides  # noqa: E402
from pipeline.nst.terms.content import Content  # noqa: E402
from pipeline.nst.terms.gram import Gram  # noqa: E402
from pipeline.nst.terms.histogram import Histogram  # noqa: E402
from pipeline.nst.terms.moments import Moments  # noqa: E402
from pipeline.nst.terms.sampling import places  # noqa: E402
from pipeline.nst.terms.term import Region, Sources, Style  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from tests import paper  # noqa: E402
from tests.thin import THIN  # noqa: E402

LAYERS = {"block1_conv1": 1.0, "block2_conv1": 1.0}
LOSSES = ("gram", "moments", "histogram", "neighbours", "transport")


@pytest.fixture(scope="module")
def kernels():
    return load_kernels(locate("random"), THIN)


def pair(style_loss="gram", **more):
    return Options(
        style_loss=style_loss, style_layers=LAYERS, content_layers={"block2_conv2": 1.0}, tv_weight=0, **more
    )


def picture(seed, height=48, width=64):
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


def left(height=48, width=64):
    """The left half, in hard edges."""
    mask = np.zeros((height, width), np.float32)
    mask[:, : width // 2] = 1
    return mask


def soft(height=48, width=64):
    return np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))


def sources(evaluator, regions, kept=None, seed=0):
    """Of pictures 0 (content, start, guide) and those of the regions: masks with numbers of styles."""
    content = Seen(evaluator, tf.constant(picture(0)))
    parts = [
        Region(mask, [Style(Seen(evaluator, tf.constant(picture(number))), 1.0) for number in styles])
        for mask, styles in regions
    ]
    styles = [style for part in parts for style in part.styles]
    guided = () if len(parts) == 1 and parts[0].mask is None else parts
    return Sources(content, styles, content, content, seed, guided, kept)


class Given:
    """An image whose features are given, one layer of it."""

    size = (6, 8)

    def __init__(self, features):
        self._features = tf.constant(features)

    def measured(self, term):
        return {layer: term.measure(layer, self._features, None) for layer in ("block1_conv1",)}

    def features(self, layers):
        return dict.fromkeys(layers, self._features)


def by_term(term, F, mask, S, kept=None):
    """The distance of features from a style in a region, the term's own way."""
    region = Region(mask, [Style(Given(S), 1.0)])
    target = term.target(Sources(Given(F), region.styles, None, None, 0, [region], kept))
    maps = target.maps["block1_conv1"]
    measured = {"block1_conv1": term.measure("block1_conv1", tf.constant(F), maps)}
    return float(term.distance(measured, target, {"block1_conv1": tf.constant(1.0)}))


F, S = paper.features(6, 8, 5, seed=1), paper.features(6, 8, 5, seed=2)
MASK = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)


def test_a_guided_gram_matrix_is_that_of_gatys_and_others():
    """T² sums to 1, and E is a share of the area: 1611.07865, section 4.1."""
    squares = MASK / MASK.sum()
    guided = F * np.sqrt(squares)[..., np.newaxis]
    G, A = (each.reshape(-1, 5).T @ each.reshape(-1, 5) for each in (guided, S / np.sqrt(48)))
    expected = 1000 * ((G - A) ** 2).sum() / (A**2).sum() * MASK.mean()
    assert by_term(Gram(("block1_conv1",), "normalized"), F, MASK, S) == pytest.approx(expected, rel=1e-5)


def test_guided_moments_are_those_of_the_region():
    """Of a hard mask: the term without one, of the positions inside alone."""
    hard, term = (MASK > 0.4).astype(np.float32), Moments(("block1_conv1",), "means")
    inside = F[hard > 0][np.newaxis]
    target = term.target(Sources(None, [Style(Given(S), 1.0)], None, None, 0))
    alone = term.distance({"block1_conv1": term.measure("", tf.constant(inside), None)}, target, {"block1_conv1": 1.0})
    assert by_term(term, F, hard, S) == pytest.approx(float(alone) * hard.mean(), rel=1e-4)


def test_a_guided_histogram_is_that_of_the_region():
    hard, term = (MASK > 0.4).astype(np.float32), Histogram(("block1_conv1",), "means")
    inside = F[hard > 0][np.newaxis]
    target = term.target(Sources(None, [Style(Given(S), 1.0)], None, None, 0))
    alone = term.distance({"block1_conv1": term.measure("", tf.constant(inside), None)}, target, {"block1_conv1": 1.0})
    assert by_term(term, F, hard, S) == pytest.approx(float(alone) * hard.mean(), rel=1e-4)


def test_the_gradient_of_a_guided_histogram_is_that_of_the_region():
    hard, term = (MASK > 0.4).astype(np.float32), Histogram(("block1_conv1",), "means")
    style, whole = Style(Given(S), 1.0), Sources(Given(F), (), None, None, 0)
    alone, guided = (
        term.target(each) for each in (whole._replace(styles=[style]), whole._replace(regions=[Region(hard, [style])]))
    )

    def gradient(features, target):
        with tf.GradientTape() as tape:
            tape.watch(features)
            measured = {"block1_conv1": term.measure("", features, target.maps.get("block1_conv1"))}
            loss = term.distance(measured, target, {"block1_conv1": tf.constant(1.0)})
        return tape.gradient(loss, features).numpy()

    found = gradient(tf.constant(F), guided)
    assert (found[hard == 0] == 0).all()
    expected = gradient(tf.constant(F[hard > 0][np.newaxis]), alone)[0] * hard.mean()
    np.testing.assert_allclose(found[hard > 0], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("unit", ["paper", "normalized", "means", "sums", "roots"])
def test_a_mask_of_everything_is_none(unit):
    white = np.ones((6, 8), np.float32)
    whole = by_term(Gram(("block1_conv1",), unit), F, white, S)
    term = Gram(("block1_conv1",), unit)
    target = term.target(Sources(None, [Style(Given(S), 1.0)], None, None, 0))
    measured = {"block1_conv1": term.measure("block1_conv1", tf.constant(F), None)}
    assert whole == pytest.approx(float(term.distance(measured, target, {"block1_conv1": 1.0})), rel=1e-6)


def test_content_is_kept_as_its_mask_says():
    """What it is divided by stays that of the whole."""
    term = Content(("block1_conv1",), "normalized")
    target = term.target(Sources(Given(S), (), None, None, 0, (), MASK))
    measured = {"block1_conv1": term.measure("block1_conv1", tf.constant(F), target.maps["block1_conv1"])}
    expected = (MASK[..., np.newaxis] * (F - S) ** 2).sum() / (S**2).sum()
    found = float(term.distance(measured, target, {"block1_conv1": tf.constant(1.0)}))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_region_of_one_pixel_counts_at_every_layer():
    for row, column in ((0, 0), (47, 63), (20, 33)):
        mask = np.zeros((50, 67), np.float32)
        mask[row, column] = mask[49, 66] = 1
        for layer in ("block1_conv1", "block3_conv1", "block5_conv1"):
            assert 0 < guides.at_layer(mask, layer, (50, 67)).sum() <= 2


def test_a_region_in_the_strip_that_a_layer_cuts_off_counts_at_its_edge():
    mask = np.zeros((50, 67), np.float32)
    mask[49, 66] = 1
    found = guides.at_layer(mask, "block5_conv1", (50, 67))
    assert np.argwhere(found).tolist() == [[2, 3]]
    assert found[2, 3] == pytest.approx(1 / 256)


def test_a_style_in_the_strip_that_a_layer_cuts_off_counts_at_its_edge():
    """As with a region of the picture; else all of the style did, at that layer."""
    alpha = np.zeros((50, 67), np.float32)
    alpha[49, 64:] = 1
    image = SeenImage(None, None, np.zeros((50, 67, 3), np.float32), None, alpha)
    found = image._weights(Gram(("block5_conv1",), "means"))["block5_conv1"].numpy()
    assert np.argwhere(found).tolist() == [[2, 3]]
    everywhere = np.arange(3 * 4)
    assert candidates.visible(everywhere, image, "block5_conv1").tolist() == [11]
    alpha[0, 0] = 1
    assert candidates.visible(everywhere, image, "block5_conv1").tolist() == [0]


def test_a_position_belongs_to_the_regions_that_claim_it_most():
    first, second = guides.claims([np.array([[1, 0.5, 0.2, 0.0]]), np.array([[0, 0.5, 0.8, 0.0]])])
    assert first.tolist() == [[True, True, False, False]]
    assert second.tolist() == [[False, True, True, False]]


def test_places_are_sampled_as_often_as_the_mask_says():
    at = places(None, 1000, 1, soft(64, 256))
    assert at.shape == (1000, 2)
    assert np.corrcoef(np.histogram(at[:, 1], 8)[0], np.arange(8))[0, 1] > 0.98
    lonely = np.zeros((64, 256), np.float32)
    lonely[5, 7] = 1
    assert (places(None, 64, 1, lonely) == (5, 7)).all()


def evaluation(kernels, options, regions, kept=None, precision="float32"):
    """The losses and gradient of picture 9, and the evaluator's targets."""
    extractor, objective = Extractor(kernels, THIN, precision=precision), objective_of(options)
    evaluator = WholeEvaluator(objective, extractor)
    targets = objective.targets(sources(evaluator, regions, kept))
    losses, gradient = evaluator(tf.constant(picture(9)), targets, weights_of(options))
    return {name: float(loss) for name, loss in losses.items()}, gradient.numpy(), targets


TWO = ((left(), [1]), (1 - left(), [2]))


@pytest.mark.parametrize(("style_loss", "last"), [*((name, False) for name in LOSSES), ("neighbours", True)])
def test_in_tiles_regions_are_those_of_the_whole_and_the_gradient_is_the_slope(kernels, style_loss, last):
    options = pair(style_loss)
    extractor, objective = Extractor(kernels, THIN), objective_of(options, last_pass=last)
    whole = WholeEvaluator(objective, extractor)
    targets, weights = objective.targets(sources(whole, TWO, soft())), weights_of(options)
    here = picture(9)
    losses, gradient = whole(tf.constant(here), targets, weights)
    tiled, ours = TiledEvaluator(objective, extractor, here.shape, Tiling(32, 2))(tf.constant(here), targets, weights)
    for name in ("style", "content"):
        assert float(tiled[name]) == pytest.approx(float(losses[name]), rel=1e-4)
    assert np.linalg.norm(ours - gradient) < 1e-3 * np.linalg.norm(gradient)

    if style_loss == "histogram":  # whose gradient holds the style's values fixed
        return
    direction = gradient.numpy() / np.abs(gradient.numpy()).max()
    up, down = (whole(tf.constant(here + step * direction), targets, weights)[0]["total"] for step in (0.05, -0.05))
    assert float(up - down) / 0.1 == pytest.approx(float((gradient.numpy() * direction).sum()), rel=2e-2)


@pytest.mark.parametrize("style_loss", ["gram", "neighbours"])
def test_outside_of_its_region_a_style_has_no_pull(kernels, style_loss):
    """Style weight alone: the gradient is nothing beyond what the network sees around the region."""
    options = replace(pair(style_loss), content_weight=0.0)
    mask = np.zeros((48, 64), np.float32)
    mask[:, :8] = 1
    _, gradient, _ = evaluation(kernels, options, [(mask, [1])])
    energy = np.square(gradient).sum((0, 2))
    assert energy[:16].sum() > 0.5 * energy.sum()
    if style_loss == "gram":  # at block 2 a position sees 8 pixels around it
        assert energy[24:].max() == 0


@pytest.mark.parametrize("style_loss", ["gram", "neighbours"])
def test_in_bfloat16_regions_are_alike(kernels, style_loss):
    """As exact as the distances are without regions (docs/method.md)."""
    options = pair(style_loss)
    exact, _, _ = evaluation(kernels, options, TWO, kept=soft())
    found, _, _ = evaluation(kernels, options, TWO, kept=soft(), precision="bfloat16")
    assert found["style"] == pytest.approx(exact["style"], rel=0.03)
    assert found["content"] == pytest.approx(exact["content"], rel=0.03)


@pytest.mark.parametrize("last", [False, True])
def test_neighbours_are_those_of_the_own_region(kernels, last):
    """Numbers of rows count those of the first region's style before those of the second's."""
    objective = objective_of(pair("neighbours"), last_pass=last)
    targets = objective.targets(sources(WholeEvaluator(objective, Extractor(kernels, THIN)), TWO))
    numbers, table = targets["style"].maps["block1_conv1"]
    second = table.region.numpy()[numbers.numpy()] == 1 if last else numbers.numpy() >= table.shape[0] / 2
    middle = second.shape[1] // 2
    assert not second[:, :middle].any()
    assert second[:, middle:].all()
