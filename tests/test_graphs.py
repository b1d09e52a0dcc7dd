"""What layers share of a traced step: one graph, called at each of them, with the numbers of what is written down in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from nst_kit import targets_by  # noqa: E402

from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.graphs import Call, in_graph  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import Probes, objective_of, weights_of  # noqa: E402
from pipeline.nst.terms.candidates import numbered  # noqa: E402
from pipeline.nst.terms.hypercolumns import Picked  # noqa: E402
from pipeline.nst.terms.term import ADD, Combine  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402

LAYERS = ("block1_conv1", "block1_conv2", "block2_conv1")
COUNTED = dict.fromkeys(LAYERS, 1.0)


def picture(seed: int) -> Any:
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (30, 26, 3)), tf.float32)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(load_kernels(locate("random")))


@pytest.mark.parametrize("loss", ["gram", "moments"])
def test_an_evaluation_by_shared_graphs_has_the_numbers_of_one_that_is_written_in_full(extractor, monkeypatch, loss):
    options = Options(style_loss=loss, style_layers=COUNTED, content_layers={"block2_conv1": 1.0}, weights="random")
    found = []
    for has_graph in (True, False):
        if not has_graph:
            monkeypatch.setattr(Call, "has_graph", False)
        evaluator = WholeEvaluator(objective_of(options), extractor)
        targets = targets_by(evaluator, options, picture(0), picture(1))
        losses, gradient = evaluator(picture(2), targets, weights_of(options))
        found.append((float(losses["total"]), gradient.numpy()))
    (total, gradient), (in_full, same) = found
    assert total == in_full
    np.testing.assert_array_equal(gradient, same)


def test_layers_of_one_reduction_share_a_graph_and_others_have_their_own():
    measure = Probes([Picked(LAYERS)]).measure({})
    first, second, third = (measure(layer).key for layer in LAYERS)
    assert first == second
    assert first != third


def test_a_picture_whose_size_is_known_while_tracing_has_no_graphs_of_its_own(extractor):
    measure = Probes([Picked(LAYERS)]).measure({})(LAYERS[0])
    assert extractor.cropped(measure, 1, (30, 26)).key is None
    assert extractor.cropped(measure, 1, tf.constant((30, 26))).key is not None


@dataclass(frozen=True)
class ByName:
    """Half of all features at one layer, and all of them at the other."""

    layers: tuple[str, ...] = LAYERS[:2]
    name: ClassVar[str] = "by name"
    combine: ClassVar[Combine] = ADD

    def measure(self, layer: str, features: Any, target: Any) -> Any:
        return tf.reduce_sum(features) * (0.5 if layer == LAYERS[0] else 1.0)


def test_a_term_that_knows_layers_by_their_names_shares_nothing(extractor):
    evaluator = WholeEvaluator(objective_of(Options()), extractor)
    found = evaluator.measured(picture(0), ByName())
    features = evaluator.features(picture(0), LAYERS[:2])
    for layer, share in zip(LAYERS[:2], (0.5, 1.0), strict=True):
        assert float(found[layer]) == pytest.approx(share * float(tf.reduce_sum(features[layer])), rel=1e-5)


def test_a_graph_is_made_once_for_each_key_and_kind_of_argument():
    made = []

    def double(x: Any) -> Any:
        made.append(x.shape.as_list())
        return 2.0 * x

    short, long = tf.ones(3), tf.ones(4)
    for x in (short, short, long):
        np.testing.assert_array_equal(in_graph(("double", "test"), double, x), 2.0 * x)
    assert made == [[3], [4]]
    for x in (short, long):
        np.testing.assert_array_equal(in_graph(("double", "test"), double, x, any_shape=True), 2.0 * x)
    assert made == [[3], [4], [None]]


def test_what_a_larger_graph_calls_stays_a_call():
    @tf.function(input_signature=[tf.TensorSpec([3])], autograph=False)
    def thrice(x: Any) -> Any:
        for _ in range(3):
            x = in_graph(("half", "test"), lambda x: 0.5 * x, x)
        return x

    graph = thrice.get_concrete_function().graph.as_graph_def()
    assert [node.op for node in graph.node].count("PartitionedCall") == 3
    assert [function.attr["_noinline"].b for function in graph.library.function] == [True]
    assert thrice(tf.ones(3)).numpy().tolist() == [0.125] * 3


def test_what_is_measured_apart_is_what_is_measured_at_once(extractor):
    evaluator, probe = WholeEvaluator(objective_of(Options()), extractor), Picked(LAYERS)
    maps = {layer: numbered(np.arange(5), picture(0).shape[:2]) for layer in LAYERS[:2]}
    maps[LAYERS[2]] = numbered(np.arange(7), (15, 13))
    apart = evaluator._measured_apart(picture(0), probe, maps)
    at_once = evaluator._measured_at_once(picture(0), probe, maps)
    for layer, count in zip(LAYERS, (5, 5, 7), strict=True):
        assert apart[layer].shape[0] == count
        np.testing.assert_array_equal(apart[layer], at_once[layer])
