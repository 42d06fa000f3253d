"""The textbook forms, which must fail where the book says so. Requires: sxlit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "numpy-naive"
DTYPES = ("float32", "float64")
VERSION = np.__version__


def softmax(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return textbook.softmax(x, axis)


def log_softmax(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return textbook.log_softmax(x, axis)


def logsumexp(x: Array, axis: int) -> Array:
    from sxlit import textbook

    return np.asarray(textbook.logsumexp(x, axis))


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
