"""The second formula of what knows no class axis: by hyperbolic functions of x / 2."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from flint import arb

from sxlit_conformance.oracle.row import INF, NAN, Exact, Value


def tanh(x: float) -> Value:
    """tanh(x / 2), and its limits, 1 and -1."""
    return (arb(x) / 2).tanh() if math.isfinite(x) else math.tanh(x)


def sigmoid(x: float) -> Value:
    return (1 + tanh(x)) / 2


def log_sigmoid(x: float) -> Value:
    """x / 2 - log(2 cosh(x / 2))."""
    if not math.isfinite(x):
        return 0.0 if x == INF else x
    half = arb(x) / 2
    return half - (2 * half.cosh()).log()


def sigmoid_product(x: float, factor: float) -> Value:
    """factor / (4 cosh^2(x / 2))."""
    if not math.isfinite(x) or not math.isfinite(factor):
        return NAN if x != x else factor * float(math.isfinite(x))
    return arb(factor) / (4 * (arb(x) / 2).cosh() ** 2)


def log_sigmoid_product(x: float, factor: float) -> Value:
    """factor (1 - tanh(x / 2)) / 2."""
    if not math.isfinite(x) or not math.isfinite(factor):
        return NAN if x != x else factor * float(x < INF)
    return (1 - tanh(x)) / 2 * arb(factor)


def binary_cross_entropy(x: float, yes: Exact, no: Exact) -> Value:
    """The loss of two classes with logits x and 0, as (yes + no) log S - yes x."""
    if x != x or yes != yes or no != no:
        return NAN
    if not math.isfinite(x):
        wrong = no if x > 0 else yes
        return 0.0 if wrong == 0 else INF if wrong > 0 else -INF
    return (arb(x).exp() + 1).log() * (yes + no) - arb(x) * yes


def binary_cross_entropy_grad(x: float, yes: Exact, no: Exact) -> Value:
    """(yes + no) sigmoid(x) - yes."""
    if x != x or yes != yes or no != no:
        return NAN
    return arb(sigmoid(x)) * (yes + no) - yes


SECOND_OF_A_NUMBER: Mapping[str, Callable[..., Value]] = {
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "sigmoid_vjp": sigmoid_product,
    "sigmoid_jvp": sigmoid_product,
    "log_sigmoid_vjp": log_sigmoid_product,
    "log_sigmoid_jvp": log_sigmoid_product,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_grad": binary_cross_entropy_grad,
}
