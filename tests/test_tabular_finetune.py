"""Finetuning: gradients against differences, laws of what a learner may do, and the plateau that none exceeds."""

from fractions import Fraction
from itertools import product

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tabular import dp
from tabular.constructions import two_bandits
from tabular.finetune import (
    PPO,
    BestOfNLearner,
    NaturalPolicyGradient,
    OptimisticValueIteration,
    PolicyGradient,
    finetune,
    natural_gradient,
    policy_gradient,
    sampled_gradient,
    softmax_step,
    support_optimum,
)
from tabular.instances import chain_lock, garnet
from tabular.kernels import finetuning
from tabular.mdp import FiniteHorizonMDP
from tabular.strategies import mdps, policies

LEARNERS = [
    PolicyGradient(0.5, batch=2),
    PolicyGradient(0.5, batch=2, exact_critic=True),
    NaturalPolicyGradient(0.5, batch=2),
    PPO(0.5, batch=2, epochs=3),
    BestOfNLearner(3, 1),
    OptimisticValueIteration(0.1, batch=2),
]
SOFTMAX = LEARNERS[:4]


def with_policy(**sizes):
    return mdps(**sizes).flatmap(lambda mdp: st.tuples(st.just(mdp), policies(mdp)))


def lock(horizon=3):
    return chain_lock(horizon, 2, 0.5)


def without_rare(policy, least):
    """The policy without its actions of smaller probability."""
    policy = np.where(policy < least, 0.0, policy)
    policy = np.where(policy.sum(axis=2, keepdims=True) == 0, 1 / policy.shape[2], policy)
    return policy / policy.sum(axis=2, keepdims=True)


def uniform(mdp):
    return np.full(mdp.policy_shape, 1 / mdp.policy_shape[2])


# --- exact quantities -------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(with_policy())
def test_the_support_optimum_lies_between_the_policy_and_the_optimum(drawn):
    mdp, policy = drawn
    plateau = support_optimum(mdp, policy)
    assert dp.expected_return(mdp, policy) <= plateau + 1e-12
    assert plateau <= dp.optimal_return(mdp) + 1e-12
    assert support_optimum(mdp, uniform(mdp)) == pytest.approx(dp.optimal_return(mdp), abs=1e-12)
    greedy = np.zeros(mdp.policy_shape)
    np.put_along_axis(greedy, policy.argmax(axis=2)[..., None], 1.0, axis=2)
    assert support_optimum(mdp, greedy) == pytest.approx(dp.expected_return(mdp, greedy), abs=1e-12)
    assert support_optimum(mdp, greedy) <= plateau + 1e-12


def test_the_natural_gradient_converges_to_the_support_optimum():
    mdp = lock().mdp
    rng = np.random.default_rng(5)
    for _ in range(20):
        start = rng.dirichlet(np.ones(mdp.policy_shape[2]), mdp.policy_shape[:2])
        start[rng.random(mdp.policy_shape[:2]) < 0.4] = np.eye(mdp.policy_shape[2])[0]
        policy = start
        for _ in range(60):
            policy = softmax_step(policy, natural_gradient(mdp, policy), 20.0)
        assert dp.expected_return(mdp, policy) == pytest.approx(support_optimum(mdp, start), abs=1e-6)


@settings(deadline=None)
@given(with_policy())
def test_the_return_of_the_learners_is_that_of_the_solver(drawn):
    mdp, policy = drawn
    found = finetuning.expected_return(*mdp.table, mdp.reward, mdp.initial, policy)
    assert_allclose(found, dp.expected_return(mdp, policy), rtol=1e-12, atol=1e-13)


@settings(deadline=None, max_examples=30)
@given(mdps(), st.integers(0, 2**32))
def test_the_gradient_is_that_of_finite_differences(mdp, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=mdp.policy_shape)
    policy = softmax_step(uniform(mdp), logits, 1.0)
    gradient = policy_gradient(mdp, policy)
    for cell in list(np.ndindex(mdp.policy_shape))[:12]:
        towards = np.zeros(mdp.policy_shape)
        towards[cell] = 1.0
        up, down = (dp.expected_return(mdp, softmax_step(policy, towards, size)) for size in (1e-5, -1e-5))
        assert gradient[cell] == pytest.approx((up - down) / 2e-5, abs=1e-8)


@settings(deadline=None, max_examples=30)
@given(with_policy(max_horizon=2, max_states=2))
def test_the_gradient_is_that_of_the_sum_over_all_trajectories(drawn):
    """The gradient of J = sum P(path) R(path) is sum P(path) R(path) sum_h grad log pi_h(a|s), in fractions."""
    mdp, policy = drawn
    model, pi = oracles.process_of(mdp), oracles.exact(policy.tolist())
    truth = [[[Fraction(0) for _ in row] for row in step] for step in pi]
    for chance, path in oracles.trajectories(model, pi):
        paid = sum(model.reward[h][s][a] for h, (s, a) in enumerate(path))
        for h, (s, a) in enumerate(path):
            for b, p in enumerate(pi[h][s]):
                truth[h][s][b] += chance * paid * ((a == b) - p)
    found = policy_gradient(mdp, policy)
    assert_allclose(found, np.array(truth, dtype=float), rtol=0, atol=1e-12)


@settings(deadline=None)
@given(with_policy(), st.floats(0.01, 20))
def test_a_natural_step_multiplies_by_the_exponential_of_the_action_value_and_never_loses(drawn, step):
    mdp, policy = drawn
    values = dp.evaluate_policy(mdp, policy).action_value
    closed = policy * np.exp(step * (values - values.max(axis=2, keepdims=True)))
    closed /= closed.sum(axis=2, keepdims=True)
    moved = softmax_step(policy, natural_gradient(mdp, policy), step)
    assert_allclose(moved, closed, rtol=1e-9, atol=1e-12)
    assert dp.expected_return(mdp, moved) >= dp.expected_return(mdp, policy) - 1e-12


@pytest.mark.parametrize("instance", [*two_bandits(0.1), lock(2), garnet(3, 3, 2, 3, np.random.default_rng(6))])
def test_exact_policy_gradient_from_full_support_converges_to_the_optimum(instance):
    policy = uniform(instance.mdp)
    for _ in range(2000):
        policy = softmax_step(policy, policy_gradient(instance.mdp, policy), 5.0)
    assert dp.expected_return(instance.mdp, policy) >= dp.optimal_return(instance.mdp) - 2e-3


def test_the_sampled_gradient_is_the_exact_one_on_average():
    """Hoeffding over (h, s, a): each episode's entry lies within 2H, so a false alarm is rarer than 1e-6."""
    mdp = lock(2).mdp
    policy, n = uniform(mdp), 4000
    H, truth = mdp.policy_shape[0], policy_gradient(mdp, policy)
    allowed = 2 * H * np.sqrt(np.log(2 * truth.size / 1e-6) / (2 * n))
    rng = np.random.default_rng(8)
    for critic in (np.zeros(mdp.policy_shape[:2]), dp.evaluate_policy(mdp, policy).value[:-1]):
        found = sampled_gradient(mdp, policy, critic, n, rng)
        assert np.abs(found - truth).max() <= allowed
        assert_allclose(found.sum(axis=2), 0.0, atol=1e-12)
    assert_allclose(_gradient_of_one_episode(mdp, policy), 0.0, atol=1e-12)


def _gradient_of_one_episode(mdp, policy):
    """Of the episode that always plays action 0: estimate minus the sum of scores, by hand."""
    H, S, A = mdp.policy_shape
    states, actions = np.zeros((1, H), np.int64), np.zeros((1, H), np.int64)
    out = np.zeros((H, S, A))
    finetuning.gradient_direction(states, actions, np.full((1, H), 3.0), policy, np.ones((H, S)), out)
    for h in range(H):
        out[h, 0] -= 2.0 * (np.eye(A)[0] - policy[h, 0])
    return out


# --- what a learner may do --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda one: type(one).__name__)
@settings(deadline=None, max_examples=25)
@given(drawn=with_policy(), seed=st.integers(0, 2**32))
def test_a_learner_stays_within_the_support_and_below_the_support_optimum(learner, drawn, seed):
    mdp, policy = drawn
    policy = without_rare(policy, 0.2)
    result = finetune(mdp, policy, learner, [0, 3, 8], np.random.default_rng(seed))
    assert result.visits[policy == 0].sum() == 0
    assert (result.policy[policy == 0] == 0).all()
    assert result.visits.sum() == 8 * mdp.policy_shape[0]
    assert (result.returns <= support_optimum(mdp, policy) + 1e-12).all()
    assert result.returns[-1] == pytest.approx(dp.expected_return(mdp, result.policy), abs=1e-12)
    if learner in SOFTMAX:
        assert result.returns[0] == pytest.approx(dp.expected_return(mdp, policy), abs=1e-12)
    again = finetune(mdp, policy, learner, [8], np.random.default_rng(seed))
    assert np.array_equal(again.policy, result.policy)
    assert np.array_equal(again.visits, result.visits)


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda one: type(one).__name__)
@settings(deadline=None, max_examples=25)
@given(drawn=with_policy(), seed=st.integers(0, 2**32))
def test_changing_the_process_outside_the_support_changes_no_learner(learner, drawn, seed):
    """Bitwise: a learner never evaluates an action outside its own data, and neither does the reported return."""
    mdp, policy = drawn
    policy = without_rare(policy, 0.3)
    H, S, A = policy.shape
    rng, never = np.random.default_rng(seed), policy == 0
    dense = np.zeros((H, S, A, S))
    np.add.at(dense, (*np.ogrid[:H, :S, :A, :1][:3], np.broadcast_to(mdp.successors, (H, *mdp.successors.shape[1:]))),
              np.broadcast_to(mdp.probabilities, (H, *mdp.probabilities.shape[1:])))  # fmt: skip
    other = np.where(never[..., None], np.eye(S)[rng.integers(S, size=(H, S, A))], dense)
    reward = np.broadcast_to(mdp.reward, (H, S, A))
    changed = np.where(never, rng.random((H, S, A)), reward)
    first, second = (
        finetune(
            FiniteHorizonMDP.from_dense(table, paid, mdp.initial, H), policy, learner, [0, 5, 8],
            np.random.default_rng(seed),
        )
        for table, paid in ((dense, reward), (other, changed))
    )  # fmt: skip
    assert np.array_equal(first.visits, second.visits)
    assert np.array_equal(first.policy, second.policy)
    assert np.array_equal(first.returns, second.returns)


def test_behavioral_cloning_that_missed_the_best_action_never_finds_it():
    """B.1: the plateau of the action that BC has is below J*, whatever the learner, and a little noise lifts it."""
    mdp = two_bandits(0.1)[0].mdp
    best = int(dp.backward_induction(mdp).action_value[0, 0].argmax())
    missed = uniform(mdp)
    missed[..., best] = 0.0
    missed /= missed.sum(axis=2, keepdims=True)
    assert support_optimum(mdp, missed) < dp.optimal_return(mdp) - 1e-3
    for learner in LEARNERS:
        late = finetune(mdp, missed, learner, [2000], np.random.default_rng(1)).returns[-1]
        assert late <= support_optimum(mdp, missed) + 1e-12
    for learner in (NaturalPolicyGradient(0.1), OptimisticValueIteration(0.1), PPO(0.1)):
        late = finetune(mdp, uniform(mdp), learner, [2000], np.random.default_rng(1)).returns[-1]
        assert late > support_optimum(mdp, missed)


def test_best_of_three_opens_a_lock_where_each_of_three_draws_holds_the_key():
    mdp = lock().mdp
    found = finetune(mdp, uniform(mdp), BestOfNLearner(3, 1), [1500], np.random.default_rng(2)).returns[-1]
    assert found == pytest.approx((7 / 8) ** 3, abs=1e-12)  # of two actions, three draws hold the right one


@pytest.mark.parametrize(
    "learner", [*LEARNERS[2:4], BestOfNLearner(16, 1), LEARNERS[5]], ids=lambda one: type(one).__name__
)
def test_each_learner_opens_a_lock_of_three_steps(learner):
    mdp = lock().mdp
    assert finetune(mdp, uniform(mdp), learner, [1500], np.random.default_rng(2)).returns[-1] >= 0.8


def test_one_epoch_of_ppo_is_the_policy_gradient():
    mdp = lock().mdp
    one, two = (
        finetune(mdp, uniform(mdp), learner, [40], np.random.default_rng(3)).policy
        for learner in (PPO(0.3, batch=4, epochs=1), PolicyGradient(0.3, batch=4))
    )
    assert np.array_equal(one, two)


def test_ppo_takes_no_more_steps_once_the_ratio_is_beyond_the_clip():
    mdp = two_bandits(0.1)[0].mdp
    near, far, wide = (
        finetune(mdp, uniform(mdp), PPO(0.05, 20, epochs=epochs, clip=clip), [20], np.random.default_rng(4)).policy
        for epochs, clip in ((200, 0.2), (2000, 0.2), (2000, 0.8))
    )
    assert np.array_equal(near, far)  # beyond the clip the gradient is exactly zero
    assert 1.2 <= (far / uniform(mdp)).max() < 1.25
    assert (wide / uniform(mdp)).max() >= 1.8


def test_a_clipped_batch_moves_along_the_gradient_of_the_clipped_objective():
    """Four samples of one state: of each sign of the advantage, one ratio beyond the clip and one within."""
    old, now, clip = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.55, 0.15, 0.21, 0.09]), 0.2
    actions, advantages = np.array([0, 1, 2, 3]), np.array([1.0, -2.0, 3.0, -0.5])
    states, played = np.zeros((4, 1), np.int64), actions[:, None]
    found = np.zeros((1, 1, 4))
    finetuning._proximal_direction(
        states, played, advantages[:, None] + 7.0, now[None, None], old[:, None], clip, np.full((1, 1), 7.0), found
    )

    def objective(logits):
        ratio = (np.exp(logits) / np.exp(logits).sum())[actions] / old
        return np.minimum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages).mean()

    slopes = [(objective(np.log(now) + e) - objective(np.log(now) - e)) / 2e-6 for e in 1e-6 * np.eye(4)]
    assert_allclose(found[0, 0], slopes, atol=1e-8)
    # By hand: the first two are clipped; the others give (ratio * advantage / 4) (unit vector - policy).
    by_hand = 1.05 * 3.0 / 4 * (np.eye(4)[2] - now) + 0.9 * -0.5 / 4 * (np.eye(4)[3] - now)
    assert_allclose(found[0, 0], by_hand, atol=1e-12)


def test_an_exact_critic_changes_the_path_and_not_the_start():
    mdp = lock().mdp
    with_critic, without = (
        finetune(mdp, uniform(mdp), PolicyGradient(0.5, exact_critic=exact), [0, 50], np.random.default_rng(5)).returns
        for exact in (True, False)
    )
    assert with_critic[0] == without[0]
    assert with_critic[1] != without[1]


# --- best of N --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=4),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_the_law_of_best_of_n_is_that_of_all_draws(rows, n_candidates, least):
    weights = [w for w, _, _ in rows]
    if not sum(weights):
        weights = [1] * len(rows)
    chances = [Fraction(w, sum(weights)) for w in weights]
    numbers = [n if w else 0 for (_, n, _), w in zip(rows, weights, strict=True)]  # what has no chance is not played
    totals = [float(total) if n else 0.0 for n, (_, _, total) in zip(numbers, rows, strict=True)]
    truth = [Fraction(0)] * len(rows)
    for draw in product(range(len(rows)), repeat=n_candidates):
        chance = Fraction(1)
        for a in draw:
            chance *= chances[a]
        judged = [a for a in draw if numbers[a] >= least]
        best = min(judged, key=lambda a: (-Fraction(totals[a]) / numbers[a], a)) if judged else draw[0]
        truth[best] += chance
    pretrained = np.array([[[float(p) for p in chances]]])
    out = np.empty(pretrained.shape)
    total, number = np.array([[totals]]), np.array([[numbers]], dtype=np.int64)
    finetuning.best_of_n(pretrained, total, number, least, n_candidates, out)
    assert_allclose(out[0, 0], [float(p) for p in truth], rtol=0, atol=1e-12)


def test_a_draw_never_falls_beyond_a_row():
    assert finetuning._draw(np.random.default_rng(0), np.array([0.0, 1e-12, 0.0])) == 1


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: PolicyGradient(0.0), "step"),
        (lambda: PolicyGradient(np.nan), "step"),
        (lambda: PolicyGradient(1.0, batch=0), "batch"),
        (lambda: PolicyGradient(1.0, critic_rate=1.5), "critic_rate"),
        (lambda: PolicyGradient(1.0, exact_critic=2), "exact_critic"),
        (lambda: PPO(1.0, epochs=0), "epochs"),
        (lambda: PPO(1.0, clip=1.0), "clip"),
        (lambda: BestOfNLearner(0, 1), "n_candidates"),
        (lambda: BestOfNLearner(1, 0), "n_rollouts"),
        (lambda: OptimisticValueIteration(-1.0), "bonus"),
    ],
)
def test_a_learner_out_of_range_is_refused(make, name):
    with pytest.raises((TypeError, ValueError), match=name):
        make()


@pytest.mark.parametrize("checkpoints", [[], [3, 2], [2, 2], [-1, 2], [0.5], [[1]]])
def test_checkpoints_must_increase_from_zero(checkpoints):
    mdp = lock().mdp
    with pytest.raises((TypeError, ValueError), match="checkpoints"):
        finetune(mdp, uniform(mdp), LEARNERS[0], checkpoints, np.random.default_rng(0))


def test_bad_policies_learners_and_generators_are_refused():
    mdp = lock().mdp
    with pytest.raises(ValueError, match="policy"):
        finetune(mdp, uniform(mdp)[:1], LEARNERS[0], [1], np.random.default_rng(0))
    with pytest.raises(TypeError, match="learner"):
        finetune(mdp, uniform(mdp), "PPO", [1], np.random.default_rng(0))
    with pytest.raises(TypeError, match="rng"):
        finetune(mdp, uniform(mdp), LEARNERS[0], [1], 0)
    with pytest.raises(ValueError, match="direction"):
        softmax_step(uniform(mdp), np.zeros((1, 1, 1)), 1.0)
    with pytest.raises(ValueError, match="n_episodes"):
        sampled_gradient(mdp, uniform(mdp), np.zeros(mdp.policy_shape[:2]), 0, np.random.default_rng(0))
