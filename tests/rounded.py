"""Whether results are the nearest numbers of their format to exact values."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from flint import arb

from sxlit.rounding import FORMATS

SHORT = ("float16", "bfloat16", "float32")


def as_dtype(name: Any) -> np.dtype[Any]:
    """The dtype of this name, bfloat16 too; a dtype is one already."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def fraction(x: arb) -> Fraction:
    """The exact value of a ball without a radius."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def nearest(x: Fraction, dtype: np.dtype[Any]) -> float:
    """Round to nearest, ties to even, written from the definition."""
    form = FORMATS[dtype.name]
    if x == 0:
        return 0.0
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent += size >= Fraction(2) ** exponent  # 2^(e-1) <= |x| < 2^e
    grid = Fraction(2) ** max(exponent - form.precision, form.lowest)
    rounded = round(x / grid) * grid  # Python rounds ties to even
    if abs(rounded) > Fraction(form.largest):
        return np.inf if x > 0 else -np.inf
    return float(rounded)


def misrounded(results: Any, exact: Iterable[arb]) -> list[tuple[int, float, float]]:
    """Position, result and the right one, wherever both ends of a ball agree on it."""
    array = np.asarray(results)
    wrong = []
    for k, (value, ball) in enumerate(zip(array.ravel(), exact, strict=True)):
        ends = {
            nearest(fraction(end), array.dtype) for end in (ball.lower(), ball.upper())
        }
        assert len(ends) == 1, f"the exact value of {k} is not known well enough"
        right = ends.pop()
        if float(value) != right:
            wrong.append((k, float(value), right))
    return wrong


def worst_ulp(results: Any, exact: Iterable[arb]) -> float:
    """The largest distance of float64 results from exact values, in ulps of these."""
    worst = 0.0
    for value, ball in zip(np.asarray(results).ravel(), exact, strict=True):
        nearby = float(ball.mid())
        error = abs(arb(float(value)) - ball) / arb(float(np.spacing(abs(nearby))))
        worst = max(worst, float(error.upper()))
    return worst
