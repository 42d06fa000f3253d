"""The theorems of the chapter on squared error, in exact or certified arithmetic.

Logits are logarithms of whole numbers or of fractions, the weights, so that every
probability is a fraction and nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod

import flint
import numpy as np
import pytest

Row = list[Fraction]


@pytest.fixture(autouse=True)
def digits() -> Iterator[None]:
    before, flint.ctx.prec = flint.ctx.prec, 200
    yield
    flint.ctx.prec = before


def arb(number: Fraction) -> flint.arb:
    return flint.arb(number.numerator) / flint.arb(number.denominator)


def equal(a: flint.arb, b: flint.arb) -> bool:
    """Whether two balls can be the same number, and are small enough to tell."""
    return a.overlaps(b) and float((a - b).rad()) < 1e-40


def share(weights: Sequence[Fraction]) -> Row:
    return [weight / sum(weights) for weight in weights]


def hot(label: int, classes: int) -> Row:
    return [Fraction(i == label) for i in range(classes)]


def square(a: Sequence[Fraction]) -> Fraction:
    return sum((entry * entry for entry in a), Fraction(0))


def minus(a: Row, b: Row) -> Row:
    return [left - right for left, right in zip(a, b, strict=True)]


def cost(weights: Sequence[Fraction], q: Row) -> Fraction:
    return square(minus(share(weights), q))


def gradient(p: Row, q: Row) -> Row:
    """2 J (p - q), from the matrix as written in the chapter on the Jacobian."""
    jacobian = [
        [p[i] * ((i == j) - p[j]) for j in range(len(p))] for i in range(len(p))
    ]
    r = minus(p, q)
    return [2 * sum(a * b for a, b in zip(row, r, strict=True)) for row in jacobian]


def rows(classes: int) -> Iterator[list[Fraction]]:
    """Weights of every kind: even, close to even, sure, surer than any float."""
    rng = np.random.default_rng(classes)
    yield [Fraction(1)] * classes
    for spread in (1, 3, 20, 200, 3000):
        for _ in range(4):
            powers = rng.integers(-spread, spread + 1, size=classes)
            parts = rng.integers(1, 100, size=classes)
            pairs = zip(powers.tolist(), parts.tolist(), strict=True)
            yield [Fraction(2) ** power * part for power, part in pairs]


def targets(classes: int) -> Iterator[Row]:
    yield from (hot(label, classes) for label in range(classes))
    rng = np.random.default_rng(classes)
    for _ in range(3):
        yield share([Fraction(n) for n in rng.integers(1, 50, size=classes).tolist()])


CLASSES = pytest.mark.parametrize("classes", [2, 3, 5])
PAIRS = [(w, q) for C in (2, 3, 5) for w in rows(C) for q in targets(C)]


# The gradient


def slope(weights: Sequence[Fraction], q: Row, j: int) -> Fraction:
    """The derivative in logit j by dual numbers a + b h, h h = 0: no formula for it.

    The weight e^x becomes e^(x + h) = e^x + e^x h; the rest is arithmetic.
    """
    total, rate = sum(weights), weights[j]
    result = Fraction(0)
    for i, weight in enumerate(weights):
        value = weight / total
        change = ((rate if i == j else 0) * total - weight * rate) / total**2
        result += 2 * (value - q[i]) * change
    return result


@pytest.mark.theorem("thm-squared-gradient")
def test_the_gradient_of_squared_error() -> None:
    for weights, q in PAIRS:
        found = gradient(share(weights), q)
        assert found == [slope(weights, q, j) for j in range(len(weights))]
        assert any(found) == (share(weights) != q)
    for q in (share([Fraction(n) for n in (1, 4, 2)]), share([Fraction(3)] * 4)):
        assert not any(gradient(q, q))


@pytest.mark.theorem("thm-squared-vanishes")
def test_squared_error_does_not_hear_the_worst_mistakes() -> None:
    for weights, q in PAIRS:
        p = share(weights)
        for k in range(len(p)):
            others = 1 - p[k]
            assert square(gradient(p, q)) <= 32 * others**2
            rivals = [weights[k] / w for j, w in enumerate(weights) if j != k]
            if min(rivals) >= 1:  # e^d, where d is the gap to the closest of them
                assert others <= (len(p) - 1) / min(rivals)
            if q[k] == 0 and 1 in q:
                by_entropy = square(minus(p, q))
                assert 2 * (1 - others) ** 2 <= by_entropy <= 2
                if len(p) == 2:
                    exact = 32 * others**2 * (1 - others) ** 4
                    assert square(gradient(p, q)) == exact


@pytest.mark.theorem("thm-squared-vanishes")
def test_no_smaller_constant_will_do() -> None:
    weights = [Fraction(2) ** 40, Fraction(1)]
    p = share(weights)
    assert square(gradient(p, hot(1, 2))) > 32 * (1 - Fraction(1, 2**38)) * p[1] ** 2


# The time to unlearn


@pytest.mark.theorem("thm-unlearning-time")
@pytest.mark.parametrize(
    "lead", [Fraction(1, 8), Fraction(1), Fraction(5), Fraction(30)]
)
def test_the_time_to_unlearn(lead: Fraction) -> None:
    """Certified integrals of one over the speed, which is taken from the gradients."""

    def entropy(d: flint.acb, _: bool) -> flint.acb:
        top = 1 / (1 + (-d).exp())
        gradient = top, (1 - top) - 1
        return 1 / (gradient[0] - gradient[1])

    def squared(d: flint.acb, _: bool) -> flint.acb:
        top, low = 1 / (1 + (-d).exp()), 1 / (1 + d.exp())
        r = top, low - 1
        mean = top * r[0] + low * r[1]
        return 1 / (2 * top * (r[0] - mean) - 2 * low * (r[1] - mean))

    end = arb(lead)
    z = (-end).exp()
    times = {
        entropy: (end + 1 - z) / 2,
        squared: (1 / z + 3 * end + arb(Fraction(5, 2)) - 3 * z - z * z / 2) / 8,
    }
    for speed, time in times.items():
        integral = flint.acb.integral(speed, 0, end)
        assert equal(integral.real / time, flint.arb(1))


# Bounded or convex


@pytest.mark.theorem("thm-bounded-not-convex", "cor-squared-not-convex")
@CLASSES
def test_where_convexity_breaks(classes: int) -> None:
    """The proof names three points on a line; squared error is not convex on them."""
    rng = np.random.default_rng(classes)
    broken = 0
    for q in targets(classes):
        for _ in range(10):
            pair = rng.integers(-3, 4, size=(2, classes)).tolist()
            a, b = sorted(pair, key=lambda x: cost([Fraction(2) ** n for n in x], q))
            low, high = (cost([Fraction(2) ** n for n in x], q) for x in (a, b))
            if high == low:
                continue
            s = int(2 / (high - low)) + 2  # beyond it a convex function exceeds 2
            if s > 1000:
                continue
            far = [i + s * (j - i) for i, j in zip(a, b, strict=True)]
            end = cost([Fraction(2) ** n for n in far], q)
            assert end <= 2 < low + s * (high - low)
            assert high > (1 - Fraction(1, s)) * low + Fraction(1, s) * end
            broken += 1
    assert broken > 20


@pytest.mark.theorem("cor-squared-not-convex")
def test_the_counterexample_of_the_chapter() -> None:
    first, middle, last = (
        cost([Fraction(w), Fraction(1)], hot(1, 2)) for w in (1, 3, 9)
    )
    assert (first, middle, last) == (Fraction(1, 2), Fraction(9, 8), Fraction(81, 50))
    assert middle > (first + last) / 2


# Likelihood


@pytest.mark.theorem("thm-two-likelihoods")
def test_two_likelihoods() -> None:
    p = [share([Fraction(n) for n in row]) for row in ((1, 2, 4), (9, 1, 1), (3, 5, 7))]
    labels = (2, 1, 0)
    losses = [-arb(row[y]).log() for row, y in zip(p, labels, strict=True)]
    probability = prod(row[y] for row, y in zip(p, labels, strict=True))
    assert equal(sum(losses[1:], losses[0]), -arb(probability).log())

    variance = Fraction(3, 7)
    q = [hot(y, 3) for y in labels]
    density = flint.arb(1)
    for row, target in zip(p, q, strict=True):
        for r in minus(target, row):
            normal = (-arb(r * r / (2 * variance))).exp()
            density *= normal / (2 * flint.arb.pi() * arb(variance)).sqrt()
    total = sum(square(minus(*pair)) for pair in zip(p, q, strict=True))
    constant = (2 * flint.arb.pi() * arb(variance)).log() * 9 / 2
    assert equal(-density.log(), arb(total / (2 * variance)) + constant)


# Scores

DISTRIBUTIONS = {C: [share(w) for w in rows(C)] + list(targets(C)) for C in (2, 3, 5)}


def expected(score: Callable[[Row, int], Fraction], p: Row, q: Row) -> Fraction:
    return sum((q[i] * score(p, i) for i in range(len(q))), Fraction(0))


def brier(p: Row, i: int) -> Fraction:
    return square(minus(p, hot(i, len(p))))


def absolute(p: Row, i: int) -> Fraction:
    return sum((abs(r) for r in minus(p, hot(i, len(p)))), Fraction(0))


def log_regret(p: Row, q: Row) -> flint.arb:
    """What dishonesty costs under the log score; p has no zeros."""
    terms = [
        arb(b) * (arb(b).log() - arb(a).log()) for a, b in zip(p, q, strict=True) if b
    ]
    return sum(terms, flint.arb(0))


@pytest.mark.theorem("thm-proper-scores")
@CLASSES
def test_two_proper_scores(classes: int) -> None:
    flint.ctx.prec = 13000  # two of the rows differ beyond 3000 bits
    for p, q in product(DISTRIBUTIONS[classes], repeat=2):
        saved = expected(brier, p, q) - expected(brier, q, q)
        assert saved == square(minus(p, q))
        assert (saved > 0) == (p != q)
        if all(p) and p != q:
            assert log_regret(p, q) > 0  # a certified sign, not a small number
    assert equal(log_regret(q, q), flint.arb(0))


@pytest.mark.theorem("thm-absolute-improper")
@CLASSES
def test_absolute_error_pays_for_lying(classes: int) -> None:
    for p, q in product(DISTRIBUTIONS[classes], repeat=2):
        price = expected(absolute, p, q)
        assert price == 2 * (1 - sum(a * b for a, b in zip(p, q, strict=True)))
        best = 2 * (1 - max(q))
        on_top = all(a == 0 or b == max(q) for a, b in zip(p, q, strict=True))
        assert price >= best
        assert (price == best) == on_top
    honest = [Fraction(2, 3), Fraction(1, 3), *[Fraction(0)] * (classes - 2)]
    assert expected(absolute, honest, honest) == Fraction(8, 9)
    assert expected(absolute, hot(0, classes), honest) == Fraction(2, 3)


def freedom(classes: int, grid: int) -> int:
    """How many free numbers phi_i(k / grid) has, if phi_i(q_i) = phi_j(q_j) for all q.

    Unknown for every class i and 0 < k < grid; one equation for each pair of classes
    in each distribution q on the grid that has no zeros.
    """
    unknown = {
        (i, k): n
        for n, (i, k) in enumerate(
            product(range(classes), range(1, grid - classes + 2))
        )
    }
    equations = set()
    for q in product(range(1, grid), repeat=classes):
        if sum(q) == grid:
            equations |= {
                (unknown[0, q[0]], unknown[j, q[j]]) for j in range(1, classes)
            }
    matrix = flint.fmpz_mat(len(equations), len(unknown))
    for row, (a, b) in enumerate(sorted(equations)):
        matrix[row, a], matrix[row, b] = 1, -1
    return len(unknown) - int(matrix.rank())


@pytest.mark.theorem("thm-local-score")
@pytest.mark.parametrize("grid", [5, 8, 13])
def test_a_third_class_leaves_one_number_free(grid: int) -> None:
    assert freedom(3, grid) == freedom(4, grid) == 1
    assert freedom(2, grid) == grid - 1  # two classes: one for each pair k, grid - k


@pytest.mark.theorem("thm-local-score")
@CLASSES
def test_other_local_scores_can_be_cheated(classes: int) -> None:
    """Move a little from one class to another, as in the proof: cheaper than the truth.

    Each score comes with phi(z) = z s'(z), exact as it is.
    """
    scores: list[tuple[Callable[[Fraction], Fraction], Callable[[Fraction], Fraction]]]
    scores = [
        (lambda z: -z, lambda z: -z),
        (lambda z: 1 / z, lambda z: -1 / z),
        (lambda z: (1 - z) ** 3, lambda z: -3 * z * (1 - z) ** 2),
        (lambda z: (1 - z) ** 2, lambda z: -2 * z * (1 - z)),
    ]
    step = Fraction(1, 1000)
    q = share([Fraction(n) for n in range(2, classes + 2)])
    for s, phi in scores:
        cheated = phi(q[0]) != phi(q[1])
        p = list(q)
        sign = 1 if phi(q[0]) < phi(q[1]) else -1
        p[0], p[1] = q[0] + sign * step, q[1] - sign * step
        price, honest = (
            sum(b * s(a) for a, b in zip(x, q, strict=True)) for x in (p, q)
        )
        assert (price < honest) == cheated
        # Only (1 - z)^2 on two classes, Brier's score, cannot be cheated.
        assert cheated == (classes > 2 or phi(Fraction(1, 3)) != phi(Fraction(2, 3)))


@pytest.mark.theorem("thm-local-score")
@CLASSES
def test_the_log_score_with_its_constants(classes: int) -> None:
    """With b > 0 honesty is cheapest, with b < 0 dearest, whatever the a_i."""
    offsets = [flint.arb(n) for n in range(classes)]
    inner = [p for p in DISTRIBUTIONS[classes] if min(p) > Fraction(1, 10**6)]
    for (p, q), b in product(product(inner, repeat=2), (2, 0, -3)):
        prices = [
            sum(
                (
                    arb(t) * (a - b * arb(z).log())
                    for a, t, z in zip(offsets, q, x, strict=True)
                ),
                flint.arb(0),
            )
            for x in (p, q)
        ]
        lost = prices[0] - prices[1]
        if p == q or b == 0:
            assert equal(prices[0], prices[1])
        else:
            assert lost > 0 if b > 0 else lost < 0
