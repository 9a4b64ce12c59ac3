"""Updates of the finetuners' networks, against the same matrix products by BLAS alone."""

from itertools import pairwise

import numpy as np

from benchmarks._measure import Row, compare
from continuous.best_of_n import BestOfN, fit_critic
from continuous.dsrl import DSRL
from continuous.finetuning import Experience
from continuous.soft_actor_critic import SoftActorCritic

N_IN, D, ROWS = 7, 4, 4000


def _experience() -> Experience:
    rng = np.random.default_rng(0)
    x, u, r = (rng.standard_normal((ROWS, n)).astype(np.float32) for n in (N_IN, D, 1))
    return Experience(
        inputs=x,
        choices=np.tanh(u),
        rewards=r,
        next_inputs=np.roll(x, 1, axis=0),
        ended=rng.random((ROWS, 1)) < 0.1,
        episodes=np.arange(ROWS),
    )


class _Products:
    """Products of passes through networks with hidden layers: forward, or back to the parameters or the inputs."""

    def __init__(self, batch: int, hidden: tuple[int, ...]) -> None:
        rng, self.hidden = np.random.default_rng(1), hidden
        sizes = sorted({N_IN, N_IN + D, 2 * D, 1, *hidden})
        self.rows, self.out = ({n: rng.random((batch, n), np.float32) for n in sizes} for _ in range(2))
        self.weights = {(m, n): rng.random((m, n), np.float32) for m in sizes for n in sizes}
        self.gradients = {key: value.copy() for key, value in self.weights.items()}

    def forward(self, n_in: int, n_out: int) -> None:
        for m, n in pairwise((n_in, *self.hidden, n_out)):
            np.dot(self.rows[m], self.weights[m, n], out=self.out[n])

    def backward(self, n_in: int, n_out: int, *, to_parameters: bool, to_inputs: bool) -> None:
        for k, (m, n) in enumerate(pairwise((n_in, *self.hidden, n_out))):
            if to_parameters:
                np.dot(self.rows[m].T, self.rows[n], out=self.gradients[m, n])
            if k > 0 or to_inputs:
                np.dot(self.rows[n], self.weights[m, n].T, out=self.out[m])


def updates_against_their_products() -> list[Row]:
    """A round of DSRL's updates at the default sizes; the other column is the time of their matrix products alone."""
    dsrl = DSRL()
    experience, best = _experience(), BestOfN(updates=dsrl.updates)
    agent = SoftActorCritic(N_IN, D, dsrl, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    sac, iql = _Products(dsrl.batch, dsrl.hidden), _Products(best.batch, best.hidden)

    def sac_products() -> None:
        for _ in range(dsrl.updates):
            for _ in range(2):  # the next states' actions, and the states'
                sac.forward(N_IN, 2 * D)
            for _ in range(6):  # two critics: of targets, of what was done, of what would be done
                sac.forward(N_IN + D, 1)
            for _ in range(2):
                sac.backward(N_IN + D, 1, to_parameters=True, to_inputs=False)
                sac.backward(N_IN + D, 1, to_parameters=False, to_inputs=True)
            sac.backward(N_IN, 2 * D, to_parameters=True, to_inputs=False)

    def iql_products() -> None:
        for _ in range(best.updates):
            for _ in range(2):
                iql.forward(N_IN, 1)
                iql.forward(N_IN + D, 1)
                iql.forward(N_IN + D, 1)
                iql.backward(N_IN + D, 1, to_parameters=True, to_inputs=False)
            iql.backward(N_IN, 1, to_parameters=True, to_inputs=False)

    sizes = [f"{len(x.hidden)} x {x.hidden[0]}, batch {x.batch}: {x.updates} updates" for x in (dsrl, best)]
    return [
        compare(f"SAC, {sizes[0]}", lambda: agent.train(experience, dsrl.updates), sac_products, 0.5),
        compare(f"IQL, {sizes[1]}", lambda: fit_critic(experience, best, rng), iql_products, 0.5),
    ]


BENCHMARKS = {"finetuners: updates against their matrix products": updates_against_their_products}
