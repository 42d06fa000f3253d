"""What each operation is of one row: a formula each, and where its limits differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flint import arb

from sxlit_conformance.oracle.row import (
    INF,
    NAN,
    Row,
    Value,
    add,
    exact_sum,
    scale,
    times,
)


def softmax(row: Row) -> list[Value]:
    return row.probabilities


def log_softmax(row: Row) -> list[Value]:
    return row.logarithms


def logsumexp(row: Row) -> list[Value]:
    if row.nan:
        return [NAN]
    if row.void or row.infinite:
        return [INF if row.infinite else -INF]
    return [arb(max(row.logits)) + row.log_norm]


def softmax_vjp(row: Row) -> list[Value]:
    """p_i (g_i - sum_j p_j g_j)."""
    if row.nan or row.void or row.infinite > 1:
        return row.probabilities
    if row.infinite == 1:  # p is constant near such a row
        return [0.0 for _ in row.logits]
    mean = exact_sum(
        p * times(g, n)
        for p, g, n in zip(row.probabilities, row.weights, row.counts, strict=True)
        if isinstance(p, arb)
    )
    return [
        p * (g - mean) if isinstance(p, arb) else 0.0
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def log_softmax_vjp(row: Row) -> list[Value]:
    """g_i - p_i sum(g)."""
    return [
        NAN if p != p else g - p * row.total_weight
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def logsumexp_vjp(row: Row) -> list[Value]:
    """p_i g; a row that is all -inf has the gradient 0."""
    if row.void and not row.nan:
        return [0.0 for _ in row.logits]
    return [
        0.0 if p == 0.0 else scale(p, arb(g)) if g else (p if p != p else 0.0)
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def cross_entropy(row: Row) -> list[Value]:
    """sum_k q_k (-log p_k), where 0 log 0 = 0."""
    if row.nan or row.void:
        return [NAN]
    return [
        add(
            scale(log_p, -times(q, n))
            for log_p, q, n in zip(row.logarithms, row.weights, row.counts, strict=True)
            if q != 0
        )
    ]


def cross_entropy_grad(row: Row) -> list[Value]:
    """sum(q) p - q."""
    return [scale(value, arb(-1)) for value in log_softmax_vjp(row)]


def cross_entropy_hvp(row: Row) -> list[Value]:
    """sum(q) p_i (v_i - sum_j p_j v_j)."""
    if row.nan or row.infinite > 1:
        return [NAN for _ in row.logits]
    along = softmax_vjp(Row(row.logits, row.directions, row.counts))
    return [scale(value, row.total_weight) for value in along]


FORMULAS: Mapping[str, Callable[[Row], list[Value]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "softmax_vjp": softmax_vjp,
    "log_softmax_vjp": log_softmax_vjp,
    "logsumexp_vjp": logsumexp_vjp,
    "cross_entropy": cross_entropy,
    "cross_entropy_grad": cross_entropy_grad,
    "cross_entropy_hvp": cross_entropy_hvp,
}
REDUCED = ("logsumexp", "cross_entropy")
LOSSES = ("cross_entropy", "cross_entropy_grad", "cross_entropy_hvp")
