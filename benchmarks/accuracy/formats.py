"""The four dtypes as sets of numbers: rounding to nearest, and the size of an ulp."""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt
from flint import arb

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Format(NamedTuple):
    """Bits of a normal number, exponent of the smallest one, and the largest."""

    dtype: np.dtype[Any]
    precision: int
    lowest: int
    largest: float


FORMATS = {
    "float16": Format(np.dtype(np.float16), 11, -24, 65504.0),
    "bfloat16": Format(np.dtype(ml_dtypes.bfloat16), 8, -133, 255.0 * 2.0**120),
    "float32": Format(np.dtype(np.float32), 24, -149, (2.0**24 - 1) * 2.0**104),
    "float64": Format(np.dtype(np.float64), 53, -1074, float(np.finfo(float).max)),
}
DOUBT = 2.0**-35  # nearer to a tie than this, in half ulps: ask for more digits


def unit(hi: Floats, lo: Floats, form: Format) -> npt.NDArray[np.intc]:
    """The exponent of an ulp at hi + lo."""
    mantissa, size = np.frexp(np.abs(hi))
    below = (mantissa == 0.5) & (np.sign(lo) == -np.sign(hi)) & (lo != 0.0)
    size = np.where(hi == 0.0, form.lowest, size - below)
    return np.maximum(size - form.precision, form.lowest).astype(np.intc)


class Nearest(NamedTuple):
    """The numbers of a format nearest to exact ones, and where that is in doubt."""

    value: Floats
    doubtful: npt.NDArray[np.bool_]


def nearest(hi: Floats, lo: Floats, form: Format) -> Nearest:
    """Round hi + lo once; near a tie, two doubles cannot tell what they stand for."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        ulp = unit(hi, lo, form)
        halves = _scaled(hi, 1 - ulp)
        even = 2.0 * np.rint(halves / 2.0)
        rest = (halves - even) + _scaled(lo, 1 - ulp)
        value = even + 2.0 * (rest > 1.0) - 2.0 * (rest < -1.0)
        value = _scaled(value, ulp - 1)
        value = np.where(np.abs(value) > form.largest, np.copysign(np.inf, hi), value)
        doubtful = np.isfinite(hi) & (np.abs(np.abs(rest) - 1.0) < DOUBT)
    return Nearest(np.where(np.isfinite(hi), value, hi), doubtful)


def _scaled(x: Floats, by: Array) -> Floats:
    """In two steps, as one may lead beyond the largest power."""
    half = by // 2
    return np.ldexp(np.ldexp(x, half), by - half)


def nearest_to(x: arb, form: Format) -> float | None:
    """Round a ball once; None where it is too wide to say."""
    ulp = _unit_of(x, form)
    raised = x * arb(2) ** -ulp + arb("0.5")
    whole = raised.floor().unique_fmpz()
    if whole is None:
        return None
    if raised == whole and int(whole) % 2:
        whole -= 1  # a tie, exactly: to even
    return _stored(int(whole), ulp, form)


def even_tie(x: arb, form: Format) -> float:
    """The even neighbour of a tie that is known to be one."""
    ulp = _unit_of(x, form)
    above = int((x * arb(2) ** -ulp + 1).floor().unique_fmpz())
    return _stored(above - above % 2, ulp, form)


def _unit_of(x: arb, form: Format) -> int:
    """The exponent of an ulp; at a power of two either neighbour's will do."""
    size = int(np.frexp(float(abs(x).mid()))[1])
    return max(size - form.precision, form.lowest)


def _stored(steps: int, ulp: int, form: Format) -> float:
    value = float(np.ldexp(float(steps), ulp))
    return value if abs(value) <= form.largest else float(np.copysign(np.inf, value))


def ulps(answers: Floats, hi: Floats, lo: Floats, form: Format) -> Floats:
    """How far answers lie from hi + lo, in ulps at the exact value."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        off = (answers - hi) - lo
        off = np.where(answers == hi, np.abs(lo), np.abs(off))
        return _scaled(off, -unit(hi, lo, form))
