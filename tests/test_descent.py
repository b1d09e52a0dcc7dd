"""Descent on toys: bowls and Rosenbrock's valley, with SciPy and hand-worked steps as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from pipeline.errors import Diverged  # noqa: E402
from pipeline.nst.curvature_pairs import CurvaturePairs  # noqa: E402
from pipeline.nst.descent import Descent  # noqa: E402
from pipeline.nst.engine import Setting, _optimizer, _walk  # noqa: E402
from pipeline.nst.optimizers import Adam, GradientDescent, Lbfgs, Preconditioner  # noqa: E402
from pipeline.nst.preconditioner import BANDS, SpectralPreconditioner  # noqa: E402
from pipeline.options import Options  # noqa: E402


class Evaluated:
    """A loss as the descent sees it: traced, with its gradient."""

    def __init__(self, loss):
        self.prepare = lambda *_: None
        self._evaluate = tf.function(lambda image: self._with_gradient(loss, image), autograph=False)

    def __call__(self, image):
        return self._evaluate(image)

    @staticmethod
    def _with_gradient(loss, image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            total = loss(image)
        return {"total": total}, tape.gradient(total, image)


# An ill-conditioned bowl: curvatures from 1 to 100, minimum at `CENTRE`.
CURVATURES = np.geomspace(1, 100, 12).astype(np.float32)
CENTRE = np.linspace(-1, 1, 12).astype(np.float32)


def bowl(x):
    return 0.5 * tf.reduce_sum(CURVATURES * (x - CENTRE) ** 2)


def lbfgs(kept_in=tf.float32):
    """For the bowl; of as many pairs as matter here: a history of twenty takes five times as long to trace."""
    return Lbfgs((12,), history=4, bounds=None, first_step=0.1, kept_in=kept_in)


def rosenbrock(x):
    return tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def walk(objective, optimizer, start, steps, **how):
    """The descent after its walk, and the losses on the way."""
    descent = Descent(Evaluated(objective), optimizer)
    descent.start(tf.constant(start, tf.float32))
    return descent, [losses["total"] for _step, losses in descent.run(steps, **how)]


def descend(objective, optimizer, start, steps):
    descent, losses = walk(objective, optimizer, start, steps)
    return descent.best.numpy(), losses


def test_lbfgs_finds_scipys_minimum_of_a_bowl():
    found, _ = descend(bowl, lbfgs(), np.zeros(12), 60)
    scipys = optimize.minimize(lambda x: 0.5 * np.sum(CURVATURES * (x - CENTRE) ** 2), np.zeros(12), method="L-BFGS-B")
    np.testing.assert_allclose(found, scipys.x, atol=1e-3)


def test_no_curvature_is_learnt_between_two_objectives():
    """As nearest neighbours are found anew: a gradient's change is then not the picture's doing."""
    descent, _ = walk(bowl, lbfgs(), np.zeros(12), 6)
    learnt = descent.optimizer.state()["curvatures"]
    descent.turn()
    descent.evaluate = Evaluated(lambda x: bowl(x - 3.0))
    list(descent.run(7, after=6))
    np.testing.assert_array_equal(descent.optimizer.state()["curvatures"], learnt)
    list(descent.run(8, after=7))
    np.testing.assert_array_equal(descent.optimizer.state()["curvatures"][:-1], learnt[1:])
    list(descent.run(40, after=8))
    np.testing.assert_allclose(descent.best.numpy(), CENTRE + 3.0, atol=0.01)


def test_what_was_learnt_elsewhere_in_the_picture_is_forgotten():
    """As samples are taken at new places, where the old ones' curvature may be any."""
    steep, flat = np.repeat([100.0, 0.0], 6), np.repeat([0.0, 1.0], 6)
    descent, _ = walk(lambda x: 0.5 * tf.reduce_sum(flat * (x - CENTRE) ** 2), lbfgs(), np.zeros(12), 6)
    descent.turn(elsewhere=True)
    assert not descent.optimizer.state()["curvatures"].any()
    descent.evaluate = Evaluated(lambda x: 0.5 * tf.reduce_sum(steep * (x - CENTRE) ** 2))
    losses = [found["total"] for _step, found in descent.run(30, after=6)]
    assert losses[-1] < 1e-3 * losses[0]


def test_lbfgs_needs_about_as_many_evaluations_as_scipys():
    _, losses = descend(bowl, Lbfgs((12,), bounds=None, first_step=0.1), np.zeros(12), 60)
    scipys = optimize.minimize(
        lambda x: 0.5 * np.sum(CURVATURES * (x - CENTRE) ** 2),
        np.zeros(12),
        jac=lambda x: CURVATURES * (x - CENTRE),
        method="L-BFGS-B",
        options={"maxcor": 20, "ftol": 1e-9},
    )
    needed = next(i for i, loss in enumerate(losses, start=1) if loss < 1e-4)
    assert needed <= 2 * scipys.nfev


def test_lbfgs_follows_rosenbrocks_valley_to_scipys_minimum():
    start = np.array([0.8, 0.6])
    found, _ = descend(rosenbrock, Lbfgs((2,), history=6, bounds=None, first_step=0.01), start, 80)
    scipys = optimize.minimize(optimize.rosen, start, jac=optimize.rosen_der, method="L-BFGS-B")
    np.testing.assert_allclose(found, scipys.x, atol=1e-2)


def pairs_of(state, places):
    """s and y of these places in a state, float64."""

    def numbers(name):
        if name in state:
            return state[name].astype(np.float64)
        return (state[f"{name}.bfloat16"].astype(np.uint32) << 16).view(np.float32).astype(np.float64)

    return ([numbers(f"{name}_{i}") for i in places] for name in ("s", "y"))


@pytest.mark.parametrize("kept_in", [tf.float32, tf.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("P", [np.eye(12), np.diag(np.linspace(0.5, 2, 12))], ids=["identity", "diagonal"])
def test_lbfgs_direction_is_the_dense_bfgs_inverse_times_the_gradient(P, kept_in):
    """The two-loop recursion against the matrix that it stands for (Nocedal & Wright, Eq. 7.16), built in float64 of the
    pairs as they are kept; γ is the optimizer's own, as P is asked about the pair before it was rounded."""

    class Diagonal(Preconditioner):
        def __call__(self, picture):
            return tf.constant(np.diag(P), tf.float32) * picture

    optimizer = Lbfgs((12,), history=8, bounds=None, first_step=0.1, preconditioner=Diagonal(), kept_in=kept_in)
    walk(bowl, optimizer, np.zeros(12), 6)
    state = optimizer.state()
    kept = int(np.count_nonzero(state["curvatures"]))
    assert kept == 5
    moves, turns = pairs_of(state, range(3, 8))
    gamma = float(optimizer.gamma)
    rounding = 1e-5 if kept_in == tf.float32 else 0.02
    assert gamma == pytest.approx((moves[-1] @ turns[-1]) / (turns[-1] @ P @ turns[-1]), rel=rounding)
    H = P * gamma
    for s, y in zip(moves, turns, strict=True):
        rho = 1 / (s @ y)
        V = np.eye(12) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    gradient = state["gradient"].astype(np.float64)
    np.testing.assert_allclose(state["last_s"], -H @ gradient, rtol=1e-3, atol=1e-6)
    assert np.linalg.eigvalsh(H).min() > 0


def test_in_float32_the_recursion_is_that_of_the_pairs_to_the_bit():
    """Written out by hand, as it was before pairs could be kept in anything else."""
    shape = (6, 5, 3)
    pairs = CurvaturePairs(shape, 3)
    made = [(noise(i, shape), noise(i, shape) + 0.3 * noise(20 + i, shape)) for i in range(2)]
    for s, y in made:
        pairs.remember(s, y, tf.reduce_sum(s * y))
    q, alphas = noise(9, shape), []
    for s, y in reversed(made):
        alphas.append(tf.reduce_sum(s * q) / tf.reduce_sum(s * y))
        q = q - alphas[-1] * y
    q = 0.25 * q
    for (s, y), alpha in zip(made, reversed(alphas), strict=True):
        q = q + (alpha - tf.reduce_sum(y * q) / tf.reduce_sum(s * y)) * s
    found = tf.function(lambda gradient: pairs.inverse_hessian_times(gradient, lambda q: 0.25 * q), autograph=False)
    np.testing.assert_array_equal(found(noise(9, shape)), q)


def test_pairs_in_bfloat16_take_half_the_memory_and_lead_as_far():
    single, half = (Lbfgs((12,), bounds=None, first_step=0.1, kept_in=kept) for kept in (tf.float32, tf.bfloat16))
    assert single.nbytes - half.nbytes == 2 * 20 * 12 * 2
    walks = [walk(bowl, lbfgs(kept), np.zeros(12), 40) for kept in (tf.float32, tf.bfloat16)]
    for descent, _losses in walks:
        np.testing.assert_allclose(descent.best.numpy(), CENTRE, atol=2e-3)


@pytest.mark.parametrize(("kept_in", "kept"), [(tf.float32, True), (tf.bfloat16, False)], ids=["float32", "bfloat16"])
def test_a_pair_whose_curvature_is_lost_in_rounding_is_not_remembered(kept_in, kept):
    """s·y of (1, -1) and (1.003, 1) is 0.003; in bfloat16, whose numbers between 1 and 2 are 1/128 apart, it is 0."""
    optimizer = Lbfgs((2,), history=2, bounds=None, kept_in=kept_in)
    optimizer.last_s.assign([1.0, -1.0])
    optimizer.unit.assign(1.0)
    optimizer.update(tf.constant([1.003, 1.0]))
    assert (float(optimizer.gamma) > 0) is kept
    assert np.count_nonzero(optimizer.state()["curvatures"]) == int(kept)


@pytest.mark.parametrize(("before", "now"), [(tf.float32, tf.bfloat16), (tf.bfloat16, tf.float32)])
def test_pairs_that_were_kept_in_other_numbers_are_not_gone_on_from(before, now):
    state = walk(bowl, lbfgs(before), np.zeros(12), 3)[0].state()
    with pytest.raises(KeyError, match="s_0"):
        Descent(Evaluated(bowl), lbfgs(now)).restore(state)


def test_a_stage_keeps_its_pairs_in_its_precision_in_a_descent_of_its_own():
    single, half = (Setting(Options(history=2), precision, None) for precision in ("float32", "bfloat16"))
    states = [_optimizer(setting, (4, 4, 3), 2).state() for setting in (single, half)]
    assert [sorted(name for name in state if name.startswith("s_")) for state in states] == [
        ["s_0", "s_1"],
        ["s_0.bfloat16", "s_1.bfloat16"],
    ]
    assert _walk(single, 2) != _walk(half, 2)


def test_lbfgs_first_step_moves_by_the_given_amount():
    optimizer = Lbfgs((12,), history=2, bounds=None, first_step=0.25)
    walk(bowl, optimizer, np.zeros(12), 1)
    assert np.sqrt(np.mean(optimizer.image.numpy() ** 2)) == pytest.approx(0.25, rel=1e-5)


def test_lbfgs_forgets_the_oldest_pairs():
    optimizer = Lbfgs((12,), history=3, bounds=None, first_step=0.1)
    walk(bowl, optimizer, np.zeros(12), 10)
    state = optimizer.state()
    assert sorted(name for name in state if name.startswith("y_")) == ["y_0", "y_1", "y_2"]
    for i in range(3):
        assert state["curvatures"][i] == pytest.approx(np.vdot(state[f"s_{i}"], state[f"y_{i}"]), rel=1e-5)


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_lbfgs_does_not_care_in_which_unit_the_loss_is(size):
    """Squares of such gradients are beyond float32; the way must be that of the plain bowl all the same."""
    plain, _ = descend(bowl, lbfgs(), np.zeros(12), 30)
    scaled = lambda x: size * bowl(x)  # noqa: E731
    found, _ = descend(scaled, lbfgs(), np.zeros(12), 30)
    np.testing.assert_allclose(found, plain, atol=1e-2)
    np.testing.assert_allclose(found, CENTRE, atol=2e-2)


def test_adam_takes_the_papers_first_step():
    # Algorithm 1 of arXiv 1412.6980 from zero moments: m̂ = g, v̂ = g², so each entry moves by α against its gradient's sign.
    optimizer = Adam((12,), learning_rate=0.5, bounds=None)
    walk(bowl, optimizer, np.zeros(12), 1)
    np.testing.assert_allclose(optimizer.image, 0.5 * np.sign(CENTRE), rtol=1e-5)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_adam_and_gradient_descent_with_decay_are_keras_own(decay):
    """Keras' ExponentialDecay over 100 steps; 30 steps of each."""
    rate = lambda start: keras.optimizers.schedules.ExponentialDecay(start, 100, decay)  # noqa: E731
    for ours, theirs in (
        (
            Adam((12,), learning_rate=0.05, beta_1=0.8, beta_2=0.95, decay=decay, bounds=None),
            keras.optimizers.Adam(rate(0.05), beta_1=0.8, beta_2=0.95, epsilon=1e-8),
        ),
        (GradientDescent((12,), learning_rate=0.004, decay=decay, bounds=None), keras.optimizers.SGD(rate(0.004))),
    ):
        walk(bowl, ours, np.zeros(12), 30)
        expected = keras.Variable(np.zeros(12, np.float32))
        for _ in range(30):
            theirs.apply([tf.constant(CURVATURES * (expected.numpy() - CENTRE))], [expected])
        np.testing.assert_allclose(ours.image, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_gradient_descent_is_x_minus_alpha_gradient():
    optimizer = GradientDescent((12,), learning_rate=0.01, bounds=None)
    walk(bowl, optimizer, np.zeros(12), 1)
    np.testing.assert_allclose(optimizer.image, 0.01 * CURVATURES * CENTRE, rtol=1e-6)


def test_gradient_descent_without_a_rate_takes_a_first_step_of_ten():
    optimizer = GradientDescent((12,), bounds=None)
    walk(bowl, optimizer, np.zeros(12), 1)
    assert np.abs(optimizer.image.numpy()).max() == pytest.approx(10)


@pytest.mark.parametrize(
    "make", [lambda s: Lbfgs(s, history=4), lambda s: Adam(s, learning_rate=50.0), GradientDescent]
)
def test_pictures_stay_between_black_and_white(make):
    optimizer = make((4,))
    far_below = lambda x: tf.reduce_sum((x + 1000) ** 2)  # noqa: E731
    descent = Descent(Evaluated(far_below), optimizer)
    descent.start(tf.constant([0.0, 100.0, 200.0, 255.0]))
    for _ in descent.run(5):
        assert optimizer.image.numpy().min() >= 0
        assert optimizer.image.numpy().max() <= 255


@pytest.mark.parametrize(
    "make",
    [
        lbfgs,
        lambda: lbfgs(tf.bfloat16),
        lambda: Adam((12,), learning_rate=0.1, decay=0.5, bounds=None),
        lambda: GradientDescent((12,), learning_rate=0.005, decay=0.5, bounds=None),
    ],
    ids=["lbfgs", "lbfgs-bfloat16", "adam", "gd"],
)
def test_a_restored_descent_goes_on_bit_for_bit(make):
    straight, losses = walk(bowl, make(), np.zeros(12), 13)
    cut, _ = walk(bowl, make(), np.zeros(12), 6)
    taken_up = Descent(Evaluated(bowl), make())
    taken_up.restore(cut.state())
    assert [found["total"] for _step, found in taken_up.run(13, after=6)] == losses[6:]
    for name, array in straight.state().items():
        assert taken_up.state()[name].tobytes() == array.tobytes(), name


def test_a_restarted_descent_remembers_nothing():
    descent, first = walk(bowl, lbfgs(), np.zeros(12), 8)
    descent.start(tf.zeros(12))
    assert [found["total"] for _step, found in descent.run(8)] == first


def test_the_best_image_is_kept_when_the_last_is_worse():
    optimizer = GradientDescent((12,), learning_rate=0.03, bounds=None)  # 0.03 * 100 > 2: diverges
    best, losses = descend(bowl, optimizer, np.zeros(12), 10)
    assert losses[-1] > min(losses)
    assert float(bowl(best)) == pytest.approx(min(losses), rel=1e-6)


def cliff(x):
    """A bowl around 3 whose loss is not a number beyond 2."""
    return tf.reduce_sum((x - 3) ** 2) + tf.where(tf.reduce_max(x) > 2, np.nan, 0.0)


@pytest.mark.parametrize(
    "optimizer",
    [
        Lbfgs((4,), history=4, bounds=None),
        Adam((4,), learning_rate=1.5, bounds=None),
        GradientDescent((4,), learning_rate=0.4),
    ],
    ids=["lbfgs", "adam", "gd"],
)
def test_a_walk_off_a_cliff_goes_back_and_halves_its_step(optimizer):
    descent = Descent(Evaluated(cliff), optimizer)
    descent.start(tf.zeros(4))
    losses = dict(descent.run(3))
    assert descent.setbacks
    assert descent.setbacks[0] not in losses
    assert np.isfinite([found["total"] for found in losses.values()]).all()
    assert float(optimizer.step_scale) == 0.5 ** len(descent.setbacks)
    assert np.isfinite(descent.best.numpy()).all()


def test_the_third_loss_that_is_not_finite_ends_the_walk_with_step_and_place():
    nowhere = lambda x: tf.reduce_sum(x) * np.nan  # noqa: E731
    with pytest.raises(
        Diverged, match=r"not finite at step 3 of 20, for the 3rd time \(first at block3_conv1\); use smaller"
    ):
        walk(
            nowhere, GradientDescent((1,), learning_rate=1.0), [2.0], 20, diagnose=lambda image: "first at block3_conv1"
        )


def test_a_gradient_that_is_not_finite_counts_like_a_loss():
    root = lambda x: tf.reduce_sum(tf.sqrt(tf.abs(x)))  # noqa: E731 - 0 at 0, with an infinite slope
    with pytest.raises(Diverged, match="the loss is finite and its gradient is not"):
        walk(root, GradientDescent((1,), learning_rate=1.0), [0.0], 20)


def test_a_walk_too_short_to_fail_thrice_still_fails_without_any_finite_loss():
    nowhere = lambda x: tf.reduce_sum(x) * np.nan  # noqa: E731
    with pytest.raises(Diverged, match="no evaluation of 2 was finite"):
        walk(nowhere, GradientDescent((1,), learning_rate=1.0), [2.0], 2)


def test_patience_ends_a_walk_that_stands_still():
    descent, losses = walk(bowl, lbfgs(), np.zeros(12), 500, patience=10)
    assert descent.flat_at == len(losses) < 500
    assert min(losses[:-10]) <= min(losses[-10:]) / 0.999
    assert walk(bowl, lbfgs(), np.zeros(12), 500)[0].flat_at is None


def test_a_walk_taken_up_where_patience_ended_ends_there():
    ended, losses = walk(bowl, lbfgs(), np.zeros(12), 500, patience=10)
    taken_up = Descent(Evaluated(bowl), lbfgs())
    taken_up.restore(ended.state())
    assert list(taken_up.run(500, after=len(losses), patience=10)) == []
    assert taken_up.flat_at == ended.flat_at


def test_a_state_stays_as_it_was_while_the_walk_goes_on():
    descent, _ = walk(bowl, lbfgs(), np.zeros(12), 6)
    state = descent.state()
    before = {name: array.tobytes() for name, array in state.items()}
    list(descent.run(20, after=6))
    assert {name: array.tobytes() for name, array in state.items()} == before
    assert descent.state()["image"].tobytes() != before["image"]


# -------------------------------------------------------------------------------------------------------------- spectrum


def waves(height, width, cycles):
    """A picture of vertical waves, `cycles` across its width."""
    row = np.sin(2 * np.pi * cycles * np.arange(width) / width)
    return tf.constant(np.broadcast_to(row[np.newaxis, :, np.newaxis], (height, width, 3)), tf.float32)


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_the_first_guess_divides_a_wave_by_its_frequency(cycles):
    wave = waves(14, 20, cycles)
    np.testing.assert_allclose(SpectralPreconditioner((14, 20, 3), exponent=0.5)(wave), wave / cycles, atol=1e-5)


def test_the_first_guess_keeps_the_mean_colour():
    flat = tf.fill((15, 9, 3), 77.0)
    np.testing.assert_allclose(SpectralPreconditioner((15, 9, 3))(flat), flat, rtol=1e-5)


def noise(seed, shape=(9, 12, 3)):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("shape", [(9, 12, 3), (12, 9, 3)])
@pytest.mark.parametrize("pairs", [0, 12])
def test_every_guess_is_symmetric_and_positive(shape, pairs):
    guess = SpectralPreconditioner(shape)
    for i in range(pairs):
        guess.learn(noise(i, shape), noise(100 + i, shape) * tf.constant([1.0, 2.0, 3.0]))
    a, b = noise(-1 % 7, shape), noise(8, shape)
    assert float(tf.reduce_sum(a * guess(b))) == pytest.approx(float(tf.reduce_sum(b * guess(a))), rel=1e-4, abs=1e-4)
    assert float(tf.reduce_sum(a * guess(a))) > 0


@pytest.mark.parametrize("shape", [(9, 12, 3), (12, 9, 3)])
def test_a_guess_says_how_long_a_turn_is_in_its_own_measure(shape):
    guess = SpectralPreconditioner(shape, after=1)
    for i in range(3):
        turn = noise(100 + i, shape)
        said = float(guess.learn(noise(i, shape) * tf.constant([1.0, 2.0, 3.0]), turn))
        assert said == pytest.approx(float(tf.reduce_sum(turn * guess(turn))), rel=1e-4)


def test_a_guess_learns_which_frequencies_are_steep():
    """Turns are a hundred times the moves in fine waves and equal to them in coarse ones: fine waves must gain less."""
    shape = (64, 64, 3)
    coarse, fine = waves(64, 64, 2), waves(64, 64, 16)
    guess = SpectralPreconditioner(shape, exponent=0.0)
    before = float(tf.norm(guess(fine)) / tf.norm(guess(coarse)))
    for _ in range(15):
        guess.learn(coarse + fine, coarse + 100 * fine)
    after = float(tf.norm(guess(fine)) / tf.norm(guess(coarse)))
    assert after < before / 3


def test_energies_by_band_are_all_of_a_pictures_energy():
    """Parseval: Σ|x̂|² over the whole spectrum is height · width · Σx², also of an odd width."""
    for shape in ((8, 10, 3), (8, 9, 3)):
        picture = noise(3, shape)
        guess = SpectralPreconditioner(shape)
        energies = guess._by_band(guess._energy(picture))
        assert energies.shape == (3, BANDS)
        whole = shape[0] * shape[1] * float(tf.reduce_sum(picture**2))
        assert float(tf.reduce_sum(energies)) == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize(
    "make", [lambda shape: Lbfgs(shape, history=4), lambda shape: Adam(shape, learning_rate=0.1), GradientDescent]
)
def test_a_descent_that_was_made_ready_beforehand_walks_as_one_that_was_not(make):
    walks = []
    for ready in (False, True):
        descent = Descent(Evaluated(bowl), make((12,)))
        if ready:
            with descent.made_ready():
                pass
        descent.start(tf.zeros(12))
        losses = [losses["total"] for _step, losses in descent.run(6)]
        walks.append((losses, descent.best.numpy().tobytes(), float(descent.optimizer.step_scale), descent.setbacks))
    assert walks[0] == walks[1]


def test_what_fails_while_a_descent_is_made_ready_is_told():
    descent = Descent(Evaluated(bowl), GradientDescent((12,)))
    with pytest.raises(ValueError, match="targets"), descent.made_ready():
        raise ValueError("no targets")
    descent.start(tf.zeros(12))
    assert [step for step, _losses in descent.run(2)] == [1, 2]
