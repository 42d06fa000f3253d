"""The book's exact quantities and bounds as enclosures: written from the page, in Arb.

Nothing here is read off the library's own bounds, so that the two can be compared.
Every function expects a working precision of some hundred bits, `flint.ctx.workprec`.
"""

# ruff: noqa: N802, N806 (the symbols of the book)
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb, fmpq

from sxlit.bounds import Numerics

Balls = list[arb]
NARROW = 2.0**-150


def ball(value: float | Fraction | arb) -> arb:
    """Enclose a number: a float exactly, a fraction as narrowly as the precision."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value) if isinstance(value, arb) else arb(float(value))


def balls(values: Iterable[float | Fraction | arb]) -> Balls:
    return [ball(value) for value in values]


def total(values: Iterable[arb]) -> arb:
    return sum(values, arb(0))


def rational_rows() -> Iterator[list[Fraction]]:
    """Logits close together, up to 2,000 apart, tied, and tied but for 2^-500."""
    rng = np.random.default_rng(1)
    for classes in (1, 2, 3, 8):
        for spread in (1, 10):
            top, bottom = rng.integers(-99, 100, classes), rng.integers(1, 99, classes)
            parts = zip(top.tolist(), bottom.tolist(), strict=True)
            row = [spread * Fraction(a, b) for a, b in parts]
            yield row
            yield [row[0]] * classes
            yield [row[0], *row]
            yield [row[0] + Fraction(1, 2**500), *row, row[0]]


def agree(a: arb, b: arb) -> bool:
    """Whether two numbers may be equal, enclosed so narrowly that few others may be."""
    width = NARROW * (1 + abs(a))
    return bool(a.overlaps(b)) and bool(a.rad() < width) and bool(b.rad() < width)


def softmax(x: Iterable[float | Fraction | arb]) -> Balls:
    """The definition, with no shift: Arb does not overflow."""
    weights = [value.exp() for value in balls(x)]
    whole = total(weights)
    return [weight / whole for weight in weights]


def logsumexp(x: Iterable[float | Fraction | arb]) -> arb:
    return total(value.exp() for value in balls(x)).log()


def ratio(computed: Iterable[float], exact: Balls, allowed: Balls) -> arb:
    """The largest error over its bound; where the bound is 0, so must the error be."""
    found = arb(0)
    for value, wanted, bound in zip(balls(computed), exact, allowed, strict=True):
        if not (bound.is_zero() and (value - wanted).is_zero()):
            found = found.max(abs(value - wanted) / bound)
    return found


def precision(relative_error: arb) -> arb:
    """r / (1 - r), the relative precision of a relative error r."""
    return relative_error / (1 - relative_error)


class Row:
    """A row of logits in an arithmetic: the symbols of chapters 3 to 5, by name.

    `part` makes the losses to underflow that much smaller or larger.
    """

    def __init__(
        self, x: Sequence[float], numerics: Numerics, part: float = 1.0
    ) -> None:
        self.numerics, self.x, self.C = numerics, balls(x), len(x)
        self.top = int(np.argmax(x))
        self.m = self.x[self.top]
        self.d = [self.m - value for value in self.x]
        self.e = [(-gap).exp() for gap in self.d]
        self.t = total(e for j, e in enumerate(self.e) if j != self.top)
        self.s = 1 + self.t
        self.L = self.t.log1p()
        self.p = [e / self.s for e in self.e]
        self.log_p = [-(gap + self.L) for gap in self.d]

        u = arb(numerics.unit)
        self.u, self.lost = u, part * arb(numerics.underflow)
        self.rho, self.rho_s = precision(u), precision(arb(numerics.store))
        self.kappa = precision(2 * numerics.exp * u)
        self.kappa_log = precision(2 * numerics.log * u)
        self.kappa_log1p = precision(2 * numerics.log1p * u)
        height = arb(numerics.height) + arb(self.C).log() / arb(2).log()
        self.height = height.min(arb(self.C - 1))
        self.H = self.height * precision(arb(numerics.accumulate))
        if numerics.accumulate < numerics.unit and self.C > 1:
            self.H += self.rho  # a sum is rounded once more
        self.once = (self.rho + self.rho_s).expm1()  # an operation and a storing

    @property
    def smallness(self) -> arb:
        """The left side of eq-small, which must not exceed 1/8."""
        spread = self.rho * arb(self.C).log()
        roundings = self.H + 2 * self.rho + self.rho_s
        return self.kappa + spread + roundings + 2 * self.C * self.lost

    # Chapter 3

    @cached_property
    def A(self) -> Balls:
        return [self.rho * gap + self.kappa for gap in self.d]

    @cached_property
    def S(self) -> arb:
        grown = total(e * a.expm1() for e, a in zip(self.e, self.A, strict=True))
        return ((grown + 2 * self.C * self.lost) / self.s).log1p() + self.H

    @cached_property
    def P(self) -> Balls:
        return [a + self.S + 2 * self.rho + self.rho_s for a in self.A]

    def softmax(self) -> Balls:
        pairs = zip(self.p, self.P, strict=True)
        return [p * P.expm1() + 3 * self.lost for p, P in pairs]

    # Chapter 4

    @cached_property
    def tau(self) -> arb:
        others = [j for j in range(self.C) if j != self.top]
        grown = total(self.e[j] * (self.A[j] + self.H).expm1() for j in others)
        return ((grown + 2 * self.C * self.lost) / self.s).log1p()

    def log_norm(self, grade: str) -> arb:
        """E_L; the theorem adds one loss."""
        alpha, kappa = self.tau, self.kappa_log1p
        if grade == "standard":
            alpha, kappa = self.S, self.kappa_log.max(self.kappa_log1p)
        return alpha + kappa * (self.L + alpha)

    def logsumexp(self, grade: str) -> arb:
        error = self.log_norm(grade)
        return error + self.once * (abs(self.m + self.L) + error) + 8 * self.lost

    def log_softmax(self, grade: str) -> Balls:
        parts = [self.rho * gap + self.log_norm(grade) for gap in self.d]
        return [
            part + self.once * (part - log_p) + 8 * self.lost
            for part, log_p in zip(parts, self.log_p, strict=True)
        ]

    # Chapter 5

    @cached_property
    def o(self) -> Balls:
        return [total(self.e[:i] + self.e[i + 1 :]) for i in range(self.C)]

    @cached_property
    def c(self) -> Balls:
        return [o / self.s for o in self.o]

    @cached_property
    def V(self) -> Balls:
        grown = [e * a.expm1() for e, a in zip(self.e, self.A, strict=True)]
        lost = 2 * self.C * self.lost
        return [
            ((total(grown[:i] + grown[i + 1 :]) + lost) / self.o[i]).log1p()
            + 2 * (self.H + self.rho)
            for i in range(self.C)
        ]

    def softmax_jacobian(self, grade: str) -> list[Balls]:
        lost = 8 * self.lost
        matrix = [
            [
                p * q * (P + Q + self.rho).expm1() + lost
                for q, Q in zip(self.p, self.P, strict=True)
            ]
            for p, P in zip(self.p, self.P, strict=True)
        ]
        for i, (p, c, P) in enumerate(zip(self.p, self.c, self.P, strict=True)):
            if grade == "hra":
                grown = P + self.S + 2 * self.rho + 2 * self.rho_s
                value = p * c * (grown + self.V[i]).expm1() if self.C > 1 else arb(0)
            else:
                epsilon = p * P.expm1()
                omega = epsilon + (4 * self.rho).expm1() * (c + epsilon)
                pi = p * omega + epsilon * (c + omega)
                value = pi + self.once * (p * c + pi)
            matrix[i][i] = value + lost
        return matrix

    def mean(self, v: Sequence[float]) -> arb:
        return total(p * w for p, w in zip(self.p, balls(v), strict=True))

    def F(self, grade: str) -> Balls:
        """Of a factor p, in the standard grade also as exp(log p)."""
        if grade == "hra":
            return self.P
        through = [E + self.kappa + self.rho for E in self.log_softmax(grade)]
        return [a.max(b) for a, b in zip(self.P, through, strict=True)]

    def mean_error(self, v: Sequence[float], grade: str = "hra") -> arb:
        return total(
            p * (f + self.rho + self.H).expm1() * abs(w) + 8 * self.lost * (abs(w) + 1)
            for p, f, w in zip(self.p, self.F(grade), balls(v), strict=True)
        )

    def softmax_vjp(self, v: Sequence[float]) -> Balls:
        mean, error = self.mean(v), self.mean_error(v)
        size, bounds = total(map(abs, balls(v))), []
        for p, P, w in zip(self.p, self.P, balls(v), strict=True):
            distance = abs(w - mean)
            grown = p * (P + 2 * self.rho).expm1() * (distance + error)
            lost = 8 * self.lost * (size + distance + 1)
            bounds.append(grown + p * error + lost)
        return bounds

    def log_softmax_jvp(self, v: Sequence[float], grade: str) -> Balls:
        mean, error = self.mean(v), self.mean_error(v, grade)
        return [error + self.once * (abs(w - mean) + error) for w in balls(v)]

    def log_softmax_vjp(self, g: Sequence[float], grade: str) -> Balls:
        whole, size = total(balls(g)), total(map(abs, balls(g)))
        error = self.H.expm1() * size + 3 * self.C * self.lost
        bounds = []
        for p, f, w in zip(self.p, self.F(grade), balls(g), strict=True):
            B = p * (f + self.rho).expm1() * (abs(whole) + error)
            B += p * error + 8 * self.lost * (abs(whole) + error + 1)
            bounds.append(B + self.once * (abs(w - p * whole) + B))
        return bounds

    def logsumexp_jvp(self, v: Sequence[float]) -> arb:
        mean, error = self.mean(v), self.mean_error(v)
        return error + self.rho_s.expm1() * (abs(mean) + error)

    def logsumexp_vjp(self, g: float) -> Balls:
        size = abs(ball(g))
        return [
            size * p * (P + self.rho + self.rho_s).expm1() + 8 * self.lost * (size + 1)
            for p, P in zip(self.p, self.P, strict=True)
        ]
