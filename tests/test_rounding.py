"""Rounding once, and the test that says when a rounding is known to be right."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from sxlit.rounding import FORMATS, nearest, round_to

DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
EVERY = pytest.mark.parametrize("name", DTYPES)
SHORT = pytest.mark.parametrize("name", ["float16", "bfloat16"])


def once(x: Fraction, name: str) -> float:
    """The exact number, rounded to nearest, ties to even, by integers alone."""
    form = FORMATS[name]
    size = abs(x)
    if not size:
        return 0.0
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent += 1 if size >= Fraction(2) ** exponent else 0
    unit = Fraction(2) ** max(exponent - form.precision, form.lowest)
    whole = round(size / unit) * unit  # Python rounds halves to even
    value = float("inf") if whole > Fraction(form.largest) else float(whole)
    return value if x > 0 else -value


def numbers(name: str) -> np.ndarray:
    """All positive numbers of a short format, as float64."""
    bits = np.arange(2**15, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        values = bits.view(DTYPES[name]).astype(np.float64)
    return values[np.isfinite(values)]


def some_numbers(name: str, count: int) -> np.ndarray:
    """Positive numbers of any format, of every size, first and last ones too."""
    rng = np.random.default_rng(8)
    form = FORMATS[name]
    whole = rng.integers(1, 2**form.precision, count).astype(float)
    top = int(np.log2(form.largest)) + 1 - form.precision
    exponent = rng.integers(form.lowest, top + 1, count)
    exponent[: count // 4] = form.lowest
    values = np.ldexp(whole, exponent)
    return np.r_[values, form.largest, np.ldexp([1.0, 2.0, 3.0], form.lowest)]


def test_the_formats_are_those_of_the_dtypes() -> None:
    for name, dtype in DTYPES.items():
        finfo: Any = ml_dtypes.finfo if name == "bfloat16" else np.finfo
        info = finfo(dtype)
        form = FORMATS[name]
        assert form.precision == info.nmant + 1
        assert 2.0**form.lowest == float(info.smallest_subnormal)
        assert form.largest == float(info.max)


def check(hi: np.ndarray, lo: np.ndarray, name: str, exponent: int = 0) -> None:
    found = nearest(hi, lo, FORMATS[name], exponent)
    for h, low, value in zip(hi, lo, found, strict=True):
        exact = (Fraction(h) + Fraction(low)) * Fraction(2) ** exponent
        assert value == once(exact, name), (h, low)


@pytest.mark.theorem("thm-nearest")
@SHORT
def test_every_number_and_every_midpoint_is_rounded_once(name: str) -> None:
    values = numbers(name)
    middle = (values[:-1] + values[1:]) / 2
    half = np.spacing(middle) / 2
    tiny = 2.0**-60 * middle
    for low in (0 * middle, tiny, -tiny, half, -half):
        hi, rest = middle + low, low - ((middle + low) - middle)
        rounded = nearest(hi, rest, FORMATS[name])
        even = np.where(np.arange(len(middle)) % 2, values[1:], values[:-1])
        above, below = values[1:], values[:-1]
        want = np.where(low > 0, above, np.where(low < 0, below, even))
        assert np.array_equal(rounded, want)
        assert np.array_equal(nearest(-hi, -rest, FORMATS[name]), -want)
    assert np.array_equal(nearest(values, 0 * values, FORMATS[name]), values)


@pytest.mark.theorem("thm-nearest")
@EVERY
@pytest.mark.parametrize("exponent", [0, -60])
def test_numbers_of_every_size_are_rounded_once(name: str, exponent: int) -> None:
    values = some_numbers(name, 400)
    if exponent:  # what stands for a float64 below its range needs another exponent
        values = np.ldexp(values[values < 2.0**900], -exponent)
    form = FORMATS[name]
    size = np.frexp(values)[1] + exponent
    unit = np.ldexp(1.0, np.maximum(size - form.precision, form.lowest) - exponent)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        for nudge in (0.0, 2.0**-30, -(2.0**-30)):
            low = share * unit + nudge * unit
            with np.errstate(over="ignore", invalid="ignore"):
                hi = values + low
            fine = np.isfinite(hi)
            rest = np.where(fine, low, 0.0) - np.where(fine, hi - values, 0.0)
            check(hi[fine], rest[fine], name, exponent)


@pytest.mark.theorem("thm-rounding-test")
@EVERY
def test_what_is_decided_is_right_for_both_ends(name: str) -> None:
    rng = np.random.default_rng(9)
    values = some_numbers(name, 600)
    values = values[(values > 2.0**-960) & (values < 2.0**1000)]
    size = np.frexp(values)[1]
    unit = np.ldexp(
        1.0, np.maximum(size - FORMATS[name].precision, FORMATS[name].lowest)
    )
    lo = rng.choice([0, 1, -1], values.size) * unit * 10.0 ** rng.uniform(-30, 0)
    lo += rng.choice([0, 0.5, 0.25], values.size) * unit
    error = unit * 10.0 ** rng.uniform(-32, 1, values.size)
    rounded = round_to(values, lo, error, DTYPES[name])
    assert 50 < np.count_nonzero(rounded.decided) < values.size - 50
    sure = rounded.decided  # of these alone, the short way decides most
    again = round_to(values[sure], lo[sure], error[sure], DTYPES[name])
    assert again.decided.all()
    assert np.array_equal(again.value, rounded.value[sure])
    for start in range(0, values.size, 5):
        few = slice(start, start + 5)
        some = round_to(values[few], lo[few], error[few], DTYPES[name])
        assert np.array_equal(some.value, rounded.value[few])
        assert np.array_equal(some.decided, rounded.decided[few])
    columns = (values, lo, error, rounded.value.astype(float), rounded.decided)
    for h, low, e, value, decided in zip(*columns, strict=True):
        exact = Fraction(h) + Fraction(low)
        ends = [once(exact + side * Fraction(e), name) for side in (-1, 0, 1)]
        assert value == ends[1]
        if decided:
            assert ends[0] == ends[2] == value
        elif ends[0] == ends[2]:  # only where the end itself is all but a midpoint
            wider = [
                once(exact + s * Fraction(e + 1e-15 * (e + abs(low))), name)
                for s in (-1, 1)
            ]
            assert wider[0] != wider[1]


@EVERY
def test_an_exact_tie_goes_to_even_and_is_decided(name: str) -> None:
    values = some_numbers(name, 200)
    values = values[(values > 2.0**-900) & (values < FORMATS[name].largest)]
    unit = np.maximum(
        np.ldexp(1.0, np.frexp(values)[1] - FORMATS[name].precision),
        2.0 ** FORMATS[name].lowest,
    )
    rounded = round_to(values, unit / 2, 0.0, DTYPES[name])
    assert rounded.decided.all()
    for value, found, step in zip(
        values, rounded.value.astype(float), unit, strict=True
    ):
        assert found == once(Fraction(value) + Fraction(step) / 2, name)
    assert not round_to(values, unit / 2, unit * 1e-25, DTYPES[name]).decided.any()


@pytest.mark.theorem("thm-rounding-test")
@EVERY
def test_a_rest_tells_what_is_all_but_a_tie(name: str) -> None:
    values = some_numbers(name, 200)
    values = values[(values > 2.0**-900) & (values < FORMATS[name].largest)]
    unit = np.ldexp(
        1.0,
        np.maximum(np.frexp(values)[1] - FORMATS[name].precision, FORMATS[name].lowest),
    )
    for side in (-1.0, 1.0):
        rest = side * unit * 2.0**-120
        found = round_to(values, unit / 2, rest / 8, DTYPES[name], 0, rest)
        assert found.decided.all()
        expected = values + unit if side > 0 else values
        assert np.array_equal(found.value.astype(float), expected)
        unsure = round_to(values, unit / 2, 2 * np.abs(rest), DTYPES[name], 0, rest)
        assert not unsure.decided.any()


@EVERY
def test_special_numbers_stand_for_themselves(name: str) -> None:
    given = [np.inf, -np.inf, np.nan, 0.0, -0.0]
    found = round_to(given, np.zeros(5), [0, 1, np.nan, 0, 0], DTYPES[name])
    assert found.decided.all()
    assert found.value.dtype == DTYPES[name]
    values = found.value.astype(float)
    assert np.array_equal(values, given, equal_nan=True)
    assert np.signbit(values).tolist()[-2:] == [False, True]


@EVERY
def test_an_unknown_error_decides_nothing(name: str) -> None:
    found = round_to([1.0, 1.0], 0.0, [np.inf, np.nan], DTYPES[name])
    assert not found.decided.any()


def test_the_cast_of_others_rounds_twice() -> None:
    value = np.array([1 + 2.0**-8 + 2.0**-40])
    assert value.astype(ml_dtypes.bfloat16) == 1.0
    assert round_to(value, 0.0, 0.0, ml_dtypes.bfloat16).value == 1 + 2.0**-7


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="expected one of float64"):
        round_to(1.0, 0.0, 0.0, np.int32)


@SHORT
def test_shapes_do_not_matter(name: str) -> None:
    hi = np.array([[1.0, 1.0 + 2.0**-9], [np.inf, 3.0], [1e-50, 1.0 + 2.0**-12]])
    nothing = np.zeros((3, 1), np.intc)
    found = round_to(hi, 0.0, 1e-30, DTYPES[name], nothing, 0.0 * nothing)
    for x, value, decided in zip(hi.flat, *map(np.ravel, found), strict=True):
        alone = round_to(x, 0.0, 1e-30, DTYPES[name])
        assert (value, decided) == (alone.value, alone.decided)
