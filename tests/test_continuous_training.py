"""Training: gradients, schedule, blocks of products, row lists; equal for any number of jobs; agreement with peers."""

import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_continuous_networks import drawn, gaussian, slope, squared

from benchmarks import _peers
from continuous.ensembles import Recipe, fit_members
from continuous.kernels import learning
from continuous.networks import Network
from continuous.training import DEVIATION_FLOOR, Optimiser, Training, fit

# --- gradients and products -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "formula", "n_out"), [(learning.SQUARED, squared, 2), (learning.GAUSSIAN, gaussian, 4)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_of_each_loss_matches_finite_differences(kind, formula, n_out, weighted):
    network, at, x, rng = drawn((3, 6, 5, n_out), 7, 11)
    y = rng.normal(size=(7, 2))
    weights = rng.random((7, 2)) + 0.5 if weighted else np.ones((7, 2))
    hidden, outputs, upstream = np.empty(7 * 11), np.empty((7, n_out)), np.empty((7, n_out))
    found = np.empty_like(at)
    given_weights = weights if weighted else np.empty((0, 2))
    value = learning.loss_gradient(
        at,
        network.widths,
        kind,
        DEVIATION_FLOOR,
        x,
        y,
        given_weights,
        hidden,
        outputs,
        upstream,
        np.empty((2, 42)),
        found,
    )

    def loss(p):
        return formula(network.forward(p, x), y, weights)

    assert value == pytest.approx(loss(at), rel=1e-12)
    np.testing.assert_allclose(found, slope(loss, at), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("sizes", "n"), [((7, 130, 200, 3), 300), ((5, 64, 64, 2), 300), ((130, 256, 131), 129), ((3, 300, 300, 2), 140)]
)
def test_compiled_products_of_any_size_match_double_precision(sizes, n):
    """Single precision multiplies large matrices by blocks, whose last ones are cut off; double precision never does."""
    network, parameters, inputs, rng = drawn(sizes, n, 12)
    parameters = network.initial_spread * parameters
    upstream = rng.normal(size=(n, sizes[-1])) / n
    exact = (network.forward(parameters, inputs), *network.gradient(parameters, inputs, upstream))
    single = parameters.astype(np.float32)
    found = (network.forward(single, inputs), *network.gradient(single, inputs, upstream))
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == np.float32
        assert np.abs(one - other).max() < 2e-5 * np.abs(other).max()


# --- the schedule and the loop ----------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.floats(1e-5, 1), st.floats(0, 1), st.integers(0, 100))
def test_the_learning_rate_falls_along_half_a_cosine_and_then_stays(n_steps, rate, last, step):
    setting = Training(n_steps=n_steps, rate=rate, last_rate=last)
    angle = math.pi * min(step, n_steps) / n_steps
    truth = rate * (last + (1 - last) * math.cos(angle / 2) ** 2)
    assert setting.rates(step, step + 1)[0] == pytest.approx(truth, rel=1e-12, abs=1e-15)
    assert setting.rates(0, 1)[0] == rate
    assert (np.diff(setting.rates(0, n_steps + 3)) <= 1e-15).all()


def test_training_in_two_calls_is_training_in_one():
    """Bitwise: moments, the average and the place in the schedule are kept from call to call."""
    network, setting = Network((3, 8, 2)), Training(n_steps=12, rate=0.01, averaging=0.9, clip=0.5)
    rng = np.random.default_rng(13)
    start, x, y = network.initial(rng), *(rng.standard_normal((20, width), np.float32) for width in (3, 2))
    batches = rng.integers(20, size=(12, 6))
    whole, cut = (Optimiser(network, setting, start) for _ in range(2))
    losses = whole.train(x, y, batches)
    parts = np.concatenate([cut.train(x, y, batches[:5]), cut.train(x, y, batches[5:])])
    assert losses.tobytes() == parts.tobytes()
    assert whole.result.tobytes() == cut.result.tobytes()
    assert whole.parameters.tobytes() == cut.parameters.tobytes()
    assert whole.n_done == cut.n_done == 12


@given(st.lists(st.integers(0, 9), min_size=1, max_size=15), st.integers(0, 2**32))
def test_fitting_on_listed_rows_is_fitting_on_the_table_of_these_rows(rows, number):
    network, setting = Network((2, 4, 1)), Training(n_steps=4, batch=3)
    rng = np.random.default_rng(number)
    x, y, start = rng.normal(size=(10, 2)), rng.normal(size=(10, 1)), network.initial(rng)
    by_list = fit(Optimiser(network, setting, start), x, y, np.random.default_rng(1), rows=rows)
    by_copy = fit(Optimiser(network, setting, start), x[rows], y[rows], np.random.default_rng(1))
    assert by_list.parameters.tobytes() == by_copy.parameters.tobytes()


def test_training_that_diverges_is_an_error():
    network = Network((1, 1))
    optimiser = Optimiser(network, Training(rate=1e38), np.ones(2, np.float32))
    x = np.ones((1, 1), np.float32)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="training diverged after 3 steps"):
        optimiser.train(x, -x, np.zeros((3, 1), np.int64))


def test_a_gaussian_predictor_learns_mean_and_deviation():
    """At one state the density is largest at the mean and variance of the targets, in closed form."""
    targets = np.random.default_rng(14).normal(0.4, 0.7, size=(200, 1))
    recipe = Recipe(
        n_members=2,
        version="noise",
        hidden=(),
        training=Training(n_steps=800, batch=10**6, rate=0.05),
        predictor="gaussian",
        noise=1e-3,
        prior=1e3,
    )
    network, members = fit_members(np.ones((200, 1)), targets, np.array([200]), recipe, np.random.SeedSequence(15))
    for member in members:
        mean, log_deviation = network.forward(member, [[1.0]])[0]
        assert mean == pytest.approx(targets.mean(), abs=2e-3)
        assert math.exp(2 * log_deviation) + DEVIATION_FLOOR**2 == pytest.approx(targets.var(), rel=1e-2)


# --- the same bytes ---------------------------------------------------------------------------------------------------


def member_bytes(number):
    """An ensemble of wide networks, made wherever this is called."""
    rng = np.random.default_rng(16)
    x, y = rng.normal(size=(300, 5)), rng.normal(size=(300, 3))
    recipe = Recipe(n_members=2, version="trajectory", hidden=(128, 128), training=Training(n_steps=20, batch=128))
    return fit_members(x, y, np.arange(50, 301, 50), recipe, np.random.SeedSequence(number))[1].tobytes()


@pytest.mark.compiled
def test_an_ensemble_is_the_same_for_any_number_of_jobs():
    here = [member_bytes(number) for number in range(3)]
    assert here == [member_bytes(number) for number in range(3)]
    for jobs in (1, 2):
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert list(pool.map(member_bytes, range(3))) == here


# --- peers ------------------------------------------------------------------------------------------------------------


@pytest.mark.compiled
@pytest.mark.parametrize("peer", ["jax: vmap", "jax: map", "torch"])
@pytest.mark.filterwarnings("ignore")  # what a peer says of itself
def test_trained_parameters_match_jax_and_torch(peer):
    """Three members of 2x64, 50 steps at rates from 1e-3 down, which move a parameter by up to 0.03.

    Of 12 seeds that were tried all agreed to 5e-5. Longer training drifts apart: Adam divides rounding by rounding where
    a gradient is nearly 0, and a ReLU that is on in one library and off in the other changes whole rows.
    """
    library, _, how = peer.partition(": ")
    if _peers.missing(library):
        pytest.skip(f"{library} is not installed: pip install -c constraints.txt '.[peers]'")
    network, training = Network((6, 64, 64, 4)), Training(n_steps=50, batch=128)
    rng = np.random.default_rng(2)
    starts = np.stack([network.initial(rng) for _ in range(3)])
    x = rng.standard_normal((500, 6), np.float32)
    y = np.tanh(x @ rng.standard_normal((6, 4), np.float32))
    batches = rng.integers(500, size=(3, 50, 128))
    train = _peers.jax_trainer(network.sizes, how) if library == "jax" else _peers.torch_trainer(network.sizes)
    theirs = _peers.flattened(train(starts, x, y, batches, training.rates(0, 50)), 3)
    for start, rows, their in zip(starts, batches, theirs, strict=True):
        optimiser = Optimiser(network, training, start)
        optimiser.train(x, y, rows)
        assert np.abs(optimiser.result - start).max() > 0.01
        np.testing.assert_allclose(optimiser.result, their, rtol=0, atol=1e-4)
