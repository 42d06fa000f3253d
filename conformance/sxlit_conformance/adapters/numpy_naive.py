"""The textbook forms, which must fail where the book says so. Requires: sxlit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "numpy-naive"
DTYPES = ("float16", "bfloat16", "float32", "float64")
VERSION = np.__version__


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def log_sigmoid(x: Array) -> Array:
    return np.asarray(np.log(sigmoid(x)))


def sigmoid_vjp(x: Array, g: Array) -> Array:
    p = sigmoid(x)
    return np.asarray(g * p * (1 - p))


def log_sigmoid_vjp(x: Array, g: Array) -> Array:
    return np.asarray(g * (1 - sigmoid(x)))


def softmax(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return textbook.softmax(x, axis)


def log_softmax(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return textbook.log_softmax(x, axis)


def logsumexp(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return np.asarray(textbook.logsumexp(x, axis))


def entropy(p: Array, axis: int) -> Array:
    return np.asarray(-(p * np.log(p)).sum(axis))


def kl_divergence(p: Array, q: Array, axis: int) -> Array:
    return np.asarray((p * np.log(p / q)).sum(axis))


def cross_entropy(logits: Array, targets: Array, *, axis: int, reduction: str) -> Array:
    from sxlit import textbook

    only_matrices(logits, targets, axis, reduction)
    return np.asarray(textbook.cross_entropy(logits, targets))


def cross_entropy_grad(
    logits: Array, targets: Array, *, axis: int, reduction: str
) -> Array:
    from sxlit import textbook

    only_matrices(logits, targets, axis, reduction)
    return textbook.cross_entropy_grad(logits, targets)


def binary_cross_entropy(logits: Array, targets: Array, *, reduction: str) -> Array:
    p = sigmoid(logits)
    losses = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    found = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}
    return np.asarray(found[reduction])


def binary_cross_entropy_grad(
    logits: Array, targets: Array, *, reduction: str
) -> Array:
    divisor = logits.size if reduction == "mean" else 1
    return np.asarray((sigmoid(logits) - targets) / divisor)


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    from sxlit import textbook

    only_matrices(logits, targets, -1, "mean")
    return np.asarray(textbook.cross_entropy(logits, targets))


def only_matrices(logits: Array, targets: Array, axis: int, reduction: str) -> None:
    plain = logits.ndim == 2 and axis in (-1, 1) and reduction == "mean"
    if not plain or targets.dtype.kind not in "iu":
        raise NotImplementedError(
            "the textbook loss takes a matrix, one label a row, and their mean"
        )
