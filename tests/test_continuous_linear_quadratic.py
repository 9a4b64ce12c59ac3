"""continuous.linear_quadratic: Riccati's optimum against brute force, closed forms and rollouts; refusals."""

import math

import numpy as np
import oracles_continuous
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import linalg

from continuous.evaluation import evaluate
from continuous.linear_quadratic import LinearQuadratic, double_integrator

LQ = double_integrator()
SEEDS = st.integers(0, 2**32 - 1)


def random_process(seed, d=3, k=2, horizon=6, start_range=0.1):
    """Some process, or None where the optimum would be clipped."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, d, d))
    Q, R = roots[0] @ roots[0].T, roots[1, :k, :k] @ roots[1, :k, :k].T + 0.5 * np.eye(k)
    A, B = 0.5 * rng.standard_normal((d, d)), rng.standard_normal((d, k))
    try:
        return LinearQuadratic(
            dynamics_matrix=A,
            control_matrix=B,
            state_cost=(Q + Q.T) / 2,
            action_cost=(R + R.T) / 2,
            horizon=horizon,
            start_range=start_range,
        )
    except ValueError as error:
        assert "clipped" in str(error)  # noqa: PT017
        return None


def matrices(process):
    return [
        m.tolist() for m in (process.dynamics_matrix, process.control_matrix, process.state_cost, process.action_cost)
    ]


def best_plan(process, x, t=0):
    """Best actions from x on, by one least-squares problem over all of them, without a recursion."""
    A, B, H = process.dynamics_matrix, process.control_matrix, process.horizon - t
    d, k = B.shape
    root_q, root_r = np.real(linalg.sqrtm(process.state_cost)), np.linalg.cholesky(process.action_cost).T
    effect, drift = np.zeros((H * d, H * k)), np.zeros(H * d)
    for i in range(H):
        drift[i * d : (i + 1) * d] = root_q @ np.linalg.matrix_power(A, i + 1) @ x
        for j in range(i + 1):
            power = np.linalg.matrix_power(A, i - j)
            effect[i * d : (i + 1) * d, j * k : (j + 1) * k] = root_q @ power @ B
    rows = np.concatenate([effect, np.kron(np.eye(H), root_r)])
    return np.linalg.lstsq(rows, -np.concatenate([drift, np.zeros(H * k)]), rcond=None)[0].reshape(H, k)


# --- agreement --------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(0, 5))
def test_the_optimal_value_and_action_are_those_of_the_best_plan(seed, t):
    process = random_process(seed)
    assume(process is not None)
    state = process.task.reset(np.random.default_rng(seed), 1)
    state[0, 1] = t
    plan = best_plan(process, state[0, 2:], t)
    value, _ = oracles_continuous.linear_return(*matrices(process), state[0, 2:].tolist(), plan.tolist())
    assert process.optimal_value(state)[0] == pytest.approx(value, rel=1e-7, abs=1e-12)
    np.testing.assert_allclose(process.optimal_action(state)[0], plan[0], rtol=1e-6, atol=1e-9)


@given(SEEDS)
@settings(max_examples=15)
def test_a_step_is_the_linear_map_and_pays_the_quadratic_cost(seed):
    rng, task = np.random.default_rng(seed), LQ.task
    states = task.reset(rng, 3)
    total, plans = np.zeros(3), rng.uniform(-1, 1, (task.horizon, 3, 2))
    starts = states[:, 2:].tolist()
    for actions in plans:
        states, rewards, _ended, success = task.step(states, actions)
        total += rewards
    for i in range(3):
        value, last = oracles_continuous.linear_return(*matrices(LQ), starts[i], plans[:, i].tolist())
        assert total[i] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(states[i, 2:], last, rtol=0, atol=1e-12)
        assert success[i] == (math.hypot(*last) <= LQ.tolerance)


def test_in_one_dimension_the_optimal_gain_is_the_closed_form():
    """x' = x + u, cost x'^2 + r u^2, one step: u = -x/(1 + r), value -x^2 r/(1 + r)."""
    for r in (0.1, 1.0, 7.0):
        process = LinearQuadratic(
            dynamics_matrix=[[1.0]],
            control_matrix=[[1.0]],
            state_cost=[[1.0]],
            action_cost=[[r]],
            horizon=1,
            start_range=0.5,
        )
        state = np.array([[0.0, 0.0, 0.3]])
        assert process.optimal_action(state)[0, 0] == pytest.approx(-0.3 / (1 + r))
        assert process.optimal_value(state)[0] == pytest.approx(-0.09 * r / (1 + r))


def test_with_many_steps_the_optimal_gain_solves_the_stationary_riccati_equation():
    process = double_integrator(400)
    A, B, Q, R = (np.array(m) for m in matrices(process))
    P = linalg.solve_discrete_are(A, B, Q, R)  # of the cost of x_t; ours is of x_(t+1), which is P - Q here
    gain = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    np.testing.assert_allclose(process.gains[0], gain, rtol=0, atol=1e-10)
    np.testing.assert_allclose(process.costs[0], P - Q, rtol=0, atol=1e-9)


# --- laws -------------------------------------------------------------------------------------------------------------


@given(SEEDS, st.floats(0, 1))
@settings(max_examples=20)
def test_no_perturbation_of_the_optimal_actions_earns_more(seed, size):
    rng, task = np.random.default_rng(seed), LQ.task
    states = task.reset(rng, 20)
    promised, total = LQ.optimal_value(states), np.zeros(20)
    while (states[:, 0] == 0).any():
        actions = LQ.optimal_action(states) + size * rng.standard_normal((20, 2))
        states, rewards, _, _ = task.step(states, actions)
        total += rewards
    assert (total <= promised + 1e-12).all()


def test_the_optimal_policy_earns_exactly_the_optimal_value_and_never_clips():
    found = evaluate(LQ.task, LQ, 500, np.random.SeedSequence(1))
    np.testing.assert_allclose(found.returns, LQ.optimal_value(found.starts), rtol=0, atol=1e-13)
    corner = np.array([[0.0, 0.0, *(LQ.start_range * np.array(signs))] for signs in np.ndindex(2, 2, 2, 2)])
    corner[:, 2:] = np.where(corner[:, 2:] > 0, LQ.start_range, -LQ.start_range)
    largest, states = 0.0, corner
    while (states[:, 0] == 0).any():
        actions = LQ.optimal_action(states)
        largest = max(largest, np.abs(actions).max())
        states = LQ.task.step(states, actions).states
    assert 0.5 < largest <= 1


@pytest.mark.compiled
@pytest.mark.parametrize(("factor", "fits"), [(1.0, True), (0.5, False)])
def test_the_mean_return_of_the_optimum_is_its_expected_value(factor, fits):
    """Returns lie in [-most, 0], so Hoeffding's inequality bounds a false alarm of the optimal policy by 1e-6."""
    n = 40_000

    def policy(seen, rng):
        return factor * LQ.act(seen, rng)

    found = evaluate(LQ.task, policy, n, np.random.SeedSequence(2))
    most = LQ.start_range**2 * float(np.linalg.eigvalsh(LQ.costs[0]).max()) * 4
    slack = most * math.sqrt(math.log(2e6) / (2 * n))
    assert (abs(found.returns.mean() - LQ.expected_value) <= slack) == fits


def test_after_the_last_step_the_optimal_value_and_action_are_zero():
    ended = np.array([[1.0, LQ.horizon, 0.1, 0.2, 0.3, 0.4]])
    assert LQ.optimal_value(ended)[0] == 0
    assert not LQ.optimal_action(ended).any()


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dynamics_matrix": np.zeros((2, 3))}, r"control_matrix must have shape|must be square"),
        ({"dynamics_matrix": np.zeros((2, 1)), "control_matrix": np.zeros((2, 1))}, "must be square and not empty"),
        ({"control_matrix": np.zeros((3, 1))}, r"control_matrix must have shape \(2, any\); got \(3, 1\)"),
        ({"control_matrix": np.zeros((2, 0))}, "must be square and not empty"),
        ({"state_cost": [[1.0, 0.5], [0.0, 1.0]]}, "state_cost must be symmetric; entries differ by 0.5"),
        ({"state_cost": np.diag([1.0, -1.0])}, "state_cost must have no negative eigenvalue; got -1"),
        ({"action_cost": [[0.0]]}, "action_cost must have positive eigenvalues; got 0"),
        ({"dynamics_matrix": [[np.nan, 0], [0, 1]]}, "dynamics_matrix must be finite"),
        ({"horizon": 0}, "horizon must be at least 1; got 0"),
        ({"start_range": 0.0}, "start_range must be above 0.0; got 0.0"),
        ({"start_range": 50.0}, "start_range must be small enough that no optimal action exceeds 1; got"),
        ({"tolerance": -1.0}, "tolerance must be above 0.0; got -1.0"),
    ],
)
def test_processes_without_an_exact_optimum_are_refused(change, message):
    fine = {
        "dynamics_matrix": np.eye(2),
        "control_matrix": np.ones((2, 1)),
        "state_cost": np.eye(2),
        "action_cost": np.eye(1),
        "horizon": 5,
        "start_range": 0.2,
    }
    with pytest.raises(ValueError, match=message):
        LinearQuadratic(**{**fine, **change})


def test_states_and_observations_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"states must have shape \(any, 6\); got \(1, 5\)"):
        LQ.optimal_value(np.zeros((1, 5)))
    with pytest.raises(ValueError, match=r"observations must have shape \(any, 5\); got \(1, 6\)"):
        LQ.act(np.zeros((1, 6)))
