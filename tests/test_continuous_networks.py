"""Networks and their training: against plain Python and finite differences; files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import adam_path, network_outputs

from continuous.networks import Network, load_network, save_network
from continuous.training import DEVIATION_FLOOR, Optimiser, Training, fit

SIZES = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)


def drawn(sizes, n, seed):
    rng, network = np.random.default_rng(seed), Network(sizes)
    return network, rng.normal(size=network.n_parameters), rng.normal(size=(n, sizes[0])), rng


@settings(deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(0, 2**32))
def test_a_networks_outputs_match_plain_python(sizes, n, seed):
    network, parameters, inputs, _ = drawn(sizes, n, seed)
    truth = network_outputs(sizes, parameters.tolist(), inputs.tolist())
    np.testing.assert_allclose(network.forward(parameters, inputs), truth, rtol=1e-12, atol=1e-12)
    single = network.forward(parameters.astype(np.float32), inputs)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, truth, rtol=1e-3, atol=1e-3)


def slope(function, at, step=1e-6):
    """Central differences, entry by entry."""
    found = np.empty(at.shape)
    for where in np.ndindex(at.shape):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[where] += sign * step
            ends.append(function(moved))
        found[where] = (ends[0] - ends[1]) / (2 * step)
    return found


@pytest.mark.parametrize("sizes", [(3, 2), (3, 7, 2), (2, 6, 5, 3)])
def test_a_networks_gradients_match_finite_differences(sizes):
    network, parameters, inputs, rng = drawn(sizes, 4, 1)
    upstream = rng.normal(size=(4, sizes[-1]))
    to_parameters, to_inputs = network.gradient(parameters, inputs, upstream)
    value = lambda p, x: float((upstream * network.forward(p, x)).sum())  # noqa: E731
    np.testing.assert_allclose(to_parameters, slope(lambda p: value(p, inputs), parameters), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(to_inputs, slope(lambda x: value(parameters, x), inputs), rtol=1e-6, atol=1e-8)


def squared(outputs, targets, weights):
    return float((weights * (outputs - targets) ** 2).sum() / len(targets))


def gaussian(outputs, targets, weights):
    mean, log_deviation = np.split(outputs, 2, axis=1)
    variance = np.exp(2 * log_deviation) + DEVIATION_FLOOR**2
    return float((weights * ((mean - targets) ** 2 / variance + np.log(variance)) / 2).sum() / len(targets))


@pytest.mark.parametrize(("loss", "formula", "n_out"), [("squared", squared, 2), ("gaussian", gaussian, 4)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("anchored", [False, True])
def test_training_matches_adam_in_plain_numpy(loss, formula, n_out, weighted, anchored):
    network, start, inputs, rng = drawn((3, 5, n_out), 6, 2)
    targets = rng.normal(size=(6, 2))
    weights = rng.random((6, 2)) + 0.5 if weighted else np.ones((6, 2))
    anchor, pull = rng.normal(size=start.size), rng.random(start.size)
    setting = Training(n_steps=8, batch=6, rate=0.01, last_rate=0.1, clip=1.5, averaging=0.7)
    options = {"anchor": anchor, "pull": pull} if anchored else {}
    optimiser = Optimiser(network, setting, start, loss=loss, **options)
    losses = optimiser.train(inputs, targets, np.tile(np.arange(6), (8, 1)), weights if weighted else None)

    def at(p):
        return formula(network.forward(p, inputs), targets, weights)

    def gradient(p):
        here = np.array(p)
        return (slope(at, here) + (pull * (here - anchor) if anchored else 0)).tolist()

    path, average = adam_path(start.tolist(), gradient, setting.rates(0, 8).tolist(), longest=1.5, decay=0.7)
    np.testing.assert_allclose(optimiser.parameters, path, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(optimiser.result, average, rtol=1e-5, atol=1e-6)
    assert losses[0] == pytest.approx(at(start))
    assert optimiser.n_done == 8


def test_an_optimisers_step_with_a_gradient_is_adams():
    network, start, _, rng = drawn((2, 3), 1, 3)
    optimiser = Optimiser(network, Training(n_steps=3, rate=0.1), start)
    slopes = rng.normal(size=(3, start.size))
    for one in slopes:
        optimiser.step(one)
    turn = iter(slopes.tolist())
    path, _ = adam_path(start.tolist(), lambda _: next(turn), optimiser.training.rates(0, 3).tolist())
    np.testing.assert_allclose(optimiser.parameters, path, rtol=1e-10)
    np.testing.assert_array_equal(optimiser.result, optimiser.parameters)


def test_fit_learns_and_is_determined_by_the_seed():
    x = np.linspace(-1, 1, 40)[:, None]
    y = np.abs(x)
    network, setting = Network((1, 16, 1)), Training(n_steps=300, batch=16, rate=0.02)
    fits = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        fits.append(fit(Optimiser(network, setting, network.initial(rng)), x, y, rng))
    np.testing.assert_array_equal(fits[0].parameters, fits[1].parameters)
    assert fits[0].parameters.dtype == np.float32
    assert fits[0].losses[-50:].mean() < 0.1 * fits[0].losses[:5].mean()


def test_a_saved_network_is_read_back(tmp_path):
    network, parameters, _, _ = drawn((2, 4, 1), 1, 5)
    save_network(tmp_path / "n.npz", network, parameters)
    again, found = load_network(tmp_path / "n.npz")
    assert again == network
    np.testing.assert_array_equal(found, parameters)
    np.savez(tmp_path / "other.npz", sizes=[2, 1])
    with pytest.raises(ValueError, match="other"):
        load_network(tmp_path / "other.npz")


NET = Network((2, 3, 1))
P = np.zeros(NET.n_parameters)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Network((2,)), ValueError, "sizes must name an input and an output"),
        (lambda: Network((2, 0)), ValueError, "sizes must be at least 1"),
        (lambda: NET.forward(P[1:], [[0, 0]]), ValueError, "parameters must have shape"),
        (lambda: NET.forward(P.astype(int), [[0, 0]]), TypeError, "parameters must be float32 or float64"),
        (lambda: NET.forward(P * np.nan, [[0, 0]]), ValueError, "parameters must be finite"),
        (lambda: NET.forward(P, [[0, np.nan]]), ValueError, "inputs must be finite"),
        (lambda: NET.forward(P, [[0, 0, 0]]), ValueError, "inputs must have shape"),
        (lambda: Training(n_steps=0), ValueError, "n_steps must be at least 1"),
        (lambda: Optimiser(NET, Training(), P, loss="absolute"), ValueError, "loss must be"),
        (lambda: Optimiser(NET, Training(), P, anchor=P), ValueError, "given together"),
        (lambda: Optimiser(NET, Training(), P, anchor=P, pull=P - 1), ValueError, "pull must be at least 0"),
        (lambda: Optimiser(NET, Training(), P).step(P[1:]), ValueError, "gradient must be"),
        (lambda: Optimiser(NET, Training(), P).step(P * np.inf), FloatingPointError, "not finite"),
    ],
)
def test_networks_and_optimisers_refuse_arguments_out_of_range(call, error, message):
    with pytest.raises(error, match=message), np.errstate(invalid="ignore"):
        call()


def test_fit_refuses_tables_of_other_shapes_and_rows_out_of_range():
    rng = np.random.default_rng(0)
    for x, y, options in (
        ([[0.0, 0.0]], [[0.0], [1.0]], {}),
        ([[0.0, np.inf]], [[0.0]], {}),
        ([[0.0, 0.0]], [[0.0]], {"rows": []}),
        ([[0.0, 0.0]], [[0.0]], {"rows": [1]}),
    ):
        with pytest.raises((ValueError, TypeError)):
            fit(Optimiser(NET, Training(), P), x, y, rng, **options)
