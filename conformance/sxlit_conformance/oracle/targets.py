"""What a loss asks of each class: the target with class weights and smoothing, exactly.

The target of a row is r_k = w_k ((1 - e) q_k + e / K), a rational number, and the mean
divides by the number of rows that are not ignored or, with class weights, by
sum_i sum_k w_k q_ik.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq

from sxlit_conformance.model import Array, Floats
from sxlit_conformance.oracle.row import Exact


@dataclass(frozen=True)
class Targets:
    """The targets of a batch: q with the class axis last, and what changes them."""

    q: Floats  # (N, K)
    ignored: Array  # (N,), bool
    weight: Floats | None  # (K,)
    smoothing: float

    def exactly(self, q: float, weight: float) -> Exact:
        """r of a class with target q and weight w."""
        if math.isnan(q) or (self.weight is None and not self.smoothing):
            return q
        e, classes = rational(self.smoothing), self.q.shape[1]
        return rational(weight) * ((1 - e) * rational(q) + e / classes)

    def total(self) -> Exact:
        """What the mean divides by."""
        kept = self.q[~self.ignored]
        if self.weight is None:
            return fmpq(len(kept))
        if np.isnan(kept).any():
            return math.nan
        return sum(self._products(kept), fmpq(0))

    def _products(self, kept: Floats) -> Iterator[fmpq]:
        assert self.weight is not None
        for w, column in zip(self.weight, kept.T, strict=True):
            yield rational(w) * sum((rational(q) for q in column if q), fmpq(0))


def read(
    arguments: Mapping[str, Array],
    options: Mapping[str, Any],
    logits: Floats,
    axis: int,
) -> Targets:
    """The targets of a loss whose logits have the class axis last, or a ValueError.

    A row is ignored where its label is `ignore_index`, whatever else it holds.
    """
    given, classes = np.asarray(arguments["targets"]), logits.shape[-1]
    ignore, weight = options.get("ignore_index"), arguments.get("weight")
    smoothing = float(options.get("label_smoothing", 0.0))
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing: expected 0 to 1, got {smoothing}")
    if given.dtype.kind in "iu":
        expect_shape("labels", given, logits.shape[:-1])
        labels = given.reshape(-1)
        ignored = np.array([label == ignore for label in labels.tolist()], dtype=bool)
        kept = labels[~ignored]
        if kept.size and not (kept.min() >= 0 and kept.max() < classes):
            raise ValueError(
                f"labels: expected 0 to {classes - 1}; such a row has no loss"
            )
        q = (np.arange(classes) == labels[:, None]) & ~ignored[:, None]
    else:
        if ignore is not None:
            raise ValueError("ignore_index: distributions have no label to ignore")
        shape = np.moveaxis(logits, -1, axis).shape
        expect_shape("targets", given, shape)
        q = np.moveaxis(given, axis, -1).reshape(-1, classes)
        ignored = np.zeros(len(q), dtype=bool)
    if weight is not None:
        expect_shape("weight", weight, (classes,))
        weight = weight.astype(np.float64)
        if not np.all(np.isfinite(weight) & (weight >= 0)):
            raise ValueError("weight: expected finite numbers, not negative")
    return Targets(q.astype(np.float64), ignored, weight, smoothing)


def expect_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, got {array.shape}")


def rational(value: float) -> fmpq:
    if math.isinf(value):
        raise ValueError("the contract says nothing about infinite weights")
    return fmpq(*Fraction(float(value)).as_integer_ratio())
