"""The tabular solvers against quantecon, pymdptoolbox and the memory's read speed; sampled counts against rollouts."""

import warnings
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from numba import njit
from scipy import sparse

from benchmarks._measure import Row, compare
from tabular import dp
from tabular.demonstrations import sample_counts, sample_demonstrations
from tabular.instances import garnet
from tabular.kernels import sampling
from tabular.mdp import FiniteHorizonMDP


def random_dense(n_states: int, n_actions: int, horizon: int, rng: np.random.Generator) -> FiniteHorizonMDP:
    """Process in which every state can follow."""
    p = rng.random((1, n_states, n_actions, n_states))
    p /= p.sum(axis=-1, keepdims=True)
    return FiniteHorizonMDP.from_dense(p, rng.random((n_states, n_actions)), np.eye(n_states)[0], horizon)


def backward_induction_against_quantecon() -> list[Row]:
    """Dense tables in both; and successor lists against scipy's compressed rows."""
    from quantecon.markov import DiscreteDP, backward_induction

    warnings.filterwarnings("ignore", message=".*infinite horizon.*")
    rows, rng = [], np.random.default_rng(0)
    for S, A, H in ((10, 4, 50), (50, 4, 50), (100, 4, 50), (300, 4, 50), (1000, 4, 20), (1000, 10, 10)):
        mdp = random_dense(S, A, H, rng)
        peer = DiscreteDP(mdp.reward[0].copy(), mdp.to_dense()[0], 1.0)
        assert np.allclose(backward_induction(peer, H)[0], dp.backward_induction(mdp).value)
        rows.append(
            compare(
                f"dense, S={S}, A={A}, H={H}",
                lambda m=mdp: dp.backward_induction(m),
                lambda p=peer, h=H: backward_induction(p, h),
                2.0 if S <= 100 else 1.0,
            )
        )
    for S, A, D, H in ((100, 4, 5, 50), (1000, 4, 5, 50), (20000, 4, 5, 20)):
        mdp = garnet_lists(S, A, D, H, rng)
        s, a = np.divmod(np.arange(S * A), A)
        pointer = np.arange(0, S * A * D + 1, D)
        q = sparse.csr_matrix((mdp.probabilities.ravel(), mdp.successors.ravel(), pointer), shape=(S * A, S))
        peer = DiscreteDP(mdp.reward[0].ravel(), q, 1.0, s, a)
        assert np.allclose(backward_induction(peer, H)[0], dp.backward_induction(mdp).value)
        rows.append(
            compare(
                f"{D} successors, S={S}, A={A}, H={H}",
                lambda m=mdp: dp.backward_induction(m),
                lambda p=peer, h=H: backward_induction(p, h),
                2.0 if S <= 100 else 1.0,
            )
        )
    return rows


def garnet_lists(n_states: int, n_actions: int, width: int, horizon: int, rng: np.random.Generator) -> FiniteHorizonMDP:
    """Random process with successor lists, cheap to build for many states."""
    shape = (1, n_states, n_actions, width)
    p = rng.dirichlet(np.ones(width), size=shape[:3])
    return FiniteHorizonMDP(
        rng.integers(n_states, size=shape), p, rng.random((1, n_states, n_actions)), np.eye(n_states)[0], horizon
    )


def backward_induction_against_pymdptoolbox() -> list[Row]:
    """Dense tables."""
    from mdptoolbox.mdp import FiniteHorizon

    rows, rng = [], np.random.default_rng(1)
    for S, A, H in ((10, 4, 50), (50, 4, 50), (100, 4, 50)):
        mdp = random_dense(S, A, H, rng)
        table, reward = np.ascontiguousarray(mdp.to_dense()[0].transpose(1, 0, 2)), mdp.reward[0].copy()

        def peer(table: np.ndarray = table, reward: np.ndarray = reward, H: int = H) -> np.ndarray:
            with redirect_stdout(StringIO()):  # it prints a warning about the discount 1 each time
                solver = FiniteHorizon(table, reward, 1.0, H)
            solver.run()
            return solver.V

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.allclose(peer().T, dp.backward_induction(mdp).value)
            rows.append(compare(f"dense, S={S}, A={A}, H={H}", lambda m=mdp: dp.backward_induction(m), peer, 3.0))
    return rows


@njit(fastmath={"reassoc"})
def _read(values):
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


def policy_evaluation_against_memory() -> list[Row]:
    """Share of the read speed that dense policy evaluation reaches; the limit is the faster of two ways to add up."""
    rows, rng = [], np.random.default_rng(2)
    for S, A, H in ((1000, 30, 2), (2000, 8, 2)):
        mdp = random_dense(S, A, H, rng)
        policy = np.full(mdp.policy_shape, 1 / A)
        flat = mdp.probabilities.ravel()
        readers = {"numpy's sum": flat.sum, "a compiled sum": lambda f=flat: _read(f)}
        for name, reader in readers.items():
            row = compare(
                f"{flat.nbytes / 1e6:.0f} MB, S={S}, A={A}, against {name}",
                lambda m=mdp, p=policy: dp.evaluate_policy(m, p),
                lambda r=reader, h=H: [r() for _ in range(h)],
                0.8,
                rounds=11,
            )
            speed = flat.nbytes * H / 1e6  # GB/s is MB/ms
            rows.append(Row(row.what, speed / row.ours, speed / row.other, row.ratio, row.low, row.high, 0.8, "GB/s"))
    return rows


@njit
def _count_rollouts(successors, probabilities, initial, policy, n_demos, rng, out):
    """Counts of trajectories that are rolled out one by one and not stored."""
    for _ in range(n_demos):
        s = sampling._draw(rng, initial)
        for h in range(policy.shape[0]):
            a = sampling._draw(rng, policy[h, s])
            out[h, s, a] += 1
            if h + 1 < policy.shape[0]:
                s = successors[0, s, a, sampling._draw(rng, probabilities[0, s, a])]


def sample_counts_against_rollouts() -> list[Row]:
    """Kernel against kernel, filling an array of counts; for few demonstrations also the public functions."""
    rows, rng = [], np.random.default_rng(3)
    cases = (
        (10, 4, 3, 10, 0.5),
        (10, 4, 3, 100_000, 100.0),
        (10, 2, 5, 100_000, 100.0),
        (1000, 4, 5, 10, 0.5),
        (1000, 4, 5, 1000, 0.5),
        (1000, 4, 5, 100_000, 4.0),
    )
    for S, A, D, T, target in cases:
        instance = garnet(S, A, D, 20, rng)
        mdp, pi = instance.mdp, instance.demonstrator
        out = np.zeros(mdp.policy_shape, np.int64)

        def fill(kernel, mdp: FiniteHorizonMDP = mdp, pi: np.ndarray = pi, T: int = T, out: np.ndarray = out) -> None:
            out[:] = 0
            kernel(*mdp.table, mdp.initial, pi, T, rng, out)

        what = f"S={S}, A={A}, {D} successors, H=20, T={T}"
        rows.append(
            compare(what, lambda f=fill: f(sampling.sample_counts), lambda f=fill: f(_count_rollouts), target, rounds=9)
        )
        if T == 10:
            rows.append(
                compare(
                    f"{what}, public",
                    lambda m=mdp, p=pi, t=T: sample_counts(m, p, t, rng),
                    lambda m=mdp, p=pi, t=T: sample_demonstrations(m, p, t, rng).counts(),
                    target,
                    rounds=9,
                )
            )
    return rows


BENCHMARKS = {
    "backward induction against quantecon": backward_induction_against_quantecon,
    "backward induction against pymdptoolbox": backward_induction_against_pymdptoolbox,
    "dense policy evaluation against the memory's read speed": policy_evaluation_against_memory,
    "sample_counts against compiled rollouts": sample_counts_against_rollouts,
}
