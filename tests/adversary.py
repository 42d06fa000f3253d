"""An arithmetic that errs by all that the numerics allow, in the worst direction.

An algorithm is written once, as a function of an `Arithmetic` and its operands. The
arithmetic gives every operation an error of the largest size, relative and, where an
operation may underflow, absolute too; only the signs are free. `worst` finds, for each
result, the signs that drive it up and those that drive it down: it flips one sign after
the other and looks where each result goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pytest
from flint import arb

from enclosures import Balls, Row, precision, total
from sxlit.bounds import Numerics


class Arithmetic:
    """The operations of def-numerics, each with its error; `signs` are used in turn."""

    def __init__(self, numerics: Numerics, classes: int, signs: Sequence[int]) -> None:
        self.numerics, self.signs, self.used = numerics, signs, 0
        height = arb(numerics.height) + arb(classes).log() / arb(2).log()
        height = height.min(arb(classes - 1))
        self.height = height * precision(arb(numerics.accumulate))
        if numerics.accumulate < numerics.unit and classes > 1:
            self.height += precision(arb(numerics.unit))

    def sign(self) -> int:
        self.used += 1
        return self.signs[self.used - 1] if self.used <= len(self.signs) else 1

    def erring(self, exact: arb, relative: float, losses: float | arb) -> arb:
        wrong = exact * (1 + self.sign() * arb(relative))
        lost = losses * self.numerics.underflow
        return wrong + self.sign() * arb(lost) if lost else wrong

    def subtract(self, a: arb, b: arb, losses: float = 2.0) -> arb:
        """A difference; of normal numbers it loses half, or nothing, by underflow."""
        return self.erring(a - b, self.numerics.unit, losses)

    def add(self, a: arb, b: arb, losses: float = 2.0) -> arb:
        return self.erring(a + b, self.numerics.unit, losses)

    def multiply(self, a: arb, b: arb) -> arb:
        """A product, which may be of a subnormal that is taken for zero."""
        losses = abs(a).max(abs(b)).max(arb(1)) / 2
        return self.erring(a * b, self.numerics.unit, losses)

    def divide(self, a: arb, b: arb) -> arb:
        return self.erring(a / b, self.numerics.unit, 0.5)

    def store(self, a: arb) -> arb:
        return self.erring(a, self.numerics.store, 0.5)

    def sum(self, terms: Iterable[arb]) -> arb:
        """Of one sign: each term gets a factor, and nothing underflows."""
        return total(term * (self.sign() * self.height).exp() for term in terms)

    def sum_of_any(self, terms: Sequence[arb]) -> arb:
        """Of both signs, where every addition may also lose something."""
        lost = 2 * (len(terms) - 1) * self.numerics.underflow * self.height.exp()
        return self.sum(terms) + self.sign() * lost

    def exp(self, a: arb) -> arb:
        wrong = self.erring(a.exp(), 2 * self.numerics.exp * self.numerics.unit, 1.0)
        return wrong.max(arb(0))

    def log(self, a: arb) -> arb:
        return self.erring(a.log(), 2 * self.numerics.log * self.numerics.unit, 1.0)

    def log1p(self, a: arb) -> arb:
        return self.erring(a.log1p(), 2 * self.numerics.log1p * self.numerics.unit, 1.0)


Algorithm = Callable[[Arithmetic, Row], Balls]


def worst(row: Row, algorithm: Algorithm, exact: Balls, allowed: Balls) -> arb:
    """The largest error over its bound that the search for signs finds."""

    def run(signs: Sequence[int]) -> tuple[Balls, int]:
        arithmetic = Arithmetic(row.numerics, row.C, signs)
        return algorithm(arithmetic, row), arithmetic.used

    base, count = run([])
    pull = np.empty((count, len(base)), dtype=int)
    for place in range(count):
        flipped, _ = run([1] * place + [-1])
        pull[place] = [1 if a >= b else -1 for a, b in zip(base, flipped, strict=True)]
    ratios = []
    for k, (value, bound) in enumerate(zip(exact, allowed, strict=True)):
        for direction in (1, -1):
            found, _ = run((direction * pull[:, k]).tolist())
            ratios.append(abs(found[k] - value) / bound)
    return max(ratios)


# The algorithms of chapters 3 to 5, each with the choices that it leaves open


def gaps(a: Arithmetic, row: Row) -> Balls:
    return [a.subtract(row.m, value) for value in row.x]


def weights(a: Arithmetic, row: Row) -> Balls:
    return [a.exp(-gap) for gap in gaps(a, row)]


def without(values: Balls, place: int) -> Balls:
    return values[:place] + values[place + 1 :]


def shares(a: Arithmetic, row: Row, *, reciprocal: bool = False) -> Balls:
    """Softmax, not yet stored, by one division or by a reciprocal and a product."""
    e = weights(a, row)
    s = a.sum(e)
    if reciprocal:
        inverse = a.erring(1 / s, row.numerics.unit, 0.0)
        return [a.multiply(value, inverse) for value in e]
    return [a.divide(value, s) for value in e]


def log_norm(a: Arithmetic, e: Balls, top: int, grade: str) -> arb:
    """log of the whole sum (standard), or log1p of the tail (hra)."""
    return a.log(a.sum(e)) if grade == "standard" else a.log1p(a.sum(without(e, top)))


def log_shares(a: Arithmetic, row: Row, grade: str) -> Balls:
    d = gaps(a, row)
    log_s = log_norm(a, [a.exp(-gap) for gap in d], row.top, grade)
    return [-a.store(a.add(gap, log_s)) for gap in d]


def others(
    a: Arithmetic, e: Balls, top: int, *, plain: bool, tail: arb | None = None
) -> Balls:
    """The sums of all weights but one; 1 + (t - e) where they are not `plain`."""
    if plain:
        return [a.sum(without(e, i)) for i in range(len(e))]
    if tail is None:
        tail = a.sum(without(e, top))
    # Weights and their sums are 0 or normal: a difference alone may underflow.
    rest = [a.subtract(tail, value, 0.5) for value in e]
    sums = [a.add(arb(1), value, 0.0) for value in rest]
    return [*sums[:top], tail, *sums[top + 1 :]]


def mean(a: Arithmetic, p: Balls, v: Balls) -> arb:
    return a.sum_of_any([a.multiply(q, w) for q, w in zip(p, v, strict=True)])


# What it is let loose on: eq-small holds with room, and nearly with equality


def _coarse(u: float, lost: float) -> Numerics:
    return Numerics(unit=u, accumulate=u, store=u, underflow=lost)


NUMERICS = {
    "no underflow": _coarse(2.0**-10, 0.0),
    "underflow": _coarse(2.0**-10, 2.0**-20),
    "nearly too coarse": _coarse(0.0065, 0.0065**2),
    "coarse storing": Numerics(2.0**-12, 2.0**-12, 2.0**-6, 2.0**-24, 1.0, 1.0, 1.0),
    "bfloat16": Numerics.required("bfloat16"),
    "float16": Numerics.required("float16"),
    "coarse sums": Numerics(2.0**-12, 2.0**-7, 2.0**-12, 2.0**-24, height=0.0),
}
COARSE = pytest.mark.parametrize("numerics", NUMERICS.values(), ids=NUMERICS)
GRADES = pytest.mark.parametrize("grade", ["standard", "hra"])
ROWS = [
    [0.5, -1.0, 0.25, 1.75],  # calm
    [3.0, 3.0, 3.0, 3.0],
    [-1.0, 9.0, 0.5],  # one dominates
    [-30.0, 0.25, -7.0, -14.0, -2.0],  # wide
    [0.0, -5.0],
]


def rows(numerics: Numerics) -> list[Row]:
    return [Row(x, numerics) for x in ROWS]


def limits(classes: int) -> Iterator[Numerics]:
    """The coarsest numerics that eq-small admits, however the eighth is spent."""
    for u, u_a, u_s, k in ((1, 1, 1, 3), (1, 0, 0, 3), (1, 0, 0, 1), (0.01, 1, 1, 1)):
        low, high = 0.0, 0.15
        for _ in range(50):
            z = (low + high) / 2
            numerics = Numerics(z * u, z * u_a, z * u_s, (z * u) ** 2, exp=k)
            if Row([0.0] * classes, numerics).smallness <= arb(1) / 8:
                low, coarsest = z, numerics
            else:
                high = z
        yield coarsest
