"""An arithmetic that errs by all that the numerics allow, in the worst direction.

An algorithm is written once, as a function of an `Arithmetic` and its operands. The
arithmetic gives every operation an error of the largest size, relative and, where an
operation may underflow, absolute too; only the signs are free. `worst` finds, for each
result, the signs that drive it up and those that drive it down: it flips one sign after
the other and looks where each result goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from flint import arb

from enclosures import Balls, precision, total
from sxlit.bounds import Numerics


class Arithmetic:
    """The operations of def-numerics, each with its error; `signs` are used in turn."""

    def __init__(self, numerics: Numerics, classes: int, signs: Sequence[int]) -> None:
        self.numerics, self.signs, self.used = numerics, signs, 0
        height = arb(numerics.height) + arb(classes).log() / arb(2).log()
        height = height.min(arb(classes - 1))
        self.height = height * precision(arb(numerics.accumulate))

    def sign(self) -> int:
        self.used += 1
        return self.signs[self.used - 1] if self.used <= len(self.signs) else 1

    def erring(self, exact: arb, relative: float, losses: float) -> arb:
        wrong = exact * (1 + self.sign() * arb(relative))
        lost = losses * self.numerics.underflow
        return wrong + self.sign() * arb(lost) if lost else wrong

    def subtract(self, a: arb, b: arb, losses: float = 2.0) -> arb:
        """A difference; of normal numbers it loses half, or nothing, by underflow."""
        return self.erring(a - b, self.numerics.unit, losses)

    def add(self, a: arb, b: arb, losses: float = 2.0) -> arb:
        return self.erring(a + b, self.numerics.unit, losses)

    def multiply(self, a: arb, b: arb) -> arb:
        return self.erring(a * b, self.numerics.unit, 0.5)

    def divide(self, a: arb, b: arb) -> arb:
        return self.erring(a / b, self.numerics.unit, 0.5)

    def store(self, a: arb) -> arb:
        return self.erring(a, self.numerics.store, 0.5)

    def sum(self, terms: Iterable[arb]) -> arb:
        """Of one sign: each term gets a factor, and nothing underflows."""
        return total(term * (self.sign() * self.height).exp() for term in terms)

    def sum_of_any(self, terms: Sequence[arb]) -> arb:
        """Of both signs, where every addition may also lose something."""
        result = self.sum(terms)
        for _ in terms[1:]:
            result += self.sign() * arb(2 * self.numerics.underflow)
        return result

    def exp(self, a: arb) -> arb:
        wrong = self.erring(a.exp(), 2 * self.numerics.exp * self.numerics.unit, 1.0)
        return wrong.max(arb(0))

    def log(self, a: arb) -> arb:
        return self.erring(a.log(), 2 * self.numerics.log * self.numerics.unit, 1.0)

    def log1p(self, a: arb) -> arb:
        return self.erring(a.log1p(), 2 * self.numerics.log1p * self.numerics.unit, 1.0)


Algorithm = Callable[[Arithmetic], Balls]


def worst(algorithm: Algorithm, exact: Balls, numerics: Numerics, classes: int) -> Balls:
    """The largest errors, one for each result, that the search for signs found."""

    def run(signs: Sequence[int]) -> tuple[Balls, int]:
        arithmetic = Arithmetic(numerics, classes, signs)
        return algorithm(arithmetic), arithmetic.used

    base, count = run([])
    pull = np.empty((count, len(base)), dtype=int)
    for place in range(count):
        flipped, _ = run([1] * place + [-1])
        pull[place] = [1 if a >= b else -1 for a, b in zip(base, flipped, strict=True)]
    errors = [arb(0)] * len(base)
    for k, value in enumerate(exact):
        for direction in (1, -1):
            found, _ = run((direction * pull[:, k]).tolist())
            errors[k] = errors[k].max(abs(found[k] - value))
    return errors


# The algorithms of chapters 3 to 5, each with the choices that it leaves open


def gaps(arithmetic: Arithmetic, x: Balls, top: int) -> Balls:
    return [arithmetic.subtract(x[top], value) for value in x]


def weights(arithmetic: Arithmetic, x: Balls, top: int) -> Balls:
    return [arithmetic.exp(-gap) for gap in gaps(arithmetic, x, top)]


def without(values: Balls, place: int) -> Balls:
    return values[:place] + values[place + 1 :]


def shares(arithmetic: Arithmetic, x: Balls, top: int, *, reciprocal: bool) -> Balls:
    """Softmax, not yet stored, by one division or by a reciprocal and a product."""
    e = weights(arithmetic, x, top)
    s = arithmetic.sum(e)
    if reciprocal:
        inverse = (1 / s) * (1 + arithmetic.sign() * arb(arithmetic.numerics.unit))
        return [arithmetic.multiply(value, inverse) for value in e]
    return [arithmetic.divide(value, s) for value in e]


def log_norm(arithmetic: Arithmetic, e: Balls, top: int, grade: str) -> arb:
    """log of the whole sum (standard), or log1p of the tail (hra)."""
    if grade == "standard":
        return arithmetic.log(arithmetic.sum(e))
    return arithmetic.log1p(arithmetic.sum(without(e, top)))


def log_shares(arithmetic: Arithmetic, x: Balls, top: int, grade: str) -> Balls:
    d = gaps(arithmetic, x, top)
    log_s = log_norm(arithmetic, [arithmetic.exp(-gap) for gap in d], top, grade)
    return [-arithmetic.store(arithmetic.add(gap, log_s)) for gap in d]


def others(arithmetic: Arithmetic, e: Balls, top: int, *, plain: bool) -> Balls:
    """The sums of all weights but one; 1 + (t - e) where they are not `plain`."""
    if plain:
        return [arithmetic.sum(without(e, i)) for i in range(len(e))]
    tail = arithmetic.sum(without(e, top))
    # Weights and sums of them are 0 or normal, so that an addition loses nothing.
    rest = [arithmetic.subtract(tail, value, 0.5) for value in e]
    sums = [arithmetic.add(arb(1), value, 0.0) for value in rest]
    return [*sums[:top], tail, *sums[top + 1 :]]


def mean(arithmetic: Arithmetic, p: Balls, v: Balls) -> arb:
    terms = [arithmetic.multiply(a, b) for a, b in zip(p, v, strict=True)]
    return arithmetic.sum_of_any(terms)
