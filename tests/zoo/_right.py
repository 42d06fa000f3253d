"""A correct implementation in plain NumPy, cut so that a wrong one changes one piece.

An adapter of the zoo subclasses `Right` and offers an instance of itself. The pieces
take rows: a matrix whose classes lie along the last axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Right:
    """Softmax and its relatives, with the maximum subtracted and a pairwise sum."""

    # -- pieces on rows of shape (N, C)

    def maximum(self, x: Array) -> Array:
        return np.asarray(x.max(axis=-1, keepdims=True))

    def total(self, terms: Array) -> Array:
        return np.asarray(terms.sum(axis=-1, keepdims=True))

    def shares(self, x: Array) -> Array:
        powers = np.exp(x - self.maximum(x))
        return np.asarray(powers / self.total(powers))

    def log_shares(self, x: Array) -> Array:
        gaps = x - self.maximum(x)
        return np.asarray(gaps - np.log(self.total(np.exp(gaps))))

    def log_sum(self, x: Array) -> Array:
        top = self.maximum(x)
        return np.asarray((top + np.log(self.total(np.exp(x - top))))[:, 0])

    def label_losses(self, x: Array, labels: Array) -> Array:
        return -self.log_shares(x)[np.arange(len(x)), labels]

    def losses(self, x: Array, q: Array) -> Array:
        terms = np.zeros_like(x)
        np.multiply(q, -self.log_shares(x), out=terms, where=q != 0)
        return np.asarray(terms.sum(axis=-1))

    def slopes(self, x: Array, q: Array) -> Array:
        return np.asarray(q.sum(axis=-1, keepdims=True) * self.shares(x) - q)

    def reduced(self, losses: Array, lead: tuple[int, ...], reduction: str) -> Array:
        if reduction == "none":
            return losses.reshape(lead)
        total = losses.sum()
        return np.asarray(total / len(losses) if reduction == "mean" else total)

    def divisor(self, rows: int, reduction: str) -> int:
        return max(rows, 1) if reduction == "mean" else 1

    def check_labels(self, labels: Array, classes: int) -> Array:
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise IndexError(f"a label is outside 0 to {classes - 1}")
        return labels

    def check_shape(self, found: Array, wanted: tuple[int, ...]) -> Array:
        if found.shape != wanted:
            raise ValueError(f"expected the shape {wanted}, got {found.shape}")
        return found

    # -- what an adapter offers

    def softmax(self, x: Array, axis: int) -> Array:
        return back(self.shares(rows(x, axis)), x, axis)

    def log_softmax(self, x: Array, axis: int) -> Array:
        return back(self.log_shares(rows(x, axis)), x, axis)

    def logsumexp(self, x: Array, axis: int) -> Array:
        return self.log_sum(rows(x, axis)).reshape(lead(x, axis))

    def cross_entropy(
        self, logits: Array, targets: Array, *, axis: int, reduction: str
    ) -> Array:
        x = rows(logits, axis)
        if targets.dtype.kind in "iu":
            given = self.check_shape(targets, lead(logits, axis)).reshape(-1)
            losses = self.label_losses(x, self.check_labels(given, x.shape[1]))
        else:
            q = self.check_shape(targets, logits.shape)
            losses = self.losses(x, rows(q, axis))
        return self.reduced(losses, lead(logits, axis), reduction)

    def cross_entropy_grad(
        self, logits: Array, targets: Array, *, axis: int, reduction: str
    ) -> Array:
        x = rows(logits, axis)
        if targets.dtype.kind in "iu":
            given = self.check_shape(targets, lead(logits, axis)).reshape(-1)
            labels = self.check_labels(given, x.shape[1])
            q = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
        else:
            q = rows(self.check_shape(targets, logits.shape), axis)
        slopes = self.slopes(x, q) / x.dtype.type(self.divisor(len(x), reduction))
        return back(slopes, logits, axis)


def rows(x: Array, axis: int) -> Array:
    last = np.moveaxis(x, axis, -1)
    return np.ascontiguousarray(last.reshape(int(np.prod(last.shape[:-1])), -1))


def back(result: Array, x: Array, axis: int) -> Array:
    last = np.moveaxis(x, axis, -1)
    return np.moveaxis(result.reshape(last.shape), -1, axis)


def lead(x: Array, axis: int) -> tuple[int, ...]:
    return np.moveaxis(x, axis, -1).shape[:-1]


def offer(namespace: dict[str, Any], implementation: Right) -> None:
    """Make a module an adapter: its functions are the implementation's methods."""
    for name in (
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy",
        "cross_entropy_grad",
    ):
        namespace[name] = getattr(implementation, name)
