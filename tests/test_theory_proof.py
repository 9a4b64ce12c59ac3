import math
from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theory.claims import Outcome
from theory.engines.formulas import Formula, Range, judge_point
from theory.engines.fraction_bounds import exact_value, exp_bounds, log_bounds
from theory.engines.interval_search import compile_balls, positive_on_box
from theory.engines.polynomials import nonnegative_pieces
from theory.engines.proof import all_of, check_cases, decide_formula, quoted, with_checks
from theory.engines.steps import above, between
from theory.engines.tactics import (
    by_assumptions,
    by_coefficients,
    by_combination,
    by_concavity,
    by_derivatives,
    by_factors,
    by_identity,
    by_intervals,
    by_squares,
)

X, Y, Z = sympy.symbols("x y z")
UNIT = between(X, 0, 1)
HALF_LINE = above(X, 0)
QUADRANT = (above(X, 0), above(Y, 0))
MILLIONTH = sympy.Rational(1, 10**6)
EXP_LINE = 1 + X


# --- fractions --------------------------------------------------------------------------------------------------------


def contains(bounds, truth):
    low, high = (mpmath.mpf(b.numerator) / b.denominator for b in bounds)
    return low <= truth * (1 + mpmath.mpf(10) ** -70) and truth * (1 - mpmath.mpf(10) ** -70) <= high


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**6, max_denominator=10**6))
def test_logarithms_are_enclosed_to_fifty_digits(x):
    with mpmath.workdps(90):
        low, high = log_bounds(x)
        truth = mpmath.log(mpmath.mpf(x.numerator) / x.denominator)
        slack = mpmath.mpf(10) ** -80
        assert mpmath.mpf(low.numerator) / low.denominator <= truth + slack
        assert truth - slack <= mpmath.mpf(high.numerator) / high.denominator
        assert high - low < Fraction(1, 10**50)


@given(st.fractions(min_value=-40, max_value=40, max_denominator=1000))
def test_exponentials_are_enclosed_to_forty_digits(x):
    with mpmath.workdps(100):
        low, high = exp_bounds(x)
        truth = mpmath.exp(mpmath.mpf(x.numerator) / x.denominator)
        assert contains((low, high), truth)
        assert (high - low) / low < Fraction(1, 10**40)


@given(st.fractions(min_value=Fraction(1, 50), max_value=3, max_denominator=60), st.fractions(-2, 2, max_denominator=9))
def test_expressions_are_enclosed(x, y):
    expression = sympy.log(X + 1) * Y**3 - sympy.sqrt(X) * sympy.exp(-Y) + abs(Y - X) / (1 + X) + X**Y
    low, high = exact_value(expression, {X: x, Y: y})
    with mpmath.workdps(60):
        truth = mpmath.mpf(sympy.N(expression.subs({X: sympy.Rational(x), Y: sympy.Rational(y)}), 55))
        assert mpmath.mpf(low.numerator) / low.denominator - mpmath.mpf(10) ** -40 <= truth
        assert truth <= mpmath.mpf(high.numerator) / high.denominator + mpmath.mpf(10) ** -40
    assert high - low < Fraction(1, 10**30)


@pytest.mark.parametrize("expression", [sympy.log(X - 1), 1 / (X - 1), sympy.log(X - 2), sympy.gamma(X + sympy.pi)])
def test_exact_value_refuses_expressions_without_a_value(expression):
    with pytest.raises((ValueError, ZeroDivisionError, TypeError)):
        exact_value(expression, {X: Fraction(1)})


def test_judge_point_is_silent_outside_the_domain():
    formula = Formula(X, "<=", 0, ranges=(between(X, 1, 2),))
    assert judge_point(formula, (Fraction(1),)) is False
    assert judge_point(formula, (Fraction(3),)) is None
    assert judge_point(Formula(X, "<=", 0, ranges=(between(X, 1, 2, "()"),)), (Fraction(1),)) is None
    assert judge_point(Formula(X, "<=", 0, ranges=(UNIT,), given=(X - 1,)), (Fraction(1, 2),)) is None


def test_an_equality_of_irrational_numbers_is_never_confirmed_by_enclosures():
    formula = Formula(sympy.log(1 + X) + sympy.log(2), "==", sympy.log(2 + 2 * X), ranges=(UNIT,))
    assert judge_point(formula, (Fraction(1, 3),)) is None


# --- balls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        X**2 - 2 * X + 3,
        sympy.log(1 + X),
        sympy.exp(-X),
        sympy.sqrt(X + 1) / (1 + X),
        abs(X - 1),
        X**-2,
        (1 + X) ** sympy.Rational(7, 3),
    ],
)
def test_balls_hold_the_value_of_the_function_at_every_point(expression):
    from flint import arb, fmpq

    f = compile_balls(expression, (X,))
    box = arb(fmpq(1, 4)).union(arb(fmpq(3, 2)))
    for k in range(26):
        x = Fraction(1, 4) + Fraction(5, 100) * k
        if x <= Fraction(3, 2):
            assert float(f([box]).lower()) <= float(expression.subs(X, sympy.Rational(x))) <= float(f([box]).upper())


def test_an_even_power_of_a_ball_around_zero_is_hardly_negative():
    from flint import arb

    assert float(compile_balls(X**2, (X,))([arb(-1).union(arb(1))]).lower()) >= -1e-6


def test_the_certificate_of_branch_and_bound_counts_boxes_and_holds_the_margin():
    certificate = positive_on_box(X**2 - X + 1, (X,), ((Fraction(0), Fraction(1)),))
    assert certificate.boxes >= 1
    assert 0 < certificate.margin <= 0.75


@pytest.mark.parametrize(
    ("function", "box"),
    [
        (X**2, (Fraction(-1), Fraction(1))),  # a zero inside
        (X, (Fraction(0), Fraction(1))),  # a zero at the end
        (X - sympy.Rational(1, 3), (Fraction(0), Fraction(1))),  # negative somewhere
        (sympy.log(X) + 1, (Fraction(0), Fraction(1))),  # singular and negative
        (1 / X, (Fraction(0), Fraction(1))),  # positive, singular
    ],
)
def test_branch_and_bound_gives_up_where_it_cannot_prove(function, box):
    assert positive_on_box(function, (X,), (box,), max_boxes=3000) is None


def test_branch_and_bound_leaves_out_boxes_that_break_an_assumption():
    assert positive_on_box(X - sympy.Rational(1, 4), (X,), ((Fraction(0), Fraction(1)),)) is None
    assert positive_on_box(
        X - sympy.Rational(1, 4), (X,), ((Fraction(0), Fraction(1)),), constraints=(X - sympy.Rational(1, 2),)
    )


def test_compile_balls_refuses_unknown_functions():
    with pytest.raises(ValueError, match="cannot compute"):
        compile_balls(sympy.zeta(X), (X,))


# --- coefficients -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), min_size=3, max_size=3), st.integers(-3, 3), st.integers(1, 4))
def test_polynomials_with_coefficients_of_one_sign_at_the_end_of_a_half_line_are_proved(coefficients, low, scale):
    f = sum(c * (X - low) ** k for k, c in enumerate(coefficients)) / scale
    assert nonnegative_pieces(sympy.expand(f), (X,), [(sympy.Integer(low), sympy.oo)]) == 1


@pytest.mark.parametrize(
    ("function", "ends", "provable"),
    [
        (X * (1 - X), (0, 1), True),
        (X**2 - X + sympy.Rational(26, 100), (0, 1), True),
        (X**2 - X + sympy.Rational(24, 100), (0, 1), False),
        (X / (1 + X), (0, sympy.oo), True),
        (1 / (X - 2), (0, 1), False),
        (-1 / (X - 2), (0, 1), True),
        (X**2 + 1, (-sympy.oo, sympy.oo), True),
        (X**3, (-sympy.oo, 0), False),
        (sympy.Integer(0), (0, 1), True),
    ],
)
def test_rational_functions_are_proved_exactly_if_they_are_nonnegative(function, ends, provable):
    pieces = nonnegative_pieces(sympy.sympify(function), (X,), [tuple(map(sympy.sympify, ends))])
    assert (pieces is not None) == provable


def test_nonnegative_pieces_gives_up_on_functions_that_are_not_rational():
    assert nonnegative_pieces(sympy.exp(X), (X,), [(sympy.Integer(0), sympy.Integer(1))]) is None


# --- deciding ---------------------------------------------------------------------------------------------------------

TRUE = {
    "identity": (Formula((X + Y) ** 2, "==", X**2 + 2 * X * Y + Y**2, ranges=QUADRANT), ()),
    "identity of logarithms": (
        Formula(sympy.log(X * Y), "==", sympy.log(X) + sympy.log(Y), ranges=(above(X, 1), above(Y, 1))),
        (),
    ),
    "numbers": (Formula(sympy.log(2), ">=", sympy.Rational(69, 100)), ()),
    "rational, unbounded": (Formula(X / (1 + X), "<=", 1, ranges=(HALF_LINE,)), (by_coefficients,)),
    "intervals": (
        Formula(sympy.exp(X) * sympy.log(2 + Y), ">", sympy.Rational(1, 2), ranges=(UNIT, between(Y, 0, 1))),
        (by_intervals(),),
    ),
    "intervals, unbounded": (
        Formula(sympy.exp(-X) + X, ">=", sympy.Rational(99, 100), ranges=(between(X, 0, 40),)),
        (by_intervals(),),
    ),
    "equality at an end": (Formula(sympy.log(EXP_LINE), "<=", X, ranges=(HALF_LINE,)), (by_derivatives("x"),)),
    "equality at the high end": (
        Formula(sympy.log(X), "<=", X - 1, ranges=(between(X, 0, 1, "(]"),)),
        (by_derivatives("x", "high"),),
    ),
    "equality at both ends": (Formula(sympy.sqrt(X), ">=", X, ranges=(between(X, "1/100", 1),)), (by_concavity("x"),)),
    "equality inside": (Formula((X + Y) ** 2, ">=", 4 * X * Y, ranges=QUADRANT), (by_squares((1, X - Y)),)),
    "product": (
        Formula((X - 1) ** 2 * sympy.exp(X), ">=", 0, ranges=(HALF_LINE,)),
        (by_factors((X - 1) ** 2, sympy.exp(X)),),
    ),
    "signs": (Formula(X * sympy.exp(-X), ">=", 0, ranges=(HALF_LINE,)), (by_assumptions,)),
    "assumption": (Formula(X, ">=", Y, ranges=QUADRANT, given=(X - Y - 1,)), (by_combination(sympy.Integer(1)),)),
}


@pytest.mark.parametrize("name", TRUE)
def test_a_true_relation_is_proved_by_its_tactics(name):
    formula, tactics = TRUE[name]
    assert decide_formula(formula, *tactics).verdict == "proved"


@pytest.mark.parametrize("name", [n for n in TRUE if n not in ("identity", "identity of logarithms")])
def test_a_true_relation_with_its_sign_flipped_is_refuted(name):
    formula, tactics = TRUE[name]
    outcome = decide_formula(formula.reversed(), *tactics)
    assert outcome.verdict == "refuted"
    point = tuple(Fraction(str(outcome.witness[s.name])) for s in formula.symbols)
    assert judge_point(formula.reversed(), point) is False


@pytest.mark.parametrize("name", ["identity", "identity of logarithms"])
def test_a_shifted_identity_is_refuted(name):
    assert decide_formula(TRUE[name][0].reversed()).verdict == "refuted"


NEAR_MISSES = {
    "polynomial": Formula(X**2 - X + sympy.Rational(1, 4), ">=", MILLIONTH, ranges=(UNIT,)),
    "logarithm": Formula(sympy.log(EXP_LINE), "<=", X - MILLIONTH, ranges=(HALF_LINE,)),
    "at the far end": Formula(1 - X, ">=", sympy.exp(-2 * X), ranges=(between(X, 0, "4/5"),)),
    "identity": Formula((X + Y) ** 2 + MILLIONTH, "==", X**2 + 2 * X * Y + Y**2, ranges=QUADRANT),
    "under an assumption": Formula(X, ">=", Y + MILLIONTH, ranges=(UNIT, between(Y, 0, 1)), given=(X - Y,)),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_nearly_true_relation_is_refuted_by_a_point(name):
    outcome = decide_formula(NEAR_MISSES[name])
    assert outcome.verdict == "refuted"
    assert outcome.evidence == "exact"
    assert outcome.witness


SINGULAR = {
    "logarithm at its pole": Formula(X * sympy.log(X), ">=", -sympy.Rational(2, 5), ranges=(between(X, 0, 1, "(]"),)),
    "zero inside": Formula(sympy.exp(X) - 1 - X, ">=", 0, ranges=(between(X, -1, 1),)),
    "a term that cancels": Formula(
        (1 - sympy.exp(-X)) / X, ">=", sympy.Rational(1, 2), ranges=(between(X, 0, 1, "(]"),)
    ),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_domains_that_touch_a_singularity_are_left_undecided(name):
    assert decide_formula(SINGULAR[name], by_identity, by_coefficients, by_intervals(2000)).verdict == "undecided"


@pytest.mark.parametrize("name", NEAR_MISSES)
@pytest.mark.parametrize(
    "tactic",
    [
        by_identity,
        by_coefficients,
        by_assumptions,
        by_intervals(500),
        by_derivatives("x"),
        by_squares((1, X)),
        by_concavity("x"),
    ],
)
def test_no_tactic_proves_a_near_miss(name, tactic):
    assert tactic(NEAR_MISSES[name]) is None


@pytest.mark.parametrize(
    "tactic",
    [
        by_derivatives("x"),
        by_concavity("x"),
        by_factors(X, X - 2),
        by_factors(X - 1, X - 1),
        by_squares((-1, X)),
        by_squares((1, 2 * X)),
        by_combination(),
    ],
)
def test_a_wrong_hint_proves_nothing(tactic):
    assert tactic(Formula(X**2 - 2 * X, ">=", 0, ranges=(between(X, 0, 3),))) is None


def test_a_function_that_balls_do_not_know_is_left_undecided():
    formula = Formula(sympy.zeta(X + 2), ">", sympy.Rational(1, 2), ranges=(UNIT,))
    assert decide_formula(formula, by_intervals()).verdict == "undecided"


def test_a_negative_multiplier_proves_nothing():
    formula = Formula(Y, ">=", X, ranges=(UNIT, between(Y, 0, 1)), given=(X - Y,))
    assert by_combination(sympy.Integer(-1))(formula) is None
    assert decide_formula(formula, by_combination(sympy.Integer(-1))).verdict == "refuted"


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-20, 20))
def test_a_quadratic_is_proved_or_refuted_rightly_on_the_unit_interval(a, b, c):
    formula = Formula(a * X**2 + b * X + c, ">=", 0, ranges=(UNIT,))
    ends = min(c, a + b + c)
    inner = Fraction(-b, 2 * a) if a else None
    least = min(ends, a * inner**2 + b * inner + c) if inner is not None and 0 < inner < 1 else ends
    verdict = decide_formula(formula, by_identity, by_coefficients, by_intervals(500)).verdict
    if least > 0:
        assert verdict == "proved"
    elif least < Fraction(-1, 4):
        assert verdict == "refuted"
    else:
        assert verdict != ("refuted" if least >= 0 else "proved")


def test_decide_formula_tries_the_given_points_first():
    formula = Formula(X, "<=", 3, ranges=(HALF_LINE,))
    assert decide_formula(formula, points=[("7/2",)]).witness == {"x": "7/2", "left": "7/2", "right": 3}


def test_a_range_of_integers_has_integer_witnesses_only():
    whole = Formula(X * (X - 1), ">=", 0, ranges=(above(X, 0, integer=True),))
    assert decide_formula(whole, by_identity).verdict == "undecided"  # true for whole numbers, false at 1/2
    assert decide_formula(Formula(X * (X - 1), ">=", 0, ranges=(HALF_LINE,))).verdict == "refuted"


def test_a_formula_refuses_a_symbol_without_a_range():
    with pytest.raises(ValueError, match="every symbol needs a range; y has none"):
        Formula(X, "<=", Y, ranges=(UNIT,))


def test_fixing_a_symbol_of_a_formula_puts_its_value_in():
    formula = Formula(X, "<=", Y, ranges=(UNIT, between(Y, 2, 3))).at(y=2)
    assert formula.symbols == (X,)
    assert decide_formula(formula).verdict == "proved"


def test_open_ends_do_not_belong_to_a_range():
    range_ = Range(X, sympy.Integer(0), sympy.Integer(1), low_open=True)
    assert not range_.holds(Fraction(0))
    assert range_.holds(Fraction(1))


# --- cases and parts --------------------------------------------------------------------------------------------------

GOOD = Outcome(verdict="proved", evidence="symbolic", detail="good")
BAD = Outcome(verdict="refuted", evidence="exact", detail="bad", witness={"x": 1})
OPEN = Outcome(verdict="undecided", evidence="interval", detail="open")
GRID = Outcome(verdict="supported", evidence="exact", detail="grid")


def case(left, relation, right):
    return {"n": 1}, Fraction(left), relation, Fraction(right)


def test_check_cases_supports_on_a_grid_and_proves_on_the_whole():
    cases = [case(1, "<=", 2), case(3, "==", 3), case(3, ">", 2)]
    assert check_cases(cases, "three").verdict == "supported"
    assert "3 cases" in check_cases(cases, "three").detail
    assert check_cases(cases, "three", whole=True).verdict == "proved"


def test_check_cases_refutes_with_the_numbers_of_the_case_that_fails():
    outcome = check_cases([case(1, "<=", 2), case(Fraction(1, 3), ">=", Fraction(1, 2))], "two", whole=True)
    assert outcome.verdict == "refuted"
    assert outcome.witness == {"n": 1, "left": "1/3", "right": "1/2"}


def test_check_cases_without_a_case_is_undecided():
    assert check_cases([], "none", whole=True).verdict == "undecided"


def test_check_cases_shows_long_fractions_by_their_values():
    outcome = check_cases([({}, Fraction(1, 3**50), ">=", Fraction(1))], "one")
    assert math.isclose(outcome.witness["left"], 3.0**-50)


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ((GOOD, GOOD), "proved"),
        ((GOOD, GRID), "supported"),
        ((GOOD, OPEN, GRID), "undecided"),
        ((GOOD, OPEN, BAD), "refuted"),
    ],
)
def test_all_of_is_as_weak_as_its_weakest_part(parts, verdict):
    assert all_of(*parts).verdict == verdict


def test_with_checks_can_refute_a_proof_and_never_strengthens_one():
    assert with_checks(GOOD, GRID).verdict == "proved"
    assert with_checks(OPEN, GRID).verdict == "undecided"
    assert with_checks(GOOD, BAD).verdict == "refuted"
    assert with_checks(GOOD, OPEN).verdict == "undecided"


def test_a_quotation_is_not_a_proof_and_a_failed_check_refutes_it():
    assert quoted("a book").verdict == "quoted"
    assert quoted("a book", GRID).verdict == "quoted"
    assert quoted("a book", BAD).verdict == "refuted"
    assert "a book" in quoted("a book", GRID).detail
