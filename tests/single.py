"""Float32 programs as others write them: any order of summation, mediocre functions.

The exponentials and logarithms are computed in float64, rounded, and then moved by a
few ulps in the directions of a `push`, up to what the required numerics allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from enclosures import Row
from sxlit.bounds import Numerics

F32 = np.float32
NORMAL = np.finfo(F32).smallest_normal
Single = np.ndarray


def serial(terms: Single) -> F32:
    return np.add.accumulate(terms)[-1] if terms.size else F32(0)


def pairwise(terms: Single) -> F32:
    while terms.size > 1:
        odd = terms[-1:] if terms.size % 2 else terms[:0]
        terms = np.concatenate([terms[0 : terms.size - 1 : 2] + terms[1::2], odd])
    return terms[0] if terms.size else F32(0)


def blocked(terms: Single) -> F32:
    blocks = [serial(terms[k : k + 32]) for k in range(0, terms.size, 32)]
    return pairwise(np.array(blocks, F32))


ORDERS: dict[str, Callable[[Single], F32]] = {
    "serial": serial,
    "backwards": lambda terms: serial(terms[::-1]),
    "ascending": lambda terms: serial(np.sort(terms)),
    "pairwise": pairwise,
    "blocked": blocked,
    "NumPy's": lambda terms: terms.sum(),
}
ORDER = pytest.mark.parametrize("order", ORDERS)
SERIAL = ("serial", "backwards", "ascending")  # which is required of short rows only
PUSHES: list[Callable[[int], Single]] = [
    lambda n: np.zeros(n),
    lambda n: np.ones(n),
    lambda n: -np.ones(n),
    lambda n: np.where(np.arange(n) == 0, -1, 1),
    lambda n: np.where(np.arange(n) == 0, 1, -1),
    lambda n: np.random.default_rng(n).choice([-1, 1], n),
]


def rows(classes: int) -> Iterator[Single]:
    """Calm, tied, far from 0, wide, dominated, and tiny; the largest logit first."""
    x = np.random.default_rng(4).standard_normal(classes)
    dominated = 9.0 * (x == x.max())
    for row in (3 * x, np.zeros(classes), 1e4 + x, 40 * x, dominated, 1e-39 * x):
        yield np.sort(row.astype(F32))[::-1]


def moved(values: Single, push: Single, ulps: int) -> Single:
    """Round to float32 and go `ulps` numbers up or down, among the normal numbers."""
    near = np.asarray(values).astype(F32)
    push = np.where(np.abs(near) >= 2 * NORMAL, push, 0).astype(F32)
    for _ in range(ulps):
        near = np.nextafter(near, np.where(push == 0, near, push * F32(1e38)))
    return near


class Program:
    """Softmax and its kin of a row, its largest logit first, in float32."""

    def __init__(self, x: Single, order: str, push: Single, *, flush: bool) -> None:
        self.order, self.push, self.flush = ORDERS[order], push, flush
        self.x = self.keep(x)
        self.gap = self.keep(self.x[0] - self.x)
        self.weight = self.exp(-self.gap)
        self.s, self.tail = self.sum(self.weight), self.sum(self.weight[1:])

    def keep(self, values: Single) -> Single:
        """What is left of a result or an operand."""
        if not self.flush:
            return np.asarray(values)
        return np.where(np.abs(values) < NORMAL, F32(0), values)

    def sum(self, terms: Single) -> F32:
        return self.keep(self.order(terms))[()]

    def exp(self, a: Single) -> Single:
        with np.errstate(under="ignore"):
            return self.keep(moved(np.exp(a.astype(float)), self.push, 2))

    def shares(self, *, reciprocal: bool = False) -> Single:
        with np.errstate(under="ignore"):
            if reciprocal:
                return self.keep(self.weight * self.keep(1 / self.s))
            return self.keep(self.weight / self.s)

    def log_norm(self, grade: str) -> F32:
        """3.5 ulp from the logarithm, or 4.5 from log1p, the way that exp went."""
        if grade == "standard":
            return self.keep(moved(np.log(float(self.s)), self.push[0], 3))[()]
        return self.keep(moved(np.log1p(float(self.tail)), self.push[0], 4))[()]

    def log_shares(self, grade: str) -> Single:
        return self.keep(-(self.gap + self.log_norm(grade)))

    def mean(self, p: Single, v: Single) -> F32:
        with np.errstate(under="ignore"):
            return self.sum(self.keep(p * v))


def programs(order: str, most: int = 200) -> Iterator[tuple[Row, Program]]:
    """Every row and program that sums in this order, with what is required of it."""
    for flush in (False, True):
        numerics = Numerics.required("float32", flushes_subnormals=flush)
        for classes in (1, 2, 3, 33 if order in SERIAL else most):
            for x in rows(classes):
                row = Row(x.tolist(), numerics)
                for push in PUSHES:
                    yield row, Program(x, order, push(classes), flush=flush)
