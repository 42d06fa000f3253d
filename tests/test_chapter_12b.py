"""Chapter 12b: from where on the textbook loss and gradient are 0, exactly."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from flint import arb, ctx
from numpy.typing import NDArray

import sxlit

FORMATS = {
    np.dtype(np.float16): 11,
    np.dtype(ml_dtypes.bfloat16): 8,
    np.dtype(np.float32): 24,
    np.dtype(np.float64): 53,
}
EACH = pytest.mark.parametrize(("dtype", "p"), FORMATS.items(), ids=str)
Terms = NDArray[np.generic]


def unit(dtype: np.dtype, p: int) -> Terms:
    return np.array(2.0**-p).astype(dtype)


def trials(dtype: np.dtype, p: int) -> list[Terms]:
    """u, its neighbours, tiny numbers, and others that are far from it."""
    u = unit(dtype, p)
    near = [u, np.nextafter(u, u * 0), np.nextafter(u, u + u), u + u, u / u]
    draw = np.random.default_rng(5)
    spread = 2.0 ** -draw.uniform(0, 2 * p, 200)
    return [*near, *spread.astype(dtype), np.zeros((), dtype)]


@pytest.mark.theorem("prop-zero-loss")
@EACH
def test_one_and_s_is_one_up_to_u(dtype: np.dtype, p: int) -> None:
    u, one = unit(dtype, p), np.ones((), dtype)
    for s in trials(dtype, p):
        assert (one + s == one) == (s <= u)
        assert (np.log(one + s) == 0) == (s <= u)


@pytest.mark.theorem("prop-zero-loss")
def test_one_and_s_for_every_short_number() -> None:
    for dtype, p in list(FORMATS.items())[:2]:
        infinity = np.array(np.inf).astype(dtype).view(np.uint16)
        numbers = np.arange(infinity, dtype=np.uint16).view(dtype)
        one = np.ones((), dtype)
        with np.errstate(over="ignore"):
            absorbed = one + numbers == one
        assert (absorbed == (numbers <= unit(dtype, p))).all()
        assert absorbed.any()
        assert not absorbed.all()


@pytest.mark.theorem("prop-zero-loss")
@EACH
def test_any_order_of_additions(dtype: np.dtype, p: int) -> None:
    """Random trees: 1 where each number that is added to the 1 is at most u."""
    draw = np.random.default_rng(7)
    u, seen = unit(dtype, p), set()
    for _ in range(2000):
        small = 2.0 ** -draw.uniform(p - 2, p + 3, draw.integers(1, 9))
        heap: list[tuple[Terms, bool]] = [(t, False) for t in small.astype(dtype)]
        heap.append((np.ones((), dtype), True))
        met = []
        while len(heap) > 1:
            (a, on_a), (b, on_b) = (
                heap.pop(draw.integers(len(heap))) for _ in range(2)
            )
            if on_a or on_b:
                met.append(b if on_a else a)
            heap.append((a + b, on_a or on_b))
        is_one = bool(heap[0][0] == 1)
        assert is_one == all(s <= u for s in met)
        seen.add(is_one)
    assert seen == {True, False}


@pytest.mark.theorem("prop-zero-loss")
@pytest.mark.parametrize("classes", [2, 3, 1000, 131_072])
@EACH
def test_a_serial_sum_loses_that_much(dtype: np.dtype, p: int, classes: int) -> None:
    """All gaps just above p log 2, and exp rounded correctly: the sum stays 1."""
    u = unit(dtype, p)
    with ctx.workprec(300):
        least = arb(2).log() * p
        gap = np.array(float(least)).astype(dtype)
        while arb(float(gap)) < least:
            gap = np.nextafter(gap, gap + gap)
        term = np.array(float((-arb(float(gap))).exp())).astype(dtype)
        lost = ((classes - 1) * (-least).exp()).log1p()
        assert lost.overlaps((1 + (classes - 1) * arb(float(u))).log())
    assert 0 < term <= u
    terms = np.full(classes, u)  # the largest that there can be
    terms[0] = 1
    assert np.add.accumulate(terms)[-1] == 1
    if classes > 2:
        terms[1] = np.nextafter(u, u + u)
        assert np.add.accumulate(terms)[-1] > 1


@pytest.mark.theorem("prop-zero-gradient")
@EACH
def test_a_share_is_one_where_the_sum_is(dtype: np.dtype, p: int) -> None:
    one = np.ones((), dtype)
    for s in trials(dtype, p):
        total = one + s
        assert (one / total - one == 0) == (total == one)


@pytest.mark.theorem("prop-zero-gradient")
@EACH
def test_even_a_correctly_rounded_share_loses_half_a_unit(
    dtype: np.dtype, p: int
) -> None:
    """Round 1 - c exactly, with fractions: 0 up to u / 2, and off by no more."""
    u = Fraction(1, 1 << p)
    draw = np.random.default_rng(9)
    tried = [Fraction(1, 2), u, u / 2, u / 2 + u / 10**9, u / 2 - u / 10**9, u * 3 / 2]
    tried += [Fraction(2.0 ** -draw.uniform(1, 2 * p)) for _ in range(500)]
    for c in tried:
        share = round((1 - c) / u) * u  # Python rounds halves to even
        stored = np.array(float(share)).astype(dtype)
        assert Fraction(float(stored)) == share
        found = Fraction(float(stored - np.ones((), dtype)))
        assert (found == 0) == (c <= u / 2)
        assert (found / u).denominator == 1
        assert abs(found + c) <= u / 2


def test_the_last_rung_of_sxlit_is_that_of_the_format() -> None:
    """Float32 holds the loss of [d, 0, 0] up to 151 log 2; float64 up to 1076 log 2."""
    label = np.array([0])
    for dtype, last in ((np.float32, 104), (np.float64, 745)):
        for gap, lost in ((last, False), (last + 1, True)):
            row = np.array([[gap, 0, 0]], dtype)
            assert (sxlit.cross_entropy(row, label) == 0) == lost
            assert (sxlit.cross_entropy_grad(row, label)[0, 0] == 0) == lost
