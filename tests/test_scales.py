"""Scale and detail: styles at several scales, weights by a ratio and by size, and the mean of a walk's pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import OptionError
from pipeline.job import Job
from pipeline.manifest import options_from_python
from pipeline.manifest.options.rules import layer_weights
from pipeline.manifest.pairs.naming import option_field
from pipeline.options import Options
from pipeline.schedule import Machine, Sized, schedule

MACHINE = Machine(precision="float32")


def planned(**options):
    return schedule(
        Options(**options), Sized("c", (1200, 900)), [Sized("a", (2000, 1000)), Sized("b", (900, 900))], MACHINE
    )


# ---------------------------------------------------------------------------------- scales of a style


def test_a_style_at_two_scales_is_two_sizes_of_it_at_every_stage():
    found = planned(style_scale=(0.5, 1.0), size=1024)
    assert [stage.style_sizes for stage in found.stages] == [
        ((256, 128), (512, 256), (256, 256), (512, 512)),
        ((512, 256), (1024, 512), (512, 512), (1024, 1024)),
    ]
    assert found.opened[1:] == ((1024, 512), (900, 900))  # as the largest needs it
    squeezed = planned(style_scale=(0.5, 1.0), style_aspect="content", size=512).stages[-1]
    assert squeezed.style_sizes == ((256, 192), (512, 384)) * 2


def test_several_scales_are_read_from_python_and_manifests_and_one_of_them_is_a_number():
    assert options_from_python({"style_scale": [0.5, 1]}).style_scale == (0.5, 1.0)
    assert (
        options_from_python({"style_scale": [0.5]}).style_scale == options_from_python({"style_scale": 0.5}).style_scale
    )
    for wrong in ([], [0.5, 0], [0.5, "x"], [1.0] * 9):
        with pytest.raises(
            OptionError,
            match="'style_scale' must be a number above 0 and at most 100, or a list of up to 8 such numbers",
        ):
            options_from_python({"style_scale": wrong})
    assert option_field((0.5, 1.0)) == "0.5+1"


def test_a_job_with_several_scales_comes_through_the_pipe(tmp_path):
    job = Job(output="a.png", content=tmp_path / "c", styles=(), options=Options(style_scale=(0.5, 1.0)))
    fields = job.to_json()
    assert Job.from_json({**fields, "options": {**fields["options"], "style_scale": [0.5, 1.0]}}) == job
    assert job.options.as_dict()["style_scale"] == [0.5, 1.0]


# --------------------------------------------------------------------------------------- weights


def test_weights_with_a_ratio_are_geometric_and_sum_to_1():
    weights, faults = layer_weights({"ratio": 0.5, "layers": ["conv1_1", "conv2_1", "conv3_1"]})
    assert not faults
    assert weights == pytest.approx({"block1_conv1": 4 / 7, "block2_conv1": 2 / 7, "block3_conv1": 1 / 7})
    five, _ = layer_weights({"ratio": 0.25})
    assert list(five) == [f"block{block}_conv1" for block in (1, 2, 3, 4, 5)]
    # Crowson's style-transfer-pytorch: 256, 64, 16, 4, 1 over 341.
    assert list(five.values()) == pytest.approx([weight / 341 for weight in (256, 64, 16, 4, 1)])


@pytest.mark.parametrize(
    ("given", "place", "complaint"),
    [
        ({"ratio": 0}, ("ratio",), "must be above 0"),
        ({"ratio": True}, ("ratio",), "must be above 0"),
        ({"ratio": 0.5, "layers": ["conv9_1"]}, ("layers", 0), "unknown layer 'conv9_1'"),
        ({"ratio": 0.5, "layers": []}, (), "a list, and nothing else"),
        ({"ratio": 0.5, "conv1_1": 1}, (), "a list, and nothing else"),
    ],
)
def test_a_wrong_ratio_is_told_at_its_place(given, place, complaint):
    weights, ((where, message),) = layer_weights(given)
    assert (weights, where) == ({}, place)
    assert complaint in message


def test_the_content_weighs_more_at_coarser_sizes():
    assert [stage.content for stage in planned(size=1024, scales=3, coarse_content=2.0).stages] == [4.0, 2.0, 1.0]
    matched = planned(size=256, style_loss="neighbours", coarse_content=0.5)
    assert [(stage.size[0], stage.content) for stage in matched.stages] == [
        (64, 0.25),
        (128, 0.5),
        (256, 1.0),
        (256, 1.0),
    ]
    assert matched.finish.content == 1.0
    assert {stage.content for stage in planned(size=1024, scales=3).stages} == {1.0}


# -------------------------------------------------------------------------------------- pictures


def painting(seed, height=48, width=64):
    random = np.random.default_rng(seed)
    return np.asarray(Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height)))


QUICK = {
    **{"size": 64, "steps": 4, "weights": "random", "style_loss": "gram", "history": 4, "precision": "float32"},
    **{"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}},
}


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_a_style_at_two_scales_is_the_mean_of_its_targets_and_equal_ones_are_one():
    pytest.importorskip("tensorflow")
    from pipeline import stylize

    one, same, both = (stylize(painting(1), painting(2), **QUICK, style_scale=scale) for scale in (1, [1, 1], [0.8, 1]))
    np.testing.assert_array_equal(one.pixels, same.pixels)
    assert (both.pixels != one.pixels).any()
    blended = stylize(painting(1), [(painting(2), 1), (painting(2), 3)], **QUICK, style_scale=[0.8, 1])
    np.testing.assert_allclose(blended.first.style, both.first.style, rtol=1e-5)


@pytest.mark.slow
def test_the_mean_of_a_walk_is_that_of_its_pictures_with_weights_that_shrink():
    tf = pytest.importorskip("tensorflow")
    from pipeline.nst.descent import Descent
    from pipeline.nst.optimizers import GradientDescent

    class Bowl:
        def __call__(self, image, *arguments):
            return {"total": tf.reduce_sum(image**2)}, 2.0 * image

        def prepare(self, image, *arguments):
            pass

    descent = Descent(Bowl(), GradientDescent((1, 1, 3), learning_rate=0.25, bounds=None), average=0.5)
    descent.start(tf.ones((1, 1, 3)))
    seen = [float(descent.optimizer.image[0, 0, 0]) for _step in descent.run(4)]
    assert seen == [0.5, 0.25, 0.125, 0.0625]  # each step halves the picture
    by_hand = sum(0.5 * 0.5 ** (3 - place) * value for place, value in enumerate(seen)) / (1 - 0.5**4)
    np.testing.assert_allclose(descent.result, np.full((1, 1, 3), by_hand), rtol=1e-6)
    assert float(descent.best[0, 0, 0]) == 0.125  # the best that was evaluated
    state = {name: np.array(array) for name, array in descent.state().items()}
    for _step in descent.run(6, after=4):
        pass
    expected = descent.result
    descent.start(tf.ones((1, 1, 3)))
    descent.restore(state)
    for _step in descent.run(6, after=4):
        pass
    np.testing.assert_array_equal(descent.result, expected)


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_taken_up_again_with_a_mean_scales_wrap_and_weights_by_size_it_ends_in_the_same_bytes():
    pytest.importorskip("tensorflow")
    from pipeline.images.picture import Picture
    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.weights import locate
    from pipeline.pictures import Pictures
    from pipeline.stylize import paint, result_of

    asked = {"average": 0.7, "style_scale": (1.0, 1.5), "wrap": "x", "coarse_content": 3.0, "scales": 2, "steps": 3}
    options = Options(**QUICK | {"size": 128} | asked)
    content, style = (
        Picture(painting(seed, 128, 128).astype(np.float32), None, str(seed), str(seed)) for seed in (1, 2)
    )
    pictures, engine = Pictures(content, ((style, 1.0),)), TransferEngine(locate("random"), options)

    def painting_from(resume=None):
        return paint(pictures, options, pictures.schedule(options, MACHINE), engine, resume=resume)

    walk = painting_from()
    taken = [snapshot() for _reading, snapshot in itertools.islice(walk, 4)]
    whole = result_of(walk)
    for progress in (taken[0], taken[3]):
        again = result_of(painting_from(progress))
        np.testing.assert_array_equal(again.pixels, whole.pixels)
        assert again.last == whole.last
    plain = Options(**QUICK | {"size": 128} | asked | {"average": 0.0})
    assert (result_of(paint(pictures, plain, pictures.schedule(plain, MACHINE), engine)).pixels != whole.pixels).any()


# ------------------------------------------------------------------------------- gradients of a length


@pytest.mark.slow
def test_gradients_of_a_length_are_johnsons_layer_by_layer_and_know_no_unit():
    tf = pytest.importorskip("tensorflow")
    from nst_kit import targets_by

    from pipeline.nst.evaluator import WholeEvaluator
    from pipeline.nst.extractor import Extractor
    from pipeline.nst.kernels import load_kernels
    from pipeline.nst.objective import objective_of, weights_of
    from pipeline.nst.weights import locate
    from tests.thin import THIN

    extractor = Extractor(load_kernels(locate("random"), THIN), THIN)
    content, style, picture = (tf.constant(painting(seed, 40, 48), tf.float32) for seed in (1, 2, 3))
    layers = {"block1_conv1": 0.25, "block2_conv1": 0.75}

    def gradient(**more):
        options = Options(content_layers=layers, style_layers=layers, tv_weight=0.0, **more)
        evaluator = WholeEvaluator(objective_of(options), extractor)
        targets = targets_by(evaluator, options, content, style)
        return evaluator(picture, targets, weights_of(options))[1]

    def by_hand(content_weight):
        """In sums of squares: 2 (F - P) by features, over its absolute sum, times 1e-8 at least, times the weight."""
        target = extractor(content, layers)
        with tf.GradientTape() as tape:
            tape.watch(picture)
            features = extractor(picture, layers)
        apart = {layer: 2.0 * (features[layer] - target[layer]) for layer in layers}
        incoming = [
            content_weight * share * apart[layer] / (tf.reduce_sum(tf.abs(apart[layer])) + 1e-8)
            for layer, share in layers.items()
        ]
        return tape.gradient([features[layer] for layer in layers], picture, output_gradients=incoming)

    alone = gradient(normalize_gradients="l1", losses="sums", content_weight=3.0, style_weight=0.0)
    np.testing.assert_allclose(alone, by_hand(3.0), rtol=1e-3, atol=1e-6 * float(tf.reduce_max(tf.abs(alone))))
    ours = gradient(normalize_gradients="l1", losses="sums", content_weight=1.0, style_weight=2.0)
    theirs = gradient(normalize_gradients="l1", losses="means", content_weight=1.0, style_weight=2.0)
    assert float(tf.norm(ours - theirs) / tf.norm(ours)) < 1e-3
    plain = gradient(losses="sums", content_weight=1.0, style_weight=2.0)
    assert float(tf.norm(ours - plain) / tf.norm(ours)) > 0.1


@pytest.mark.slow
def test_squared_weights_are_neural_style_pts_and_leave_variation_alone():
    pytest.importorskip("tensorflow")
    from pipeline.nst.objective import objective_of, weights_of

    weights = {"content_weight": 5.0, "style_weight": 100.0, "tv_weight": 3.0}
    found = weights_of(Options(normalize_gradients="squared", style_loss={"gram": 1.0, "moments": 2.0}, **weights))
    assert {name: float(of.term) for name, of in found.items()} == {
        "content": 25.0,
        "style.gram": 10_000.0,
        "style.moments": 40_000.0,
        "tv": 3.0,
    }
    assert not objective_of(Options(normalize_gradients="squared")).normalized
    assert objective_of(Options(normalize_gradients="l1")).normalized


def test_gradients_of_a_length_are_evaluated_whole_and_what_does_not_fit_is_refused(monkeypatch, tmp_path):
    from pipeline.batch.fit import why_too_large

    assert planned(size=1024, tile=256).stages[-1].tiling is not None
    assert planned(size=1024, tile=256, normalize_gradients="l1").stages[-1].tiling is None
    job = Job(
        output="a.png",
        content=tmp_path / "c.jpg",
        styles=(),
        options=Options(size=6000, normalize_gradients="l1"),
    )
    told = why_too_large(job, lambda path: (6000, 6000), 8 * 2**30)
    assert "with normalize_gradients: l1, which has no tiles, and may have 8.0 GiB; lower size" in (told or "")
    small = Job(output="a.png", content=tmp_path / "c.jpg", styles=(), options=Options(normalize_gradients="l1"))
    assert why_too_large(small, lambda path: (512, 512), 8 * 2**30) is None
