"""Chapter 3, theorem by theorem: exhaustive, in fractions, and against an adversary."""

# ruff: noqa: N806 (the symbols of the book)
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx

from adversary import (
    COARSE,
    NUMERICS,
    ROWS,
    Arithmetic,
    rows,
    shares,
    weights,
    worst,
)
from enclosures import Balls, Row, ball, ratio, total
from single import ORDER, programs
from sxlit.rows import row_state, two_difference


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    with ctx.workprec(200):
        yield


# The shift


@pytest.mark.theorem("thm-no-overflow")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_and_sums_stay_in_their_intervals(dtype):
    """For the largest, the smallest and the nearest logits that there are."""
    info = np.finfo(dtype)
    ends = [info.max, info.smallest_subnormal, info.smallest_normal, 1, info.max / 2]
    pool = np.array([0, *ends], dtype)
    pool = np.concatenate([pool, np.nextafter(pool, np.zeros_like(pool))])
    choose = np.random.default_rng(3).choice
    for classes in (1, 2, 7, 300):
        x = choose(np.concatenate([pool, -pool]), (100, classes))
        with np.errstate(over="ignore"):  # of the difference, and of it only
            difference = x - x.max(axis=-1, keepdims=True)
        with np.errstate(all="raise", under="ignore"):
            weight = np.exp(difference)
            for order in (slice(None), slice(None, None, -1)):
                serial = np.add.accumulate(weight[:, order], axis=-1)[:, -1:]
                for s in (serial, weight.sum(axis=-1, keepdims=True)):
                    assert ((s >= 1) & (s <= classes)).all()
                    assert ((weight / s >= 0) & (weight / s <= 1)).all()
        assert ((weight >= 0) & (weight <= 1)).all()
        if dtype == "float64":
            state = row_state(x)
            assert ((state.weight >= 0) & (state.weight <= 1)).all()
            assert ((state.tail >= 0) & (1 + state.tail <= classes)).all()


@pytest.mark.theorem("thm-no-overflow")
def test_rounding_does_not_lift_a_sum_above_its_count():
    """2^p weights in float16, all as close to 1 as can be, so that sums round up."""
    weight = np.full(2**11, np.nextafter(np.float16(1), np.float16(0)))
    for ones in (0, 1, 1000, 2**11):
        weight[:ones] = 1
        count = np.arange(1, 2**11 + 1)
        assert (np.add.accumulate(weight) <= count).all()


# The subtraction: every pair of a small format, and hardware on ill-behaved doubles

BITS, BINADES = 4, 6
TOY = sorted({k << e for k in range(2**BITS) for e in range(BINADES)})
SIGNED = sorted({*TOY, *(-k for k in TOY)})
TIES: dict[str, Callable[[int, int], int]] = {
    "to even": lambda a, b: b if a // (b - a) % 2 else a,
    "to zero": min,
    "away": max,
}
TIED = pytest.mark.parametrize("tie", TIES.values(), ids=TIES)


def rounding(tie: Callable[[int, int], int]) -> dict[int, int]:
    """The nearest number of the toy format to each integer that does not overflow."""
    nearest = {}
    for z in range(TOY[-1] + 1):
        below = max(k for k in TOY if k <= z)
        above = min(k for k in TOY if k >= z)
        if below + above == 2 * z:
            nearest[z] = tie(below, above) if below < above else z
        else:
            nearest[z] = below if 2 * z < below + above else above
    return nearest | {-z: -k for z, k in nearest.items()}


@pytest.mark.theorem("lem-sterbenz")
def test_neighbours_subtract_exactly():
    """Within a factor of 2 always; and just beyond it not always."""
    found = set(SIGNED)
    near = [(x, y) for x in TOY for y in TOY if y <= 2 * x and x <= 2 * y]
    assert all(x - y in found for x, y in near)
    beyond = [(x, y) for x in TOY for y in TOY if 2 * y < x <= 3 * y]
    assert not all(x - y in found for x, y in beyond)


@TIED
@pytest.mark.theorem("lem-error-of-sum")
def test_the_error_of_a_sum_is_a_number(tie):
    """It belongs to the format and is no larger than either term."""
    found, nearest = set(SIGNED), rounding(tie)
    for a in SIGNED:
        for b in SIGNED:
            if a + b in nearest:
                error = a + b - nearest[a + b]
                assert error in found
                assert abs(error) <= min(abs(a), abs(b))


@TIED
@pytest.mark.theorem("thm-two-sum")
def test_two_sum_loses_nothing(tie):
    """For all pairs of which no step overflows: some of them have an error."""
    nearest, inexact = rounding(tie), 0
    for a in SIGNED:
        for b in SIGNED:
            try:
                s = nearest[a + b]
                taken = nearest[s - a]
                rest = nearest[s - taken]
                r = nearest[nearest[a - rest] + nearest[b - taken]]
            except KeyError:
                continue
            assert s + r == a + b
            inexact += r != 0
    assert inexact > 1000


@pytest.mark.theorem("thm-two-sum")
def test_the_library_takes_doubles_apart():
    """Few bits or many, close or far apart, subnormal, next to powers of two."""
    rng = np.random.default_rng(5)
    sizes = (2, 20_000)
    lead = rng.choice([0, 1, 2**52, 2**52 + 1, 2**53 - 1, 3], sizes)
    lead = np.where(rng.random(sizes) < 0.5, rng.integers(2**53, size=sizes), lead)
    exponent = rng.choice([-1074, -1060, -52, 0, 900], sizes[1])
    exponent = exponent + np.array([[0], [1]]) * rng.integers(0, 110, sizes[1])
    a, b = np.ldexp(lead * rng.choice([-1.0, 1.0], sizes), np.minimum(exponent, 969))
    difference, error = two_difference(a, b)
    assert np.isfinite(difference).all()
    assert np.count_nonzero(error) > sizes[1] / 4
    for column in zip(a, b, difference, error, strict=True):
        x, y, z, r = map(Fraction, column)
        assert x - y == z + r


# Relative precision. A precision log Q of a number is a factor between 1 / Q and Q, so
# that rational Q make every claim a comparison of fractions.


def perturbed(rng: np.random.Generator, largest: Fraction) -> Fraction:
    """A factor at the ends of [1 / Q, Q], or between them."""
    inner = 1 + (largest - 1) * Fraction(int(rng.integers(100)), 100)
    ends = [largest, 1 / largest, inner, 1 / inner, Fraction(1)]
    return ends[rng.integers(len(ends))]


@pytest.mark.theorem("lem-precision-calculus")
def test_a_relative_error_is_a_precision_and_back():
    """|log(1 + d)| <= r/(1-r) - r^2/2 and |e^t - 1| <= e^a - 1, at the ends."""
    for r in (Fraction(1, 2**k) for k in range(1, 80)):
        precision = ball(r / (1 - r) - r * r / 2)
        worst_case = -ball(1 - r).log()
        assert ball(1 + r).log() < worst_case < precision
        assert precision < worst_case * (1 + ball(r))  # and no more than it must be
        alpha = ball(r)
        assert abs((-alpha).expm1()) < alpha.expm1()


@pytest.mark.theorem("lem-precision-calculus")
def test_precisions_of_products_sums_and_chains():
    """In fractions: products and quotients add, sums have the mean of the factors."""
    rng = np.random.default_rng(2)
    for _ in range(500):
        n = int(rng.integers(1, 6))
        a = [Fraction(int(k)) for k in rng.integers(1, 10**6, n)]
        largest = [1 + Fraction(1, int(k)) for k in rng.integers(1, 1000, n)]
        factors = [perturbed(rng, Q) for Q in largest]
        product, whole = math.prod(factors), math.prod(largest)
        assert 1 / whole <= product <= whole
        assert 1 / (largest[0] * largest[-1]) <= factors[0] / factors[-1]
        mean = sum(p * Q for p, Q in zip(a, largest, strict=True)) / sum(a)
        lower = sum(p / Q for p, Q in zip(a, largest, strict=True)) / sum(a)
        ratio = sum(p * q for p, q in zip(a, factors, strict=True)) / sum(a)
        assert 1 / mean <= lower <= ratio <= mean


# The row sum and softmax


@COARSE
@pytest.mark.theorem("thm-row-sum-error")
def test_an_adversary_stays_within_the_precision_of_the_row_sum(numerics):
    """Of each weight, and of the logarithm of the sum; and comes close to both."""

    def log_sum(a: Arithmetic, row: Row) -> Balls:
        return [a.sum(weights(a, row)).log()]

    closest = []
    for row in rows(numerics):
        pairs = zip(row.e, row.A, strict=True)
        allowed = [e * A.expm1() + row.lost for e, A in pairs]
        of_weights = worst(row, weights, row.e, allowed)
        of_the_sum = worst(row, log_sum, [row.L], [row.S])
        assert row.smallness <= arb(1) / 8
        assert of_weights <= 1
        assert of_the_sum <= 1
        closest.append(of_weights.min(of_the_sum))
    assert max(closest) > 0.9


@COARSE
@pytest.mark.theorem("cor-range-free")
def test_the_row_sum_does_not_feel_the_range(numerics):
    """Nothing but kappa, rho log n, the summation and the losses, at any range."""
    for spread in (0.0, 1.0, 30.0, 1000.0, 1e6):
        for x in ROWS:
            row = Row([spread * value for value in x], numerics)
            S = row.kappa + row.rho * arb(row.C).log() + row.H
            pairs = zip(row.e, row.A, strict=True)
            grown = (total(e * A.exp() for e, A in pairs) / row.s).log()
            assert grown <= row.kappa + row.rho * arb(row.C).log()
            assert S + 2 * row.C * row.lost >= row.S


@pytest.mark.theorem("cor-range-free")
def test_the_logarithm_of_the_classes_is_needed():
    """4,096 classes of which one has half the mass: more than half of rho log n."""
    row = Row([math.log(4095), *([0.0] * 4095)], NUMERICS["no underflow"])
    assert row.S - row.kappa - row.H > row.rho * arb(row.C).log() / 2


@COARSE
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.theorem("thm-softmax-error")
def test_an_adversary_stays_within_the_bound_of_softmax(numerics, reciprocal):
    """In every entry; and somewhere comes close to it."""

    def stored(a: Arithmetic, row: Row) -> Balls:
        return [a.store(p) for p in shares(a, row, reciprocal=reciprocal)]

    found = [worst(row, stored, row.p, row.softmax()) for row in rows(numerics)]
    assert all(ratio <= 1 for ratio in found)
    assert max(found) > 0.85


@ORDER
@pytest.mark.theorem("thm-row-sum-error", "thm-softmax-error")
def test_float32_stays_within_the_bounds(order):
    """With an exp that is 2.5 ulp off, also where subnormals are flushed."""
    found = []
    for row, program in programs(order):
        assert abs((ball(program.s) / row.s).log()) <= row.S
        for reciprocal in (False, True):
            p = program.shares(reciprocal=reciprocal)
            found.append(ratio(p, row.p, row.softmax()))
    assert all(r <= 1 for r in found)
    assert max(found) > 0.3
