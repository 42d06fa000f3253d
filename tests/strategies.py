"""Hypothesis strategies: rows on which arithmetic goes wrong, of every kind and dtype.

The profile is the same on every machine and in every run: nothing is random, nothing
is kept, nothing is timed.
"""

from __future__ import annotations

import os
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from every_function import Array, Function
from rounded import as_dtype
from sxlit.rounding import FORMATS

settings.register_profile(
    "sxlit",
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    max_examples=int(os.environ.get("SXLIT_EXAMPLES", "15")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("sxlit")

WIDTHS = (1, 2, 3, 5, 8)
OFFSETS = (0.0, 1e4, -1e4, 2.0**24, 1e30, -3e38, 3e38, 1e300, -1e300)
INF, NAN = np.inf, np.nan


def cast(values: Any, dtype: Any) -> Array:
    """The values in `dtype`, clipped to its range; infinities stay."""
    array, most = (
        np.asarray(values, dtype=np.float64),
        float(ml_dtypes.finfo(dtype).max),
    )
    kept = np.where(np.isfinite(array), np.clip(array, -most, most), array)
    with np.errstate(under="ignore"):
        return kept.astype(as_dtype(dtype))


def spacing(x: float, dtype: Any) -> float:
    """How far apart the numbers of the dtype lie around `x`."""
    form = FORMATS[as_dtype(dtype).name]
    return 2.0 ** max(int(np.frexp(x)[1]) - form.precision, form.lowest)


def numbers(size: float = 40.0) -> st.SearchStrategy[float]:
    """Numbers to `size`, among them those at which exp, log and 1 + t change course."""
    odd = [0.0, -0.0, 1.0, 1 + 2.0**-52, 1 - 2.0**-24, 5e-324, 1e-45, 1e-38, 1e-308]
    odd += [17.0, 20.0, 37.0, 88.7, 104.0, 709.78, 745.13, 800.0]
    odd = [sign * x for x in odd for sign in (1, -1) if x <= size]
    return st.one_of(st.floats(-size, size), st.sampled_from(odd))


@st.composite
def logit_rows(draw: st.DrawFn, width: int, dtype: Any, special: bool) -> Array:
    """One row: anything, near-ties, or gaps to 800; some far from 0."""
    kind = draw(st.sampled_from(["any", "near-ties", "gaps"]))
    if kind == "near-ties":
        steps = draw(st.lists(st.integers(-3, 3), min_size=width, max_size=width))
        base = cast(draw(st.one_of(numbers(), st.sampled_from(OFFSETS))), dtype)
        base = float(base * base.dtype.type(0.5))  # the largest has no neighbour
        return cast(base + np.array(steps) * spacing(base, dtype), dtype)
    size = 40.0 if kind == "any" else 800.0
    values = draw(st.lists(numbers(size), min_size=width, max_size=width))
    row = np.array(values) + draw(st.sampled_from(OFFSETS))
    if special:
        for value in draw(st.lists(st.sampled_from([INF, -INF, -INF, NAN]))):
            row[draw(st.integers(0, width - 1))] = value
    return cast(row, dtype)


def stacked(rows: list[Array], width: int) -> Array:
    """Rows of a batch (n, 2, width), each repeated to `width`."""
    return np.stack([np.resize(row, width) for row in rows]).reshape(-1, 2, width)


@st.composite
def logits(draw: st.DrawFn, dtype: Any, special: bool = True) -> Array:
    """A batch of shape (n, 2, C); now and then of many classes."""
    width, pairs = draw(st.sampled_from(WIDTHS)), draw(st.integers(1, 2))
    rows = [draw(logit_rows(width, dtype, special)) for _ in range(2 * pairs)]
    return stacked(rows, draw(st.sampled_from([width, width, width, 33, 150])))


def _values(
    draw: st.DrawFn, shape: tuple[int, ...], entries: st.SearchStrategy[float]
) -> Array:
    """An array that repeats a few drawn values."""
    count = int(np.prod(shape))
    some = draw(st.lists(entries, min_size=1, max_size=min(count, 12)))
    return np.resize(np.array(some, dtype=np.float64), shape)


@st.composite
def distributions(draw: st.DrawFn, shape: tuple[int, ...], dtype: Any) -> Array:
    """Multiples of 1/512 whose rows sum to one exactly."""
    counts = np.zeros((int(np.prod(shape[:-1])), shape[-1]), dtype=int)
    for row in counts:
        left = 512
        for k in range(min(shape[-1], 12) - 1):
            row[k] = draw(st.sampled_from([0, left // 9, left // 2, left]))
            left -= row[k]
        row[-1] += left
    return cast(counts.reshape(shape) / 512, dtype)


@st.composite
def arguments(
    draw: st.DrawFn, function: Function, dtype: Any, special: bool = True
) -> list[Array]:
    """Arguments of a function, all of one batch (n, 2, C)."""
    first = draw(logits(dtype, special))
    return [draw(argument(kind, first, special)) for kind in function.takes]


@st.composite
def argument(draw: st.DrawFn, kind: str, x: Array, special: bool) -> Array:
    """One argument of the given kind beside logits `x`."""
    shape, dtype = x.shape, x.dtype
    missing = st.sampled_from([NAN, INF, -INF]) if special else st.nothing()
    if kind in ("logits", "log-odds"):
        return x
    if kind == "other logits":
        rows = [draw(logit_rows(min(shape[-1], 8), dtype, special)) for _ in x[:, 0]]
        return stacked([row for row in rows for _ in (0, 1)], shape[-1])
    if kind == "labels":
        labels = st.integers(0, shape[-1] - 1)
        return _values(draw, shape[:-1], labels).astype(np.int64)
    if kind in ("direction", "number", "slope"):
        own = shape if kind != "number" else shape[:-1]
        size = 800.0 if special else 40.0
        return cast(_values(draw, own, st.one_of(numbers(size), missing)), dtype)
    if draw(st.booleans()):
        return draw(distributions(shape, dtype))
    between = [0.0, 1.0, 0.5, 1e-45, 1e-8, 1 - 2.0**-24, 1 / 3]
    shares = st.one_of(st.floats(0, 1), st.sampled_from(between))
    nan = st.just(NAN) if special else st.nothing()
    if kind in ("p", "q", "probability"):
        return cast(_values(draw, shape, st.one_of(shares, nan)), dtype)
    weights = st.one_of(shares, nan, st.floats(-3, 3))  # targets, answers
    return cast(_values(draw, shape, weights), dtype)
