"""Double-double arithmetic, exp and log: exact where they must be, else bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from sxlit import doubledouble as dd
from sxlit.doubledouble import DoubleDouble, Scaled

U = Fraction(1, 2**53)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(300), np.errstate(all="ignore"):
        yield


def rough(rng: np.random.Generator, count: int, spread: int = 60) -> np.ndarray:
    """Numbers with few, many, equal and alternating bits, at very different sizes."""
    bits = rng.integers(0, 2**53, count)
    ends = rng.integers(0, 53, count)
    kinds = [bits, bits & -(1 << ends), (1 << ends) - 1, (1 << 52) | (1 << ends)]
    whole = np.choose(rng.integers(0, 4, count), kinds).astype(float)
    sign = rng.choice([-1.0, 1.0], count)
    return sign * np.ldexp(whole, rng.integers(-spread, spread, count) - 53)


def rough_pairs(rng: np.random.Generator, count: int, spread: int = 60) -> DoubleDouble:
    hi = rough(rng, count, spread)
    share = rng.choice([0.0, 1.0, -1.0, 0.5], count) * rng.choice([1, 2.0**-40], count)
    low = share * rng.choice([1.0, 1 - 2.0**-53, 0.7], count) * np.spacing(hi) / 2
    return dd.two_sum(hi, low)


def exact(x: Any) -> list[Fraction]:
    return [Fraction(float(a)) + Fraction(float(b)) for a, b in zip(*x, strict=True)]


def ball(hi: float, lo: float, exponent: int = 0) -> arb:
    return (arb(float(hi)) + arb(float(lo))) * arb(2) ** int(exponent)


# Arithmetic


@pytest.mark.theorem("thm-two-sum")
def test_a_sum_is_exact() -> None:
    rng = np.random.default_rng(1)
    a, b = rough(rng, 3000), rough(rng, 3000)
    for x, y, total in zip(a, b, exact(dd.two_sum(a, b)), strict=True):
        assert Fraction(x) + Fraction(y) == total


@pytest.mark.theorem("lem-short")
def test_short_rounds_to_26_bits() -> None:
    rng = np.random.default_rng(2)
    tiny = np.ldexp(rough(rng, 500, 1), -1040)
    for x, first in zip(
        a := np.r_[rough(rng, 3000), tiny, 0.0], dd.short(a), strict=True
    ):
        unit = Fraction(np.spacing(abs(x))) if x else Fraction(1)
        assert (Fraction(first) / (unit * 2**27)).denominator == 1
        assert abs(Fraction(first) / unit) <= 2**53
        assert abs(Fraction(x) - Fraction(first)) <= 2**26 * unit


@pytest.mark.theorem("thm-two-product")
@pytest.mark.parametrize("scale", [0, -410, 450])
def test_a_product_is_exact(scale: int) -> None:
    rng = np.random.default_rng(3)
    a, b = np.ldexp([rough(rng, 3000), rough(rng, 3000)], scale)
    for x, y, product in zip(a, b, exact(dd.two_product(a, b)), strict=True):
        assert Fraction(x) * Fraction(y) == product


def test_a_product_below_the_range_is_not_exact() -> None:
    a = np.array([(1 + 2.0**-52) * 2.0**-530])
    assert exact(dd.two_product(a, a)) != [Fraction(float(a[0])) ** 2]


@pytest.mark.theorem("thm-double-double")
def test_double_double_arithmetic_keeps_its_bounds() -> None:
    rng = np.random.default_rng(4)
    x, y = rough_pairs(rng, 4000), rough_pairs(rng, 4000)
    near = DoubleDouble(
        *(
            np.where(rng.uniform(size=4000) < 0.3, -a, b)
            for a, b in zip(x, y, strict=True)
        )
    )
    sums, products = dd.add(x, near), dd.multiply(x, y)
    columns = (x, y, near, sums, products)
    for a, b, c, s, p in zip(*map(exact, columns), strict=True):
        assert abs(s - (a + c)) <= 4 * U**2 * (abs(a) + abs(c))
        assert abs(p - a * b) <= 9 * U**2 * abs(a * b)
    fine = y.hi != 0.0
    x, y = (DoubleDouble(z.hi[fine], z.lo[fine]) for z in (x, y))
    for a, b, q in zip(*map(exact, (x, y, dd.divide(x, y))), strict=True):
        assert abs(q - a / b) <= 14 * U**2 * abs(a / b)


@pytest.mark.theorem("thm-total")
@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000])
def test_a_total_keeps_its_bound(n: int) -> None:
    rng = np.random.default_rng(n)
    terms = [rough_pairs(rng, n) for _ in range(5)]
    rows = DoubleDouble(*(np.stack(part) for part in zip(*terms, strict=True)))
    height = (n - 1).bit_length()
    for row, sum_ in zip(terms, exact(z[:, 0] for z in dd.total(rows)), strict=True):
        size = sum(map(abs, exact(row)), Fraction(0))
        allowed = ((1 + 4 * U**2) ** height - 1) * size
        assert abs(sum_ - sum(exact(row), Fraction(0))) <= allowed


# Constants


def test_the_constants_are_the_nearest() -> None:
    def parts(value: arb, bits: list[int]) -> list[float]:
        found = []
        for count in bits:
            part = value / arb(2) ** (
                scale := int(np.floor(np.log2(abs(float(value)))))
            )
            digits = int(
                (part * arb(2) ** (count - 1) + arb("0.5")).floor().unique_fmpz()
            )
            found.append(float(np.ldexp(float(digits), scale - count + 1)))
            value -= arb(found[-1])
        return found

    ln2 = arb(2).log()
    assert parts(ln2, [53, 53]) == [float(z) for z in dd.LN2]
    assert parts(ln2 / 1024, [32, 32, 53]) == list(dd.STEP)
    assert parts(1024 / ln2, [53]) == [dd.STEPS_PER_UNIT]
    assert parts(ln2 / 4096, [32, 53]) == list(dd.FINE_STEP)
    assert parts(4096 / ln2, [53]) == [dd.FINE_STEPS_PER_UNIT]
    for i, root in enumerate(reversed(dd.ROOTS), 1):
        assert parts(arb(2) ** (arb(1) / 2**i), [53, 53]) == [float(z) for z in root]


@pytest.mark.theorem("lem-table")
def test_every_entry_of_the_table() -> None:
    assert len(dd.POWERS.hi) == 4096
    for j in range(4096):
        power = arb(2) ** (arb(j) / 4096)
        entry = ball(dd.POWERS.hi[j], dd.POWERS.lo[j])
        assert abs(entry / power - 1) < arb(2) ** -103
        first, log = float(dd.SHORT_POWERS[j]), float(dd.SHORT_LOGS[j])
        assert first * 2.0**17 == int(first * 2.0**17)
        assert abs(log) < 2.0**-18
        assert abs(arb(first).log() + arb(log) - power.log()) < arb(2) ** -70
        assert int(dd.SHORT_BITS[j]) + (j << 40) == int(np.float64(first).view(int))


# exp and log1p


def arguments(rng: np.random.Generator, least: float) -> DoubleDouble:
    """Numbers from `least` to 0: of every size, at table entries and between them."""
    sizes = -(10.0 ** rng.uniform(-300, np.log10(-least), 300))
    sizes = np.r_[
        sizes, rng.uniform(least, 0.0, 1500), -(10.0 ** rng.uniform(-8, 1, 500))
    ]
    steps = rng.integers(0, int(-least * 1477), 1500) + rng.choice([0.0, 0.5], 1500)
    close = -(steps + rng.uniform(-1e-9, 1e-9, 1500)) / dd.STEPS_PER_UNIT
    hi = np.minimum(np.r_[sizes, close, 0.0, least], 0.0)
    low = rng.choice([-1, 1, 0, 0.3], hi.size) * np.spacing(hi) / 2
    return dd.two_sum(hi, np.where(hi == least, 0.0, low))


@pytest.mark.theorem("thm-exp")
def test_exp_is_within_its_bound() -> None:
    x = arguments(np.random.default_rng(5), -1500.0)
    x = DoubleDouble(*(np.r_[z, -z] for z in x))
    for (hi, lo), found in zip(
        zip(*x, strict=True), zip(*dd.exp(x), strict=True), strict=True
    ):
        assert abs(ball(*found) / ball(hi, lo).exp() - 1) < arb(dd.EXP_ERROR)


@pytest.mark.theorem("thm-exp-pair")
def test_the_pair_is_within_its_bound() -> None:
    x = arguments(np.random.default_rng(6), -600.0)
    pair = dd.exp_pair(-x.hi, -x.lo)
    assert np.array_equal(pair.hi.view(int) & ((1 << 35) - 1), 0 * x.hi)
    assert (np.abs(pair.lo) <= 2.0**-13 * pair.hi).all()
    for (hi, lo), found in zip(
        zip(*x, strict=True), zip(*pair, strict=True), strict=True
    ):
        error = arb(dd.PAIR_ERROR * float(found[0]))
        assert abs(ball(*found) - ball(hi, lo).exp()) < error
    one = dd.exp_pair(np.zeros(1), np.zeros(1))
    assert one.hi == 1.0
    assert one.lo == 0.0


@pytest.mark.theorem("thm-log1p")
def test_log1p_is_within_its_bound() -> None:
    rng = np.random.default_rng(7)
    x = DoubleDouble(*map(np.abs, rough_pairs(rng, 3000, 1)))
    x = DoubleDouble(*(z[x.hi > 0] for z in x))
    exponent = np.r_[np.arange(-60, 40), rng.integers(-2000, 41, x.hi.size)][
        : x.hi.size
    ]
    borders = np.nextafter([0.5, 2**0.5 - 1, 1.0, 3.0], [[0], [9]]).ravel()
    t = Scaled(
        np.r_[x.hi, borders],
        np.r_[x.lo, 0 * borders],
        np.r_[exponent, [0] * 8].astype(np.intc),
    )
    for given, found in zip(
        zip(*t, strict=True), zip(*dd.log1p(t), strict=True), strict=True
    ):
        assert abs(ball(*found) / ball(*given).log1p() - 1) < arb(dd.LOG1P_ERROR)


@pytest.mark.theorem("thm-log1p")
def test_log_is_within_its_bound() -> None:
    rng = np.random.default_rng(8)
    x = DoubleDouble(*map(np.abs, rough_pairs(rng, 3000, 1)))
    near = dd.two_sum(1.0 + rng.uniform(-0.3, 0.4, 2000), 0.0 * x.hi[:2000] + 1e-17)
    close = dd.two_sum(np.ones(2000), 10.0 ** rng.uniform(-60, -1, 2000))
    close = DoubleDouble(close.hi, rng.choice([-1, 1], 2000) * close.lo)
    hi, lo = (np.r_[parts] for parts in zip(x, near, close, strict=True))
    exponent = np.r_[rng.integers(-3000, 3000, 3000), np.zeros(4000)].astype(np.intc)
    keep = (hi > 0.0) & ((hi != 1.0) | (lo != 0.0))
    found = dd.log(Scaled(hi[keep], lo[keep], exponent[keep]))
    given = zip(hi[keep], lo[keep], exponent[keep], strict=True)
    for numbers, digits in zip(given, zip(*found, strict=True), strict=True):
        assert abs(ball(*digits) / ball(*numbers).log() - 1) < arb(dd.LOG1P_ERROR)


@pytest.mark.theorem("thm-log1p")
def test_logarithms_of_two_terms_are_within_their_bound() -> None:
    rng = np.random.default_rng(10)
    x = np.r_[10.0 ** rng.uniform(-30, 30, 1500), 1 + rng.uniform(-0.3, 0.42, 1500)]
    x = Scaled(x, np.spacing(x) / 5, np.zeros(x.shape, np.intc))
    found = dd.log(x, dd.SHORT_LOG_TERMS), dd.log1p(x, dd.SHORT_LOG_TERMS)
    for function, digits in zip((arb.log, arb.log1p), found, strict=True):
        for given, parts in zip(
            zip(*x, strict=True), zip(*digits, strict=True), strict=True
        ):
            off = abs(ball(*parts) / function(ball(*given)) - 1)
            assert off < arb(dd.SHORT_LOG_ERROR / 2)


@pytest.mark.theorem("thm-log1p")
def test_log1p_of_what_is_negative_is_within_its_bound() -> None:
    t = -np.r_[10.0 ** np.random.default_rng(9).uniform(-300, -0.602, 500), 0.25]
    found = dd.log1p(Scaled(t, 1e-18 * t, np.zeros(t.shape, np.intc)))
    assert (found.exponent == 0).all()
    for x, hi, lo in zip(t, found.hi, found.lo, strict=True):
        exact = (arb(float(x)) + arb(float(1e-18 * x))).log1p()
        error = arb(dd.LOG1P_ERROR) * abs(exact) + arb(2.0**-1060)
        assert abs(ball(hi, lo) - exact) < error


def test_log1p_of_zero_is_zero() -> None:
    zero = Scaled(np.zeros(1), np.zeros(1), np.array([-(2**20)], np.intc))
    assert dd.log1p(zero).hi == 0.0


@pytest.mark.theorem("thm-sum-of-pairs")
@pytest.mark.parametrize("n", [1, 2, 1000, 2**20])
def test_a_sum_of_pairs_is_within_its_bound(n: int) -> None:
    rng = np.random.default_rng(n)
    for spread in (0.0, 1.0, 30.0):
        d = np.abs(rng.standard_normal((1, n))) * spread
        pair = dd.exp_pair(d, np.zeros_like(d))
        top = np.ldexp(1.0, np.frexp(pair.hi.max(axis=-1, keepdims=True))[1])
        found = exact(z[0] for z in dd.sum_of_pairs(pair, top))[0]
        # A total in double-double is exact enough: its theorem allows 2^-99.
        total = exact(z[:, 0] for z in dd.total(dd.two_sum(*pair)))[0]
        assert abs(found - total) < Fraction(1, 2**57) * total


# The same bits on every processor

PROGRAM = """
import hashlib, sys
import numpy as np
from sxlit import doubledouble as dd
x = np.linspace(-600.0, 0.0, 100_003)
low = np.spacing(x) / 4
parts = [*dd.exp(dd.DoubleDouble(x, low)), *dd.exp_pair(-x, -low)]
tail = dd.Scaled(-x, -low, np.zeros(x.shape, np.intc))
parts += [*dd.log1p(tail), np.exp(x), np.log1p(-x)]
print(*(hashlib.sha256(np.ascontiguousarray(part)).hexdigest() for part in parts))
"""


def digests(disabled: str) -> list[str]:
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled}
    root = str(Path(dd.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = root
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_the_bits_do_not_depend_on_the_processor() -> None:
    config: Any = np.show_config(mode="dicts")
    found = config["SIMD Extensions"].get("found", [])
    if not found:
        pytest.skip("not run: NumPy has one path only on this processor")
    as_it_is, plain = digests(""), digests(" ".join(found))
    assert as_it_is[:-2] == plain[:-2]
    if {"X86_V4", "AVX512_SKX"} & set(found):
        assert as_it_is[-2:] != plain[-2:]  # or nothing was disabled
