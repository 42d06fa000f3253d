"""Chapter 1, theorem by theorem: enclosures, and exact ranks."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq_mat

import sxlit
from enclosures import agree, ball, rational_rows, softmax, total


@pytest.fixture(autouse=True)
def _bits() -> Iterator[None]:
    """Enough for shares of e^-2000 that differ by 2^-500 of them."""
    with ctx.workprec(8000):
        yield


@pytest.mark.theorem("thm-why-exponentials")
def test_a_chain_of_odds_leaves_one_number_free():
    """On a grid, f(a + b) = f(a) f(b) fixes log f up to a factor: it is linear."""
    size = 12
    places = range(-size, size + 1)
    chain = [
        [(k == a + b) - (k == a) - (k == b) for k in places]
        for a in places
        for b in places
        if abs(a + b) <= size
    ]
    three = fmpq_mat(chain)
    assert len(places) - three.rank() == 1
    assert three * fmpq_mat([[k] for k in places]) == fmpq_mat(len(chain), 1)
    pairs = [[(k == a) + (k == -a) for k in places] for a in places]
    assert len(places) - fmpq_mat(pairs).rank() == size  # two classes have no chain


@pytest.mark.theorem("thm-why-exponentials")
@pytest.mark.parametrize("temperature", [Fraction(1, 7), Fraction(1), Fraction(30)])
def test_softmax_has_odds_that_know_the_difference_only(temperature):
    """p_i / p_j is exp((x_i - x_j) / T), and above 1 where x_i is above x_j."""
    for x in rational_rows():
        p = softmax(value / temperature for value in x)
        for i, j in np.ndindex(len(x), len(x)):
            odds = ball((x[i] - x[j]) / temperature).exp()
            assert (p[i] / p[j]).overlaps(odds)
            assert odds.rel_accuracy_bits() > 1000
            assert (p[i] / p[j] > 1) == (x[i] > x[j])


@pytest.mark.theorem("thm-softmax-distribution")
def test_softmax_is_a_distribution():
    """All shares are positive, below 1 unless there is one class, and sum to 1."""
    for x in rational_rows():
        p = softmax(x)
        assert all(share > 0 for share in p)
        assert agree(total(p), arb(1))
        assert all(share < 1 for share in p) or len(x) == 1
        assert len(x) > 1 or agree(p[0], arb(1))
        if len(x) == 1:
            assert sxlit.softmax([float(x[0])]).tolist() == [1.0]


@pytest.mark.theorem("thm-rank-order")
def test_softmax_orders_as_the_logits_do():
    """Also logits that differ by 2^-500; and equal logits have equal shares."""
    for x in rational_rows():
        p = softmax(x)
        for i, j in np.ndindex(len(x), len(x)):
            assert (p[i] > p[j]) == (x[i] > x[j])
            assert agree(p[i], p[j]) or x[i] != x[j]


@pytest.mark.theorem("thm-shift-invariance")
@pytest.mark.parametrize("shift", [Fraction(-3000), Fraction(1, 3), Fraction(2**40)])
def test_a_shift_changes_no_share(shift):
    """To a thousand bits, which is what separates a claim from a coincidence."""
    for x in rational_rows():
        for p, q in zip(softmax(x), softmax(v + shift for v in x), strict=True):
            assert p.overlaps(q)
            assert min(p.rel_accuracy_bits(), q.rel_accuracy_bits()) > 1000


@pytest.mark.theorem("thm-shift-invariance")
def test_only_a_shift_changes_no_share():
    """Move one logit of two or more, be it by 2^-500, and every share is another."""
    for x in rational_rows():
        for move in (Fraction(7), Fraction(1, 2**500)):
            q = softmax([x[0] + move, *x[1:]])
            for share, moved in zip(softmax(x), q, strict=True):
                assert not share.overlaps(moved) or len(x) == 1


@pytest.mark.theorem("thm-temperature-limits")
def test_the_cold_limit_shares_among_the_largest():
    """At T = g / k, with g the least gap, the distance to it is at most C e^-k."""
    for x in rational_rows():
        top = max(x)
        least = min((top - v for v in x if v < top), default=Fraction(1))
        for k in (5, 50, 500):
            near = len(x) * arb(-k).exp()
            for v, p in zip(x, softmax(v * k / least for v in x), strict=True):
                limit = Fraction(v == top, x.count(top))
                assert abs(p - ball(limit)) < near


@pytest.mark.theorem("thm-temperature-limits")
def test_the_hot_limit_is_uniform():
    """At T = k r, with r the range, the distance to 1 / C is at most e^(1/k) - 1."""
    for x in rational_rows():
        spread = max(x) - min(x) or Fraction(1)
        for k in (10, 10**10, 10**100):
            near = ball(Fraction(1, k)).expm1()
            for p in softmax(v / (k * spread) for v in x):
                assert abs(p - ball(Fraction(1, len(x)))) < near
