"""A control task whose optimum is known exactly: linear dynamics and quadratic costs.

x_{t+1} = A x_t + B u_t, reward -(x_{t+1}^T Q x_{t+1} + u_t^T R u_t), H steps. With P_H = 0 and M = Q + P_{t+1}, the
recursion of Riccati gives the optimal action -K_t x and value -x^T P_t x:

    K_t = (R + B^T M B)^{-1} B^T M A
    P_t = A^T M (A - B K_t)

Actions are clipped to [-1, 1] in every task. The optimum stays exact because processes in which it would ever be
clipped are refused.

References
----------
Bertsekas, Dynamic programming and optimal control, volume I, the section on linear systems and quadratic cost.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from continuous.demonstrators import Script, Style
from continuous.kernels import dynamics
from continuous.task_model import Task
from theory.base import validate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearQuadratic:
    """Linear dynamics, quadratic costs and first states uniform in a box.

    Parameters
    ----------
    dynamics_matrix, control_matrix : array_like, (d, d) and (d, k)
        A and B.
    state_cost, action_cost : array_like, (d, d) and (k, k)
        Q (symmetric, no negative eigenvalue) and R (symmetric, positive eigenvalues). The cost of a step is that of
        the action and of the state that follows.
    horizon : int
        Number of steps H, at least 1.
    start_range : float
        First states are uniform in [-start_range, start_range]^d; above 0.
    tolerance : float
        An episode succeeds if its last state has at most this Euclidean norm; above 0.

    Attributes
    ----------
    gains : ndarray, (H, k, d)
        K_t of the optimal action -K_t x.
    costs : ndarray, (H+1, d, d)
        P_t of the optimal value -x^T P_t x.

    Raises
    ------
    ValueError
        Also if Q or R is not definite as stated, or the optimal action leaves [-1, 1] from some first state.
    """

    dynamics_matrix: FloatArray
    control_matrix: FloatArray
    state_cost: FloatArray
    action_cost: FloatArray
    horizon: int
    start_range: float = 1.0
    tolerance: float = 0.15
    gains: FloatArray = field(init=False)
    costs: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        A = validate.array("dynamics_matrix", self.dynamics_matrix, shape=(None, None))
        B = validate.array("control_matrix", self.control_matrix, shape=(A.shape[0], None))
        if A.shape[0] != A.shape[1] or 0 in A.shape + B.shape:
            raise ValueError(f"dynamics_matrix must be square and not empty; got shapes {A.shape} and {B.shape}")
        Q = _symmetric("state_cost", self.state_cost, A.shape[0])
        R = _symmetric("action_cost", self.action_cost, B.shape[1])
        least = float(np.linalg.eigvalsh(Q).min())
        if least < -1e-12 * float(np.abs(Q).max()):
            raise ValueError(f"state_cost must have no negative eigenvalue; got {least:g}")
        if (least := float(np.linalg.eigvalsh(R).min())) <= 0:
            raise ValueError(f"action_cost must have positive eigenvalues; got {least:g}")
        horizon = validate.integer("horizon", self.horizon, at_least=1)
        start_range = validate.real("start_range", self.start_range, above=0.0)
        validate.real("tolerance", self.tolerance, above=0.0)
        gains, costs = _riccati(A, B, Q, R, horizon)
        if (largest := start_range * _largest_action(A, B, gains)) > 1:  # clipped, it would no longer be the optimum
            raise ValueError(f"start_range must be small enough that no optimal action exceeds 1; got {largest:g}")
        for name, value in zip(
            ("dynamics_matrix", "control_matrix", "state_cost", "action_cost", "gains", "costs"),
            (A, B, Q, R, gains, costs),
            strict=True,
        ):
            object.__setattr__(self, name, validate.frozen(value))

    @cached_property
    def task(self) -> Task:
        """The process as a task, whose observations are x and the share of the steps that is left."""
        d, k = self.control_matrix.shape
        return Task(
            name="linear-quadratic",
            observation_dim=d + 1,
            action_dim=k,
            state_dim=d + 2,
            horizon=self.horizon,
            n_uniforms=d,
            start=self._start,
            observation=self._observe,
            advance=self._advance,
            rare_in_demonstrations=0.0,
            rare_in_evaluation=0.0,
            bound=max(1.0, self._farthest()),
        )

    @property
    def script(self) -> Script:
        """The optimal policy as a demonstrator."""
        return Script(plan=self._plan, noise=0.04)

    @property
    def expected_value(self) -> float:
        """Expected optimal return over the first states: -start_range^2 tr(P_0) / 3."""
        return -(self.start_range**2) * float(np.trace(self.costs[0])) / 3.0

    def optimal_value(self, states: ArrayLike) -> FloatArray:
        """Optimal return from each state on; 0 where the episode has ended.

        Parameters
        ----------
        states : array_like, (n, d+2)
            From which no optimal action is clipped, such as those that the optimum reaches.

        Returns
        -------
        ndarray, (n,)
        """
        t, x = self._parts(states)
        return np.asarray(-np.einsum("nj,njk,nk->n", x, self.costs[t], x))

    def optimal_action(self, states: ArrayLike) -> FloatArray:
        """Optimal action in each state, as `optimal_value`; 0 where the episode has ended.

        Parameters
        ----------
        states : array_like, (n, d+2)

        Returns
        -------
        ndarray, (n, k)
        """
        return self._optimum(*self._parts(states))

    def act(self, observations: ArrayLike, rng: np.random.Generator | None = None) -> FloatArray:
        """Act optimally on observations, as a policy that `evaluate` takes.

        Parameters
        ----------
        observations : array_like, (n, d+1)
        rng : numpy.random.Generator, optional
            Not used: the optimal policy is deterministic.

        Returns
        -------
        ndarray, (n, 1, k)
        """
        rows = validate.array("observations", observations, shape=(None, len(self.dynamics_matrix) + 1))
        t = np.clip(np.rint((1.0 - rows[:, -1]) * self.horizon), 0, self.horizon).astype(np.int64)
        return self._optimum(t, rows[:, :-1])[:, None]

    def _optimum(self, t: NDArray[np.int64], x: FloatArray) -> FloatArray:
        gains = np.concatenate([self.gains, np.zeros_like(self.gains[:1])])
        return np.asarray(-np.einsum("nkj,nj->nk", gains[t], x))

    def _parts(self, states: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
        rows = validate.array("states", states, shape=(None, len(self.dynamics_matrix) + 2))
        return rows[:, dynamics.TIME].astype(np.int64), rows[:, 2:]

    def _farthest(self) -> float:
        """Bound on the absolute value of a state's entries, whatever the actions: a sum over the steps."""
        power, pushed, farthest = np.eye(len(self.dynamics_matrix)), np.zeros(len(self.dynamics_matrix)), 0.0
        for _ in range(self.horizon + 1):
            bound = self.start_range * np.abs(power).sum(axis=1) + pushed
            farthest = max(farthest, float(bound.max()))
            pushed = pushed + np.abs(power @ self.control_matrix).sum(axis=1)
            power = self.dynamics_matrix @ power
        return farthest * (1 + 1e-9)

    def _start(self, uniforms: FloatArray, rare: float) -> FloatArray:
        x = self.start_range * (2.0 * uniforms - 1.0)
        return np.column_stack([np.zeros((len(x), 2)), x])

    def _observe(self, states: FloatArray) -> FloatArray:
        return np.column_stack([states[:, 2:], 1.0 - states[:, dynamics.TIME] / self.horizon])

    def _advance(
        self, states: FloatArray, actions: FloatArray, horizon: int, out: FloatArray, rewards: FloatArray
    ) -> None:
        matrices = (self.dynamics_matrix, self.control_matrix, self.state_cost, self.action_cost)
        dynamics.linear_quadratic(states, actions, *matrices, self.tolerance, horizon, out, rewards)

    def _plan(self, states: FloatArray, style: Style) -> FloatArray:
        return style.speed[:, None] * self._optimum(states[:, dynamics.TIME].astype(np.int64), states[:, 2:])


def double_integrator(horizon: int = 30) -> LinearQuadratic:
    """Point mass in the plane, with position and velocity, accelerated by the action.

    Parameters
    ----------
    horizon : int, optional
        At least 1.
    """
    A, B = np.array([[1.0, 0.2], [0.0, 0.9]]), np.array([[0.0], [0.2]])
    plane = np.eye(2)
    cost = np.asarray(np.kron(np.diag([1.0, 0.1]), plane), np.float64)
    return LinearQuadratic(
        dynamics_matrix=np.kron(A, plane),
        control_matrix=np.kron(B, plane),
        state_cost=cost,
        action_cost=0.5 * plane,
        horizon=horizon,
        start_range=0.35,
    )


def _symmetric(name: str, value: ArrayLike, size: int) -> FloatArray:
    matrix = validate.array(name, value, shape=(size, size))
    if not np.array_equal(matrix, matrix.T):
        raise ValueError(f"{name} must be symmetric; entries differ by {float(np.abs(matrix - matrix.T).max()):g}")
    return matrix


def _riccati(A: FloatArray, B: FloatArray, Q: FloatArray, R: FloatArray, horizon: int) -> tuple[FloatArray, FloatArray]:
    gains = np.empty((horizon, B.shape[1], B.shape[0]))
    costs = np.zeros((horizon + 1, *A.shape))
    for t in range(horizon - 1, -1, -1):
        M = Q + costs[t + 1]
        gains[t] = np.linalg.solve(R + B.T @ M @ B, B.T @ M @ A)
        P = A.T @ M @ (A - B @ gains[t])
        costs[t] = (P + P.T) / 2  # rounding would make it ever less symmetric
    return gains, costs


def _largest_action(A: FloatArray, B: FloatArray, gains: FloatArray) -> float:
    """Largest optimal action from the unit box: the largest row sum of absolute values of K_t Phi_t."""
    phi, largest = np.eye(len(A)), 0.0
    for K in gains:
        largest = max(largest, float(np.abs(K @ phi).sum(axis=1).max()))
        phi = (A - B @ K) @ phi
    return largest
