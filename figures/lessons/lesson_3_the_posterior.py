# %% [markdown]
"""# Lesson 3. The posterior, from coin tosses to ensembles.

*Ten minutes. You need: lesson 1.*

PostBC adds noise "where we do not know what the demonstrator does". What we know after seeing some data is called the
*posterior*. This lesson builds it three times: for a coin, for an action that is a number, and for a neural network,
where an ensemble approximates it.
"""

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "paper_repro.py").exists())))

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from continuous.covariances import sample_covariance
from continuous.ensembles import Recipe, fit_members
from continuous.training import Training
from figures.lessons._show import show
from figures.look import palette
from tabular.counts import Counts
from tabular.policies import BC, posterior
from theory.bounds import c_gaussian as gaussian

rng = np.random.default_rng(3)

# %% [markdown]
"""## A demonstrator with a coin.

In some state the demonstrator goes left with probability p and right otherwise. We do not know p; before seeing
anything, every p is as plausible as any other (the flat prior). Then we see it go left five times in a row.

**Question 1.** What is the probability that it goes right the next time? BC says 0. What do you say?
"""

# %% [markdown]
"""**Answer 1.** 1/7. The rule (Laplace's): add one imaginary case of each kind, so (0 + 1)/(5 + 2). To see that it is
no trick, draw many demonstrators with p at random, let each toss five times, and keep only those that went left five
times. Then look at what *these* do next.
"""

# %%
p = rng.random(400_000)
kept = p[rng.binomial(5, p) == 5]
next_right = rng.random(kept.size) > kept
low, high = stats.binomtest(int(next_right.sum()), kept.size).proportion_ci(1 - 1e-6)
print(
    f"of {kept.size} demonstrators that went left five times, {next_right.mean():.4f} go right next; 1/7 = {1 / 7:.4f}"
)
assert low <= 1 / 7 <= high

seen = Counts(np.array([[[5, 0]]]))
print("BC", BC.policy(seen)[0, 0], " posterior, lambda = A = 2", posterior(2.0).policy(seen)[0, 0].round(4))


def draw_coin(figure: Figure) -> None:
    """Draw the posterior density of p after the demonstrator went left every time."""
    axes = figure.subplots()
    grid = np.linspace(0, 1, 401)
    for n, shade in ((0, 0.35), (2, 0.6), (5, 0.8), (20, 1.0)):
        axes.plot(grid, stats.beta.pdf(grid, n + 1, 1), color=palette.colour("posterior"), alpha=shade, lw=1.8)
    axes.text(0.02, 1.1, "nothing seen")
    axes.text(0.31, 0.5, "2 times left", ha="right")
    axes.text(0.65, 0.4, "5 times left")
    axes.text(0.905, 4.5, "20 times left", ha="right")
    axes.set(xlabel="p, the probability of going left", ylabel="posterior density", ylim=(0, 6.4), xlim=(0, 1))


show("lesson_3_coin", draw_coin)

# %% [markdown]
"""## More actions, and a weight for the prior.

With A actions, add lambda/A imaginary cases of each: lambda = A is one each. The result is a mixture of BC and the
uniform distribution, whose weight is lambda/(n + lambda) after n visits of the state.

**Question 2.** With lambda = 4, what is the weight of the uniform distribution in a state with 1, 4 and 400 visits?
What does this have to do with "noise where the data are few"?
"""

# %% [markdown]
"""**Answer 2.** 4/5, 1/2 and about 1/100. The noise is not placed by hand: it reflects what we do not know, and
where much was seen that is little. (Lesson 2 shows what happens with the same noise everywhere.)
"""

# %%
weights = posterior(4.0).noise_weight([1, 4, 400])
print("weight of the uniform distribution:", weights.round(4))
assert np.allclose(weights, [4 / 5, 1 / 2, 4 / 404])

# %% [markdown]
"""## An action that is a number.

A robot's action is a number, such as a force. The demonstrator intends mu, and we record mu plus Gaussian noise of
deviation 1. Before seeing anything, mu is Gaussian around 0 with deviation 2. After T recordings the posterior of mu
is Gaussian again, and its variance is 1/(1/4 + T).

Here is another way to the same distribution. Add fresh noise to every recording, draw a number from the prior, and fit
mu by least squares to the noisy recordings and that number. Repeat this many times.

**Question 3.** Why should fitting to *worse* data tell us anything?
"""

# %% [markdown]
"""**Answer 3.** The fit answers "what would I believe if the noise had been different?" The spread of the answers is
exactly the posterior's (Lemma 7 of the paper): the fit is a linear function of Gaussian noise, with the posterior's
mean, and the same variance. With much data the noise averages out, and the answers agree.
"""

# %%
noise_variance, prior_variance = np.eye(1), 4 * np.eye(1)
recorded = np.array([[0.9], [2.3], [1.4]])
mean, covariance = gaussian.gaussian_posterior(recorded, noise_variance, prior_variance)
draws = np.array(
    [
        gaussian.perturbed_estimate(
            recorded + rng.standard_normal(recorded.shape), 2 * rng.standard_normal(1), noise_variance, prior_variance
        )[0]
        for _ in range(4000)
    ]
)
print(f"exact: mean {mean[0]:.3f}, deviation {covariance[0, 0] ** 0.5:.3f}")
print(f"4000 fits to perturbed data: mean {draws.mean():.3f}, deviation {draws.std():.3f}")
fit_is_posterior = stats.kstest(draws, stats.norm(mean[0], covariance[0, 0] ** 0.5).cdf)
assert fit_is_posterior.pvalue > 1e-6


def draw_gaussian(figure: Figure) -> None:
    """Draw the fits to perturbed data with the exact posterior."""
    axes = figure.subplots()
    grid = np.linspace(-1, 4, 301)
    axes.hist(draws, bins=50, density=True, color="#CCCCCC")
    axes.plot(grid, stats.norm.pdf(grid, mean[0], covariance[0, 0] ** 0.5), color=palette.colour("posterior"), lw=2)
    axes.plot(recorded[:, 0], np.full(3, 0.02), "k|", ms=12, clip_on=False)
    axes.text(2.55, 0.5, "exact posterior", color=palette.colour("posterior"))
    axes.text(-0.9, 0.3, "fits to\nperturbed data", color="#666666")
    axes.text(2.35, 0.03, "recorded", fontsize=8)
    axes.set(xlabel="mean action", ylabel="density", xlim=(-1, 4))


show("lesson_3_gaussian", draw_gaussian)

# %% [markdown]
"""## A neural network.

Now the action depends on an observation x, and a network is fitted to it. Its posterior has no formula. But the recipe
of Answer 3 still works: fit several networks, each to a different version of the data, and measure how much they
differ. A version is perturbed, or drawn again with replacement (the bootstrap), whole demonstrations at a time. The
paper found the latter better.

There are sixteen demonstrations: fourteen on the left, two on the right, none in between.
"""

# %%
starts = np.concatenate([rng.normal(-1.0, 0.5, 14), rng.normal(1.4, 0.15, 2)])
inputs = (starts[:, None] + 0.1 * np.arange(4)).reshape(-1, 1)
targets = np.sin(2 * inputs) + 0.2 * rng.standard_normal(inputs.shape)
ends = 4 * np.arange(1, 17)
grid = np.linspace(-2.5, 2.5, 101)[:, None]
spread, middle = {}, {}
for version in ("trajectory", "noise"):
    recipe = Recipe(
        n_members=20,
        version=version,
        hidden=(32, 32),
        training=Training(n_steps=600, batch=64, rate=3e-3),
        noise=0.2,
    )
    network, members = fit_members(inputs, targets, ends, recipe, np.random.SeedSequence(1))
    answers = np.stack([network.forward(member, grid) for member in members]).astype(float)
    middle[version] = answers.mean(axis=0)[:, 0]
    spread[version] = np.sqrt(sample_covariance(answers)[:, 0, 0])


def draw_ensembles(figure: Figure) -> None:
    """Draw mean and spread of each ensemble, with the data."""
    titles = {"trajectory": "demonstrations drawn again", "noise": "perturbed targets"}
    for axes, (version, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        low, high = middle[version] - 2 * spread[version], middle[version] + 2 * spread[version]
        axes.fill_between(grid[:, 0], low, high, color=palette.colour("posterior"), alpha=0.35, lw=0)
        axes.plot(grid[:, 0], middle[version], color=palette.colour("PostBC"))
        axes.plot(inputs[:, 0], targets[:, 0], "k.", ms=3)
        axes.set(title=title, xlabel="observation x", ylim=(-3, 3))
    figure.axes[0].set_ylabel("action")


show("lesson_3_ensembles", draw_ensembles, width=6.0)
nearest = {x: int(np.argmin(np.abs(grid[:, 0] - x))) for x in (-1.0, 0.6, 1.4)}
for version in spread:
    print(f"{version:10s} spread of 20 networks:", {x: round(float(spread[version][i]), 2) for x, i in nearest.items()})
    assert spread[version][nearest[-1.0]] < spread[version][nearest[1.4]]

# %% [markdown]
"""**Question 4.** The bands show two deviations of the 20 networks. Where are they wide? Are these posteriors?
"""

# %% [markdown]
"""**Answer 4.** Narrow on the left with its fourteen demonstrations, wide on the right with two and where there are
none: that is the paper's claim E4. But neither is *the* posterior. The two ensembles differ most exactly where there
are few data: what networks do between and beyond the data depends on how they start, on how long they are trained, and
on the prior that was chosen. An ensemble tells well where to be careful, but its scale has to be tuned: that is
the alpha of the practical method, which plays the demonstrator's action plus alpha times noise of this spread.
"""

# %%
x = 1.4
noise = spread["trajectory"][nearest[x]]
played = np.sin(2 * x) + 1.0 * noise * rng.standard_normal(5)
print(f"PostBC's targets at x = {x}, alpha = 1: the recorded action {np.sin(2 * x):.2f} plus noise:", played.round(2))
