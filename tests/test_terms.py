"""A term of one's own: ten lines, and it works whole, in tiles, in the trace, in the report, and after a resume."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import targets_by  # noqa: E402
from test_report_html import page  # noqa: E402

from pipeline.images.picture import Picture  # noqa: E402
from pipeline.job import Outcome  # noqa: E402
from pipeline.nst import terms  # noqa: E402
from pipeline.nst.engine import TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.terms.sums import positions  # noqa: E402
from pipeline.nst.terms.term import ADD, CONCATENATE, PICTURE, Target, Weighted  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.reading import OF_LAYER  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402
from tests.thin import THIN  # noqa: E402


@dataclass(frozen=True)
class MeanColour:
    """Squared distance of the mean colours of picture and style."""

    name: ClassVar = "mean_colour"
    layers: ClassVar = (PICTURE,)
    combine: ClassVar = ADD
    needs_start: ClassVar = False

    def target(self, sources):
        return Target({}, _mean(sources.styles[0].image.measured(self)[PICTURE]))

    def measure(self, layer, features, target):
        return tf.reduce_sum(tf.cast(features, tf.float32), (0, 1)), positions(features)

    def distance(self, measured, target, weights):
        return tf.reduce_sum((_mean(measured[PICTURE]) - target.statistics) ** 2)


def _mean(measured):
    total, count = measured
    return total / count


@dataclass(frozen=True)
class MeanFeature(MeanColour):
    """The same of a network layer, whose tiles add up."""

    name: ClassVar = "mean_feature"
    layers: ClassVar = ("block1_conv2",)

    def target(self, sources):
        return Target({}, _mean(sources.styles[0].image.measured(self)["block1_conv2"]))

    def distance(self, measured, target, weights):
        return tf.reduce_sum((_mean(measured["block1_conv2"]) - target.statistics) ** 2)


@dataclass(frozen=True)
class Contrast:
    """Neighbours in a map that is joined from tiles: across their borders too. Its target is a map as well."""

    name: ClassVar = "contrast"
    layers: ClassVar = ("block2_conv1",)
    combine: ClassVar = CONCATENATE
    needs_start: ClassVar = False

    def target(self, sources):
        return Target({"block2_conv1": sources.content.features(self.layers)["block2_conv1"]}, ())

    def measure(self, layer, features, target):
        return tf.cast(features - target, tf.float32)

    def distance(self, measured, target, weights):
        difference = measured["block2_conv1"]
        return tf.reduce_mean((difference[1:] - difference[:-1]) ** 2) + tf.reduce_mean(difference**4)


@dataclass(frozen=True)
class Inertia(MeanColour):
    """The mean colour with which a size began: its target is made anew at each."""

    name: ClassVar = "inertia"
    needs_start: ClassVar = True

    def target(self, sources):
        return Target({}, _mean(sources.start.measured(self)[PICTURE]))


@pytest.fixture
def wanted(monkeypatch):
    """Adds terms to every pair's objective."""

    def add(*more):
        makers = [lambda options, term=term: Weighted(term(), 0.5, {}) for term in more]
        monkeypatch.setattr(terms, "TERMS", (*terms.TERMS, *makers))

    return add


def picture(seed, height=96, width=112):
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (height // 16, width // 16, 3)).repeat(16, 0).repeat(16, 1)
    return np.clip(coarse + random.normal(0, 20, (height, width, 3)), 0, 255).astype(np.float32)


# Two blocks of the network, for what does not depend on how deep it is: quickly traced.
SHALLOW = {"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}}


@pytest.mark.parametrize(("split", "layers"), [(1, SHALLOW), (2, SHALLOW), (5, {})], ids=["1", "2", "5"])
def test_new_terms_are_the_same_whole_and_in_tiles(wanted, split, layers):
    wanted(MeanColour, MeanFeature, Contrast)
    options = Options(**layers)
    extractor, objective = Extractor(load_kernels(locate("random"), THIN), THIN), objective_of(options)
    image, photograph, style = (tf.constant(picture(seed)) for seed in range(3))
    whole = WholeEvaluator(objective, extractor)
    targets, weights = targets_by(whole, options, photograph, style), weights_of(options)
    losses, gradient = whole(image, targets, weights)
    tiled = TiledEvaluator(objective, extractor, image.shape, Tiling(64, split))
    ours, our_gradient = tiled(image, targets, weights)
    assert [name for name in losses if OF_LAYER not in name][-3:] == ["mean_colour", "mean_feature", "contrast"]
    for name, loss in losses.items():
        assert float(loss) > 0 or name == "tv", name
        assert float(ours[name]) == pytest.approx(float(loss), rel=1e-5), name
    assert float(tf.norm(our_gradient - gradient) / tf.norm(gradient)) < 1e-4


def painting_of(options, engine, resume=None):
    content, style = (Picture(picture(seed, 144, 160), None, str(seed), str(seed)) for seed in range(2))
    pictures = Pictures(content, ((style, 1.0),))
    schedule = pictures.schedule(options, Machine(precision="float32"))
    return paint(pictures, options, schedule, engine, resume=resume)


def test_a_new_term_moves_the_picture_and_is_told_everywhere(wanted):
    wanted(MeanColour)
    without = {"style_weight": 0, "content_weight": 0, "tv_weight": 0}
    options = Options(size=96, steps=3, weights="random", history=3, **without, **SHALLOW)
    result = result_of(painting_of(options, TransferEngine(locate("random"), options)))
    assert result.last["mean_colour"] < 0.1 * result.first["mean_colour"]
    assert result.trace[0].losses["mean_colour"] == result.first["mean_colour"]
    assert result.last["total"] == pytest.approx(result.last["mean_colour"])
    rows = [reading.as_row() for reading in result.trace]
    assert json.loads(json.dumps(rows))[0]["mean_colour"] > 0
    row = Outcome(
        output="a.png",
        content="c",
        style=["s"],
        status="done",
        attempts=1,
        size=[96, 86],
        steps=3,
        losses={"first": dict(result.first), "last": dict(result.last)},
        trace=rows,
    )
    shown = page([row])
    assert "mean_colour" in shown.text
    assert "mean_colour" in [line["class"] for line in shown.all("polyline")]


def test_a_target_made_from_the_start_of_a_size_is_the_same_after_a_resume(wanted):
    wanted(Inertia)
    quick = {"weights": "random", "precision": "float32", "history": 3} | SHALLOW
    options = Options(size=160, steps=6, scales=2, init="noise", **quick)
    engine = TransferEngine(locate("random"), options)
    painting = painting_of(options, engine)
    taken = []
    for reading, snapshot in itertools.islice(painting, 3 + 5):
        if (reading.side, reading.step) in ((80, 2), (160, 4)):
            taken.append(snapshot())
    whole = result_of(painting)
    assert len(taken) == 2
    for progress in taken:
        again = result_of(painting_of(options, engine, resume=progress))
        assert [reading.losses for reading in again.trace] == [reading.losses for reading in whole.trace]
        assert np.array_equal(again.pixels, whole.pixels)
