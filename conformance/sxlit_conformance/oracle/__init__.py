"""The exact values: ball arithmetic (Arb, through python-flint), rounded once.

Every finite result is a certified enclosure, computed at 160 bits and again at twice
as many until it is narrow enough for two doubles. An enclosure that lies within 2^-1100
of zero is narrow enough too: the nearest double of everything in it is 0, so a gradient
that vanishes exactly needs no algebra, only more bits.

Special values (NaN, infinities, empty axes) follow the edge-case contract, whose first
matching row decides. The oracle gets the inputs as they were rounded to the claim's
dtype, so an input error is never charged to an implementation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flint
import numpy as np
from flint import arb

from sxlit_conformance.model import Array, Floats, Reference
from sxlit_conformance.oracle.cache import cache_directory, digest, load, save
from sxlit_conformance.oracle.formulas import FORMULAS, LOSSES, REDUCED
from sxlit_conformance.oracle.row import INF, NAN, Row, Value, add, scale

FIRST_PRECISION = 160
LAST_PRECISION = 160 * 2**8
WANTED_BITS = 110
# What is smaller is 0 once it is rounded to a double.
NEGLIGIBLE = arb(2) ** -1100


class UndecidedError(ArithmeticError):
    """No precision up to the last one made an enclosure narrow enough."""


def reference(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """The exact result of an operation as (hi, lo), from the cache or computed."""
    path = cache_directory() / f"{digest(operation, arguments, options)}.npz"
    known = load(path)
    if known is None:
        known = compute(operation, arguments, options)
        save(path, known)
    return known


def compute(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """The exact result of an operation as (hi, lo)."""
    if operation not in FORMULAS:
        raise ValueError(f"operation: expected one of {list(FORMULAS)}: {operation}")
    axis = int(options.get("axis", -1))
    reduction = str(options.get("reduction", "mean"))
    allowed = {"axis", "reduction"} if operation in LOSSES else {"axis"}
    if unknown := set(options) - allowed:
        raise ValueError(f"{operation}: the oracle knows {allowed}, not {unknown}")

    first, *others = (np.asarray(a) for a in arguments.values())
    logits = np.moveaxis(first.astype(np.float64), axis, -1)
    batch, classes = logits.shape[:-1], logits.shape[-1]
    if classes == 0:
        if operation == "logsumexp":
            return Reference(np.full(batch, -INF), np.zeros(batch))
        raise ValueError(f"{operation}: no classes, so there is no value")
    weights = weights_like(logits, operation, others, first.shape, axis)
    rows = [
        distinct(x, w)
        for x, w in zip(
            logits.reshape(-1, classes), weights.reshape(-1, classes), strict=True
        )
    ]
    mean = operation in LOSSES and reduction == "mean"
    divisor = max(len(rows), 1) if mean else 1
    to_one = operation == "cross_entropy" and reduction != "none"

    def attempt() -> list[list[Value]]:
        results = [FORMULAS[operation](Row(*pairs)) for pairs, _ in rows]
        if to_one:
            empty = NAN if mean else 0.0
            results = [[add(loss for (loss,) in results) if results else empty]]
        return [[scale(v, arb(1) / divisor) for v in r] for r in results]

    results = certified(attempt, f"{operation} of shape {first.shape}")
    if operation in REDUCED:
        pair = split([v for (v,) in results]).reshape(2, *(() if to_one else batch))
        return Reference(pair[0, ...], pair[1, ...])
    pair = np.empty((2, *logits.shape))
    flat = pair.reshape(2, -1, classes)
    for index, (result, (_, inverse)) in enumerate(zip(results, rows, strict=True)):
        flat[:, index] = split(result)[:, inverse]
    return Reference(np.moveaxis(pair[0], -1, axis), np.moveaxis(pair[1], -1, axis))


def weights_like(
    logits: Floats,
    operation: str,
    others: Sequence[Array],
    shape: tuple[int, ...],
    axis: int,
) -> Floats:
    """The cotangents or targets, one for each logit, class axis last."""
    if not others:
        return np.zeros_like(logits)
    given, classes = others[0], logits.shape[-1]
    if operation == "logsumexp_vjp":
        expect_shape("g", given, logits.shape[:-1])
        return np.broadcast_to(given.astype(np.float64)[..., None], logits.shape)
    if operation in LOSSES and given.dtype.kind in "iu":
        expect_shape("labels", given, logits.shape[:-1])
        if given.size and not (given.min() >= 0 and given.max() < classes):
            raise ValueError(
                f"labels: expected 0 to {classes - 1}; such a row has no loss"
            )
        return np.asarray(np.arange(classes) == given[..., None], dtype=np.float64)
    expect_shape("targets" if operation in LOSSES else "g", given, shape)
    return np.moveaxis(given.astype(np.float64), axis, -1)


def expect_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, got {array.shape}")


Pairs = tuple[list[float], list[float], list[int]]


def distinct(logits: Floats, weights: Floats) -> tuple[Pairs, Array]:
    """The distinct (logit, weight) pairs of a row, and where each element went."""
    pairs, inverse, counts = np.unique(
        np.stack([logits, weights], axis=-1),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    columns = pairs[:, 0].tolist(), pairs[:, 1].tolist(), counts.tolist()
    return columns, inverse.reshape(-1)


def certified(attempt: Callable[[], list[list[Value]]], what: str) -> list[list[Value]]:
    """The attempt's values at the first precision that makes all of them narrow."""
    precision = FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with flint.ctx.workprec(precision):
            results = attempt()
            if all(decided(value) for row in results for value in row):
                return results
        precision *= 2
    raise UndecidedError(f"{what}: {LAST_PRECISION} bits were not enough")


def decided(value: Value) -> bool:
    if isinstance(value, float):
        return True
    return value.is_finite() and (
        value.is_exact()
        or value.rel_accuracy_bits() >= WANTED_BITS
        or bool(value.abs_upper() < NEGLIGIBLE)
    )


def split(values: Sequence[Value]) -> Floats:
    """hi = the nearest doubles of the midpoints, lo = those of what is left."""
    pair = np.zeros((2, len(values)))
    with flint.ctx.workprec(2 * LAST_PRECISION):
        for index, value in enumerate(values):
            middle = value.mid() if isinstance(value, arb) else value
            hi = pair[0, index] = float(middle)
            if isinstance(middle, arb) and math.isfinite(hi):
                pair[1, index] = float(middle - arb(hi))
    return pair + 0.0  # an exact zero has no sign here
