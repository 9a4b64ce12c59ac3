# %% [markdown]
"""# Lesson 1. Why behavioral cloning fails.

*Ten minutes. You need: what a probability is, and what a policy is.*

A demonstrator acts; we record some of its actions and copy their frequencies. That is behavioral cloning (BC). Later we
want to improve the copy by trial and error. This lesson shows, on a problem with three buttons, why the copy can make
that impossible, and what helps. Each question is answered further down: think first.
"""

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "paper_repro.py").exists())))

import numpy as np
from matplotlib.figure import Figure

from figures.lessons._show import show
from figures.look import palette
from tabular import dp
from tabular.constructions import two_bandits
from tabular.coverage import coverage
from tabular.demonstrations import sample_counts
from tabular.plan import RecordingPlan
from tabular.policies import BC, postbc
from theory.bounds import b1_bc_fails as bc_fails
from theory.bounds.r5_sharp_failures import r5_max_demos

# %% [markdown]
"""## Two machines, one demonstrator.

There are two machines with three buttons each. On the first, only button 2 pays (1 coin); on the second, only button
3. The demonstrator does not know which machine it has. It presses button 1 most of the time, and buttons 2 and 3 with
probability 2 eps each. Here eps = 1/40.
"""

# %%
EPSILON = 1 / 40
N_DEMOS = 5
first, second = two_bandits(EPSILON)
print("the demonstrator presses:", first.demonstrator[0, 0])
print(
    "its average pay: ", first.demonstrator_value, "on the first machine,", second.demonstrator_value, "on the second"
)

# %% [markdown]
"""## Record five presses.

We draw ten such recordings. Each line shows the counts of the three buttons, and the policy that BC learns from them.
"""

# %%
rng = np.random.default_rng(1)
for _ in range(10):
    counts = sample_counts(first.mdp, first.demonstrator, N_DEMOS, rng)
    print(counts.counts[0, 0], "-> BC presses", BC.policy(counts)[0, 0])

# %% [markdown]
"""**Question 1.** In what share of such recordings do buttons 2 *and* 3 not occur at all? What is BC's pay then?
"""

# %% [markdown]
"""**Answer 1.** Each press is button 1 with probability 1 - 4 eps, so the share is (1 - 4 eps)^T: about 59 %. BC then
always presses button 1 and earns nothing, on either machine. It is 2 eps worse than the demonstrator.
"""

# %%
missed = bc_fails.unseen_arms_probability(N_DEMOS, EPSILON)
print(f"exactly {missed:.3f}")
assert abs(missed - (1 - 4 * EPSILON) ** N_DEMOS) < 1e-12

draws = [sample_counts(first.mdp, first.demonstrator, N_DEMOS, rng) for _ in range(2000)]
unlucky = [counts for counts in draws if not counts.counts[0, 0, 1:].any()]
print(f"in 2000 recordings: {len(unlucky) / 2000:.3f}")
clone = BC.policy(unlucky[0])
print("BC's loss:", dp.suboptimality(first.mdp, first.demonstrator, clone), " its coverage:", end=" ")
print(coverage(clone, first.demonstrator))
assert coverage(clone, first.demonstrator) == 0


def draw_missed(figure: Figure) -> None:
    """Draw the probability that both paying buttons are missing, against the number of recorded presses."""
    axes = figure.subplots()
    presses = np.arange(1, 61)
    axes.plot(
        presses, [bc_fails.unseen_arms_probability(int(T), EPSILON) for T in presses], color=palette.colour("BC"), lw=2
    )
    axes.axvspan(0, r5_max_demos(EPSILON), color="#DDDDDD", lw=0)
    axes.text(0.3, 0.05, "T ≤ 1/(8 eps):\nmore likely\nthan not", fontsize=7)
    axes.set(xlabel="recorded presses T", ylabel="both paying buttons missing", ylim=(0, 1), xlim=(0, 60))


show("lesson_1_missed", draw_missed)

# %% [markdown]
"""## Now improve the copy by trial and error.

We let BC play as often as we like, look at what it earned, and then choose a better policy. On the machine where
button 2 pays the right answer is "always 2", on the other it is "always 3".

**Question 2.** After a million rounds of BC's play (in the unlucky case above), how well can the best possible
learner do on the worse of the two machines?
"""

# %% [markdown]
"""**Answer 2.** BC never presses 2 or 3, so the million rounds look the same on both machines: a million times button
1, no pay. The learner cannot tell the machines apart. Whatever it does then, it presses the wrong button at least
half of the time on one of them. It loses 1/2, and no amount of play helps. *A policy that gives an action
probability 0 cannot teach us about it.*
"""

# %%
print("loss of the best learner on the worse machine:", bc_fails.minimax_loss())
assert bc_fails.minimax_loss() == 0.5

# %% [markdown]
"""## Model what you do not know.

After five presses of button 1 we should not believe that 2 and 3 are impossible: five presses are little evidence.
Bayes' rule with a flat prior adds one imaginary press of each button. The result is the *posterior* demonstrator.
PostBC mixes it with BC.
"""

# %%
copy = postbc(alpha=0.5, prior_mass=3.0)
counts = unlucky[0]
print("BC    ", BC.policy(counts)[0, 0])
print("PostBC", copy.policy(counts)[0, 0])
share = copy.policy(counts)[0, 0, 1]


def draw_learning(figure: Figure) -> None:
    """Draw the smallest possible loss on the worse machine against rounds of play."""
    axes = figure.subplots()
    rounds = np.arange(0, 101)
    axes.plot(rounds, np.full(rounds.size, 0.5), color=palette.colour("BC"), lw=2)
    axes.plot(rounds, 0.5 * (1 - 2 * share) ** rounds, color=palette.colour("PostBC"), lw=2)
    axes.text(60, 0.46, "from BC's play", color=palette.colour("BC"))
    axes.text(25, 0.1, "from PostBC's play", color=palette.colour("PostBC"))
    axes.set(xlabel="rounds of play", ylabel="smallest possible loss\non the worse machine", ylim=(0, 0.55))


show("lesson_1_learning", draw_learning)

# %% [markdown]
"""**Question 3.** Why not simply record more? How many presses must be recorded before BC has, with probability 0.95,
at least one press of a button of probability 2 eps = 0.05? And of one of probability 0.001?
"""

# %% [markdown]
"""**Answer 3.** The button is missing with probability (1 - p)^T, so T must be about 3/p: 59 presses, and 2995 for the
rarer one. In a process of many states it is worse: what counts are the visits to the *state*, so a state that is
met in one of a hundred demonstrations needs a hundred times as many. `python -m tabular plan` computes this.
"""

# %%
for p, occupancy in ((0.05, 1.0), (0.001, 1.0), (0.05, 0.01)):
    needed = RecordingPlan(
        occupancy=occupancy, probability=p, n_actions=3, estimator=BC, level=1e-9
    ).demonstrations_needed(delta=0.05)
    print(f"p = {p} in a state of occupancy {occupancy}: {needed} demonstrations")
    assert needed == np.ceil(np.log(0.05) / np.log1p(-p * occupancy))
