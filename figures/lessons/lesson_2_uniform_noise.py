# %% [markdown]
"""# Lesson 2. Why uniform noise is not enough.

*Ten minutes. You need: lesson 1.*

Lesson 1 ended with a remedy: give every action some probability. The simplest way is *uniform noise*: with
probability alpha, in every state, press a random button. This lesson shows what that costs, and why noise belongs in
states with few data.
"""

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "paper_repro.py").exists())))

import numpy as np
from matplotlib.figure import Figure

from figures.exact import fig_uniform_fails
from figures.lessons._show import show
from figures.look import palette
from tabular.constructions import uniform_noise_trap
from tabular.demonstrations import sample_counts
from tabular.policies import BC, postbc, uniform_noise
from theory.bounds import b2_uniform_fails as uniform_fails

# %% [markdown]
"""## A process with a narrow path.

Half of all episodes begin on a path of H = 10 steps. On the path, action 1 takes the next step; action 2 leaves the
path, and the reward at its end is lost. The demonstrator always plays action 1 there. The other episodes begin in one
of many side states, each half as likely as the one before; there both actions are nearly equally good, and the
demonstrator tosses a coin.
"""

# %%
HORIZON, N_DEMOS = 10, 1000
N_SIDE = uniform_fails.min_rare_states(N_DEMOS)
trap = uniform_noise_trap(0.05, HORIZON, N_SIDE)
for s in range(3):
    print(f"side state {s + 1}: probability {trap.mdp.initial[s]:.3f}, demonstrator {trap.demonstrator[0, s]}")
print(f"...\nthe path:     probability {trap.mdp.initial[N_SIDE]:.3f}, demonstrator {trap.demonstrator[0, N_SIDE]}")

# %% [markdown]
"""**Question 1.** With uniform noise of weight alpha, an action is drawn at random with probability alpha. What is the
probability of staying on the path for all ten steps, for alpha = 0.1? Does it help to record more demonstrations?
"""

# %% [markdown]
"""**Answer 1.** Half of the random draws are action 2, so each step is survived with probability 1 - alpha/2, and the
path with (1 - alpha/2)^10 = 0.60. The number of demonstrations does not matter: the cost of uniform noise never falls.
"""

# %%
alpha = 0.1
print("stays on the path:", round((1 - alpha / 2) ** HORIZON, 3))
for T in (30, 100, 1000, 10_000):
    noisy = fig_uniform_fails.expected_loss(uniform_noise(alpha), T, HORIZON)
    posterior = fig_uniform_fails.expected_loss(postbc(1.0, 2.0), T, HORIZON)
    print(f"T = {T:6d}: expected loss of uniform noise {noisy:.3f}, of the posterior (lambda = A = 2) {posterior:.4f}")

# %% [markdown]
"""## Which states have few data?

We draw 1000 demonstrations and compare the weight of the noise in each state. That of uniform noise is the same
everywhere. That of the posterior is lambda/(n + lambda) in a state with n visits.
"""

# %%
rng = np.random.default_rng(2)
counts = sample_counts(trap.mdp, trap.demonstrator, N_DEMOS, rng)
visits = counts.visits[0, : N_SIDE + 1]
for s in (0, 1, N_SIDE - 2, N_SIDE - 1, N_SIDE):
    row = counts.counts[0, s]
    name = "the path" if s == N_SIDE else f"side state {s + 1}"
    print(f"{name:14s} counts {row.tolist()!s:12s} BC {BC.policy(counts)[0, s].round(3)}")


def draw_weights(figure: Figure) -> None:
    """Draw the weight of the noise in each state against its number of visits."""
    axes = figure.subplots()
    seen = visits > 0
    n = np.sort(visits[seen])
    axes.plot(
        n, postbc(1.0, 2.0).noise_weight(n), color=palette.colour("posterior"), marker=palette.marker("posterior"), lw=1
    )
    axes.axhline(alpha, color=palette.colour("uniform noise"), lw=2)
    axes.text(1, alpha * 1.2, "uniform noise", color=palette.colour("uniform noise"))
    axes.text(2.2, 0.6, "posterior", color=palette.colour("posterior"))
    axes.text(visits[N_SIDE], 0.007, "the path", ha="center", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="visits of a state in the data", ylabel="weight of the noise")


show("lesson_2_weights", draw_weights)

# %% [markdown]
"""**Question 2.** A side state was visited once, and action 2 was recorded. The demonstrator plays action 1 there half
of the time. Which share of that probability does each policy keep (its coverage): BC, uniform noise with alpha =
0.1, the posterior with lambda = 2?
"""

# %% [markdown]
"""**Answer 2.** BC: 0. Uniform noise: alpha/2 = 0.05 out of 0.5, a tenth. The posterior: (0 + 1)/(1 + 2) = 1/3 out of
0.5, two thirds. So the posterior has more noise than uniform noise where it is needed, and on the path, with its
500 visits, hardly any.
"""

# %%
for name, estimator in (("BC", BC), ("uniform noise", uniform_noise(alpha)), ("posterior", postbc(1.0, 2.0))):
    weight = float(estimator.noise_weight([1])[0])
    print(f"{name:14s} plays action 1 with probability {weight / 2:.3f}, coverage {weight / 2 / 0.5:.3f}")

# %% [markdown]
"""## What coverage costs.

Each weight of the noise has a price (the expected loss) and a benefit (the coverage that is reached in all states at
once with probability 0.9). Both can be computed exactly here.
"""

# %%
alphas = np.geomspace(0.003, 1, 9).tolist()
curves = {
    family: fig_uniform_fails.trade_off(
        {"n_demos": N_DEMOS, "horizon": HORIZON, "family": family, "alphas": alphas}, rng
    )
    for family in ("uniform noise", "PostBC")
}


def draw_trade_off(figure: Figure) -> None:
    """Draw coverage against its price."""
    axes = figure.subplots()
    for family, curve in curves.items():
        axes.plot(curve["loss"], curve["coverage"], color=palette.colour(family), marker=palette.marker(family))
        axes.text(curve["loss"][2] * 1.2, curve["coverage"][2] * 0.6, family, color=palette.colour(family))
    axes.set(xscale="log", yscale="log", xlabel="expected loss (of a reward of 1)", ylabel="coverage, prob. 0.9")


show("lesson_2_trade_off", draw_trade_off)
covered = {f: float(np.interp(0.02, c["loss"], c["coverage"])) for f, c in curves.items()}
print("coverage at a loss of 0.02:", {family: round(value, 4) for family, value in covered.items()})
assert covered["PostBC"] > 5 * covered["uniform noise"]

# %% [markdown]
"""**Question 3.** Does PostBC always win?
"""

# %% [markdown]
"""**Answer 3.** No. It wins where states are visited unevenly: much noise is then wasted on states that are known
well. In a bandit with one state the two kinds of noise are equally good, and on some processes with
few demonstrations uniform noise covers more at the same price: see `fig_lambda` (the chain lock), and `fig_frontier`
for the best that any method can do.
"""
