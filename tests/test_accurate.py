"""Formulas rounded once: the nearest number is returned, or it is counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

import sxlit
from rounded import SHORT, as_dtype, misrounded, worst_ulp
from sameness import same_bits
from sxlit import accurate, bounds
from sxlit.accurate import count_undecided, rounded, rounded_whole
from sxlit.arrays import Numbers
from sxlit.pairs import Pair
from sxlit.wide import Wide

INF, NAN = np.inf, np.nan
FUNCTIONS = {
    "softmax": sxlit.softmax,
    "log_softmax": sxlit.log_softmax,
    "logsumexp": sxlit.logsumexp,
}
EACH = pytest.mark.parametrize("name", FUNCTIONS)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(8000):
        yield


# Exact values


def exact(name: str, rows: np.ndarray) -> list[arb]:
    found = []
    for row in rows.astype(float).tolist():
        x = [arb(v) for v in row]
        top = x[int(np.argmax(row))]
        weights = [(v - top).exp() for v in x]
        total = sum(weights, arb(0))
        if name == "softmax":
            found += [w / total for w in weights]
        elif name == "log_softmax":
            found += [v - top - total.log() for v in x]
        else:
            found.append(top + total.log())
    return found


def logits(name: str) -> np.ndarray:
    """Calm, tied, wide and far rows, and some at the ends of the formats."""
    rng = np.random.default_rng(3)
    scales = np.array([1e-4, 0.01, 1.0, 3.0, 10.0, 50.0, 200.0])[:, None]
    random = rng.standard_normal((35, 7)) * np.tile(scales, (5, 1))
    shifted = np.where(np.arange(35)[:, None] % 3 == 0, random + 100.0, random)
    chosen = [
        [0.25, -900.0, 0, 0, 0, 0, 0], [0, -1390.5, 1, 2, -3, 0, 0], [0] * 7,
        [20, 0, 0, 0, 0, 0, 0], [-700, 0, -20, -745, -746, -1000, 0],
        [30000, -30000, 0, 1, 2, 3, 4], [6, -100, -104, -88, -95, -103.5, -16.64],
        [0, -2.0**-14, 2.0**-14, -(2.0**-10), 0, 0, 0],
    ]  # fmt: skip
    return np.concatenate([shifted, chosen]).astype(as_dtype(name))


@pytest.mark.theorem("thm-rounded")
@EACH
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_results_are_rounded_correctly(name: str, dtype: str) -> None:
    x = logits(dtype)
    with count_undecided() as undecided:
        found = FUNCTIONS[name](x, precision="double-double")
    assert found.dtype == as_dtype(dtype)
    assert misrounded(found, exact(name, x)) == []
    assert undecided.count == 0


@pytest.mark.theorem("thm-rounded")
@EACH
def test_results_in_float64_are_within_five_eighths(name: str) -> None:
    x = logits("float64")
    with count_undecided() as undecided:
        found = FUNCTIONS[name](x)
    # float(mid) may be the power of two above the exact value: half of that is an ulp.
    assert worst_ulp(found, exact(name, x)) <= 0.625
    assert undecided.count == 0


@pytest.mark.theorem("thm-rounded")
def test_just_below_a_power_of_two_the_ulp_is_the_smaller_one() -> None:
    rng = np.random.default_rng(0)
    below = 0.5 - rng.uniform(0, 4, 4000) * 2.0**-53
    gap = np.log((1 - below) / below) + rng.integers(-30, 30, 4000) * 2.0**-53
    x = np.stack([0.0 * gap, gap], axis=1)
    found = sxlit.softmax(x)[:, 0]
    exactly = [1 / (1 + arb(d).exp()) for d in gap.tolist()]
    for p, value in zip(exactly, found.tolist(), strict=True):
        ulp = arb(2) ** (-54 if p < arb(0.5) else -53)
        assert abs(arb(value) - p) <= arb(0.625) * ulp


# Counting


def thirds(rows: Numbers) -> Numbers:
    """A number that is a tie but for an error that nobody can remove."""
    return 0.5 * ((1.0 + 2.0**-52) + rows / 3.0 * 3.0)


@pytest.mark.theorem("thm-rounded")
def test_what_cannot_be_decided_is_counted() -> None:
    one = np.ones((5, 1))
    with count_undecided() as undecided:
        found = rounded(thirds, [one], np.dtype(float), precision="double-double")
    assert undecided.count == 5
    assert np.isin(found, [1.0, 1.0 + 2.0**-52]).all()
    with count_undecided() as undecided:
        rounded(thirds, [one], np.dtype(float))
    assert undecided.count == 0  # 5/8 of an ulp is possible
    with count_undecided() as outer:
        with count_undecided() as inner:
            rounded(lambda x: 1.0 / (x - x / 3.0 * 3.0), [one], np.dtype(float))
        assert (inner.count, outer.count) == (5, 0)
    rounded(thirds, [one], np.dtype(float), precision="double-double")  # nobody counts


def test_a_cancellation_goes_on_to_more_digits() -> None:
    x = np.array([[1.0], [1e-5]])
    with count_undecided() as undecided:
        found = rounded(lambda x: (x / 3.0 + 1e8) - 1e8, [x], np.dtype(float))
    assert found[:, 0].tolist() == [1 / 3, 1e-5 / 3]
    assert undecided.count == 0


@pytest.mark.theorem("thm-rounded")
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
@pytest.mark.parametrize("precision", ["float64", "double-double"])
def test_one_number_out_of_all_rows(dtype: str, precision: Any) -> None:
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((300, 1)) * 5).astype(as_dtype(dtype)).astype(float)
    with count_undecided() as undecided:
        found = rounded_whole(
            lambda x: np.exp(-np.abs(x)),
            lambda row: row.sum(axis=-1, keepdims=True) / 300.0,
            [x],
            as_dtype(dtype),
            precision=precision,
        )
    mean = sum(((-abs(arb(v))).exp() for v in x[:, 0].tolist()), arb(0)) / 300
    assert undecided.count == 0
    if (dtype, precision) == ("float64", "float64"):
        assert worst_ulp(found, [mean]) <= 0.625
    else:
        assert misrounded(found, [mean]) == []


def test_a_whole_may_have_several_columns() -> None:
    def both(x: Numbers) -> Numbers:
        return np.where(np.arange(2) == 0, x * x, x)

    found = rounded_whole(
        both,
        lambda squares, x: (squares / x).sum(axis=-1, keepdims=True),
        [np.array([[2.0], [3.0]])],
        np.dtype(np.float32),
    )
    assert found == 5.0


def test_the_mean_of_nothing_is_nan() -> None:
    found = rounded_whole(
        lambda x: x,
        lambda row: row.sum(axis=-1, keepdims=True) / 0.0,
        [np.zeros((0, 1))],
        np.dtype(float),
    )
    assert np.isnan(found)


# The driver


@EACH
@pytest.mark.parametrize("precision", ["float64", "double-double"])
def test_a_row_does_not_depend_on_its_company(
    name: str, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = logits("float64")
    x[0, 3], x[1, 2], x[2, 1] = INF, -INF, NAN
    whole = FUNCTIONS[name](x, precision=precision)
    alone = np.stack([FUNCTIONS[name](row, precision=precision) for row in x])
    assert same_bits(whole, alone)
    monkeypatch.setattr(accurate, "BLOCK", 20)
    assert same_bits(FUNCTIONS[name](x, precision=precision), whole)


@pytest.mark.parametrize("strange", [NAN, INF, -INF, 1e308])
def test_no_bit_of_a_row_depends_on_a_strange_one(strange: float) -> None:
    x = np.random.default_rng(5).standard_normal((4000, 50)) * 5
    other = np.full((1, 50), strange)
    other[0, 0] = -strange if strange == 1e308 else strange
    together = sxlit.softmax(np.vstack([x, other]))
    assert same_bits(together[:-1], sxlit.softmax(x))


def test_a_gap_beyond_the_range_of_float64_is_finite() -> None:
    x, y = np.zeros(3), np.array([-1.7e308, 1.7e308, 0.0])
    assert sxlit.kl_divergence_from_logits(x, y) == 1.7e308


@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_special_rows_have_their_limits(dtype: str) -> None:
    x = np.array(
        [[INF, 0, -INF], [0, -INF, 0], [INF, INF, 0], [-INF] * 3, [NAN, 0, 1]],
        as_dtype(dtype),
    )
    found = sxlit.softmax(x).astype(float)
    assert found[:2].tolist() == [[1, 0, 0], [0.5, 0, 0.5]]
    assert np.array_equal(found[2], [NAN, NAN, 0], equal_nan=True)
    assert np.isnan(found[3:5]).all()


@EACH
@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (1, 1)])
def test_empty_batches_and_single_classes(name: str, shape: tuple[int, ...]) -> None:
    found = FUNCTIONS[name](np.zeros(shape, np.float32))
    assert found.dtype == np.float32
    assert found.shape == (shape[:-1] if name == "logsumexp" else shape)


def test_no_result_is_minus_zero() -> None:
    dtype = np.dtype(np.float32)
    found = rounded(lambda x: x * 1e-30, [np.array([[-1e-30, -0.0]])], dtype)
    assert not np.signbit(found).any()
    assert (found == 0.0).all()


def test_nothing_is_left_changed() -> None:
    before = np.geterr(), np.getbufsize()
    sxlit.softmax([1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        rounded(lambda x: 1 / 0, [np.ones((1, 1))], np.dtype(float))
    assert (np.geterr(), np.getbufsize()) == before


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'float64' or 'double-double'"):
        sxlit.softmax([1.0], precision="quadruple")


def test_formulas_may_lead_to_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accurate, "BLOCK", 100)
    seen = []

    def outer(x: Numbers) -> Numbers:
        seen.append(x.shape)
        return x[:, :, None] * x[:, None, :]

    x = np.arange(40.0).reshape(4, 10)
    found = rounded(outer, [x], np.dtype(float), width=100)
    assert np.array_equal(found, x[:, :, None] * x[:, None, :])
    assert seen == [(1, 10)] * 4


# The bound of what is returned


@pytest.mark.theorem("thm-rounded")
@EACH
@pytest.mark.parametrize("dtype", [*SHORT, "float64"])
def test_results_are_within_the_bound_of_rounding(name: str, dtype: str) -> None:
    x = logits(dtype)
    found = FUNCTIONS[name](x)
    balls = exact(name, x)
    middles = np.array([float(ball.mid()) for ball in balls])
    allowed = bounds.rounded_once(middles, dtype, correctly=dtype != "float64")
    columns = zip(found.astype(float).ravel().tolist(), balls, allowed, strict=True)
    used = []
    for value, ball, most in columns:
        if np.isinf(value):
            assert most == INF
            continue
        # The middle is a rounded one: it may be a power of two that the exact is not.
        assert abs(arb(value) - ball) <= arb(float(most)) * (1 + arb(2) ** -40)
        used.append(float(abs(arb(value) - ball)) / most)
    assert max(used) > 0.7  # it is not generous


def test_the_bound_of_rounding_at_the_edges() -> None:
    given = [0.0, 1.0, -1.5, 65504.0, 65519.0, 65521.0, INF, NAN]
    found = bounds.rounded_once(given, "float16")
    expected = [2.0**-25, 2.0**-11, 2.0**-11, 16.0, 16.0, INF, 0.0, NAN]
    assert np.array_equal(found, expected, equal_nan=True)
    assert bounds.rounded_once(1.0, correctly=False) == 0.625 * 2.0**-52
    small = [0.0, 5e-324, 2.0**-1022, 2.0**-1021, 2.0**-1020, 2.0**-1019]
    half = np.array([1, 1, 1, 1, 2, 4]) * 5e-324  # what is not a number is rounded up
    assert np.array_equal(bounds.rounded_once(small), half)
    more = np.array([1, 1, 1, 2, 3, 5]) * 5e-324
    assert np.array_equal(bounds.rounded_once(small, correctly=False), more)
    with pytest.raises(ValueError, match="expected one of float64"):
        bounds.rounded_once(1.0, "float8")


# The same bits on every processor

PROGRAM = """
import hashlib
import ml_dtypes, numpy as np, sxlit
rng = np.random.default_rng(0)
x = rng.standard_normal((40, 300)) * np.ldexp(1.0, rng.integers(-6, 9, (40, 1)))
for precision in ("float64", "double-double"):
    for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16):
        for function in (sxlit.softmax, sxlit.log_softmax, sxlit.logsumexp):
            found = function(x.astype(dtype), precision=precision)
            print(hashlib.sha256(found.tobytes()).hexdigest())
print(hashlib.sha256(np.exp(x.clip(max=700))).hexdigest())
"""


def digests(disabled: str) -> list[str]:
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled}
    environment["PYTHONPATH"] = str(Path(accurate.__file__).resolve().parent.parent)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout.split()


def test_the_bits_do_not_depend_on_the_processor() -> None:
    config: Any = np.show_config(mode="dicts")
    found = config["SIMD Extensions"].get("found", [])
    if not found:
        pytest.skip("not run: NumPy has one path only on this processor")
    as_it_is, plain = digests(""), digests(" ".join(found))
    assert len(as_it_is) == 25
    assert as_it_is[:-1] == plain[:-1]
    if {"X86_V4", "AVX512_SKX"} & set(found):
        assert as_it_is[-1] != plain[-1]  # or nothing was disabled


@pytest.mark.parametrize("kind", [Pair, Wide])
def test_a_formula_sees_both_kinds(kind: Any) -> None:
    seen = set()

    def formula(x: Numbers) -> Numbers:
        seen.add(type(x))
        return np.exp(-x)

    x = np.linspace(0.0, 1.0, 500)[:, None]
    rounded(formula, [x], np.dtype(float), precision="double-double")
    assert kind in seen
