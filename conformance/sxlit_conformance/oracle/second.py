"""The second formulas on whole arrays: axes, weights, smoothing and means once more.

It reads the arguments by itself. The first oracle has refused what has no value before
this one is asked, so nothing is checked here twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flint import arb, fmpq

from sxlit_conformance.model import Array, Floats
from sxlit_conformance.oracle.row import NAN, Exact, Value
from sxlit_conformance.oracle.second_element import SECOND_OF_A_NUMBER
from sxlit_conformance.oracle.second_row import SECOND_OF_A_ROW

_SCALARS = ("logsumexp", "logsumexp_jvp", "entropy", "kl_divergence", "cross_entropy")


def second(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> Array:
    """The result as an array of balls and exact floats, at the working precision."""
    arrays = {name: np.asarray(array) for name, array in arguments.items()}
    if operation in SECOND_OF_A_NUMBER:
        return _numbers(operation, arrays, options)
    axis = int(options.get("axis", -1))
    x = _rows(next(iter(arrays.values())), axis)
    shape, classes = x.shape, x.shape[-1]
    if classes == 0:  # of these, logsumexp alone has a value
        return np.full(shape[:-1], -np.inf, dtype=object)
    flat = x.reshape(-1, classes).tolist()
    if operation.startswith("cross_entropy"):
        rows = _losses(operation, flat, arrays, options, axis)
    else:
        extra = [
            _beside(operation, array, shape, axis)
            for array in list(arrays.values())[1:]
        ]
        rows = [
            SECOND_OF_A_ROW[operation](*each) for each in zip(flat, *extra, strict=True)
        ]
    if operation == "cross_entropy" and options.get("reduction", "mean") != "none":
        return _array([value for (value,) in rows], ())
    if operation in _SCALARS:
        return _array([value for (value,) in rows], shape[:-1])
    values = [value for row in rows for value in row]
    return np.moveaxis(_array(values, shape), -1, axis)


def _rows(array: Array, axis: int) -> Floats:
    return np.moveaxis(array.astype(np.float64), axis, -1)


def _array(values: Sequence[Value], shape: tuple[int, ...]) -> Array:
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result.reshape(shape)


def _beside(
    operation: str, array: Array, shape: tuple[int, ...], axis: int
) -> list[list[float]]:
    """A cotangent, a direction or q, for each row; one number may be for them all."""
    if operation == "logsumexp_vjp":
        flat = array.astype(np.float64).reshape(-1)
        return [[value] * shape[-1] for value in flat.tolist()]
    rows: list[list[float]] = _rows(array, axis).reshape(-1, shape[-1]).tolist()
    return rows


def _losses(
    operation: str,
    flat: list[list[float]],
    arrays: Mapping[str, Array],
    options: Mapping[str, Any],
    axis: int,
) -> list[list[Value]]:
    """A loss or a derivative of each row, the batch taken together as asked."""
    classes = len(flat[0]) if flat else 0
    kept, q = _targets(arrays["targets"], classes, options, axis)
    weight = [exact(v) for v in arrays["weight"].tolist()] if "weight" in arrays else []
    smoothing = exact(float(options.get("label_smoothing", 0.0)))
    directions = [
        [_rows(array, axis).reshape(-1, classes).tolist()[i] for i in kept]
        for name, array in arrays.items()
        if name == "v"
    ]
    wanted = [_wanted(row, weight, smoothing) for row in q]
    found = [
        SECOND_OF_A_ROW[operation](*each)
        for each in zip([flat[i] for i in kept], wanted, *directions, strict=True)
    ]
    reduction, is_loss = options.get("reduction", "mean"), operation == "cross_entropy"
    nothing: list[Value] = [0.0] * (1 if is_loss else classes)
    rows = [nothing] * len(flat)
    for i, values in zip(kept, found, strict=True):
        rows[i] = values
    if is_loss and reduction != "none":
        rows = [[_sum([value for (value,) in rows])]]
    if reduction != "mean":
        return rows
    # Of labels and distributions alike: each unit of target counts its class's weight.
    parts: Exact = fmpq(len(kept))
    if weight:
        mass = [w * v for row in q for w, v in zip(weight, row, strict=True) if v]
        parts = NAN if any(v != v for v in mass) else sum(mass, fmpq(0))
    return [[_share(value, parts, is_loss) for value in row] for row in rows]


def _targets(
    targets: Array, classes: int, options: Mapping[str, Any], axis: int
) -> tuple[list[int], list[list[Exact]]]:
    """Which rows count, and the distributions of these."""
    if targets.dtype.kind in "iu":
        labels = targets.reshape(-1).tolist()
        ignore = options.get("ignore_index")
        kept = [i for i, label in enumerate(labels) if label != ignore]
        rows: list[list[Exact]] = []
        for i in kept:
            row: list[Exact] = [fmpq(0)] * classes
            row[labels[i]] = fmpq(1)
            rows.append(row)
        return kept, rows
    given = _rows(targets, axis).reshape(-1, classes).tolist()
    return list(range(len(given))), [[exact(v) for v in row] for row in given]


def _wanted(
    q: list[Exact], weight: Sequence[Exact], smoothing: Exact
) -> Sequence[Exact]:
    """w (q + e (1 / K - q)): a step of length e towards the uniform distribution."""
    if smoothing:
        uniform = fmpq(1, len(q))
        q = [v + smoothing * (uniform - v) if v == v else v for v in q]
    if weight:
        q = [w * v if v == v else v for w, v in zip(weight, q, strict=True)]
    return q


def _numbers(
    operation: str, arrays: Mapping[str, Array], options: Mapping[str, Any]
) -> Array:
    formula, shape = SECOND_OF_A_NUMBER[operation], next(iter(arrays.values())).shape
    if not operation.startswith("binary"):
        columns = [a.astype(np.float64).reshape(-1).tolist() for a in arrays.values()]
        return _array([formula(*each) for each in zip(*columns, strict=True)], shape)
    names = ("logits", "targets", "weight", "pos_weight")
    rows = zip(
        *(
            np.broadcast_to(arrays.get(name, np.float64(1)), shape).flat
            for name in names
        ),
        strict=True,
    )
    values = [
        formula(float(x), *_answers(exact(q), exact(w), exact(a)))
        for x, q, w, a in rows
    ]
    reduction, is_loss = options.get("reduction", "mean"), not operation.endswith("d")
    parts = fmpq(len(values) if reduction == "mean" else 1)
    if is_loss and reduction != "none":
        values, shape = [_sum(values)], ()
    return _array([_share(value, parts, is_loss) for value in values], shape)


def _answers(q: Exact, w: Exact, a: Exact) -> tuple[Exact, Exact]:
    """What yes and no weigh: w a q and w (1 - q)."""
    return (w * a * q, w * (1 - q)) if q == q else (NAN, NAN)


def exact(value: float) -> Exact:
    return value if value != value else fmpq(*float(value).as_integer_ratio())


def _sum(values: Sequence[Value]) -> Value:
    """In the extended reals, from what IEEE addition makes of the special ones."""
    finite = arb(0)
    special = 0.0
    for value in values:
        if isinstance(value, float):
            special += value
        else:
            finite += value
    return finite + special if math.isfinite(special) else special


def _share(value: Value, parts: Exact, is_loss: bool) -> Value:
    """value / parts; of no part at all, a loss is NaN and a derivative 0."""
    if parts != parts:
        return NAN
    if parts == 0:
        return NAN if is_loss else 0.0
    if isinstance(value, arb):
        return value / arb(parts)
    return value if parts > 0 else -value
