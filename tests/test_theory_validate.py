import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.base import validate

DYADIC_ROWS = hnp.arrays(np.int64, st.integers(1, 6), elements=st.integers(0, 8)).filter(np.any)

# --- what is taken ----------------------------------------------------------------------------------------------------


@given(st.integers())
def test_an_integer_comes_back_as_itself(value):
    assert validate.integer("x", value) == value


@pytest.mark.parametrize("value", [np.int8(3), np.uint64(3), np.array(3), 3])
def test_every_kind_of_integer_is_taken(value):
    result = validate.integer("x", value)
    assert result == 3
    assert type(result) is int


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-5, 5))
def test_an_integer_is_taken_exactly_within_its_bounds(value, low, high):
    if low <= value <= high:
        assert validate.integer("x", value, at_least=low, at_most=high) == value
    else:
        with pytest.raises(ValueError, match=r"x must be at (least|most)"):
            validate.integer("x", value, at_least=low, at_most=high)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_a_number_is_taken_exactly_within_its_bounds(value, low, high):
    closed = {"at_least": low, "at_most": high}
    opened = {"above": low, "below": high}
    for bounds, inside in ((closed, low <= value <= high), (opened, low < value < high)):
        if inside:
            assert validate.real("x", value, **bounds) == value
        else:
            with pytest.raises(ValueError, match="x must be"):
                validate.real("x", value, **bounds)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), np.array(1.0), Fraction(1), Decimal(1)])
def test_every_kind_of_number_is_taken(value):
    result = validate.real("x", value)
    assert result == 1.0
    assert type(result) is float


def test_infinity_is_taken_where_asked():
    assert validate.real("x", math.inf, finite=False) == math.inf


def test_a_choice_comes_back_as_itself():
    assert validate.choice("x", "b", ("a", "b")) == "b"


def test_a_generator_comes_back_as_itself(rng):
    assert validate.generator("rng", rng) is rng


@given(hnp.arrays(st.sampled_from([np.float64, np.float32, np.int16, np.bool_]), hnp.array_shapes(max_dims=3)))
def test_an_array_is_copied_into_doubles_in_c_order(values):
    if np.isfinite(values).all():
        for given_array in (values, values.T, values[..., ::-1]):
            result = validate.array("x", given_array)
            assert np.array_equal(result, given_array)
            assert result.dtype == np.float64
            assert result.flags.c_contiguous
            assert result.flags.writeable
            assert not np.shares_memory(result, values)


@given(
    hnp.arrays(
        st.sampled_from([np.int64, np.uint8, np.int32]), hnp.array_shapes(max_dims=3), elements=st.integers(0, 100)
    )
)
def test_integers_are_copied_into_64_bits_in_c_order(values):
    for given_array in (values, values.T, values[..., ::-1]):
        result = validate.integers("x", given_array, below=101)
        assert np.array_equal(result, given_array)
        assert result.dtype == np.int64
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, values)


@given(DYADIC_ROWS)
def test_a_row_of_doubles_is_kept_as_it_is(weights):
    row = weights / weights.sum()
    assert np.array_equal(validate.distribution("p", row), row)


@given(DYADIC_ROWS, st.sampled_from([np.float16, np.float32]))
def test_a_coarse_row_is_normalised_in_double_precision(weights, dtype):
    row = (weights / weights.sum()).astype(dtype)
    result = validate.distribution("p", row)
    assert abs(math.fsum(result) - 1) <= 1e-15 * row.size
    assert np.allclose(result, row, rtol=0, atol=8 * row.size * float(np.finfo(dtype).eps))


@given(st.floats(-3e-9, 3e-9).filter(lambda off: abs(abs(off) - 1e-9) > 1e-12))
def test_a_row_of_doubles_may_miss_one_by_the_tolerance(off):
    row = [0.25, 0.75 + off]
    if abs(off) < validate.ROW_TOLERANCE:
        assert validate.distribution("p", row).tolist() == row
    else:
        with pytest.raises(ValueError, match=r"p rows must sum to 1; it sums to"):
            validate.distribution("p", row)


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(0, 1)))
def test_probabilities_are_kept_and_those_above_1_by_rounding_become_1(values):
    assert (validate.probabilities("p", values) == values).all()
    assert (validate.probabilities("p", values + 1e-10) <= 1.0).all()


def test_rows_of_a_subdistribution_may_miss_mass():
    rows = [[0.5, 0.5], [0.2, 0.1], [0.0, 0.0]]
    assert validate.subdistribution("p", rows).tolist() == rows


def test_the_message_of_distribution_names_the_first_row_that_fails():
    table = np.full((2, 3, 4), 0.25)
    table[1, 0, 2] = table[1, 2, 3] = 0.5
    with pytest.raises(ValueError, match=r"p rows must sum to 1; row \(1, 0\) sums to 1\.25"):
        validate.distribution("p", table)


@given(hnp.arrays(np.bool_, hnp.array_shapes(max_dims=3)).filter(np.any))
def test_the_first_index_is_the_first_true_one(mask):
    assert validate.first_index(mask) == tuple(np.argwhere(mask)[0].tolist())


def test_freezing_returns_the_same_array():
    values = np.zeros(2)
    assert validate.frozen(values) is values
    assert not values.flags.writeable


# --- what is refused --------------------------------------------------------------------------------------------------

REFUSED = [
    (validate.integer, (True,), {}, TypeError, "x must be an integer; got True"),
    (validate.integer, (np.True_,), {}, TypeError, "x must be an integer; got True"),
    (validate.integer, (1.0,), {}, TypeError, "x must be an integer; got 1.0"),
    (validate.integer, (np.float64(1.5),), {}, TypeError, "x must be an integer; got 1.5"),
    (validate.integer, ("1",), {}, TypeError, "x must be an integer; got '1'"),
    (validate.integer, (None,), {}, TypeError, "x must be an integer; got None"),
    (validate.integer, ([1],), {}, TypeError, "x must be an integer; got [1]"),
    (validate.integer, (0,), {"at_least": 1}, ValueError, "x must be at least 1; got 0"),
    (validate.integer, (2,), {"at_most": 1}, ValueError, "x must be at most 1; got 2"),
    (validate.real, (True,), {}, TypeError, "x must be a number; got True"),
    (validate.real, (np.False_,), {}, TypeError, "x must be a number; got False"),
    (validate.real, ("1",), {}, TypeError, "x must be a number; got '1'"),
    (validate.real, (b"1",), {}, TypeError, "x must be a number; got b'1'"),
    (validate.real, (1j,), {}, TypeError, "x must be a number; got 1j"),
    (validate.real, (np.complex64(1),), {}, TypeError, "x must be a number; got (1+0j)"),
    (validate.real, (None,), {}, TypeError, "x must be a number; got None"),
    (validate.real, ([1.0],), {}, TypeError, "x must be a number; got [1.0]"),
    (validate.real, (np.array([1.0]),), {}, TypeError, "x must be a number; got array([1.])"),
    (validate.real, (math.nan,), {}, ValueError, "x must be finite; got nan"),
    (validate.real, (math.nan,), {"finite": False}, ValueError, "x must be a number; got nan"),
    (validate.real, (math.inf,), {}, ValueError, "x must be finite; got inf"),
    (validate.real, (-math.inf,), {}, ValueError, "x must be finite; got -inf"),
    (validate.real, (10**400,), {}, ValueError, "x must be finite; got a number beyond all floats"),
    (validate.real, (-Fraction(10**5000),), {}, ValueError, "x must be finite; got a number beyond all floats"),
    (validate.real, ([[1], [1, 2]],), {}, TypeError, "x must be a number; got [[1], [1, 2]]"),
    (validate.real, (-1,), {"at_least": 0.0}, ValueError, "x must be at least 0.0; got -1.0"),
    (validate.real, (0,), {"above": 0.0}, ValueError, "x must be above 0.0; got 0.0"),
    (validate.real, (2,), {"at_most": 1.0}, ValueError, "x must be at most 1.0; got 2.0"),
    (validate.real, (1,), {"below": 1.0}, ValueError, "x must be below 1.0; got 1.0"),
    (validate.choice, ("c", ("a", "b")), {}, ValueError, "x must be one of 'a', 'b'; got 'c'"),
    (validate.choice, (1, ("a", "b")), {}, ValueError, "x must be one of 'a', 'b'; got 1"),
    (validate.generator, (0,), {}, TypeError, "x must be a numpy.random.Generator; got int"),
    (validate.generator, (np.random,), {}, TypeError, "x must be a numpy.random.Generator; got module"),
    (validate.rectangular, ([[1], [1, 2]],), {}, ValueError, "x must be a rectangular array"),
    (validate.array, ([[1], [1, 2]],), {}, ValueError, "x must be a rectangular array"),
    (validate.array, (["a"],), {}, TypeError, "x must hold real numbers; its dtype is <U1"),
    (validate.array, ([None],), {}, TypeError, "x must hold real numbers; its dtype is object"),
    (validate.array, ([1j],), {}, TypeError, "x must hold real numbers; its dtype is complex128"),
    (validate.array, ([1.0, math.nan],), {}, ValueError, "x must be finite; entry (1,) is nan"),
    (validate.array, ([[1.0], [-math.inf]],), {}, ValueError, "x must be finite; entry (1, 0) is -inf"),
    (validate.array, (math.nan,), {}, ValueError, "x must be finite; entry () is nan"),
    (validate.array, ([1.0],), {"shape": (2,)}, ValueError, "x must have shape (2,); got (1,)"),
    (validate.array, ([1.0],), {"shape": (None, 2)}, ValueError, "x must have shape (any, 2); got (1,)"),
    (validate.array, (1.0,), {"shape": (None,)}, ValueError, "x must have shape (any,); got ()"),
    (validate.integers, ([[1], [1, 2]],), {}, ValueError, "x must be a rectangular array"),
    (validate.integers, ([1.0],), {}, TypeError, "x must hold integers; its dtype is float64"),
    (validate.integers, ([True],), {}, TypeError, "x must hold integers; its dtype is bool"),
    (validate.integers, ([10**30],), {}, TypeError, "x must hold integers; its dtype is object"),
    (validate.integers, (np.array([0, 2**63], np.uint64),), {}, ValueError, "x must fit into 64 bits; its largest entry is 9223372036854775808"),
    (validate.integers, ([0, -1],), {}, ValueError, "x must be at least 0; entry (1,) is -1"),
    (validate.integers, ([0, 3],), {"below": 3}, ValueError, "x must be below 3; entry (1,) is 3"),
    (validate.integers, ([0, 3],), {"shape": (None, None)}, ValueError, "x must have shape (any, any); got (2,)"),
    (validate.distribution, ([0.5, -0.5, 1.0],), {}, ValueError, "x must be non-negative; entry (1,) is -0.5"),
    (validate.distribution, ([0.5, 0.4],), {}, ValueError, "x rows must sum to 1; it sums to 0.9"),
    (validate.distribution, ([],), {}, ValueError, "x rows must sum to 1; it sums to 0"),
    (validate.distribution, ([[0.5, 0.5], [0.5, 0.6]],), {}, ValueError, "x rows must sum to 1; row (1,) sums to 1.1"),
    (validate.distribution, ([math.nan, 1.0],), {}, ValueError, "x must be finite; entry (0,) is nan"),
    (validate.distribution, ([1e308, 1e308],), {}, ValueError, "x rows must sum to 1; it sums to inf"),
    (validate.distribution, (1.0,), {}, ValueError, "x must have at least one axis; got a number"),
    (validate.distribution, (np.array([0.5, 0.51], np.float32),), {}, ValueError, "x rows must sum to 1"),
    (validate.probabilities, ([0.5, -0.1],), {}, ValueError, "x must lie in [0, 1]; entry (1,) is -0.1"),
    (validate.probabilities, ([[0.5, 1.1]],), {}, ValueError, "x must lie in [0, 1]; entry (0, 1) is 1.1"),
    (validate.probabilities, ([0.5, math.nan],), {}, ValueError, "x must be finite; entry (1,) is nan"),
    (validate.subdistribution, ([[0.5, 0.5], [0.5, 0.6]],), {}, ValueError, "x rows must sum to at most 1; row (1,) sums to 1.1"),
    (validate.subdistribution, ([0.5, 0.6],), {}, ValueError, "x rows must sum to at most 1; it sums to 1.1"),
    (validate.subdistribution, (0.5,), {}, ValueError, "x must have at least one axis; got a number"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "arguments", "options", "error", "message"), REFUSED)
def test_a_bad_argument_is_refused_with_its_name_its_value_and_the_rule(check, arguments, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        check("x", *arguments, **options)


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5), elements=st.floats(-1, 1))
)
def test_a_copy_begins_at_a_cache_line_and_shares_nothing_with_its_original(values):
    copy = validate.array("values", values)
    assert copy.ctypes.data % validate.CACHE_LINE == 0 or copy.size == 0
    assert copy.flags.c_contiguous
    assert copy.shape == values.shape
    assert (copy == values).all()
    assert not np.shares_memory(copy, values)
