"""Chapter 4, theorem by theorem: enclosures, exact series, and an adversary."""

# ruff: noqa: N806 (the symbols of the book)
from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from flint import arb, ctx, fmpq, fmpq_series

from adversary import (
    COARSE,
    GRADES,
    NUMERICS,
    ROWS,
    Arithmetic,
    log_norm,
    log_shares,
    rows,
    weights,
    without,
    worst,
)
from enclosures import Balls, Row, agree, ball, logsumexp, ratio, rational_rows
from single import ORDER, programs
from sxlit.bounds import Numerics
from sxlit.lse import EMPTY_SUM, combine, log_sum


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    with ctx.workprec(300):
        yield


@pytest.fixture
def _many_bits() -> Iterator[None]:
    """Enough for a tail of e^-2000 beside a 1."""
    with ctx.workprec(4000):
        yield


MANY_BITS = pytest.mark.usefixtures("_many_bits")


@MANY_BITS
@pytest.mark.theorem("thm-smooth-maximum")
def test_log_sum_exp_lies_between_the_maximum_and_log_of_the_classes_above():
    """Strictly, but for one class on the left and for ties on the right."""
    for x in rational_rows():
        top, value, C = ball(max(x)), logsumexp(x), arb(len(x))
        assert value > top or (len(x) == 1 and agree(value, top))
        tied = len(set(x)) == 1
        assert value < top + C.log() or (tied and agree(value, top + C.log()))
        assert agree(value, top + C.log()) or not tied


@MANY_BITS
@pytest.mark.theorem("thm-shift-equivariance")
@pytest.mark.parametrize("shift", [Fraction(-3000), Fraction(1, 3), Fraction(2**40)])
def test_log_sum_exp_follows_a_shift(shift):
    """LSE(x + a) = LSE(x) + a, for shifts near and far."""
    for x in rational_rows():
        moved = logsumexp(v + shift for v in x)
        assert agree(moved, logsumexp(x) + ball(shift))


# With rational weights w_j = e^(x_j), LSE(x + z v) - LSE(x) = log(sum_j p_j e^(z v_j))
# is a power series in z with rational coefficients: derivatives without an enclosure.


def along(weights: list[int], direction: list[int]) -> list[fmpq]:
    """The Taylor coefficients of log-sum-exp along a direction, from the first on."""
    grown = [
        w * fmpq_series([0, v]).exp() for w, v in zip(weights, direction, strict=True)
    ]
    series = sum(grown, fmpq_series([0])) / sum(weights)
    coefficients = series.log().coeffs()
    return [*coefficients, *[fmpq(0)] * 3][1:4]


def integer_weights() -> Iterator[list[int]]:
    rng = np.random.default_rng(4)
    for classes in (1, 2, 3, 7):
        yield [1] * classes
        yield rng.integers(1, 10**9, classes).tolist()
        yield (rng.integers(1, 10, classes) ** 15).tolist()


@pytest.mark.theorem("thm-lse-gradient")
def test_the_slope_of_log_sum_exp_is_softmax():
    """Exactly: the first coefficient along each axis is p_i."""
    for w in integer_weights():
        for i in range(len(w)):
            axis = [int(j == i) for j in range(len(w))]
            assert along(w, axis)[0] == fmpq(w[i], sum(w))


@MANY_BITS
@pytest.mark.theorem("thm-lse-convex")
@pytest.mark.parametrize("theta", [Fraction(k, 7) for k in range(8)])
def test_the_chord_lies_above_log_sum_exp(theta):
    """Strictly, but at the ends and between rows that differ by a shift."""
    for x in rational_rows():
        for move in (Fraction(-50), Fraction(1, 2**300)):
            for z in ([x[0] + move, *x[1:]], [v + move for v in x]):
                pairs = zip(x, z, strict=True)
                mixed = logsumexp(theta * a + (1 - theta) * b for a, b in pairs)
                chord = ball(theta) * logsumexp(x) + ball(1 - theta) * logsumexp(z)
                straight = theta in (0, 1) or z[0] - x[0] == z[-1] - x[-1]
                assert agree(mixed, chord) if straight else mixed < chord


# The monoid, on pairs (e^m, t) of fractions; e^m is 0 for the empty sum.

Sum = tuple[Fraction, Fraction]
EMPTY = (Fraction(0), Fraction(0))


def plus(a: Sum, b: Sum) -> Sum:
    """Equation eq-combine."""
    if a[0] < b[0]:
        a, b = b, a
    return a if b == EMPTY else (a[0], a[1] + b[0] / a[0] * (1 + b[1]))


def pair(weights: list[Fraction]) -> Sum:
    """The pair of a row, whose weights are e^(x_j)."""
    return max(weights), sum(weights) / max(weights) - 1


@pytest.mark.theorem("thm-logsum-monoid")
def test_pairs_are_a_monoid_and_rows_end_to_end_are_sums():
    """Associative, commutative, with its unit, in fractions; also with equal shifts."""
    rng = np.random.default_rng(8)
    for _ in range(300):
        shifts = [Fraction(2) ** int(k) for k in rng.integers(-3, 3, 3)]
        tails = [Fraction(int(k), 7) for k in rng.integers(0, 99, 3)]
        a, b, c = zip(shifts, tails, strict=True)
        assert plus(plus(a, b), c) == plus(a, plus(b, c))
        assert plus(a, b) == plus(b, a)
        assert plus(a, EMPTY) == plus(EMPTY, a) == a
        sizes = rng.integers(1, 5, 2)
        x, z = ([Fraction(int(k)) for k in rng.integers(1, 99, n)] for n in sizes)
        assert plus(pair(x), pair(z)) == pair(x + z)
    assert plus(EMPTY, EMPTY) == EMPTY


@pytest.mark.theorem("thm-logsum-monoid")
def test_the_library_adds_pairs_within_the_bound():
    """Chunks in any order and grouping: within the bound of one pass."""
    rng = np.random.default_rng(9)
    f64 = Numerics.required("float64")
    for spread in (1, 50, 1000):
        x = spread * rng.standard_normal(120)
        row = Row(x.tolist(), f64)
        for chunk in (1, 10, 40):
            sums = [log_sum(x[k : k + chunk]) for k in range(0, 120, chunk)]
            order = rng.permutation(len(sums)).tolist()
            serial = reduce(combine, (sums[k] for k in order), EMPTY_SUM)
            halves = [
                reduce(combine, part, EMPTY_SUM) for part in (sums[::2], sums[1::2])
            ]
            for found in (serial, combine(*halves)):
                exact, allowed = [row.m + row.L], [row.logsumexp("hra")]
                assert ratio([found.value], exact, allowed) <= 1


# Errors


@COARSE
@pytest.mark.theorem("lem-tail-error")
def test_an_adversary_stays_within_the_precision_of_the_tail(numerics):
    """Of 1 + t, whose precision is never more than that of the whole sum."""

    def log_of_tail(a: Arithmetic, row: Row) -> Balls:
        return [a.sum(without(weights(a, row), row.top)).log1p()]

    found = [worst(row, log_of_tail, [row.L], [row.tau]) for row in rows(numerics)]
    assert all(r <= 1 for r in found)
    assert max(found) > 0.9
    for spread in (1e-3, 1.0, 40.0, 1e4):
        for x in ROWS:
            row = Row([spread * value for value in x], numerics)
            assert row.tau <= row.S


@COARSE
@GRADES
@pytest.mark.theorem("thm-logsumexp-error")
def test_an_adversary_stays_within_the_bounds_of_log_sum_exp(numerics, grade):
    """Of the log-norm and of the stored sum, with offsets and where it cancels."""

    def only_norm(a: Arithmetic, row: Row) -> Balls:
        return [log_norm(a, weights(a, row), row.top, grade)]

    def stored(a: Arithmetic, row: Row) -> Balls:
        return [a.store(a.add(row.m, *only_norm(a, row)))]

    norms, sums = [], []
    for x in ROWS:
        for offset in (-max(x) - 0.5, 0.0, 100.0):
            row = Row([value + offset for value in x], numerics)
            allowed = row.log_norm(grade) + row.lost
            norms.append(worst(row, only_norm, [row.L], [allowed]))
            allowed = row.logsumexp(grade)
            sums.append(worst(row, stored, [row.m + row.L], [allowed]))
    assert all(r <= 1 for r in norms + sums)
    assert min(max(norms), max(sums)) > 0.85


@MANY_BITS
@pytest.mark.theorem("cor-log-norm-relative")
@pytest.mark.parametrize("numerics", NUMERICS.values(), ids=NUMERICS)
def test_with_log1p_the_error_of_the_log_norm_is_relative(numerics):
    """tau is at most epsilon L and the losses; without them, hardly less."""
    closest = arb(0)
    for x in ROWS:
        for gap in (0.0, 20.0, 500.0):
            row = Row([max(x) + gap, *x], numerics)
            pairs = list(zip(row.e[1:], row.A[1:], strict=True))
            grown = sum((e * (A + row.H).expm1() for e, A in pairs), arb(0))
            relative = grown / row.t * row.L
            assert row.tau <= relative + 2 * row.C * row.lost
            closest = closest.max(row.tau / relative)
    assert closest > 0.99


@COARSE
@GRADES
@pytest.mark.theorem("thm-log-softmax-error")
def test_an_adversary_stays_within_the_bound_of_log_softmax(numerics, grade):
    """In every entry; and somewhere comes close to it."""

    def stored(a: Arithmetic, row: Row) -> Balls:
        return log_shares(a, row, grade)

    found = [
        worst(row, stored, row.log_p, row.log_softmax(grade)) for row in rows(numerics)
    ]
    assert all(r <= 1 for r in found)
    assert max(found) > 0.85


@ORDER
@pytest.mark.theorem("lem-tail-error", "thm-logsumexp-error", "thm-log-softmax-error")
def test_float32_stays_within_the_bounds(order):
    """With functions as far off as they may be, also where subnormals are flushed."""
    found = []
    for row, program in programs(order):
        assert abs((1 + ball(program.tail)).log() - row.L) <= row.tau
        for grade in ("standard", "hra"):
            norm = program.log_norm(grade)
            assert abs(ball(norm) - row.L) <= row.log_norm(grade) + row.lost
            y = program.keep(program.x[0] + norm)
            found.append(ratio([y], [row.m + row.L], [row.logsumexp(grade)]))
            log_p = program.log_shares(grade)
            found.append(ratio(log_p, row.log_p, row.log_softmax(grade)))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.3


@pytest.mark.theorem("cor-log-norm-relative")
def test_the_standard_bound_does_not_see_a_small_log_norm():
    """For [20, 0, 0] it is more than a hundred times L, and the other a millionth."""
    row = Row([20.0, 0.0, 0.0], Numerics.required("float32"))
    assert row.log_norm("standard") > 100 * row.L
    assert row.log_norm("hra") < row.L / 10**5
