"""Checks of arguments, made once, in public functions.

Every message names the argument, the value and the rule that it breaks. No input is repaired, except for rounding.
"""

import operator
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)
_Kind = TypeVar("_Kind")

CACHE_LINE = 64
"""Bytes that a processor loads at once."""

ROW_TOLERANCE = 1e-9
"""How far a float64 row may sum from 1. A float32 row gets the same in its own precision (see `distribution`)."""


def _shown(value: object) -> str:
    """Print a scalar the same way whatever numpy version made it."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def integer(name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Return `value` as an int.

    Raises
    ------
    TypeError
        If it is not an integer (a bool and a float are not).
    ValueError
        If it lies outside [`at_least`, `at_most`].
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer; got {_shown(value)}")
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {_shown(value)}") from None
    if at_least is not None and result < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {result}")
    if at_most is not None and result > at_most:
        raise ValueError(f"{name} must be at most {at_most}; got {result}")
    return result


def real(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    finite: bool = True,
) -> float:
    """Return `value` as a float inside the stated range.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is NaN, infinite (unless `finite` is False) or outside the range.
    """
    refused = isinstance(value, bool | np.bool_ | str | bytes | complex | np.complexfloating)
    if refused or (isinstance(value, np.ndarray) and value.ndim > 0):
        raise TypeError(f"{name} must be a number; got {_shown(value)}")
    try:
        result = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be finite; got a number beyond all floats") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {_shown(value)}") from None
    if np.isnan(result) or (finite and np.isinf(result)):
        raise ValueError(f"{name} must be {'finite' if finite else 'a number'}; got {result}")
    for broken, rule in (
        (at_least is not None and result < at_least, f"at least {at_least}"),
        (above is not None and result <= above, f"above {above}"),
        (at_most is not None and result > at_most, f"at most {at_most}"),
        (below is not None and result >= below, f"below {below}"),
    ):
        if broken:
            raise ValueError(f"{name} must be {rule}; got {result}")
    return result


def instance(name: str, value: Any, kind: type[_Kind]) -> _Kind:
    """Return `value` if it is of the class `kind`, else raise TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}; got {type(value).__name__}")
    return value


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """Return `value` if it is one of `options`, else raise ValueError."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {value!r}")
    return str(value)


def generator(name: str, value: Any) -> np.random.Generator:
    """Return `value` if it is a `numpy.random.Generator`, else raise TypeError."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator; got {type(value).__name__}")
    return value


def rectangular(name: str, value: Any) -> NDArray[Any]:
    """Return `value` as an array of whatever type it has, without a copy where it is one.

    Raises
    ------
    ValueError
        If it is a nest of sequences of unequal lengths.
    """
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array: {error}") from None


def array(name: str, value: Any, *, shape: tuple[int | None, ...] | None = None) -> NDArray[np.float64]:
    """Return a private, C-ordered float64 copy of a finite real array; it begins at a cache line.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    value : array_like
        Real numbers.
    shape : tuple of int or None, optional
        Required shape; None leaves an axis free.

    Raises
    ------
    TypeError
        If the entries are not real numbers.
    ValueError
        If the shape differs or an entry is not finite; the message names the first such entry.
    """
    raw = rectangular(name, value)
    if raw.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; its dtype is {raw.dtype}")
    _check_shape(name, raw.shape, shape)
    result = aligned(raw, np.float64)
    finite = np.isfinite(result)
    if not finite.all():
        where = first_index(~finite)
        raise ValueError(f"{name} must be finite; entry {where} is {result[where].item()}")
    return result


def integers(
    name: str, value: Any, *, shape: tuple[int | None, ...] | None = None, below: int | None = None
) -> NDArray[np.int64]:
    """Return a private, C-ordered int64 copy of an array of non-negative integers.

    Raises
    ------
    TypeError
        If the entries are not of an integer type.
    ValueError
        If the shape differs, or an entry is negative or not below `below`; the message names the first such entry.
    """
    raw = rectangular(name, value)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers; its dtype is {raw.dtype}")
    _check_shape(name, raw.shape, shape)
    if raw.size and raw.dtype.kind == "u" and int(raw.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must fit into 64 bits; its largest entry is {int(raw.max())}")
    result = np.array(raw, dtype=np.int64, order="C", copy=True)
    for broken, rule in (
        (result < 0, "at least 0"),
        (result >= below if below is not None else None, f"below {below}"),
    ):
        if broken is not None and broken.any():
            where = first_index(broken)
            raise ValueError(f"{name} must be {rule}; entry {where} is {result[where].item()}")
    return result


def distribution(name: str, value: Any, *, shape: tuple[int | None, ...] | None = None) -> NDArray[np.float64]:
    """Return a private float64 copy of an array whose last axis holds probability distributions.

    A float64 row must sum to 1 within `ROW_TOLERANCE`, and is kept as it is. A float16 or float32 row must do so
    within 8 units of its own precision a term, and is then normalised in float64, where "sums to 1" has a meaning.

    Raises
    ------
    TypeError, ValueError
        As `array`; and if an entry is negative or a row does not sum to 1 (the message names the row and its sum).
    """
    result = array(name, value, shape=shape)
    _check_has_rows(name, result)
    negative = result < 0
    if negative.any():
        where = first_index(negative)
        raise ValueError(f"{name} must be non-negative; entry {where} is {result[where].item()}")
    with np.errstate(over="ignore"):
        totals = result.sum(axis=-1)
    dtype = np.asarray(value).dtype
    coarse = dtype.kind == "f" and dtype.itemsize < 8
    tolerance = 8 * result.shape[-1] * float(np.finfo(dtype).eps) if coarse else ROW_TOLERANCE
    _check_rows(name, totals, np.abs(totals - 1.0) > tolerance, "1")
    if coarse:
        result /= totals[..., None]
    return result


def probabilities(name: str, value: Any, *, shape: tuple[int | None, ...] | None = None) -> NDArray[np.float64]:
    """Return a private float64 copy of an array of probabilities; what exceeds 1 by at most `ROW_TOLERANCE` becomes 1.

    Raises
    ------
    TypeError, ValueError
        As `array`; and if an entry lies outside [0, 1] (the message names it).
    """
    result = array(name, value, shape=shape)
    off = (result < 0.0) | (result > 1.0 + ROW_TOLERANCE)
    if off.any():
        where = first_index(off)
        raise ValueError(f"{name} must lie in [0, 1]; entry {where} is {result[where].item()}")
    clipped: NDArray[np.float64] = np.minimum(result, 1.0)
    return clipped


def subdistribution(name: str, value: Any, *, shape: tuple[int | None, ...] | None = None) -> NDArray[np.float64]:
    """Return a private float64 copy of an array of probabilities whose rows (last axis) sum to at most 1.

    Raises
    ------
    TypeError, ValueError
        As `probabilities`; and if a row sums to more than 1 + `ROW_TOLERANCE` (the message names it and its sum).
    """
    result = probabilities(name, value, shape=shape)
    _check_has_rows(name, result)
    totals = result.sum(axis=-1)
    _check_rows(name, totals, totals > 1.0 + ROW_TOLERANCE, "at most 1")
    return result


def first_index(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Index of the first True entry, as plain ints."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def aligned(values: NDArray[Any], dtype: type[_T]) -> NDArray[_T]:
    """Copy, C-ordered, to an address that is a multiple of 64 bytes: rows that straddle cache lines load slowly."""
    each = np.dtype(dtype).itemsize
    buffer = np.empty(values.size + CACHE_LINE // each, dtype)
    start = -buffer.ctypes.data % CACHE_LINE // each
    copy = buffer[start : start + values.size].reshape(values.shape)
    copy[...] = values
    return copy


def frozen(values: NDArray[_T]) -> NDArray[_T]:
    """Make an array read-only and return it."""
    values.setflags(write=False)
    return values


def _check_has_rows(name: str, result: NDArray[np.float64]) -> None:
    if result.ndim == 0:
        raise ValueError(f"{name} must have at least one axis; got a number")


def _check_rows(name: str, totals: NDArray[np.float64], off: NDArray[np.bool_], rule: str) -> None:
    if off.any():
        where = first_index(off)
        row = f"row {where}" if where else "it"
        raise ValueError(f"{name} rows must sum to {rule}; {row} sums to {totals[where].item():.12g}")


def _check_shape(name: str, actual: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> None:
    if wanted is None:
        return
    if len(actual) != len(wanted) or any(w is not None and a != w for a, w in zip(actual, wanted, strict=True)):
        rule = "(" + ", ".join("any" if w is None else str(w) for w in wanted) + ("," if len(wanted) == 1 else "") + ")"
        raise ValueError(f"{name} must have shape {rule}; got {actual}")
