"""What each operation is of one number: no class axis, and a formula each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from flint import arb

from sxlit_conformance.oracle.row import INF, NAN, Value


def sigmoid(x: float) -> Value:
    """1 / (1 + exp(-x)), and its limits."""
    if not math.isfinite(x):
        return NAN if x != x else 1.0 if x > 0 else 0.0
    small = (-abs(arb(x))).exp()
    return (1 if x > 0 else small) / (1 + small)


def log_sigmoid(x: float) -> Value:
    """-log(1 + exp(-x)), and its limits."""
    if not math.isfinite(x):
        return 0.0 if x == INF else x
    return arb(min(x, 0.0)) - (-abs(arb(x))).exp().log1p()


def sigmoid_product(x: float, factor: float) -> Value:
    """sigmoid(x) sigmoid(-x) factor: vjp and jvp are the same."""
    p, others = sigmoid(x), sigmoid(-x)
    return product(p * others, factor)


def log_sigmoid_product(x: float, factor: float) -> Value:
    """sigmoid(-x) factor: vjp and jvp are the same."""
    return product(sigmoid(-x), factor)


def product(slope: Value, factor: float) -> Value:
    """In the extended reals: a slope of exactly 0 and an infinite factor give NaN."""
    if math.isfinite(factor):
        return slope * arb(factor) if isinstance(slope, arb) else slope * factor
    return NAN if slope == 0 or slope != slope else factor


ELEMENTS: Mapping[str, Callable[..., Value]] = {
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "sigmoid_vjp": sigmoid_product,
    "sigmoid_jvp": sigmoid_product,
    "log_sigmoid_vjp": log_sigmoid_product,
    "log_sigmoid_jvp": log_sigmoid_product,
}
