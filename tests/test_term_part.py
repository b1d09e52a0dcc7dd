"""Mixtures of distances: parts of one loss, told as their sum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import targets_by  # noqa: E402

from pipeline.images.picture import Picture  # noqa: E402
from pipeline.nst.engine import Setting, TransferEngine  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.reading import split_by_layer  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402


def picture(seed, height=46, width=59):
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (-(-height // 8), -(-width // 8), 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse[:height, :width] + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


@pytest.fixture(scope="module")
def engine():
    """Its evaluators are kept by their terms, which are the same whatever they weigh."""
    return TransferEngine(locate("random"), Options())


def evaluated(engine, style_loss, tiling=None):
    """Losses by name, and the gradient, of a picture beside two others."""
    layers = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block3_conv1": 0.5}}
    options = Options(style_loss=style_loss, weights="random", **layers)
    photograph, style, image = (tf.constant(picture(seed)) for seed in range(3))
    evaluator = engine.evaluator(Setting(options, "float32", None), image.shape)
    targets = targets_by(evaluator, options, photograph, style)
    if tiling:
        evaluator = engine.evaluator(Setting(options, "float32", tiling), image.shape)
    losses, gradient = evaluator(image, targets, weights_of(options))
    return split_by_layer({name: float(loss) for name, loss in losses.items()})[0], gradient.numpy()


def test_a_mixture_is_the_weighted_sum_of_its_parts_and_told_as_one_loss(engine):
    gram, gram_gradient = evaluated(engine, "gram")
    moments, moments_gradient = evaluated(engine, "moments")
    content = gram["content"] + gram["tv"]
    losses, gradient = evaluated(engine, {"gram": 2.0, "moments": 0.5})
    assert list(losses) == ["total", "content", "style", "tv"]
    assert losses["style"] == pytest.approx(2 * gram["style"] + 0.5 * moments["style"], rel=1e-5)
    assert losses["total"] == pytest.approx(content + losses["style"], rel=1e-5)
    plain, _ = evaluated(engine, {"gram": 2.0})
    assert plain["style"] == pytest.approx(2 * gram["style"], rel=1e-6)
    alone = evaluated(engine, {"gram": 1.0, "moments": 1.0})[1]
    assert np.linalg.norm(gradient) > 0
    only_content = gram_gradient + moments_gradient - alone  # counted twice in the two, once in the sum
    expected = 2 * (gram_gradient - only_content) + 0.5 * (moments_gradient - only_content) + only_content
    np.testing.assert_allclose(gradient, expected, atol=2e-3 * np.abs(expected).max())


def test_a_mixture_is_cut_into_tiles_as_its_parts_are(engine):
    mixed = {"gram": 1.0, "moments": 1.0}
    whole, gradient = evaluated(engine, mixed)
    tiled, our_gradient = evaluated(engine, mixed, Tiling(side=32, split=2))
    assert tiled["style"] == pytest.approx(whole["style"], rel=1e-4)
    assert np.linalg.norm(gradient - our_gradient) < 1e-2 * np.linalg.norm(gradient)


def test_in_the_last_pass_the_other_parts_of_a_mixture_stay():
    options = Options(style_loss={"gram": 0.1, "neighbours": 1.0})
    usual, last = (objective_of(options, last_pass=last).terms for last in (False, True))
    assert [term.name for term in usual] == ["content", "style.gram", "style.neighbours", "tv"]
    assert [term.name for term in last] == [term.name for term in usual]
    assert [one == other for one, other in zip(usual, last, strict=True)] == [True, True, False, True]
    found = weights_of(options)
    assert float(found["style.gram"].term) == pytest.approx(0.1 * float(found["style.neighbours"].term))
    assert set(found["style.gram"].layers) == set(options.style_layers)


def test_a_mixture_taken_up_again_in_any_pass_ends_in_the_same_bytes(monkeypatch):
    """Of the layers that are matched, one of each block: quickly traced."""
    four = ("block1_conv2", "block2_conv1", "block3_conv1", "block4_conv1")
    monkeypatch.setattr("pipeline.nst.terms.neighbours.matched_layers", lambda network: four)
    options = Options(
        style_loss={"gram": 0.1, "neighbours": 1.0},
        content_layers={"block2_conv1": 1.0},
        style_layers={"block1_conv2": 0.5, "block3_conv1": 0.5},
        **{"size": 64, "scales": 1, "steps": 7, "weights": "random", "precision": "float32", "history": 3},
    )
    engine = TransferEngine(locate("random"), options)
    content, style = (Picture(picture(seed, 48, 64), None, str(seed), str(seed)) for seed in range(2))
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    painting = paint(pictures, options, schedule, engine)
    taken = []
    for reading, snapshot in itertools.islice(painting, 3 + 6):
        assert set(reading.losses) == {"total", "content", "style", "tv"}
        if (reading.side, reading.step, reading.final) in ((64, 2, False), (64, 6, True)):
            taken.append(snapshot())
    whole = result_of(painting)
    assert len(taken) == 2
    for progress in taken:
        again = result_of(paint(pictures, options, schedule, engine, resume=progress))
        assert np.array_equal(again.pixels, whole.pixels)
