"""The temporal term: against NumPy, its gradient by differences, in tiles, and in an objective beside others."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen  # noqa: E402

from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import Objective, objective_of, weights_of  # noqa: E402
from pipeline.nst.own_terms import with_terms  # noqa: E402
from pipeline.nst.terms.temporal import Temporal  # noqa: E402
from pipeline.nst.terms.term import PICTURE, Earlier, Sources, Style  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402


def picture(seed, height=70, width=90):
    return np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)


def sources(earlier, evaluator=None, styles=()):
    seen = Seen(evaluator, picture(1))
    return Sources(seen, [Style(Seen(evaluator, style), 1.0) for style in styles], seen, seen, 0, earlier=earlier)


def distance(image, earlier):
    term = Temporal()
    target = term.target(sources(earlier))
    measured = {PICTURE: term.measure(PICTURE, tf.constant(image), target.maps[PICTURE])}
    return term.distance(measured, target, {})


def test_it_is_the_mean_square_of_what_changed_where_it_is_reliable():
    # 2 x 2 positions; one changed by 3 in all three colours and is to be held half: 0.5 * 27 / (4 * 3).
    before = np.full((2, 2, 3), 100, np.float32)
    after, reliable = before.copy(), np.zeros((2, 2), np.float32)
    after[0, 1] += 3
    after[1, 0] += 50  # what was uncovered may be anything
    reliable[0] = (1.0, 0.5)
    assert float(distance(after, Earlier(before, reliable))) == pytest.approx(0.5 * 27 / 12)


def test_it_is_numpys():
    now, before = picture(2), picture(3)
    reliable = np.random.default_rng(4).uniform(0, 1, now.shape[:2]).astype(np.float32)
    expected = np.mean(reliable[..., None].astype(np.float64) * (now.astype(np.float64) - before) ** 2)
    assert float(distance(now, Earlier(before, reliable))) == pytest.approx(expected, rel=1e-5)


def test_its_gradient_is_that_of_differences():
    now, before = picture(2, 5, 6), picture(3, 5, 6)
    reliable = np.random.default_rng(4).uniform(0, 1, now.shape[:2]).astype(np.float32)
    with tf.GradientTape() as tape:
        image = tf.constant(now)
        tape.watch(image)
        term = Temporal()
        target = term.target(sources(Earlier(before, reliable)))
        loss = term.distance({PICTURE: term.measure(PICTURE, image, target.maps[PICTURE])}, target, {})
    expected = 2 * reliable[..., None] * (now - before) / now.size
    np.testing.assert_allclose(tape.gradient(loss, image), expected, rtol=1e-5, atol=1e-6)


def test_without_earlier_frames_there_is_nothing_to_hold():
    with pytest.raises(ValueError, match="painted before"):
        Temporal().target(sources(None))


def test_in_tiles_it_is_that_of_the_whole():
    kernels = load_kernels(locate("random"))
    layers = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 1.0}}
    options = with_terms(Options(**layers), [(Temporal(), 0.01)])
    objective, weights, extractor = objective_of(options), weights_of(options), Extractor(kernels)
    whole = WholeEvaluator(objective, extractor)
    tiled = TiledEvaluator(objective, extractor, (70, 90, 3), Tiling(side=32, split=1))
    earlier = Earlier(picture(5), np.random.default_rng(6).uniform(0, 1, (70, 90)).astype(np.float32))
    targets = objective.targets(sources(earlier, whole, [picture(7)]))
    image = tf.constant(picture(8))
    losses, gradient = whole(image, targets, weights)
    ours, our_gradient = tiled(image, targets, weights)
    assert float(losses["temporal"]) > 0
    assert float(ours["temporal"]) == pytest.approx(float(losses["temporal"]), rel=1e-5)
    assert float(tf.norm(our_gradient - gradient) / tf.norm(gradient)) < 1e-4


def test_one_trace_serves_every_frame():
    """Terms are equal, so that what is kept of one frame's descent serves the next one's."""
    assert Temporal() == Temporal()
    assert hash(Objective([Temporal()]).terms) == hash(Objective([Temporal()]).terms)
