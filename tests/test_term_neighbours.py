"""Nearest neighbours against NumPy, at both passes; gradients; the same bytes after a resume."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen  # noqa: E402

from pipeline.images.picture import Picture  # noqa: E402
from pipeline.nst.engine import TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import reduction  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.terms import matching  # noqa: E402
from pipeline.nst.terms import neighbours as module  # noqa: E402
from pipeline.nst.terms.term import Sources, Style  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402

PAIR = Options(
    style_loss="neighbours", content_weight=0, tv_weight=0, weights="random", init="blurred", precision="float32"
)


def picture(seed, height=46, width=59):
    """Patches and grain, float32 (height, width, 3); the sides are no multiples of four."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (-(-height // 8), -(-width // 8), 3)).repeat(8, 0).repeat(8, 1)
    return np.clip(coarse[:height, :width] + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


@pytest.fixture(scope="module")
def extractor():
    return Extractor(load_kernels(locate("random")))


def evaluated(extractor, last_pass, styles=((1, 1.0),), seed=5):
    """The term, its target for pictures 0 (guide and start) and `styles`, and a function of pictures."""
    objective = objective_of(PAIR, last_pass=last_pass)
    evaluator = WholeEvaluator(objective, extractor)
    first = Seen(evaluator, tf.constant(picture(0)))
    sources = Sources(
        first, [Style(Seen(evaluator, tf.constant(picture(n))), share) for n, share in styles], first, first, seed
    )
    targets, weights = objective.targets(sources), weights_of(PAIR)
    term = next(term for term in objective.terms if term.name == "style")
    return term, targets, lambda image: evaluator(tf.constant(image), targets, weights)


def hypercolumns(extractor, term, image):
    """As the paper has them, in NumPy: (height, width, channels) at a quarter of the resolution."""
    found = extractor(tf.constant(image), term.layers)
    height, width = (-(-length // 4) for length in image.shape[:2])
    parts = []
    for layer in term.layers:
        features = found[layer].numpy() / found[layer].shape[-1]
        step = {"1": 4, "2": 2}.get(layer[5], 1)
        rows, columns = (-length % step for length in features.shape[:2])
        features = np.pad(features, [(0, rows), (0, columns), (0, 0)], "symmetric")
        features = features.reshape(features.shape[0] // step, step, features.shape[1] // step, step, -1).mean((1, 3))
        parts.append(tf.image.resize(features, (height, width)).numpy())
    return np.concatenate(parts, -1)


def lengths(vectors):
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_the_distance_is_that_of_the_papers_hypercolumns(extractor):
    term, _targets, evaluate = evaluated(extractor, last_pass=False)
    here, style, moved = (hypercolumns(extractor, term, picture(n)) for n in (0, 1, 2))
    flat, style = here.reshape(-1, here.shape[-1]), style.reshape(-1, here.shape[-1])
    a, b = flat - flat.mean(0), style - style.mean(0)
    found = style[((a / lengths(a)) @ (b / lengths(b)).T).argmax(1)]
    flat = moved.reshape(found.shape)
    cosines = (flat * found).sum(-1) / (lengths(flat) * lengths(found))[:, 0]
    losses, _gradient = evaluate(picture(2))
    assert float(losses["style"]) / PAIR.style_weight == pytest.approx(1000 * (1 - cosines.mean()), rel=1e-4)


def test_in_the_last_pass_layers_are_matched_by_themselves(extractor):
    """Pictures this small are on the grid whole."""
    term, _targets, evaluate = evaluated(extractor, last_pass=True)
    found = [extractor(tf.constant(picture(n)), term.layers) for n in (0, 1, 2)]
    distances = []
    for layer in term.layers:
        here, style, moved = (each[layer].numpy().reshape(-1, each[layer].shape[-1]) for each in found)
        a, b = here - here.mean(0), style - style.mean(0)
        b /= np.maximum(lengths(b), 1e-20)
        matched = b[(a @ b.T / np.maximum(lengths(a), 1e-20)).argmax(1)]
        moved = moved - here.mean(0)
        distances.append(1 - ((moved * matched).sum(-1) / np.maximum(lengths(moved)[:, 0], 1e-20)).mean())
    losses, _gradient = evaluate(picture(2))
    assert float(losses["style"]) / PAIR.style_weight == pytest.approx(1000 * np.mean(distances), rel=1e-3)


@pytest.mark.parametrize("last_pass", [False, True])
def test_the_gradient_is_the_slope(extractor, last_pass):
    _term, _targets, evaluate = evaluated(extractor, last_pass)
    image = picture(2)
    _losses, gradient = evaluate(image)
    way = (
        gradient / tf.norm(gradient)
    ).numpy()  # the steepest: along others float32 sees little more than its rounding
    up, down = (float(evaluate(image + sign * way)[0]["style"]) for sign in (1, -1))
    assert (up - down) / 2 == pytest.approx(float(tf.reduce_sum(gradient * way)), rel=0.05)


@pytest.mark.parametrize("last_pass", [False, True])
def test_a_style_is_at_no_distance_from_itself(extractor, last_pass):
    _term, _targets, evaluate = evaluated(extractor, last_pass, styles=((0, 1.0),))
    losses, _gradient = evaluate(picture(0))
    assert float(losses["style"]) / PAIR.style_weight < 0.01  # of a thousand


def test_of_several_styles_each_gives_as_many_places_as_its_share_says(monkeypatch):
    monkeypatch.setattr(module, "_MOST", 40)
    sources = Sources(None, [Style(None, 3.0), Style(None, 1.0)], None, None, seed=1)
    sets = [tf.fill((100, 2), 1.0), tf.fill((100, 2), 2.0)]
    taken = module._shared(sets, sources, 40)[:, 0].numpy()
    assert (taken == 1).sum() == 30
    assert (taken == 2).sum() == 10
    few = module._shared([sets[0][:5]], sources._replace(styles=sources.styles[:1]), 40)
    assert len(few) == 5


@pytest.mark.parametrize("last_pass", [False, True])
def test_what_cannot_be_seen_of_a_style_is_nobodys_neighbour(extractor, last_pass):
    """Half a style is painted over and made invisible; the rest alone gives the same target."""
    objective = objective_of(PAIR, last_pass=last_pass)
    term = next(term for term in objective.terms if term.name == "style")
    evaluator = WholeEvaluator(objective, extractor)
    image, opacity = picture(1, 64, 64), np.ones((64, 64), np.float32)
    opacity[:, 32:] = 0
    weights = {}
    for layer in term.layers:
        factor = reduction(layer)
        weights[layer] = tf.constant(opacity.reshape(64 // factor, factor, 64 // factor, factor).mean((1, 3)))
    measured = evaluator.measured(tf.constant(image), term, weights)
    for layer in term.layers:
        half = measured[layer].shape[1] // 2
        assert not np.any(measured[layer][:, half:])
        if reduction(layer) < 4 or last_pass:
            assert np.any(measured[layer][:, :half])
    first = module._flat(measured[term.layers[0]])
    assert len(module._seen(first)) == len(first) // 2


def test_the_nearest_are_found_in_pieces_as_at_once(monkeypatch):
    random = np.random.default_rng(3)
    some, others = (matching.directions(tf.constant(random.normal(size=(n, 8)), tf.float32)) for n in (50, 70))
    expected = (some.numpy() @ others.numpy().T).argmax(1)
    assert np.array_equal(matching.nearest(some, others), expected)
    monkeypatch.setattr(matching, "_ROWS", 16)
    monkeypatch.setattr(matching, "_COLUMNS", 11)
    assert np.array_equal(matching.nearest(some, others), expected)


def test_a_flat_picture_has_no_direction_and_no_gradient_that_is_not_finite(extractor):
    _term, _targets, evaluate = evaluated(extractor, last_pass=True)
    losses, gradient = evaluate(np.full((46, 59, 3), 127.0, np.float32))
    assert np.isfinite(float(losses["total"]))
    assert np.isfinite(gradient.numpy()).all()


def painting_of(options, engine, resume=None):
    content, style = (Picture(picture(seed, 80, 96), None, str(seed), str(seed)) for seed in range(2))
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    return paint(pictures, options, schedule, engine, resume=resume)


def test_taken_up_again_in_any_pass_it_ends_in_the_same_bytes():
    """In the matching pass, within a round of the last, and between two rounds."""
    options = Options(**PAIR.all_values() | {"size": 96, "scales": 2, "steps": 7})
    engine = TransferEngine(locate("random"), options)
    painting = painting_of(options, engine)
    taken, seen = [], []
    for reading, snapshot in itertools.islice(painting, 3 + 3 + 6):
        seen.append((reading.side, reading.step, reading.final))
        if (reading.side, reading.step, reading.final) in ((96, 2, False), (96, 5, True), (96, 6, True)):
            taken.append(snapshot())
    whole = result_of(painting)
    assert seen[:3] == [(48, step, False) for step in range(1, 4)]
    assert len(taken) == 3
    for progress in taken:
        again = result_of(painting_of(options, engine, resume=progress))
        assert [reading.total for reading in again.trace] == [reading.total for reading in whole.trace]
        assert np.array_equal(again.pixels, whole.pixels)
    assert len(whole.trace) == 7
    assert whole.last["style"] < whole.first["style"]
