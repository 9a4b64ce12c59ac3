import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.claims import EMPIRICAL_SOURCES, SIGNIFICANT, Claim, Interval, Outcome, Result, Step, decide, judge

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
def test_a_point_is_never_inconclusive(x, relation, bound):
    assert judge(Interval.point(x), relation, bound) == ("holds" if satisfies(x, relation, bound) else "violated")


@given(INTERVALS, NUMBERS)
def test_a_claim_and_its_mirror_image_have_the_same_verdict(interval, bound):
    mirrored = Interval(-interval.high, -interval.low)
    assert judge(interval, "<=", bound) == judge(mirrored, ">=", -bound)


@given(INTERVALS, RELATIONS, NUMBERS, st.floats(0, 10), st.floats(0, 10))
def test_a_wider_interval_decides_no_more(interval, relation, bound, left, right):
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
def test_touching_the_bound_satisfies_it(interval, relation, bound, verdict):
    assert judge(interval, relation, bound) == verdict


@pytest.mark.parametrize(("low", "high"), [(1, 0), (math.nan, 1), (0, math.nan), (math.nan, math.nan)])
def test_an_interval_without_points_is_refused(low, high):
    with pytest.raises(ValueError, match=f"an interval needs low <= high; got low={low}, high={high}"):
        Interval(low, high)


@pytest.mark.parametrize("relation", ["<", ">", "==", "", None])
def test_other_relations_are_refused(relation):
    with pytest.raises(ValueError, match=re.escape(f"relation must be '<=' or '>='; got {relation!r}")):
        judge(Interval(0, 1), relation, 0)


def test_a_bound_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="bound must be a number; got nan"):
        judge(Interval(0, 1), "<=", math.nan)


# --- claims -----------------------------------------------------------------------------------------------------------


def claim(source="R1", relation="<=", interval=None, bound=1.0):
    return Claim("an-id", source, relation, interval or Interval(0, 0.5), bound, "exact", "A plain sentence.")


def test_the_verdict_of_a_claim_cannot_be_set():
    with pytest.raises(AttributeError):
        claim().verdict = "holds"
    with pytest.raises(TypeError):
        Claim("an-id", "R1", "<=", Interval(0, 2), 1.0, "exact", "A plain sentence.", verdict="holds")


@pytest.mark.parametrize(
    ("low", "p_value", "verdict"),
    [
        (0.1, None, "holds"), (0.1, 0.0, "holds"), (0.1, SIGNIFICANT, "holds"), (0.1, 0.0501, "inconclusive"),
        (0.1, 1.0, "inconclusive"), (-0.1, 0.0, "inconclusive"), (-0.6, 0.01, "violated"), (-0.6, 0.0625, "inconclusive"),
    ],
)  # fmt: skip
def test_a_claim_with_a_p_value_needs_both(low, p_value, verdict):
    assert SIGNIFICANT == 0.05
    made = Claim("an-id", "E2", ">=", Interval(low, low + 0.5), 0.0, "sampled", "A plain sentence.", p_value)
    assert made.verdict == verdict


@pytest.mark.parametrize("p_value", [-0.1, 1.1, math.nan])
def test_a_p_value_that_is_none_is_refused(p_value):
    with pytest.raises(ValueError, match=r"p_value must lie in \[0, 1\]"):
        Claim("an-id", "E2", ">=", Interval(0, 1), 0.0, "sampled", "A plain sentence.", p_value)


@given(INTERVALS, RELATIONS, NUMBERS)
def test_our_claims_must_hold_and_those_of_the_experiments_need_not(interval, relation, bound):
    ours = claim("R1", relation, interval, bound)
    assert ours.verdict == judge(interval, relation, bound)
    assert ours.as_expected == (ours.verdict == "holds")
    assert all(claim(source, relation, interval, bound).as_expected for source in EMPIRICAL_SOURCES)


def test_the_claims_of_the_experiments_are_these():
    assert {"E0", "E1", "E2", "E3", "E4"} == EMPIRICAL_SOURCES


@given(INTERVALS, RELATIONS, NUMBERS)
def test_the_json_of_a_claim_is_strict_and_complete(interval, relation, bound):
    made = claim("R1", relation, interval, bound)
    entry = json.loads(json.dumps(made.to_json("fig_x"), allow_nan=False))
    assert entry["verdict"] == made.verdict
    assert set(entry) == {"id", "source", "figure", "verdict", "evidence", "relation", "interval", "bound", "detail"}
    assert entry["interval"] == [x if math.isfinite(x) else None for x in (interval.low, interval.high)]
    assert entry["bound"] == (bound if math.isfinite(bound) else None)
    assert (entry["id"], entry["figure"], entry["source"], entry["relation"]) == ("an-id", "fig_x", "R1", relation)


# --- steps ------------------------------------------------------------------------------------------------------------


def step(step_id, form, verdict, witness=None):
    return Step(step_id, form, "0 <= 1", lambda: Outcome(verdict, "exact", "detail", witness))


def expected_of(*steps):
    return [entry["expected"] for entry in decide([Result("r", "A title", "a source", steps)])]


@pytest.mark.parametrize(
    ("form", "verdict", "expected"),
    [
        (form, verdict, verdict in ("proved", "supported", "quoted"))
        for form in ("printed", "corrected", "companion")
        for verdict in ("proved", "refuted", "supported", "undecided", "quoted")
    ],
)
def test_a_step_alone_is_expected_if_nothing_speaks_against_it(form, verdict, expected):
    assert expected_of(step("B1.1", form, verdict)) == [expected]


@pytest.mark.parametrize("verdict", ["proved", "refuted", "supported", "undecided", "quoted"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_refuted_printed_step_is_excused_only_by_its_own_proved_correction(verdict, order):
    both = [step("B1.1", "printed", "refuted"), step("B1.1", "corrected", verdict)][::order]
    assert expected_of(*both)[::order][0] == (verdict == "proved")
    assert expected_of(step("B1.1", "printed", "refuted"), step("B1.2", "corrected", "proved")) == [False, True]
    assert expected_of(step("B1.1", "printed", "refuted"), step("B1.1", "companion", "proved")) == [False, True]


@pytest.mark.parametrize("form", ["corrected", "companion"])
def test_our_own_refuted_step_is_never_excused(form):
    assert expected_of(step("B1.1", form, "refuted"), step("B1.1", "corrected", "proved"))[0] is False


def test_an_undecided_printed_step_is_not_excused_by_a_correction():
    assert expected_of(step("B1.1", "printed", "undecided"), step("B1.1", "corrected", "proved"))[0] is False


def test_a_correction_in_another_result_excuses_nothing():
    results = [
        Result("one", "t", "s", (step("B1.1", "printed", "refuted"),)),
        Result("two", "t", "s", (step("B1.1", "corrected", "proved"),)),
    ]
    assert [entry["expected"] for entry in decide(results)] == [False, True]


def test_every_step_is_reported_in_order_with_its_witness():
    result = Result("r", "t", "s", (step("a", "printed", "refuted", {"T": 3}), step("b", "companion", "proved")))
    assert decide([result]) == [
        {"id": "a", "result": "r", "form": "printed", "verdict": "refuted", "evidence": "exact", "expected": False,
         "detail": "detail", "witness": {"T": 3}},
        {"id": "b", "result": "r", "form": "companion", "verdict": "proved", "evidence": "exact", "expected": True,
         "detail": "detail", "witness": None},
    ]  # fmt: skip


def test_an_engine_that_fails_is_not_taken_for_a_verdict():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decide([Result("r", "t", "s", (Step("a", "printed", "x", broken),))])
