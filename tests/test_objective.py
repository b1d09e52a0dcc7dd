"""The weighted sum of Eq. 7, with a toy network whose only layer is the picture itself."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from nst_kit import targets_by  # noqa: E402

from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import features_themselves  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.reading import split_by_layer  # noqa: E402


class PixelsAsFeatures:
    """What an evaluator asks of an `Extractor`."""

    def __call__(self, image, layers, measure=features_themselves):
        return {layer: measure(layer).with_gradient(image) for layer in layers}

    def framed(self, image, layers):
        return dict.fromkeys(layers, image[tf.newaxis])

    def cropped(self, measure, _factor, _size):
        def inside(features, *arguments):
            return measure.function(features[0], *arguments)

        return measure._replace(key=("pixels", measure.key), function=inside)


def picture(seed):
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (6, 5, 3)), tf.float32)


def pair(**options):
    layers = {"content_layers": {"block1_conv1": 1.0}, "style_layers": {"block2_conv1": 1.0}, "tv_weight": 0.0}
    return Options(**(layers | {"losses": "paper"} | options))


def losses(options, image=None, content=None, style=None):
    """By name, of one picture beside another as content and a third as style."""
    return split_by_layer(evaluation(options, image, content, style))[0]


def evaluation(options, image=None, content=None, style=None):
    """The same, with the shares of layers."""
    evaluator = WholeEvaluator(objective_of(options), PixelsAsFeatures())
    content, style = (picture(1) if content is None else content), (picture(2) if style is None else style)
    targets = targets_by(evaluator, options, content, style)
    found = evaluator.losses(picture(3) if image is None else image, targets, weights_of(options))
    return {name: float(loss) for name, loss in found.items()}


def test_a_picture_that_is_both_content_and_style_costs_nothing():
    """To rounding: a graph multiplies by a reciprocal where the targets were divided."""
    both = picture(0)
    found, others = losses(pair(), both, both, both), losses(pair())
    assert found["content"] == found["tv"] == 0
    assert found["style"] < 1e-12 * others["style"]


def test_the_total_comes_first_and_is_the_sum_of_the_terms():
    total, *parts = (found := losses(pair(tv_weight=0.5))).values()
    assert list(found) == ["total", "content", "style", "tv"]
    assert min(parts) > 0
    assert total == pytest.approx(sum(parts), rel=1e-6)


@pytest.mark.parametrize("style_loss", ["gram", "moments", {"gram": 2.0, "moments": 0.5}], ids=str)
def test_shares_of_layers_sum_to_the_loss_that_they_are_of(style_loss):
    layers = {"block1_conv1": 0.25, "block2_conv1": 1.0}
    found = evaluation(pair(style_loss=style_loss, style_layers=layers, content_layers=layers, style_weight=3.0))
    told, shares = split_by_layer(found)
    assert list(told) == ["total", "content", "style", "tv"]
    names = ["style"] if isinstance(style_loss, str) else ["style.gram", "style.moments"]
    assert list(shares) == [f"{name}/{layer}" for name in ("content", *names) for layer in layers]
    for name in ("content", "style"):
        assert sum(share for of, share in shares.items() if of.startswith(name)) == pytest.approx(told[name], rel=1e-5)
    assert shares["content/block2_conv1"] == pytest.approx(
        4 * shares["content/block1_conv1"], rel=1e-5
    )  # of equal features


def test_weights_multiply_their_terms():
    once = losses(pair(content_weight=1, style_weight=1, tv_weight=1))
    more = losses(pair(content_weight=2, style_weight=3, tv_weight=5))
    for name, factor in (("content", 2), ("style", 3), ("tv", 5)):
        assert more[name] == pytest.approx(factor * once[name], rel=1e-6)


def test_layer_weights_multiply_their_layers():
    once, thrice = losses(pair()), losses(pair(style_layers={"block2_conv1": 3.0}))
    assert thrice["style"] == pytest.approx(3 * once["style"], rel=1e-6)
    assert thrice["content"] == once["content"]


def test_total_variation_may_have_a_unit_and_a_kind_of_its_own():
    plain = losses(pair(tv_weight=2))
    for options, unit, kind in (
        ({"tv_unit": "means"}, "means", "squares"),
        ({"tv_kind": "absolute"}, "paper", "absolute"),
        ({"tv_kind": 2.5, "tv_unit": "normalized"}, "normalized", 2.5),
    ):
        found = losses(pair(tv_weight=2, **options))
        assert found["tv"] == losses(pair(losses=unit, tv_kind=kind, tv_weight=2))["tv"]
        assert found["style"] == plain["style"]


def test_grams_per_pixel_count_the_pictures_own_pixels():
    twice = tf.concat([picture(3)] * 2, axis=0)  # the same texture on twice the area
    lone = pair(content_layers={}, losses="per_pixel")
    assert losses(lone, twice)["style"] == pytest.approx(losses(lone)["style"], rel=1e-5)


def test_what_an_objective_computes_tells_it_apart():
    """Evaluations are kept by their terms: two that differ in anything but weights and targets are not equal."""
    terms = objective_of(pair()).terms
    assert objective_of(pair(style_weight=7, content_weight=3)).terms == terms
    for option, value in (
        ("losses", "means"),
        ("tv_kind", 2.5),
        ("tv_unit", "means"),
        ("content_layers", {"block4_conv2": 1.0}),
        ("style_layers", {"block1_conv1": 1.0}),
    ):
        assert objective_of(pair(**{option: value})).terms != terms, option
        assert hash(objective_of(pair(**{option: value})).terms) != hash(terms), option


def test_every_term_is_one_line_of_the_list():
    assert [term.name for term in objective_of(Options()).terms] == ["content", "style", "tv"]
