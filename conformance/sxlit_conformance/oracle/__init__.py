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
from pathlib import Path
from typing import Any

import flint
import numpy as np
from flint import arb, fmpq

from sxlit_conformance.model import Array, Floats, Reference
from sxlit_conformance.oracle.audit import confirm
from sxlit_conformance.oracle.cache import cache_directory, digest, load, save
from sxlit_conformance.oracle.elements import ANSWERS, ELEMENTS, answers
from sxlit_conformance.oracle.formulas import FORMULAS, LOSSES, REDUCED
from sxlit_conformance.oracle.row import (
    INF,
    NAN,
    Exact,
    Row,
    Value,
    add,
    scale,
)
from sxlit_conformance.oracle.targets import Targets, expect_shape, read

FIRST_PRECISION = 160
LAST_PRECISION = 160 * 2**8
WANTED_BITS = 110
# What is smaller is 0 once it is rounded to a double.
NEGLIGIBLE = arb(2) ** -1100

LOSS_OPTIONS = ("reduction", "ignore_index", "label_smoothing")


class UndecidedError(ArithmeticError):
    """No precision up to the last one made an enclosure narrow enough."""


def reference(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """The exact result of an operation as (hi, lo), from the cache or computed.

    Nothing is cached, or returned, that a second formula has not confirmed.
    """
    known = cached(operation, arguments, options)
    if known is None:
        known = compute(operation, arguments, options)
        confirm(operation, arguments, options, known)
        save(cache_path(operation, arguments, options), known)
    return known


def cached(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference | None:
    """What the cache holds of an operation; all of it was confirmed."""
    return load(cache_path(operation, arguments, options))


def cache_path(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Path:
    return cache_directory() / f"{digest(operation, arguments, options)}.npz"


def compute(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """The exact result of an operation as (hi, lo)."""
    if operation in ELEMENTS:
        return elementwise(operation, arguments, options)
    if operation not in FORMULAS:
        known = [*ELEMENTS, *FORMULAS]
        raise ValueError(f"operation: expected one of {known}: {operation}")
    axis = int(options.get("axis", -1))
    reduction = str(options.get("reduction", "mean"))
    allowed = {"axis", *(LOSS_OPTIONS if operation in LOSSES else ())}
    if unknown := set(options) - allowed:
        raise ValueError(f"{operation}: the oracle knows {allowed}, not {unknown}")

    first = np.asarray(next(iter(arguments.values())))
    logits = np.moveaxis(first.astype(np.float64), axis, -1)
    batch, classes = logits.shape[:-1], logits.shape[-1]
    if classes == 0:
        if operation == "logsumexp":
            return Reference(np.full(batch, -INF), np.zeros(batch))
        raise ValueError(f"{operation}: no classes, so there is no value")
    divisor: Exact = fmpq(1)
    if operation in LOSSES:
        targets = read(arguments, options, logits, axis)
        rows = loss_rows(logits, targets, arguments.get("v"), axis)
        divisor = targets.total() if reduction == "mean" else divisor
    else:
        weights = weights_like(logits, operation, arguments, axis)
        both = np.stack([logits, weights], axis=-1).reshape(-1, classes, 2)
        rows = []
        for pairs in both:
            (x, w), counts, inverse = distinct(pairs)
            rows.append(((x, w, counts), inverse))
    to_one = operation == "cross_entropy" and reduction != "none"

    def attempt() -> list[list[Value]]:
        results = [
            FORMULAS[operation](Row(*columns)) if columns else [0.0]
            for columns, _ in rows
        ]
        if to_one:
            results = [[add(loss for (loss,) in results)]]
        return [[divide(v, divisor, to_one) for v in r] for r in results]

    results = certified(attempt, f"{operation} of shape {first.shape}")
    if operation in REDUCED:
        pair = split([v for (v,) in results]).reshape(2, *(() if to_one else batch))
        return Reference(pair[0, ...], pair[1, ...])
    pair = np.empty((2, *logits.shape))
    flat = pair.reshape(2, -1, classes)
    for index, (result, (_, inverse)) in enumerate(zip(results, rows, strict=True)):
        flat[:, index] = split(result)[:, inverse]
    return Reference(np.moveaxis(pair[0], -1, axis), np.moveaxis(pair[1], -1, axis))


def elementwise(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Reference:
    """The exact result of an operation that knows no class axis."""
    if unknown := set(options) - ({"reduction"} if operation in ANSWERS else set()):
        raise ValueError(f"{operation}: the oracle does not know {unknown}")
    arrays = {name: np.asarray(array) for name, array in arguments.items()}
    shape = next(iter(arrays.values())).shape
    columns: list[list[Any]]
    if operation in ANSWERS:
        columns = answers(arrays)
    else:
        for name, array in arrays.items():
            expect_shape(name, array, shape)
        columns = [a.astype(np.float64).ravel().tolist() for a in arrays.values()]
    reduction = options.get("reduction", "mean") if operation in ANSWERS else "none"
    divisor = fmpq(len(columns[0]) if reduction == "mean" else 1)
    to_one = operation == "binary_cross_entropy" and reduction != "none"

    def attempt() -> list[list[Value]]:
        values = [ELEMENTS[operation](*each) for each in zip(*columns, strict=True)]
        values = [add(values)] if to_one else values
        return [[divide(value, divisor, to_one) for value in values]]

    (values,) = certified(attempt, f"{operation} of shape {shape}")
    hi, lo = split(values).reshape(2, *(() if to_one else shape))
    return Reference(np.asarray(hi), np.asarray(lo))


def weights_like(
    logits: Floats, operation: str, arguments: Mapping[str, Array], axis: int
) -> Floats:
    """What goes with each logit, class axis last: a cotangent, a direction, q."""
    _, *others = arguments.items()
    if not others:
        return np.zeros_like(logits)
    name, given = others[0]
    if operation == "logsumexp_vjp":
        expect_shape(name, given, logits.shape[:-1])
        return np.broadcast_to(given.astype(np.float64)[..., None], logits.shape)
    expect_shape(name, given, np.moveaxis(logits, -1, axis).shape)
    return np.moveaxis(given.astype(np.float64), axis, -1)


# What a Row is made of, or nothing for an ignored one; and where each element went.
Columns = tuple[tuple[Any, ...] | None, Array]


def loss_rows(
    logits: Floats, targets: Targets, v: Array | None, axis: int
) -> list[Columns]:
    """The rows of a loss, each class with its exact target and perhaps a direction."""
    classes = logits.shape[-1]
    weight = np.ones(classes) if targets.weight is None else targets.weight
    parts = [logits.reshape(-1, classes), targets.q]
    parts.append(np.broadcast_to(weight, targets.q.shape))
    if v is not None:
        expect_shape("v", v, np.moveaxis(logits, -1, axis).shape)
        moved = np.moveaxis(v.astype(np.float64), axis, -1)
        parts.append(moved.reshape(-1, classes))
    rows: list[Columns] = []
    for tuples, ignored in zip(np.stack(parts, axis=-1), targets.ignored, strict=True):
        if ignored:
            rows.append((None, np.zeros(classes, dtype=np.intp)))
            continue
        (x, q, w, *directions), counts, inverse = distinct(tuples)
        r = [targets.exactly(*pair) for pair in zip(q, w, strict=True)]
        rows.append(((x, r, counts, *directions), inverse))
    return rows


def distinct(tuples: Floats) -> tuple[list[list[float]], list[int], Array]:
    """The columns of a row's distinct tuples, how often each is there, and where."""
    columns, inverse, counts = np.unique(
        tuples, axis=0, return_inverse=True, return_counts=True
    )
    return columns.T.tolist(), counts.tolist(), inverse.reshape(-1)


def divide(value: Value, divisor: Exact, is_loss: bool) -> Value:
    """The mean: of nothing, a loss is NaN and a derivative 0."""
    if isinstance(divisor, float):
        return NAN
    if divisor == 0:
        return NAN if is_loss else 0.0
    return scale(value, 1 / arb(divisor))


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
