# %% [markdown]
"""# Lesson 4. Finetuning on the funnel.

*Ten minutes. You need: lessons 1 and 2.*

So far we asked which actions a policy covers, and what that costs. This lesson shows why coverage is useful:
reinforcement learning (RL) starts from the cloned policy and improves it by trial and error. It can only learn from
what it tries.
"""

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "paper_repro.py").exists())))

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from figures.lessons._show import show
from figures.look import palette
from tabular import dp
from tabular.demonstrations import sample_counts
from tabular.finetune import NaturalPolicyGradient, finetune, support_optimum
from tabular.instances import funnel
from tabular.policies import BC, MixtureEstimator, postbc, uniform_noise

# %% [markdown]
"""## A trunk and six branches.

An episode has H = 12 steps and begins on a trunk. Action 1 stays on the trunk; the others forfeit the reward. In
each step we are moved, with probability 0.2, to a random one of six branches. Each branch has one right action of four,
which leads back. Being on the trunk at the end pays 1. The demonstrator never errs on the trunk, and plays the right
action of a branch half of the time.
"""

# %%
HORIZON, N_DEMOS = 12, 40
process = funnel(HORIZON, 6, 4)
best = dp.optimal_return(process.mdp)
print(f"the demonstrator earns {process.demonstrator_value:.3f}; the best that can be earned is {best:.3f}")

# %% [markdown]
"""**Question 1.** We record 40 demonstrations. A branch is met in a given step by about one demonstration in thirty.
What does BC play in such a branch? How far can RL get from there?
"""

# %% [markdown]
"""**Answer 1.** BC plays what was recorded: if that one demonstration erred, it repeats that error with
probability 1. RL tries nothing else, so it never finds the way back, however long it runs. The best policy that
plays only what BC plays can be computed exactly: a *plateau*, far below the best.
"""

# %%
counts = sample_counts(process.mdp, process.demonstrator, N_DEMOS, np.random.default_rng(0))
clone = BC.policy(counts)
cells = [(h, b) for h in range(HORIZON) for b in range(1, 7) if counts.visits[h, b]]
lost = [(h, b) for h, b in cells if clone[h, b, b % 4] == 0]
print(f"branches visited, step by step: {len(cells)}; BC has ruled out the right action in {len(lost)} of them")
print(
    f"BC earns {dp.expected_return(process.mdp, clone):.3f}; its plateau is {support_optimum(process.mdp, clone):.3f}"
)
assert support_optimum(process.mdp, clone) < 0.8 * best

# %% [markdown]
"""## Noise in states with few data.

PostBC with alpha = 1/2 and lambda = 1 leaves every action some probability: its noise has weight 1/4 in a branch that
was visited once, and 1/82 at the start of the trunk, which all 40 demonstrations visited. Uniform noise has weight 0.1
everywhere.

**Question 2.** Which of the three earns most *before* finetuning? What are the plateaus?
"""

# %% [markdown]
"""**Answer 2.** BC earns most: noise costs return, and uniform noise more than PostBC, since it is on the trunk too.
But with every action possible, both noisy policies have the best policy within reach.
"""

# %%
POLICIES: dict[str, MixtureEstimator] = {"BC": BC, "uniform noise": uniform_noise(0.1), "PostBC": postbc(0.5, 1.0)}
for name, estimator in POLICIES.items():
    policy = estimator.policy(counts)
    earns, plateau = dp.expected_return(process.mdp, policy), support_optimum(process.mdp, policy)
    print(f"{name:14s} earns {earns:.3f} before finetuning; plateau {plateau:.3f}")
    assert (plateau > best - 1e-9) == (name != "BC")

# %% [markdown]
"""## Let it learn.

We run the natural policy gradient with 20 episodes in each update, on 24 data sets of 40 demonstrations each. The
curves show the exact return of the policy at that time, not the rewards of the episodes played. Bands: 95 % intervals
of the mean over data sets.
"""

# %%
EPISODES = [0, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 4500, 7000]
learner = NaturalPolicyGradient(1.0, batch=20)


def learn(estimator: MixtureEstimator, start: int) -> np.ndarray:
    """Return the exact return at each checkpoint of a run on one data set."""
    data = sample_counts(process.mdp, process.demonstrator, N_DEMOS, np.random.default_rng([4, start]))
    rng = np.random.default_rng([5, start])
    return finetune(process.mdp, estimator.policy(data), learner, EPISODES, rng).returns


runs = {name: np.array([learn(estimator, i) for i in range(24)]) for name, estimator in POLICIES.items()}


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Student's 95 % interval of the mean over rows."""
    mean, error = values.mean(axis=0), stats.sem(values, axis=0)
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    return mean - reach, mean + reach


def draw_learning(figure: Figure) -> None:
    """Draw the exact return against the episodes of finetuning."""
    axes = figure.subplots()
    for name, values in runs.items():
        colour = palette.colour(name)
        axes.plot(EPISODES, values.mean(axis=0), color=colour, marker=palette.marker(name))
        axes.fill_between(EPISODES, *interval(values), color=colour, alpha=0.2, lw=0)
    axes.axhline(best, color="black", lw=0.8, ls=":")
    axes.text(60, best + 0.02, "best policy")
    for name, x, y in (("BC", 5200, 0.49), ("uniform noise", 3700, 0.62), ("PostBC", 1750, 0.76)):
        axes.text(x, y, name, color=palette.colour(name), ha="left" if name != "PostBC" else "right")
    axes.set(xlabel="episodes of finetuning", ylabel="expected return", ylim=(0, 0.95), xlim=(0, 7000))


show("lesson_4_learning", draw_learning, height=3.0)
for i in (3, 6, 10):
    ahead = runs["PostBC"][:, i] - runs["BC"][:, i]
    low, high = interval(ahead[:, None])
    print(
        f"after {EPISODES[i]:5d} episodes PostBC is ahead of BC by {ahead.mean():+.3f} [{low[0]:+.3f}, {high[0]:+.3f}]"
    )
assert interval((runs["PostBC"] - runs["BC"])[:, [10]])[0] > 0.15

# %% [markdown]
"""**Question 3.** BC starts higher. When is it overtaken, and why does its curve become flat?
"""

# %% [markdown]
"""**Answer 3.** For the first few hundred episodes BC is a little ahead; then it reaches its plateau and stays, while
PostBC passes it and climbs to the best. Uniform noise gets there as well, but later: each episode is more likely to be
lost on the trunk, so there is less to learn from. In short: *a policy that starts a little lower and covers everything
ends higher.*
"""

# %% [markdown]
"""## More noise, faster learning?

**Question 4.** Take the same process with 25 steps, and uniform noise of weight 1/2. How often does an episode still
earn anything? What will a learner make of that?
"""

# %% [markdown]
"""**Answer 4.** The noise takes a wrong action on the trunk with probability 3/8 in each step, so of a million
episodes about one earns anything, and what is never rewarded is never learnt: the learner does not move in 20 000
episodes. Coverage is not enough; its price matters, too. PostBC's noise is small where there are many demonstrations,
and it learns. (Do not expect wonders: with 50 steps even BC earns next to nothing here, and none of the three makes any
progress in 20 000 episodes.)
"""

# %%
long = funnel(25, 6, 4)
data = sample_counts(long.mdp, long.demonstrator, N_DEMOS, np.random.default_rng(6))
for name, estimator in (("uniform noise, 1/2", uniform_noise(0.5)), ("PostBC", POLICIES["PostBC"])):
    earned = finetune(long.mdp, estimator.policy(data), learner, [0, 20_000], np.random.default_rng(7)).returns
    print(f"{name:18s} earns {earned[0]:.2g} before and {earned[1]:.2g} after 20 000 episodes")
    assert (earned[1] > 0.5) == (name == "PostBC")
    assert (earned[1] < 1e-4) == (name != "PostBC")
