"""Claims, steps and results: which verdict follows from which numbers, and which outcome lets a run pass."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.claims import (
    EMPIRICAL_SOURCES,
    SIGNIFICANT,
    Claim,
    Decided,
    Interval,
    Outcome,
    Result,
    Step,
    decide,
    decided_steps,
    judge,
)
from theory.errata import errata

NUMBERS = st.floats(allow_nan=False)
INTERVALS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: Interval(*sorted(ends)))
RELATIONS = st.sampled_from(["<=", ">="])


def satisfies(x, relation, bound):
    return x <= bound if relation == "<=" else x >= bound


# --- judging ----------------------------------------------------------------------------------------------------------


@given(INTERVALS, RELATIONS, NUMBERS)
def test_a_claim_holds_exactly_if_both_ends_satisfy_it_and_is_violated_exactly_if_neither_does(
    interval, relation, bound
):
    ends = {satisfies(x, relation, bound) for x in (interval.low, interval.high)}
    truth = {frozenset([True]): "holds", frozenset([False]): "violated"}.get(frozenset(ends), "inconclusive")
    assert judge(interval, relation, bound) == truth


@given(NUMBERS, RELATIONS, NUMBERS)
def test_a_claim_about_an_exact_value_is_never_inconclusive(x, relation, bound):
    assert judge(Interval.point(x), relation, bound) == ("holds" if satisfies(x, relation, bound) else "violated")


@given(INTERVALS, NUMBERS)
def test_a_claim_and_its_mirror_image_have_the_same_verdict(interval, bound):
    mirrored = Interval(-interval.high, -interval.low)
    assert judge(interval, "<=", bound) == judge(mirrored, ">=", -bound)


@given(INTERVALS, RELATIONS, NUMBERS, st.floats(0, 10), st.floats(0, 10))
def test_widening_the_interval_of_a_claim_never_decides_it_the_other_way(interval, relation, bound, left, right):
    wider = Interval(interval.low - left, interval.high + right)
    assert judge(wider, relation, bound) in ("inconclusive", judge(interval, relation, bound))


@pytest.mark.parametrize(
    ("interval", "relation", "bound", "verdict"),
    [
        (Interval(0, 1), "<=", 1, "holds"),
        (Interval(0, 1), "<=", 0.5, "inconclusive"),
        (Interval(0, 1), "<=", 0, "inconclusive"),
        (Interval(0, 1), "<=", -0.1, "violated"),
        (Interval(0, 1), ">=", 0, "holds"),
        (Interval(0, 1), ">=", 1, "inconclusive"),
        (Interval(0, 1), ">=", 1.1, "violated"),
        (Interval(-math.inf, math.inf), "<=", 0, "inconclusive"),
        (Interval(0, math.inf), "<=", math.inf, "holds"),
    ],
)
def test_an_interval_that_touches_the_bound_satisfies_the_claim(interval, relation, bound, verdict):
    assert judge(interval, relation, bound) == verdict


@pytest.mark.parametrize(("low", "high"), [(1, 0), (math.nan, 1), (0, math.nan), (math.nan, math.nan)])
def test_an_interval_with_low_above_high_or_nan_is_refused(low, high):
    with pytest.raises(ValueError, match=f"an interval needs low <= high; got low={low}, high={high}"):
        Interval(low, high)


@pytest.mark.parametrize("relation", ["<", ">", "==", "", None])
def test_a_relation_other_than_at_most_and_at_least_is_refused(relation):
    with pytest.raises(ValueError, match=re.escape(f"relation must be '<=' or '>='; got {relation!r}")):
        judge(Interval(0, 1), relation, 0)


def test_a_bound_that_is_nan_is_refused():
    with pytest.raises(ValueError, match="bound must be a number; got nan"):
        judge(Interval(0, 1), "<=", math.nan)


# --- claims -----------------------------------------------------------------------------------------------------------


def claim(source="R1", relation="<=", interval=None, bound=1.0):
    return Claim(
        id="an-id",
        source=source,
        relation=relation,
        interval=interval or Interval(0, 0.5),
        bound=bound,
        evidence="exact",
        detail="A plain sentence.",
    )


def test_the_verdict_of_a_claim_cannot_be_set():
    with pytest.raises(AttributeError):
        claim().verdict = "holds"
    with pytest.raises(TypeError):
        Claim(
            id="an-id",
            source="R1",
            relation="<=",
            interval=Interval(0, 2),
            bound=1.0,
            evidence="exact",
            detail="A plain sentence.",
            verdict="holds",
        )


@pytest.mark.parametrize(
    ("low", "p_value", "verdict"),
    [
        (0.1, None, "holds"), (0.1, 0.0, "holds"), (0.1, SIGNIFICANT, "holds"), (0.1, 0.0501, "inconclusive"),
        (0.1, 1.0, "inconclusive"), (-0.1, 0.0, "inconclusive"), (-0.6, 0.01, "violated"), (-0.6, 0.0625, "inconclusive"),
    ],
)  # fmt: skip
def test_a_claim_with_a_p_value_is_decided_only_if_interval_and_p_value_agree(low, p_value, verdict):
    assert SIGNIFICANT == 0.05
    made = Claim(
        id="an-id",
        source="E2",
        relation=">=",
        interval=Interval(low, low + 0.5),
        bound=0.0,
        evidence="sampled",
        detail="A plain sentence.",
        p_value=p_value,
    )
    assert made.verdict == verdict


@pytest.mark.parametrize("p_value", [-0.1, 1.1, math.nan])
def test_a_p_value_outside_0_to_1_is_refused(p_value):
    with pytest.raises(ValueError, match=r"p_value must lie in \[0, 1\]"):
        Claim(
            id="an-id",
            source="E2",
            relation=">=",
            interval=Interval(0, 1),
            bound=0.0,
            evidence="sampled",
            detail="A plain sentence.",
            p_value=p_value,
        )


@given(INTERVALS, RELATIONS, NUMBERS)
def test_a_claim_is_expected_if_it_holds_or_is_empirical(interval, relation, bound):
    asserted = claim("R1", relation, interval, bound)
    assert not asserted.empirical
    assert asserted.verdict == judge(interval, relation, bound)
    assert asserted.as_expected == (asserted.verdict == "holds")
    assert all(claim(source, relation, interval, bound).as_expected for source in EMPIRICAL_SOURCES)


def test_the_sources_of_empirical_claims_are_E0_to_E4():
    assert {"E0", "E1", "E2", "E3", "E4"} == EMPIRICAL_SOURCES


# --- steps ------------------------------------------------------------------------------------------------------------


def step(step_id, form, verdict, witness=None, severity=None):
    outcome = Outcome(verdict=verdict, evidence="exact", detail="detail", witness=witness)
    return Step(id=step_id, form=form, statement="0 <= 1", decide=lambda: outcome, severity=severity)


def result(*steps, id="r"):
    return Result(id=id, title="A title", source="a source", steps=steps)


def expected_of(*steps):
    return [decided.expected for decided in decide([result(*steps)])]


@pytest.mark.parametrize(
    ("form", "verdict", "expected"),
    [
        (form, verdict, verdict in ("proved", "supported", "quoted"))
        for form in ("printed", "corrected", "companion")
        for verdict in ("proved", "refuted", "supported", "undecided", "quoted")
    ],
)
def test_a_step_without_a_correction_is_expected_if_proved_supported_or_quoted(form, verdict, expected):
    assert expected_of(step("B1.1", form, verdict)) == [expected]


@pytest.mark.parametrize("verdict", ["proved", "refuted", "supported", "undecided", "quoted"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_refuted_printed_step_is_excused_only_by_its_own_proved_correction(verdict, order):
    both = [step("B1.1", "printed", "refuted"), step("B1.1", "corrected", verdict)][::order]
    assert expected_of(*both)[::order][0] == (verdict == "proved")
    assert expected_of(step("B1.1", "printed", "refuted"), step("B1.2", "corrected", "proved")) == [False, True]
    assert expected_of(step("B1.1", "printed", "refuted"), step("B1.1", "companion", "proved")) == [False, True]


@pytest.mark.parametrize("form", ["corrected", "companion"])
def test_a_refuted_step_that_is_not_printed_is_never_excused(form):
    assert expected_of(step("B1.1", form, "refuted"), step("B1.1", "corrected", "proved"))[0] is False


def test_an_undecided_printed_step_is_not_excused_by_a_correction():
    assert expected_of(step("B1.1", "printed", "undecided"), step("B1.1", "corrected", "proved"))[0] is False


def test_a_correction_in_another_result_excuses_nothing():
    results = [
        result(step("B1.1", "printed", "refuted"), id="one"),
        result(step("B1.1", "corrected", "proved"), id="two"),
    ]
    assert [decided.expected for decided in decide(results)] == [False, True]


def test_every_step_is_decided_in_order_and_keeps_its_result_and_outcome():
    both = result(step("a", "printed", "refuted", {"T": 3}), step("b", "companion", "proved"))
    outcomes = [step.decide() for step in both.steps]
    assert decide([both]) == [
        Decided(result=both, step=both.steps[0], outcome=outcomes[0], expected=False),
        Decided(result=both, step=both.steps[1], outcome=outcomes[1], expected=True),
    ]


def test_a_result_needs_one_outcome_for_each_step():
    """Outcomes come from another process; a missing one must not shift the others."""
    both = result(step("a", "printed", "refuted"), step("b", "companion", "proved"))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        decided_steps(both, [both.steps[0].decide()])


def test_an_engine_that_fails_is_not_taken_for_a_verdict():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decide([result(Step(id="a", form="printed", statement="x", decide=broken))])


# --- errata -----------------------------------------------------------------------------------------------------------


def test_errata_are_the_refuted_printed_steps_the_most_severe_first_and_an_unrated_one_before_all():
    steps = [
        step("a", "printed", "refuted", severity="typing error"),
        step("a", "corrected", "proved"),
        step("b", "printed", "refuted", severity="statement"),
        step("c", "printed", "refuted"),
        step("d", "printed", "proved"),
        step("e", "companion", "refuted"),
    ]
    entries = errata(decide([result(*steps)]))
    assert [(e.id, e.severity) for e in entries] == [("c", None), ("b", "statement"), ("a", "typing error")]
    assert [e.corrected and e.corrected.step.form for e in entries] == [None, None, "corrected"]
