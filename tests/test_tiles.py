"""Evaluations in tiles against evaluations at once: the same loss, gradient and targets to rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("thin_network")]

tf = pytest.importorskip("tensorflow")

from nst_kit import Seen, targets_by  # noqa: E402

from pipeline.images.picture import Picture  # noqa: E402
from pipeline.nst.engine import Setting, TransferEngine  # noqa: E402
from pipeline.nst.evaluator import WholeEvaluator  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import VGG19, radius  # noqa: E402
from pipeline.nst.objective import objective_of, weights_of  # noqa: E402
from pipeline.nst.tiled import TiledEvaluator  # noqa: E402
from pipeline.nst.tiling import HALOS, Tiling  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.pictures import Pictures  # noqa: E402
from pipeline.schedule import Machine  # noqa: E402
from pipeline.stylize import paint, result_of  # noqa: E402
from tests.thin import THIN  # noqa: E402


@pytest.fixture(scope="module")
def extractors():
    """By network: VGG19 as it is used, and one that is quickly traced, as what tiles see follows from the names of layers."""
    vgg, thin = (load_kernels(locate(name), network) for name, network in (("imagenet-8bit", VGG19), ("random", THIN)))
    return {"vgg19": Extractor(vgg), "thin": Extractor(thin, THIN)}


@pytest.fixture(scope="module")
def thin(extractors):
    return extractors["thin"]


def noise(seed, height, width):
    """Patches and grain, as a picture has both: float32 (height, width, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (-(-height // 16), -(-width // 16), 3)).repeat(16, 0).repeat(16, 1)
    return tf.constant(np.clip(coarse[:height, :width] + random.normal(0, 20, (height, width, 3)), 0, 255), tf.float32)


def relative(ours, theirs):
    return float(tf.norm(ours - theirs) / tf.norm(theirs))


LAYERS = {"content_layers": {"block4_conv2": 1.0}}
MIXED = {
    "content_layers": {"block2_conv2": 0.5, "block4_conv2_linear": 0.5},
    "style_layers": {"block1_conv2": 1.0, "block2_pool": 0.5, "block3_conv1_linear": 1.0, "block4_pool": 1.0},
}


def compared(extractor, height, width, tiling, options):
    """Relative errors of the gradient, the losses and what targets are made of, tiled against whole, in float32."""
    extractor = extractor.with_options(pooling=options.pooling, border=options.border, precision="float32")
    objective, weights = objective_of(options), weights_of(options)
    picture, photograph, painting = (noise(seed, height, width) for seed in range(3))
    whole = WholeEvaluator(objective, extractor)
    tiled = TiledEvaluator(objective, extractor, picture.shape, tiling)
    targets = targets_by(whole, options, photograph, painting)
    losses, gradient = whole(picture, targets, weights)
    ours, our_gradient = tiled(picture, targets, weights)
    yield relative(our_gradient, gradient)
    without_gradient = tiled.losses(picture, targets, weights)
    for name, loss in losses.items():
        if float(loss):
            yield relative(ours[name], loss)
            yield relative(without_gradient[name], loss)
    content_layers = sorted(options.content_layers)
    found = tiled.features(photograph, content_layers)
    for layer, features in whole.features(photograph, content_layers).items():
        yield relative(found[layer], features)
    for term in objective.terms:
        if term.name != "content":  # it measures against a map
            theirs, measured = (Seen(each, painting).measured(term) for each in (whole, tiled))
            assert theirs.keys() == measured.keys()
            for one, other in zip(tf.nest.flatten(measured), tf.nest.flatten(theirs), strict=True):
                yield relative(one, other)


@pytest.mark.parametrize(
    ("network", "split", "options"),
    [
        ("vgg19", 1, Options()),
        ("thin", 3, Options(border="zero", pooling="avg", losses="means", tv_weight=0.0)),
        ("thin", 4, Options(losses="sums", **MIXED)),
        ("thin", 5, Options(losses="sums", border="zero", **MIXED)),
        (
            "thin",
            2,
            Options(content_layers={"block1_conv2": 1.0}, style_layers={"block1_conv1": 1.0, "block2_conv1": 1.0}),
        ),
    ],
    ids=["balanced", "zero border", "other layers", "other layers, all in tiles", "shallow"],
)
def test_tiles_of_an_odd_picture_are_exact_wherever_they_are_cut(extractors, network, split, options):
    errors = list(compared(extractors[network], 125, 171, Tiling(side=64, split=split), options))
    assert errors[0] < 1e-4
    assert max(errors[1:]) < 1e-5


def test_one_tile_is_the_picture(thin):
    assert max(compared(thin, 70, 53, Tiling(side=4096, split=2), Options())) < 1e-5


def test_bfloat16_in_tiles_is_as_exact_as_bfloat16_is(thin):
    """Also of content below the cut, whose targets are bfloat16 too."""
    options = Options(content_layers={"block2_conv2": 0.5, "block4_conv2": 0.5})
    picture, photograph, painting = (noise(seed, 94, 90) for seed in range(3))
    extractor = thin.with_options(pooling="max", border="mirror", precision="bfloat16")
    objective = objective_of(options)
    whole = WholeEvaluator(objective, extractor)
    targets, weights = targets_by(whole, options, photograph, painting), weights_of(options)
    losses, gradient = whole(picture, targets, weights)
    tiled = TiledEvaluator(objective, extractor, picture.shape, Tiling(side=64, split=2))
    ours, our_gradient = tiled(picture, targets, weights)
    assert relative(ours["total"], losses["total"]) < 1e-3
    assert relative(our_gradient, gradient) < 2e-2  # bfloat16 has 8 bits


def test_a_picture_painted_in_tiles_is_the_same_to_rounding():
    """Rounding grows with each step; after three it is a grey level here and there."""
    options = Options(size=280, steps=3, precision="float32", history=2, weights="random")
    engine = TransferEngine(locate("random"), options)
    pictures = Pictures(
        Picture(noise(0, 280, 40).numpy(), None, "1", "photograph"),
        ((Picture(noise(1, 280, 40).numpy(), None, "2", "painting"), 1.0),),
    )

    def painted(tile):
        asked = replace(options, tile=tile)
        schedule = pictures.schedule(asked, Machine(precision="float32"))
        assert bool(schedule.tilings()) == (tile != "off")
        return result_of(paint(pictures, asked, schedule, engine)).pixels.astype(int)

    whole, tiled = painted("off"), painted(256)
    assert np.abs(whole - tiled).max() <= 2
    assert (whole != tiled).mean() < 0.01


def test_an_engine_evaluates_in_the_tiles_that_it_is_told():
    options = Options()
    engine = TransferEngine(locate("random"), options)
    whole, tiled = (
        engine.evaluator(Setting(options, "float32", tiling), (64, 64, 3)) for tiling in (None, Tiling(256, 2))
    )
    assert isinstance(whole, WholeEvaluator)
    assert isinstance(tiled, TiledEvaluator)


def test_the_radius_is_what_relu5_1_sees():
    """From Simonyan & Zisserman's table 1: 3 x 3 filters see one position more on each side, 2 x 2 pools one to the right."""
    assert radius(VGG19.names_up_to(["block1_conv2"])) == 2
    assert radius(VGG19.names_up_to(["block2_conv1"])) == 2 + 1 + 2
    assert radius(VGG19.names_up_to(["block5_conv1"])) == 2 + 1 + 4 + 2 + 16 + 4 + 32 + 8 + 16


@pytest.mark.parametrize("split", HALOS)
def test_the_halos_that_estimates_count_with_are_those_of_tiles(split):
    deepest, unit = (f"block{split}_pool", 2**split) if split < 5 else ("block5_conv1", 16)
    assert HALOS[split] == -(-radius(VGG19.names_up_to([deepest])) // unit) * unit


@pytest.mark.parametrize("options", [Options(), Options(losses="sums", **MIXED)], ids=["balanced", "other layers"])
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_gradients_taken_layer_by_layer_are_tensorflows_own(thin, monkeypatch, options, precision, error):
    extractor = thin.with_options(pooling="max", border="mirror", precision=precision)
    picture, photograph, painting = (noise(seed, 45, 37) for seed in range(3))

    def evaluated():
        evaluator = WholeEvaluator(objective_of(options), extractor)
        targets = targets_by(evaluator, options, photograph, painting)
        return evaluator(picture, targets, weights_of(options))

    ours, gradient = evaluated()
    monkeypatch.setattr(
        "pipeline.nst.extractor._measured_on_the_way", lambda features, measure: (features, measure.in_full(features))
    )
    theirs, plain = evaluated()
    assert relative(ours["total"], theirs["total"]) < error
    assert relative(gradient, plain) < error


@pytest.mark.parametrize("split", [2, 5])
def test_a_style_with_transparency_is_measured_alike_whole_and_in_tiles(split):
    """And one that is opaque everywhere as one without: 45 x 61 px, in tiles of 32."""
    options = Options(weights="random")
    engine = TransferEngine(locate("random"), options)
    gram = next(term for term in objective_of(options).terms if term.name == "style")
    pixels, alpha = noise(1, 45, 61).numpy(), np.zeros((45, 61), np.float32)
    alpha[9:30, 5:50] = np.random.default_rng(2).uniform(0, 1, (21, 45))
    whole, tiled = (Setting(options, "float32", tiling) for tiling in (None, Tiling(32, split)))
    seen, cut_up, opaque, plain = (
        engine.image(setting, pixels, None, opacity).measured(gram)
        for setting, opacity in ((whole, alpha), (tiled, alpha), (whole, np.ones_like(alpha)), (whole, None))
    )
    for layer in gram.layers:
        assert relative(cut_up[layer].gram, seen[layer].gram) < 1e-5
        assert relative(opaque[layer].gram, plain[layer].gram) < 1e-6
    # Each position of block1 is a pixel, each of block2 four of them, the odd row and column left out.
    assert float(cut_up["block1_conv1"].positions) == pytest.approx(alpha.sum(), rel=1e-5)
    assert float(cut_up["block2_conv1"].positions) == pytest.approx(alpha[:44, :60].sum() / 4, rel=1e-5)
