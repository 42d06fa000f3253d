"""What each operation is of one number: no class axis, and a formula each.

A target q of the binary loss arrives as two exact weights: w a q of the answer yes, and
w (1 - q) of the answer no.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from flint import arb

from sxlit_conformance.model import Array
from sxlit_conformance.oracle.row import INF, NAN, Exact, Value, add, scale
from sxlit_conformance.oracle.targets import expect_shape, rational


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


def binary_cross_entropy(x: float, yes: Exact, no: Exact) -> Value:
    """-yes log sigmoid(x) - no log sigmoid(-x); what weighs nothing costs nothing."""
    if x != x or isinstance(yes, float) or isinstance(no, float):
        return NAN
    pairs = ((log_sigmoid(x), yes), (log_sigmoid(-x), no))
    return add(scale(cost, -arb(weight)) for cost, weight in pairs if weight)


def binary_cross_entropy_grad(x: float, yes: Exact, no: Exact) -> Value:
    """no sigmoid(x) - yes sigmoid(-x)."""
    if x != x or isinstance(yes, float) or isinstance(no, float):
        return NAN
    return arb(sigmoid(x)) * arb(no) - arb(sigmoid(-x)) * arb(yes)


def answers(arguments: Mapping[str, Array]) -> list[list[Exact]]:
    """The logits with the weights of yes and of no, or a ValueError."""
    logits, targets = arguments["logits"], arguments["targets"]
    shape = logits.shape
    expect_shape("targets", targets, shape)
    q = targets.ravel().tolist()
    if targets.dtype.kind in "iu" and any(v not in (0, 1) for v in q):
        raise ValueError("targets: expected 0 or 1 where they are integers")
    w = weights(arguments, "weight", shape, shape)
    a = weights(arguments, "pos_weight", shape, shape[-1:])
    known = [float(v) == float(v) for v in q]
    exact = [rational(v) if k else NAN for v, k in zip(q, known, strict=True)]
    triples = list(zip(w, a, exact, known, strict=True))
    yes = [w * a * v if k else NAN for w, a, v, k in triples]
    no = [w * (1 - v) if k else NAN for w, _, v, k in triples]
    return [logits.astype(np.float64).ravel().tolist(), yes, no]


def weights(
    arguments: Mapping[str, Array],
    name: str,
    shape: tuple[int, ...],
    own: tuple[int, ...],
) -> list[Exact]:
    given = np.asarray(arguments.get(name, 1.0), np.float64)
    if given.shape:
        expect_shape(name, given, own)
    if not np.all(np.isfinite(given) & (given >= 0)):
        raise ValueError(f"{name}: expected finite numbers, not negative")
    return [rational(v) for v in np.broadcast_to(given, shape).ravel().tolist()]


ELEMENTS: Mapping[str, Callable[..., Value]] = {
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "sigmoid_vjp": sigmoid_product,
    "sigmoid_jvp": sigmoid_product,
    "log_sigmoid_vjp": log_sigmoid_product,
    "log_sigmoid_jvp": log_sigmoid_product,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_grad": binary_cross_entropy_grad,
}
ANSWERS = ("binary_cross_entropy", "binary_cross_entropy_grad")
