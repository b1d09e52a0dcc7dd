"""Nearest neighbours against NumPy, at both passes; gradients; the same bytes after a resume."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("usual_convolutions", "thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen  # noqa: E402

from pipeline.images.masks import mask_from_levels  # noqa: E402
from pipeline.images.picture import Picture  # noqa: E402
from pipeline.nst import positions  # noqa: E402
from pipeline.nst.engine import TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import LossWeights, Objective, objective_of, weights_of  # noqa: E402
from pipeline.nst.pieces import Piece  # noqa: E402
from pipeline.nst.terms import candidates, matching  # noqa: E402
from pipeline.nst.terms import hypercolumns as hypercolumns_module  # noqa: E402
from pipeline.nst.terms import neighbours as module  # noqa: E402
from pipeline.nst.terms import neighbours_by_layer as by_layer  # noqa: E402
from pipeline.nst.terms.coherence import coherent, rows_of  # noqa: E402
from pipeline.nst.terms.guides import means_of_cells  # noqa: E402
from pipeline.nst.terms.term import Indexed, Plain, Sources, Style, Target  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402
from tests.thin import THIN  # noqa: E402

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
    return Extractor(load_kernels(locate("random"), THIN), THIN)


class Cut(Seen):
    """An image of which not all can be seen: `alpha` (height, width), 0..1."""

    def __init__(self, evaluator, pixels, alpha):
        super().__init__(evaluator, pixels)
        self.alpha = alpha

    def opacity(self, cell):
        return None if self.alpha is None else means_of_cells(self.alpha, cell)


def sources_by(evaluator, styles, seed=5, alpha=None):
    """Pictures 0 (guide and start) and `styles` with their shares; `alpha` is the first one's."""
    first = Seen(evaluator, tf.constant(picture(0)))
    alphas = [alpha, *[None] * (len(styles) - 1)]
    seen = [
        Style(Cut(evaluator, tf.constant(picture(n)), each), share)
        for (n, share), each in zip(styles, alphas, strict=True)
    ]
    return Sources(first, seen, first, first, seed)


@pytest.fixture(scope="module")
def evaluator(extractor):
    """That of the matching pass or of the last: what one test has traced serves all."""
    return functools.cache(lambda last_pass: WholeEvaluator(objective_of(PAIR, last_pass=last_pass), extractor))


def evaluated(evaluators, last_pass, styles=((1, 1.0),), seed=5):
    """The term, its target for pictures 0 (guide and start) and `styles`, and a function of pictures."""
    objective, evaluator = objective_of(PAIR, last_pass=last_pass), evaluators(last_pass)
    targets, weights = objective.targets(sources_by(evaluator, styles, seed)), weights_of(PAIR)
    term = next(term for term in objective.terms if term.name == "style")
    return term, targets, lambda image: evaluator(tf.constant(image), targets, weights)


def test_tables_have_as_many_rows_whatever_the_shares_are(evaluator, monkeypatch):
    """So that a clip whose styles change has one trace; and rows that are only there for that are nobody's neighbour."""
    monkeypatch.setattr(module, "MOST", 250)
    monkeypatch.setattr(module.Neighbours._of_styles, "__defaults__", (250,))
    shapes, numbers = [], []
    for shares in ((1.0, 63.0), (32.0, 32.0), (62.0, 2.0)):
        _term, targets, _losses = evaluated(evaluator, False, ((1, shares[0]), (2, shares[1])))
        maps = targets["style"].maps.values()
        shapes.append([tuple(each.table.shape) for each in maps])
        numbers.append(max(int(each.map.numpy().max()) for each in maps))
    assert shapes[0] == shapes[1] == shapes[2]
    assert {rows for rows, _channels in shapes[0]} == {250}
    # of pictures of 15 x 12 positions, at most 250 by their shares
    assert [number < rows for number, rows in zip(numbers, (4 + 180, 125 + 125, 180 + 8), strict=True)] == [True] * 3


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
        if layer[5] == "4":  # of the other blocks a position that the border cuts off is the one before
            features = tf.image.resize(features, (height, width)).numpy()
        below, beside = height - features.shape[0], width - features.shape[1]
        parts.append(np.pad(features, [(0, below), (0, beside), (0, 0)], "edge"))
    return np.concatenate(parts, -1)


def lengths(vectors):
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_where_the_photograph_is_plain_it_counts_beside_what_is_seen(extractor, evaluator):
    """On the left half; on the right half neighbours are those of the picture alone."""
    term, seen = next(term for term in objective_of(PAIR).terms if term.name == "style"), evaluator(False)
    levels = np.zeros((46, 59), np.float32)
    levels[:, :28] = 1.0
    plain = Plain(Seen(seen, tf.constant(picture(3))), levels)
    sources = sources_by(seen, ((1, 1.0),))
    usual, found = (
        term.target(each).maps[term.layers[0]].map.numpy() for each in (sources, sources._replace(plain=plain))
    )
    here, photograph, style = (
        (flat - flat.mean(0)) / lengths(flat - flat.mean(0))
        for flat in (hypercolumns(extractor, term, picture(n)).reshape(180, -1) for n in (0, 3, 1))
    )
    expected = ((here + photograph) @ style.T).argmax(1).reshape(12, 15)
    np.testing.assert_array_equal(found[:, :7], expected[:, :7])
    np.testing.assert_array_equal(found[:, 7:], usual[:, 7:])
    assert (found[:, :7] != usual[:, :7]).mean() > 0.2


def test_with_coherence_whole_pieces_of_the_style_are_taken(extractor, evaluator):
    """Those of `coherent`, by NumPy's hypercolumns."""
    coherence = 0.6
    usual = next(term for term in objective_of(PAIR).terms if term.name == "style")
    term, sources = replace(usual, coherence=coherence), sources_by(evaluator(False), ((1, 1.0), (2, 1.0)))
    here, style = (
        (flat - flat.mean(0)) / lengths(flat - flat.mean(0))
        for flat in (
            hypercolumns(extractor, term, picture(0)).reshape(180, -1),
            np.concatenate([hypercolumns(extractor, term, picture(n)).reshape(180, -1) for n in (1, 2)]),
        )
    )
    cosines, rows = here @ style.T, rows_of([(12, 15)] * 2, [np.arange(180)] * 2)
    _likeness, expected = coherent(
        cosines.argmax(1), lambda of, rows: cosines[of, rows], rows, np.arange(180), (12, 15), coherence
    )
    found = term.target(sources).maps[term.layers[0]].map.numpy()
    np.testing.assert_array_equal(found, expected.reshape(12, 15))
    assert (found != usual.target(sources).maps[term.layers[0]].map.numpy()).mean() > 0.2


def test_the_distance_is_that_of_the_papers_hypercolumns(extractor, evaluator):
    term, _targets, evaluate = evaluated(evaluator, last_pass=False)
    here, style, moved = (hypercolumns(extractor, term, picture(n)) for n in (0, 1, 2))
    flat, style = here.reshape(-1, here.shape[-1]), style.reshape(-1, here.shape[-1])
    a, b = flat - flat.mean(0), style - style.mean(0)
    found = style[((a / lengths(a)) @ (b / lengths(b)).T).argmax(1)]
    flat = moved.reshape(found.shape)
    cosines = (flat * found).sum(-1) / (lengths(flat) * lengths(found))[:, 0]
    losses, _gradient = evaluate(picture(2))
    assert float(losses["style"]) / PAIR.style_weight == pytest.approx(1000 * (1 - cosines.mean()), rel=1e-4)


def test_in_the_last_pass_layers_are_matched_by_themselves(extractor, evaluator):
    """Pictures this small are on the grid whole."""
    term, _targets, evaluate = evaluated(evaluator, last_pass=True)
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
def test_the_gradient_is_the_slope(evaluator, last_pass):
    _term, _targets, evaluate = evaluated(evaluator, last_pass)
    image = picture(2)
    _losses, gradient = evaluate(image)
    way = (
        gradient / tf.norm(gradient)
    ).numpy()  # the steepest: along others float32 sees little more than its rounding
    up, down = (float(evaluate(image + sign * way)[0]["style"]) for sign in (1, -1))
    assert (up - down) / 2 == pytest.approx(float(tf.reduce_sum(gradient * way)), rel=0.05)


@pytest.mark.parametrize("last_pass", [False, True])
def test_a_style_is_at_no_distance_from_itself(evaluator, last_pass):
    _term, _targets, evaluate = evaluated(evaluator, last_pass, styles=((0, 1.0),))
    losses, _gradient = evaluate(picture(0))
    assert float(losses["style"]) / PAIR.style_weight < 0.01  # of a thousand


FOUR = ("block1_conv2", "block2_conv1", "block3_conv1", "block4_conv1")  # one of each block: quickly traced
ALONE = {"style": LossWeights(tf.constant(1.0), {})}


@pytest.mark.parametrize("term", [module.Neighbours(FOUR), module.NeighboursByLayer(FOUR)], ids=["columns", "layers"])
def test_in_tiles_losses_gradients_and_targets_are_those_of_the_whole(extractor, term):
    """Two styles, of one of which half can be seen; sides that are no multiples of four; tiles of 16 and 32 pixels. Layers by
    themselves need VGG19's channels: of eight, some position has nearly none that differs from the mean, and no direction."""
    if isinstance(term, module.NeighboursByLayer):
        extractor = Extractor(load_kernels(locate("random")))
    alpha = np.zeros((46, 59), np.float32)
    alpha[5:40, 9:30] = np.random.default_rng(3).uniform(0.2, 1, (35, 21))
    objective, image = Objective([term]), tf.constant(picture(2))
    whole = WholeEvaluator(objective, extractor)
    expected = objective.targets(sources_by(whole, ((1, 2.0), (3, 1.0)), alpha=alpha))
    losses, gradient = whole(image, expected, ALONE)
    for side, split in ((32, 2), (16, 3)):
        tiled = TiledEvaluator(objective, extractor, image.shape, Tiling(side, split))
        targets = objective.targets(sources_by(tiled, ((1, 2.0), (3, 1.0)), alpha=alpha))
        for one, other in zip(tf.nest.flatten(targets), tf.nest.flatten(expected), strict=True):
            assert one.shape == other.shape
            if one.dtype == tf.float32:
                assert relative(one, other) < 1e-5
            else:
                assert np.array_equal(one, other)
        ours, our_gradient = tiled(image, targets, ALONE)
        assert relative(ours["style"], losses["style"]) < 1e-5
        assert relative(our_gradient, gradient) < 1e-4
        assert relative(tiled.losses(image, targets, ALONE)["style"], losses["style"]) < 1e-5


@pytest.mark.parametrize("size", [(33, 40), (39, 41)])
def test_tiles_are_exact_wherever_the_border_cuts_a_position_off(extractor, size):
    random, image = np.random.default_rng(0), tf.constant(picture(2, *size))
    numbers = random.integers(0, 9, [-(-length // 4) for length in size]).astype(np.int32)
    tables = {layer: random.normal(size=(9, extractor.network.channels(layer))).astype(np.float32) for layer in FOUR}
    maps = {layer: Indexed(tf.constant(numbers), tf.constant(table)) for layer, table in tables.items()}
    targets, objective = {"style": Target(maps, ())}, Objective([module.Neighbours(FOUR)])
    losses, gradient = WholeEvaluator(objective, extractor)(image, targets, ALONE)
    ours, our_gradient = TiledEvaluator(objective, extractor, image.shape, Tiling(16, 2))(image, targets, ALONE)
    assert relative(ours["style"], losses["style"]) < 1e-5
    assert relative(our_gradient, gradient) < 1e-4


def relative(ours, theirs):
    return float(tf.norm(ours - theirs) / tf.norm(theirs))


def test_of_several_styles_each_gives_as_many_places_as_its_share_says():
    sources = Sources(None, [Style(None, 3.0), Style(None, 1.0)], None, None, seed=1)
    three, one = candidates.shared([np.arange(100), np.arange(100, 200)], sources, 40)
    assert (len(three), len(one)) == (30, 10)
    assert (three < 100).all()
    assert (one >= 100).all()
    few = candidates.shared([np.arange(5)], sources._replace(styles=sources.styles[:1]), 40)
    assert few[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("of", ["block2_conv1", 4])
def test_what_cannot_be_seen_of_a_style_is_nobodys_neighbour(of):
    """Of 46 x 59 pixels the left 32 columns: 16 of a layer of half the size, 8 of cells."""
    alpha = np.zeros((46, 59), np.float32)
    alpha[:, :32] = 0.7
    image = Cut(None, np.zeros((46, 59, 3)), alpha)
    height, width, columns = (23, 29, 16) if isinstance(of, str) else (12, 15, 8)
    seen = candidates.visible(np.arange(height * width), image, of)
    assert sorted(set(seen % width)) == list(range(columns))
    assert len(seen) == height * columns
    grid = np.arange(columns, width)  # where nothing of a grid can be seen, it is left
    assert np.array_equal(candidates.visible(grid, image, of), seen)
    assert np.array_equal(candidates.visible(grid, Cut(None, np.zeros((46, 59, 3)), None), of), grid)


def test_a_grid_has_about_64_positions_along_the_longer_side_of_any_shape():
    random = np.random.default_rng(0)
    for shape in ((300, 200), (64, 64), (63, 40), (6400, 32), (3000, 50), (127, 127)):
        places = by_layer._grid(shape, random)
        rows, columns = np.unique(places // shape[1]), np.unique(places % shape[1])
        assert len(places) == len(rows) * len(columns)
        assert rows.max() < shape[0]
        assert columns.max() < shape[1]
        assert len(rows) <= 127
        assert len(rows) >= min(63, shape[0])


def test_channels_are_taken_a_few_at_a_time_with_the_same_result(monkeypatch):
    random = np.random.default_rng(1)
    own, table = (tf.constant(random.normal(size=size), tf.float32) for size in ((5, 7, 24), (9, 24)))
    numbers = tf.constant(random.integers(0, 9, (11, 15)), tf.int32)

    def measured():
        with tf.GradientTape() as tape:
            tape.watch(own)
            product, squares = hypercolumns_module.alike("block4_conv1", own, numbers, table)
            loss = tf.reduce_sum(product * tf.math.rsqrt(squares))
        return product, squares, tape.gradient(loss, own)

    column = tf.image.resize(own, (11, 15)).numpy()
    product, squares, gradient = measured()
    assert np.allclose(product, (column * table.numpy()[numbers.numpy()]).sum(-1), atol=1e-5)
    assert np.allclose(squares, (column**2).sum(-1), rtol=1e-5)
    monkeypatch.setattr(hypercolumns_module, "_AT_ONCE", 11 * 15 * 7)
    for one, other in zip(measured(), (product, squares, gradient), strict=True):
        assert relative(one, other) < 1e-6


@pytest.mark.parametrize(
    ("layer", "size"), [("block4_conv1", (5, 7)), ("block4_conv1", (6, 8)), ("block3_conv1", (11, 15))]
)
def test_at_a_position_is_what_a_resized_map_has_there(layer, size):
    own = tf.constant(np.random.default_rng(2).normal(size=(*size, 3)), tf.float32)
    where = tf.constant([[row, column] for row in range(12) for column in range(16)], tf.int32)
    whole = hypercolumns_module._of_shape(layer, own, tf.constant((12, 16)))
    found = hypercolumns_module.at(layer, own, where, tf.constant((12, 16)))
    assert np.allclose(found, tf.reshape(whole, (-1, 3)), atol=1e-6)


def test_the_nearest_are_found_in_pieces_as_at_once(monkeypatch):
    random = np.random.default_rng(3)
    some, others = (matching.directions(tf.constant(random.normal(size=(n, 8)), tf.float32)) for n in (50, 70))
    expected = (some.numpy() @ others.numpy().T).argmax(1)
    assert np.array_equal(matching.nearest(some, others), expected)
    monkeypatch.setattr(matching, "_ROWS", 16)
    monkeypatch.setattr(matching, "_COLUMNS", 11)
    assert np.array_equal(matching.nearest(some, others), expected)


def test_a_flat_picture_has_no_direction_and_no_gradient_that_is_not_finite(evaluator):
    _term, _targets, evaluate = evaluated(evaluator, last_pass=True)
    losses, gradient = evaluate(np.full((46, 59, 3), 127.0, np.float32))
    assert np.isfinite(float(losses["total"]))
    assert np.isfinite(gradient.numpy()).all()


def test_what_is_the_mean_but_for_rounding_has_no_direction():
    """Of a plain style: it would be a direction as good as any, and noise be painted after it."""
    plain = np.random.default_rng(0).uniform(0, 300, 12).astype(np.float32)
    assert not matching.centred(np.broadcast_to(plain, (4096, 12))).numpy().any()
    np.testing.assert_array_equal(np.abs(matching.centred([[1e4, 3.0], [1e4, 7.0]])), [[0, 1], [0, 1]])


def test_a_plain_photograph_in_a_plain_style_stays_plain():
    white = Picture(np.full((48, 64, 3), 255, np.float32), None, "white", "white")
    options = Options(**PAIR.all_values() | {"size": 64, "scales": 1, "steps": 6, "history": 3, "init": "content"})
    pictures = Pictures(white, ((white, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    result = result_of(paint(pictures, options, schedule, TransferEngine(locate("random"), options)))
    assert (result.pixels == 255).all()


def painting_of(options, engine, resume=None):
    content, style = (Picture(picture(seed, 64, 96), None, str(seed), str(seed)) for seed in range(2))
    left = np.arange(96) < 48
    pictures = Pictures(content, ((style, 1.0),), plain=mask_from_levels(np.tile(left, (64, 1)), "plain areas"))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    return paint(pictures, options, schedule, engine, resume=resume)


def test_taken_up_again_in_any_pass_it_ends_in_the_same_bytes(monkeypatch):
    """In the matching pass, within a round of the last, and between two rounds; here in tiles, and
    whole in test_term_part. With one layer of each block, as no progress knows layers. The left half
    is stroked."""
    monkeypatch.setattr(module, "matched_layers", lambda network: FOUR)
    changed = {"size": 96, "scales": 2, "steps": 7, "tile": 64, "history": 3, "coherence": 0.6}
    options = Options(**PAIR.all_values() | changed)
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


def test_a_style_is_measured_once_for_all_rounds_of_all_last_passes(monkeypatch):
    """Of three rounds, of two paintings; each round looks at other places of the picture."""
    monkeypatch.setattr(module, "matched_layers", lambda network: FOUR)
    monkeypatch.setattr(positions, "GRID", 16)
    options = Options(**PAIR.all_values() | {"size": 96, "scales": 1, "steps": 11, "history": 3})
    engine, style = TransferEngine(locate("random"), options), picture(1, 64, 96)
    measured, looked_at, grids = WholeEvaluator.measured, [], set()

    def seen(evaluator, image, probe, maps=None):
        if probe == hypercolumns_module.Picked(FOUR):
            looked_at.append(np.allclose(image, style))
            if not looked_at[-1]:
                grids.add(maps[FOUR[0]].map.numpy().tobytes())
        return measured(evaluator, image, probe, maps)

    monkeypatch.setattr(WholeEvaluator, "measured", seen)
    for _painting in range(2):
        result_of(painting_of(options, engine))
    assert looked_at.count(True) == 1
    assert looked_at.count(False) == 2 * (3 + 1)  # and when what is finished is measured
    assert len(grids) == 3 + 1


@pytest.mark.parametrize("guided", [False, True])
def test_by_layer_the_gradient_is_that_of_the_equation(guided):
    """Beside TensorFlow's own, of features in their frame, with a position that has no direction."""
    random = np.random.default_rng(3)
    around = tf.constant(random.normal(size=(1, 9, 11, 5)), tf.float32)
    numbers = np.full((7, 9), -1, np.int32)
    numbers[1::2, ::3] = np.arange(9).reshape(3, 3)
    style = tf.math.l2_normalize(tf.constant(random.normal(size=(9, 5)), tf.float32), -1)
    mean = around[0, 2, 1]  # so the first position is no way from it
    term = by_layer.NeighboursByLayer(("block1_conv1",))
    table, means, weights = by_layer.Matched(mean, style), mean, tf.ones(9)
    if guided:  # the first position is of the second region
        region = tf.constant([1, 0, 1, 0, 0, 1, 1, 0, 0])
        of_regions, weights = tf.stack([2.0 * mean, mean]), tf.constant(random.uniform(0, 2, 9), tf.float32)
        table, means = by_layer.MatchedIn(of_regions, style, region, weights), tf.gather(of_regions, region)
    corner = tf.constant(1)
    with tf.GradientTape() as tape:
        tape.watch(around)
        piece = Piece(around, corner, corner, tf.constant(7), tf.constant(9))
        found = term.measure("block1_conv1", piece, (tf.constant(numbers), table))
    gradient = tape.gradient(found, around)
    with tf.GradientTape() as tape:
        tape.watch(around)
        inside = around[0, 1:8, 1:10]
        apart = tf.gather_nd(inside, tf.where(numbers >= 0)) - means
        alike = tf.reduce_sum(matching.directions(apart) * style, -1)
        expected = tf.reduce_sum(weights * (1.0 - alike))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    by_equation = tape.gradient(expected, around).numpy()
    np.testing.assert_allclose(gradient, by_equation, rtol=1e-5, atol=1e-6 * np.abs(by_equation[0, 2:]).max())
