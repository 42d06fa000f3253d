"""A correct implementation in plain NumPy, cut so that a wrong one changes one piece.

An adapter of the zoo subclasses `Right` and offers an instance of itself. The pieces
take rows: a matrix whose classes lie along the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    def bends(self, x: Array, q: Array, v: Array) -> Array:
        p = self.shares(x)
        mean = (p * v).sum(axis=-1, keepdims=True)
        return np.asarray(q.sum(axis=-1, keepdims=True) * p * (v - mean))

    # -- pieces on numbers, of any shape

    def share(self, x: Array) -> Array:
        small = np.exp(-np.abs(x))
        return np.asarray(np.where(x < 0, small, x.dtype.type(1)) / (1 + small))

    def log_share(self, x: Array) -> Array:
        zero = x.dtype.type(0)
        return np.asarray(np.minimum(x, zero) - np.log1p(np.exp(-np.abs(x))))

    def share_slope(self, x: Array) -> Array:
        return self.share(x) * self.share(-x)

    def log_share_slope(self, x: Array) -> Array:
        return self.share(-x)

    def surprises(self, p: Array) -> Array:
        """p log p, where 0 log 0 = 0."""
        terms = np.zeros_like(p)
        np.multiply(p, np.log(p, where=p != 0, out=np.zeros_like(p)), out=terms)
        return terms

    def ratios(self, p: Array, q: Array) -> Array:
        """p log(p / q), where 0 log 0 = 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((p == 0) & (q == q), p * 0, p * (np.log(p) - np.log(q)))

    def answer_losses(self, x: Array, q: Array, a: Array) -> Array:
        costs = -a * q * self.log_share(x) - (1 - q) * self.log_share(-x)
        return np.asarray(costs, x.dtype)

    def answer_slopes(self, x: Array, q: Array, a: Array) -> Array:
        slopes = (1 - q) * self.share(x) - a * q * self.share(-x)
        return np.asarray(slopes, x.dtype)

    def answer_divisor(self, x: Array, weight: Array) -> Array:
        return x.dtype.type(x.size)

    def reduced(self, losses: Array, reduction: str, divisor: Array) -> Array:
        if reduction == "none":
            return losses
        total = losses.sum()
        return np.asarray(total / divisor if reduction == "mean" else total)

    def slope_divisor(self, asked: Asked) -> Array:
        """What the mean's gradient is divided by."""
        return self.divisor(asked)

    # -- the options

    def kept(self, labels: Array, ignore_index: int | None) -> Array:
        """Which rows count."""
        if ignore_index is None:
            return np.ones(len(labels), dtype=bool)
        return np.asarray(labels != ignore_index)

    def mixed(self, q: Array, asked: Asked) -> Array:
        """r = w ((1 - e) q + e / K)."""
        e = q.dtype.type(asked.label_smoothing)
        r = (1 - e) * q + e / q.dtype.type(q.shape[1]) if e else q
        return np.asarray(r * self.weights(asked))

    def weights(self, asked: Asked) -> Any:
        """What multiplies each class."""
        return 1 if asked.weight is None else asked.weight

    def divisor(self, asked: Asked) -> Array:
        """The rows that count, or their total weight before smoothing."""
        kept = asked.q[asked.kept]
        if asked.weight is None:
            return asked.q.dtype.type(len(kept))
        return np.asarray((kept * self.weights(asked)).sum())

    def check_options(self, asked: Asked) -> None:
        w, e = asked.weight, asked.label_smoothing
        if w is not None and w.shape != asked.q.shape[1:]:
            raise ValueError("one weight for each class")
        if w is not None and not np.all(np.isfinite(w) & (w >= 0)):
            raise ValueError("weights are finite and not negative")
        if not 0 <= e <= 1:
            raise ValueError("a share of smoothing lies between 0 and 1")
        if asked.ignore_index is not None and not asked.of_labels:
            raise ValueError("distributions have no label to ignore")

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

    def softmax_jvp(self, x: Array, v: Array, axis: int) -> Array:
        p, along = self.shares(rows(x, axis)), rows(self.check_shape(v, x.shape), axis)
        return back(p * (along - self.mean(p, along)), x, axis)

    def log_softmax_jvp(self, x: Array, v: Array, axis: int) -> Array:
        p, along = self.shares(rows(x, axis)), rows(self.check_shape(v, x.shape), axis)
        return back(along - self.mean(p, along), x, axis)

    def logsumexp_jvp(self, x: Array, v: Array, axis: int) -> Array:
        p, along = self.shares(rows(x, axis)), rows(self.check_shape(v, x.shape), axis)
        return self.mean(p, along)[:, 0].reshape(lead(x, axis))

    def mean(self, p: Array, v: Array) -> Array:
        return np.asarray((p * v).sum(axis=-1, keepdims=True))

    def sigmoid(self, x: Array) -> Array:
        return self.share(x)

    def log_sigmoid(self, x: Array) -> Array:
        return self.log_share(x)

    def sigmoid_vjp(self, x: Array, g: Array) -> Array:
        return np.asarray(self.check_shape(g, x.shape) * self.share_slope(x))

    def log_sigmoid_vjp(self, x: Array, g: Array) -> Array:
        return np.asarray(self.check_shape(g, x.shape) * self.log_share_slope(x))

    def entropy(self, p: Array, axis: int) -> Array:
        if (p < 0).any() or (p > 1).any():
            raise ValueError("probabilities lie between 0 and 1")
        return np.asarray(-self.surprises(p).sum(axis=axis), p.dtype)

    def kl_divergence(self, p: Array, q: Array, axis: int) -> Array:
        self.check_shape(q, p.shape)
        if ((p < 0) | (p > 1) | (q < 0) | (q > 1)).any():
            raise ValueError("probabilities lie between 0 and 1")
        return np.asarray(self.ratios(p, q).sum(axis=axis), p.dtype)

    def binary_cross_entropy(
        self, logits: Array, targets: Array, *, reduction: str, **weights: Array
    ) -> Array:
        q, w, a = self.answers(logits, targets, **weights)
        losses = w * self.answer_losses(logits, q, a)
        with np.errstate(invalid="ignore"):
            return self.reduced(losses, reduction, self.answer_divisor(logits, w))

    def binary_cross_entropy_grad(
        self, logits: Array, targets: Array, *, reduction: str, **weights: Array
    ) -> Array:
        q, w, a = self.answers(logits, targets, **weights)
        slopes = w * self.answer_slopes(logits, q, a)
        divisor = self.answer_divisor(logits, w) if reduction == "mean" else 1
        return np.asarray(slopes / divisor, logits.dtype)

    def answers(
        self,
        logits: Array,
        targets: Array,
        weight: Array | None = None,
        pos_weight: Array | None = None,
    ) -> tuple[Array, Array, Array]:
        self.check_shape(targets, logits.shape)
        if targets.dtype.kind in "iu" and ((targets < 0) | (targets > 1)).any():
            raise ValueError("an answer is 0 or 1")
        given = (np.ones(()) if w is None else w for w in (weight, pos_weight))
        w, a = (w.astype(logits.dtype) for w in given)
        if (w < 0).any() or (a < 0).any():
            raise ValueError("weights are not negative")
        return targets.astype(logits.dtype), w, a

    def cross_entropy(
        self,
        logits: Array,
        targets: Array,
        *,
        axis: int,
        reduction: str,
        **options: Any,
    ) -> Array:
        x = rows(logits, axis)
        asked = self.asked(logits, targets, axis, **options)
        at, q = asked.kept, self.mixed(asked.q, asked)
        losses = np.zeros(len(x), dtype=x.dtype)
        if asked.of_labels and asked.weight is None and not asked.label_smoothing:
            losses[at] = self.label_losses(x[at], asked.labels[at])
        else:
            losses[at] = self.losses(x[at], q[at])
        with np.errstate(invalid="ignore"):
            found = self.reduced(losses, reduction, self.divisor(asked))
        return found.reshape(lead(logits, axis)) if found.ndim else found

    def cross_entropy_grad(
        self,
        logits: Array,
        targets: Array,
        *,
        axis: int,
        reduction: str,
        **options: Any,
    ) -> Array:
        asked = self.asked(logits, targets, axis, **options)
        x, q = rows(logits, axis), self.mixed(asked.q, asked)
        found = self.slopes(x[asked.kept], q[asked.kept])
        return back(self.averaged(found, asked, reduction), logits, axis)

    def cross_entropy_hvp(
        self,
        logits: Array,
        targets: Array,
        v: Array,
        *,
        axis: int,
        reduction: str,
        **options: Any,
    ) -> Array:
        asked = self.asked(logits, targets, axis, **options)
        x, q = rows(logits, axis), self.mixed(asked.q, asked)
        along = rows(self.check_shape(v, logits.shape), axis)
        found = self.bends(x[asked.kept], q[asked.kept], along[asked.kept])
        return back(self.averaged(found, asked, reduction), logits, axis)

    def averaged(self, found: Array, asked: Asked, reduction: str) -> Array:
        """Divided for the mean, and 0 in ignored rows; 0 where there is no divisor."""
        result = np.zeros_like(asked.q)
        divisor = self.slope_divisor(asked) if reduction == "mean" else 1
        if divisor:
            result[asked.kept] = found / found.dtype.type(divisor)
        return result

    def asked(
        self,
        logits: Array,
        targets: Array,
        axis: int,
        weight: Array | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> Asked:
        classes = logits.shape[axis]
        of_labels = targets.dtype.kind in "iu"
        if of_labels:
            labels = self.check_shape(targets, lead(logits, axis)).reshape(-1)
            kept = self.kept(labels, ignore_index)
            labels = np.where(kept, labels, 0)
            labels[kept] = self.check_labels(labels[kept], classes)
            q = (np.arange(classes) == labels[:, None]).astype(logits.dtype)
        else:
            q = rows(self.check_shape(targets, logits.shape), axis)
            labels, kept = np.zeros(len(q), int), np.ones(len(q), dtype=bool)
        if weight is not None:
            weight = weight.astype(logits.dtype)
        found = Asked(
            q, kept, labels, of_labels, weight, ignore_index, label_smoothing, axis
        )
        self.check_options(found)
        return found


@dataclass
class Asked:
    """The targets of a batch, as rows, and the options."""

    q: Array
    kept: Array
    labels: Array
    of_labels: bool
    weight: Array | None
    ignore_index: int | None
    label_smoothing: float
    axis: int


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
        "cross_entropy_hvp",
        "softmax_jvp",
        "log_softmax_jvp",
        "logsumexp_jvp",
        "sigmoid",
        "log_sigmoid",
        "sigmoid_vjp",
        "log_sigmoid_vjp",
        "entropy",
        "kl_divergence",
        "binary_cross_entropy",
        "binary_cross_entropy_grad",
    ):
        namespace[name] = getattr(implementation, name)
