"""Right, in quite another style: 60 decimal digits, rounded once. No special values."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np
from _right import Array, Right, offer

EXACT = Context(prec=60, Emin=-(10**9), Emax=10**9)


class Digits(Right):
    def shares(self, x: Array) -> Array:
        return each_row(x, lambda row: [p for p, _ in exact_shares(row)])

    def log_shares(self, x: Array) -> Array:
        return each_row(x, lambda row: [log_p for _, log_p in exact_shares(row)])

    def log_sum(self, x: Array) -> Array:
        return each_row(x, lambda row: [sum((v.exp() for v in row), Decimal(0)).ln()])[
            :, 0
        ]

    def losses(self, x: Array, q: Array) -> Array:
        both = np.concatenate([x, q], axis=-1)
        return each_row(both, lambda row: [exact_loss(row)])[:, 0]

    def slopes(self, x: Array, q: Array) -> Array:
        return each_row(np.concatenate([x, q], axis=-1), exact_slopes)

    def bends(self, x: Array, q: Array, v: Array) -> Array:
        return each_row(np.concatenate([x, q, v], axis=-1), exact_bends)

    def share(self, x: Array) -> Array:
        return each_row(x, lambda row: [1 / (1 + (-v).exp()) for v in row])

    def log_share(self, x: Array) -> Array:
        return each_row(x, lambda row: [-(1 + (-v).exp()).ln() for v in row])

    def surprises(self, p: Array) -> Array:
        return each_row(p, lambda row: [v * v.ln() for v in row])

    def ratios(self, p: Array, q: Array) -> Array:
        """The whole sum in the first column, as each rounding would cancel."""
        both = np.concatenate([p, q], axis=-1)
        total = each_row(both, lambda row: [exact_divergence(row)])
        return np.concatenate([total, np.zeros_like(p[:, 1:])], axis=-1)


def exact_divergence(row: list[Decimal]) -> Decimal:
    p, q = row[: len(row) // 2], row[len(row) // 2 :]
    terms = (a * (a / b).ln() for a, b in zip(p, q, strict=True))
    return sum(terms, Decimal(0))


def exact_shares(row: list[Decimal]) -> list[tuple[Decimal, Decimal]]:
    """p and log p of each class."""
    powers = [v.exp() for v in row]
    total = sum(powers, Decimal(0))
    log_total = total.ln()
    return [(e / total, v - log_total) for e, v in zip(powers, row, strict=True)]


def exact_loss(row: list[Decimal]) -> Decimal:
    x, q = row[: len(row) // 2], row[len(row) // 2 :]
    terms = (w * -log_p for w, (_, log_p) in zip(q, exact_shares(x), strict=True))
    return sum(terms, Decimal(0))


def exact_slopes(row: list[Decimal]) -> list[Decimal]:
    x, q = row[: len(row) // 2], row[len(row) // 2 :]
    total = sum(q, Decimal(0))
    return [total * p - w for w, (p, _) in zip(q, exact_shares(x), strict=True)]


def exact_bends(row: list[Decimal]) -> list[Decimal]:
    n = len(row) // 3
    x, q, v = row[:n], row[n : 2 * n], row[2 * n :]
    p = [share for share, _ in exact_shares(x)]
    mean = sum((a * b for a, b in zip(p, v, strict=True)), Decimal(0))
    return [sum(q, Decimal(0)) * a * (b - mean) for a, b in zip(p, v, strict=True)]


def each_row(x: Array, function: object) -> Array:
    assert callable(function)
    with localcontext(EXACT):
        rounded = [
            [float(v) for v in function([Decimal(float(v)) for v in row])]
            for row in np.atleast_2d(x)
        ]
    found = np.array(rounded, dtype=x.dtype)
    return found if x.ndim == 2 else found.reshape(x.shape)


offer(globals(), Digits())
