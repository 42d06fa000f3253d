"""What error is allowed: the book's bounds, called, and no number of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from sxlit import bounds

from .model import Array, Tolerance
from .operations import OPERATIONS

Grade = Literal["standard", "hra"]

_NAMED = {name for operation in OPERATIONS.values() for name in operation.named}


class Theorem(NamedTuple):
    """Where in the book a bound is proved."""

    label: str
    chapter: str


_FLOATS = "3, What floating point does to it"
_LSE = "4, Log-sum-exp"
_JACOBIAN = "5, The Jacobian"
_REDUCED = "9, The loss in practice"
_BINARY = "9b, Several labels at once"
THEOREMS: Mapping[str, Theorem] = {
    "sigmoid": Theorem("thm-sigmoid-error", _FLOATS),
    "log_sigmoid": Theorem("thm-log-sigmoid-error", _FLOATS),
    "sigmoid_vjp": Theorem("thm-sigmoid-products", _FLOATS),
    "sigmoid_jvp": Theorem("thm-sigmoid-products", _FLOATS),
    "log_sigmoid_vjp": Theorem("thm-sigmoid-products", _FLOATS),
    "log_sigmoid_jvp": Theorem("thm-sigmoid-products", _FLOATS),
    "softmax": Theorem("thm-softmax-error", _FLOATS),
    "log_softmax": Theorem("thm-log-softmax-error", _LSE),
    "logsumexp": Theorem("thm-logsumexp-error", _LSE),
    "softmax_vjp": Theorem("thm-softmax-product-error", _JACOBIAN),
    "softmax_jvp": Theorem("thm-softmax-product-error", _JACOBIAN),
    "log_softmax_vjp": Theorem("thm-product-errors", _JACOBIAN),
    "log_softmax_jvp": Theorem("thm-product-errors", _JACOBIAN),
    "logsumexp_vjp": Theorem("thm-product-errors", _JACOBIAN),
    "logsumexp_jvp": Theorem("thm-product-errors", _JACOBIAN),
    "entropy": Theorem("thm-entropy-error", "6, Information"),
    "kl_divergence": Theorem("thm-kl-error", "7, Cross-entropy and KL"),
    "cross_entropy": Theorem("thm-reduced-loss-error", _REDUCED),
    "cross_entropy_grad": Theorem("thm-reduced-gradient-error", _REDUCED),
    "cross_entropy_hvp": Theorem("thm-hvp-error", _REDUCED),
    "binary_cross_entropy": Theorem("thm-binary-loss-error", _BINARY),
    "binary_cross_entropy_grad": Theorem("thm-binary-gradient-error", _BINARY),
}


def required_numerics(
    dtype: str, flushes_subnormals: bool, grade: Grade
) -> bounds.Numerics:
    """What `grade` requires of everybody who answers in `dtype`, fixed in advance."""
    return bounds.Numerics.required(
        dtype, grade=grade, flushes_subnormals=flushes_subnormals
    )


def tolerance(
    operation: str,
    arguments: Mapping[str, Array],
    options: Mapping[str, Any],
    grade: Grade,
    numerics: bounds.Numerics,
) -> Tolerance:
    """The allowed absolute error of every element of the operation's result.

    Args:
        operation: a name of `operations.OPERATIONS`.
        arguments: the operation's arrays, by name.
        options: its options, such as axis and reduction.
        grade: "standard", required of everybody, or "hra", high relative accuracy.
        numerics: what the theorem may assume of the arithmetic.
    """
    bound = getattr(bounds, operation)
    given = [arguments[name] for name in OPERATIONS[operation].arguments]
    named = {key: array for key, array in arguments.items() if key in _NAMED}
    allowed = bound(*given, **named, **options, numerics=numerics, grade=grade)
    theorem = THEOREMS[operation]
    return Tolerance(
        numerics.stored(np.asarray(allowed)), theorem.label, theorem.chapter
    )
