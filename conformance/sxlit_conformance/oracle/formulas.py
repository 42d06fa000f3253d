"""What each operation is of one row: a formula each, and where its limits differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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
    """p_i (g_i - sum_j p_j g_j); the matrix is symmetric, so the jvp is the same."""
    if row.nan or row.void or row.infinite > 1:
        return [NAN for _ in row.logits]
    if row.infinite == 1:  # p is constant near such a row
        return [0.0 for _ in row.logits]
    mean = mean_weight(row)
    return [
        p * (g - mean) if isinstance(p, arb) else 0.0
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def mean_weight(row: Row) -> arb:
    """sum_j p_j w_j, where softmax is defined."""
    return exact_sum(
        p * times(w, n)
        for p, w, n in zip(row.probabilities, row.weights, row.counts, strict=True)
        if p != 0
    )


def log_softmax_jvp(row: Row) -> list[Value]:
    """v_i - sum_j p_j v_j."""
    if row.nan or row.void or row.infinite > 1:
        return [NAN for _ in row.logits]
    mean = mean_weight(row)
    return [arb(v) - mean for v in row.weights]


def logsumexp_jvp(row: Row) -> list[Value]:
    """sum_j p_j v_j; a row that is all -inf does not move."""
    if row.nan or row.infinite > 1:
        return [NAN]
    return [0.0 if row.void else mean_weight(row)]


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


def entropy(row: Row) -> list[Value]:
    """-sum_i p_i log p_i of the numbers themselves, where 0 log 0 = 0."""
    if row.nan:
        return [NAN]
    check_probabilities(row.logits)
    return [
        exact_sum(
            -arb(p).log() * times(p, n)
            for p, n in zip(row.logits, row.counts, strict=True)
            if p != 0
        )
    ]


def kl_divergence(row: Row) -> list[Value]:
    """sum_i p_i (log p_i - log q_i), where 0 log 0 = 0; +inf where only q_i is 0."""
    if row.nan:
        return [NAN]
    pairs = list(zip(row.logits, row.weights, strict=True))
    check_probabilities([*row.logits, *map(float, row.weights)])
    if any(q == 0 < p for p, q in pairs):
        return [INF]
    return [
        exact_sum(
            (arb(p).log() - arb(q).log()) * times(p, n)
            for (p, q), n in zip(pairs, row.counts, strict=True)
            if p != 0 and p != q
        )
    ]


def check_probabilities(values: Iterable[float]) -> None:
    if any(not 0 <= value <= 1 for value in values):
        raise ValueError("probabilities: expected numbers from 0 to 1")


FORMULAS: Mapping[str, Callable[[Row], list[Value]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "softmax_vjp": softmax_vjp,
    "softmax_jvp": softmax_vjp,
    "log_softmax_vjp": log_softmax_vjp,
    "log_softmax_jvp": log_softmax_jvp,
    "logsumexp_vjp": logsumexp_vjp,
    "logsumexp_jvp": logsumexp_jvp,
    "entropy": entropy,
    "kl_divergence": kl_divergence,
    "cross_entropy": cross_entropy,
    "cross_entropy_grad": cross_entropy_grad,
    "cross_entropy_hvp": cross_entropy_hvp,
}
REDUCED = ("logsumexp", "logsumexp_jvp", "entropy", "kl_divergence", "cross_entropy")
LOSSES = ("cross_entropy", "cross_entropy_grad", "cross_entropy_hvp")
