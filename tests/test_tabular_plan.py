"""The plan: exact probabilities against fractions, the number against a scan, closed forms."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabular.exact_coverage import action_coverage_probability
from tabular.first_recording import demonstrations_until_recorded
from tabular.plan import ANY_POSITIVE, BeyondSearch, RecordingPlan
from tabular.policies import BC, MixtureEstimator, log_choice, posterior, uniform_noise
from theory.bounds.r3_coverage import r3_coverage

ESTIMATORS = [BC, posterior(4), MixtureEstimator(0.25, 2.0), uniform_noise(0.125)]


def enumerated(more, w, p, n_actions, estimator, level, visits, recorded):
    """The same probability as a double sum of fractions."""
    w, p, alpha, level = (Fraction(x) for x in (w, p, estimator.alpha, level))
    total = Fraction(0)
    for m in range(more + 1):
        n = visits + m
        for k in range(m + 1):
            K = recorded + k
            if n == 0:
                weight = Fraction(1)
            elif math.isinf(estimator.prior_mass):
                weight = alpha
            else:
                mass = Fraction(estimator.prior_mass)
                weight = alpha * mass / (n + mass)
            given_action = (1 - weight) * Fraction(K, max(n, 1)) + weight / n_actions
            if given_action >= level * p:
                total += math.comb(more, m) * w**m * (1 - w) ** (more - m) * math.comb(m, k) * p**k * (1 - p) ** (m - k)
    return float(total)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("level", [0.125, 0.5, 1.0])
@pytest.mark.parametrize(("visits", "recorded"), [(0, 0), (3, 0), (5, 2)])
def test_the_coverage_probability_of_a_plan_is_that_of_enumeration(estimator, level, visits, recorded):
    for more in (0, 1, 2, 7):
        plan = RecordingPlan(
            occupancy=0.375,
            probability=0.25,
            n_actions=3,
            estimator=estimator,
            level=level,
            visits=visits,
            recorded=recorded,
        )
        exact = enumerated(more, 0.375, 0.25, 3, estimator, level, visits, recorded)
        assert plan.coverage_probability(more) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_without_visits_a_plan_has_the_coverage_probability_of_one_action_of_one_cell(estimator):
    for more in (1, 30, 1000):
        found = RecordingPlan(
            occupancy=0.1, probability=0.3, n_actions=5, estimator=estimator, level=0.4
        ).coverage_probability(more)
        assert found == pytest.approx(action_coverage_probability(more, 0.1, 0.3, 5, estimator, 0.4), abs=1e-11)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("level", [ANY_POSITIVE, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("visits", [0, 4])
def test_the_number_of_demonstrations_needed_is_one_more_than_the_last_that_fails(estimator, level, visits):
    plan = RecordingPlan(occupancy=0.5, probability=0.3, n_actions=4, estimator=estimator, level=level, visits=visits)
    failures = [T for T in range(400) if plan.coverage_probability(T) < 0.9 - 1e-13]
    assert plan.demonstrations_needed(0.1) == (failures[-1] + 1 if failures else 0)


@given(st.floats(0.05, 1), st.floats(0.05, 1), st.sampled_from(ESTIMATORS), st.floats(0.05, 0.7), st.integers(0, 6))
@example(1.0, 1.0, BC, 0.5, 0)
def test_an_action_is_covered_from_the_number_of_demonstrations_needed_on(w, p, estimator, level, visits):
    plan = RecordingPlan(occupancy=w, probability=p, n_actions=4, estimator=estimator, level=level, visits=visits)
    needed = plan.demonstrations_needed(0.1)
    if needed is None:
        assert plan.coverage_probability(3000) < 1 - 1e-6
        return
    assert all(plan.coverage_probability(needed + more) >= 0.9 - 1e-12 for more in (0, 1, 2, 5, 50))
    assert needed == 0 or plan.coverage_probability(needed - 1) < 0.9 + 1e-12


def test_bc_needs_one_recording_of_the_action_in_a_visited_state():
    for w, p, delta in ((0.01, 0.1, 0.05), (0.3, 0.02, 0.5)):
        closed = math.ceil(math.log(delta) / math.log1p(-w * p))
        assert (
            RecordingPlan(
                occupancy=w, probability=p, n_actions=10, estimator=BC, level=ANY_POSITIVE, visits=3
            ).demonstrations_needed(delta)
            == closed
        )
    # In a state without visits BC is uniform until the first: the same number, where that no longer matters.
    assert (
        RecordingPlan(
            occupancy=0.01, probability=0.1, n_actions=10, estimator=BC, level=ANY_POSITIVE
        ).demonstrations_needed(0.05)
        == 2995
    )


def test_no_more_demonstrations_are_needed_for_the_coverage_of_r3():
    estimator = log_choice(1, 4, 1, 0.1)
    promised = r3_coverage(1, 4, 1, 0.1, 1.0, estimator.prior_mass)
    for w in (0.001, 0.1, 1.0):
        assert (
            RecordingPlan(
                occupancy=w, probability=0.2, n_actions=4, estimator=estimator, level=promised
            ).demonstrations_needed(0.1)
            == 0
        )


def test_a_plan_is_none_where_the_action_is_never_covered():
    assert (
        RecordingPlan(occupancy=0.5, probability=0.5, n_actions=4, estimator=BC, level=1.0).demonstrations_needed(0.1)
        is None
    )
    assert (
        RecordingPlan(
            occupancy=0.5, probability=0.5, n_actions=4, estimator=uniform_noise(0.5), level=0.9
        ).demonstrations_needed(0.1)
        is None
    )


@pytest.mark.parametrize("visits", [0, 3])
def test_pure_uniform_noise_covers_always_or_never(visits):
    assert (
        RecordingPlan(
            occupancy=0.5, probability=0.5, n_actions=4, estimator=uniform_noise(1.0), level=0.9, visits=visits
        ).demonstrations_needed(0.1)
        is None
    )
    assert (
        RecordingPlan(
            occupancy=0.5, probability=0.5, n_actions=4, estimator=uniform_noise(1.0), level=0.5, visits=visits
        ).demonstrations_needed(0.1)
        == 0
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"occupancy": 0.0}, "occupancy must be above 0.0; got 0.0"),
        ({"occupancy": 1.5}, "occupancy must be at most 1.0; got 1.5"),
        ({"probability": 0.0}, "probability must be above 0.0"),
        ({"n_actions": 1}, "n_actions must be at least 2; got 1"),
        ({"level": 0.0}, "level must be above 0.0"),
        ({"visits": -1}, "visits must be at least 0"),
        ({"recorded": 1}, "recorded must be at most 0; got 1"),
        (
            {"estimator": None},
            "estimator must be a MixtureEstimator, because only that family has a closed form; got NoneType",
        ),
    ],
)
def test_a_plan_outside_its_range_is_refused(change, message):
    arguments = {"occupancy": 0.1, "probability": 0.1, "n_actions": 4, "estimator": BC, "level": 0.1, **change}
    with pytest.raises((TypeError, ValueError), match=message):
        RecordingPlan(**arguments)


def test_a_number_of_demonstrations_or_a_delta_outside_its_range_is_refused():
    plan = RecordingPlan(occupancy=0.1, probability=0.1, n_actions=4, estimator=BC, level=0.1)
    with pytest.raises(ValueError, match="more must be at least 0; got -1"):
        plan.coverage_probability(-1)
    with pytest.raises(ValueError, match=r"delta must be below 1\.0; got 1\.0"):
        plan.demonstrations_needed(1.0)


# --- the edges --------------------------------------------------------------------------------------------------------


def recorded_with_many_digits(w, p, delta, visited):
    """Smallest number of demonstrations from which on BC rules the action out with probability delta at most."""
    with mpmath.workdps(80 - int(math.log10(w * p))):
        chance, occupied = mpmath.mpf(w) * mpmath.mpf(p), mpmath.mpf(w)
        enough = int(mpmath.ceil(mpmath.log(mpmath.mpf(delta)) / mpmath.log(1 - chance)))
        if visited:
            return enough

        def missed(T):
            return (1 - chance) ** T - (1 - occupied) ** T

        low = high = enough
        while high > 0 and missed(high - 1) <= delta:  # down, in steps that double
            low = max(0, high - max(1, 2 * (enough - high)))
            if missed(low) > delta:
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if missed(middle) > delta else (low, middle)
                return high
            high = low
        return high


@pytest.mark.parametrize(
    ("w", "p", "delta"),
    [
        (0.01, 1e-5, 0.05),
        (1.0, 1e-12, 0.05),
        (0.3, 1e-3, 1e-100),
        (1e-9, 1e-9, 0.5),
        (1e-20, 0.25, 0.01),
        (0.5, 0.5, 0.3),
    ],
)
@pytest.mark.parametrize("visits", [0, 7])
def test_the_number_for_any_probability_has_all_digits(w, p, delta, visits):
    found = RecordingPlan(
        occupancy=w, probability=p, n_actions=10, estimator=BC, level=ANY_POSITIVE, visits=visits
    ).demonstrations_needed(delta)
    assert found == recorded_with_many_digits(w, p, delta, visits > 0)


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.001, 0.9), st.booleans())
@example(0.5, 0.5, 0.0625, True)  # 0.75^T is never delta
@example(1.0, 0.5, 0.25, True)  # 0.5^2 is delta exactly
@example(1.0, 1.0, 0.5, True)
@example(1.0, 1.0, 0.5, False)
@example(0.3, 1.0, 0.5, False)
@example(0.5, 0.5, 0.25, False)  # f(1) is delta exactly, and the peak
def test_the_closed_form_is_one_more_than_the_last_that_fails(w, p, delta, visited):
    found = demonstrations_until_recorded(w, p, delta, visited=visited)
    chance, occupied, limit = Fraction(w) * Fraction(p), Fraction(w), Fraction(delta) * (1 + Fraction(1, 10**40))

    def missed(T):
        return (1 - chance) ** T - (0 if visited else (1 - occupied) ** T)

    beyond = [found + more for more in (0, 1, 2, 3, 10)]
    with_few_digits = found > 100  # powers of fractions have many
    if with_few_digits:
        exact = RecordingPlan(
            occupancy=w, probability=p, n_actions=4, estimator=BC, level=ANY_POSITIVE, visits=int(visited)
        ).coverage_probability
        assert all(exact(T) >= 1 - delta - 1e-12 for T in beyond)
        assert exact(found - 1) <= 1 - delta + 1e-12
    else:
        assert all(missed(T) <= limit for T in beyond)
        assert found == 0 or missed(found - 1) > limit


def test_where_the_search_gives_up_it_says_so_and_never_means_never():
    for level in (0.01, 0.1):  # one recording covers
        assert (
            RecordingPlan(
                occupancy=0.01, probability=1e-5, n_actions=10, estimator=BC, level=level
            ).demonstrations_needed(0.05)
            == 29_957_322
        )
    for plan in (
        RecordingPlan(occupancy=0.01, probability=1e-5, n_actions=10, estimator=BC, level=0.5),
        RecordingPlan(occupancy=1.0, probability=1e-7, n_actions=10, estimator=posterior(4), level=0.1),
    ):
        with pytest.raises(BeyondSearch, match="not found: over 2000000 visits"):
            plan.demonstrations_needed(0.05)
    with pytest.raises(BeyondSearch, match="not found: delta below 1e-15"):
        RecordingPlan(occupancy=0.3, probability=0.3, n_actions=10, estimator=BC, level=0.5).demonstrations_needed(
            1e-100
        )
    for estimator in (BC, posterior(4)):
        assert (
            RecordingPlan(
                occupancy=0.5, probability=1e-7, n_actions=10, estimator=estimator, level=1.0
            ).demonstrations_needed(0.05)
            is None
        )


@pytest.mark.parametrize("level", [0.1, 0.5])
def test_a_state_that_is_hardly_ever_visited_needs_as_many_visits_as_a_rare_one(level):
    """The numbers of visits are Poisson there: T w tends to a limit."""
    rare, hardly = (
        w
        * RecordingPlan(occupancy=w, probability=0.3, n_actions=10, estimator=BC, level=level).demonstrations_needed(
            0.05
        )
        for w in (1e-8, 1e-30)
    )
    assert hardly == pytest.approx(rare, rel=1e-6)
