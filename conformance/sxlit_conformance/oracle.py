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

import hashlib
import json
import math
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import flint
import numpy as np
from flint import arb

from sxlit_conformance.model import Array, Floats, Reference

FIRST_PRECISION = 160
LAST_PRECISION = 160 * 2**8
WANTED_BITS = 110
# What is smaller is 0 once it is rounded to a double.
NEGLIGIBLE = arb(2) ** -1100

# A float is exact: a special value, or a number that needed no arithmetic. An arb is
# an enclosure that still has to prove itself narrow.
Value: TypeAlias = "arb | float"
NAN, INF = math.nan, math.inf


class UndecidedError(ArithmeticError):
    """No precision up to the last one made an enclosure narrow enough."""


# ---------------------------------------------------------------- one row


class Row:
    """One row's distinct (logit, weight) pairs with their counts, and its softmax.

    The weight is a cotangent or a target. Equal pairs have equal results, so a long
    row of few distinct values costs little.
    """

    def __init__(
        self, logits: Sequence[float], weights: Sequence[float], counts: Sequence[int]
    ) -> None:
        self.logits, self.weights, self.counts = logits, weights, counts
        self.infinite = sum(
            count for x, count in zip(logits, counts, strict=True) if x == INF
        )
        self.void = all(x == -INF for x in logits)
        self.nan = any(map(math.isnan, (*logits, *weights)))
        if not self.nan and any(map(math.isinf, weights)):
            raise ValueError("the contract says nothing about infinite weights")
        self.ordinary = not (self.nan or self.void or self.infinite)

    @cached_property
    def gaps(self) -> list[arb]:
        """d = max - x of the classes above -inf."""
        top = arb(max(self.logits))
        return [top - arb(x) for x in self.logits if x > -INF]

    @cached_property
    def powers(self) -> list[arb]:
        return [(-d).exp() for d in self.gaps]

    @cached_property
    def rest(self) -> arb:
        """sum exp(-d) without one of the largest: the sum is 1 + rest."""
        live = [n for x, n in zip(self.logits, self.counts, strict=True) if x > -INF]
        top = max(self.logits)
        rest = arb(-1) if self.ordinary else arb(0)
        positions = (x for x in self.logits if x > -INF)
        for x, power, count in zip(positions, self.powers, live, strict=True):
            rest += count if x == top else count * power
        return rest

    @cached_property
    def probabilities(self) -> list[Value]:
        if self.nan or self.void:
            return [NAN for _ in self.logits]
        if self.infinite:
            there = 1.0 if self.infinite == 1 else NAN
            return [there if x == INF else 0.0 for x in self.logits]
        total, powers = 1 + self.rest, iter(self.powers)
        return [next(powers) / total if x > -INF else 0.0 for x in self.logits]

    @cached_property
    def logarithms(self) -> list[Value]:
        """log p = -(d + log1p(rest)): two terms of one sign."""
        if self.nan or self.void:
            return [NAN for _ in self.logits]
        if self.infinite:
            there = 0.0 if self.infinite == 1 else NAN
            return [there if x == INF else -INF for x in self.logits]
        log_norm, gaps = self.rest.log1p(), iter(self.gaps)
        return [-(next(gaps) + log_norm) if x > -INF else -INF for x in self.logits]

    @cached_property
    def total_weight(self) -> arb:
        return exact_sum(map(times, self.weights, self.counts))


def times(value: float, count: int) -> arb:
    return arb(value) * count


def exact_sum(values: Iterable[arb]) -> arb:
    return sum(values, arb(0))


def add(values: Iterable[Value]) -> Value:
    """The sum in the extended reals: opposite infinities give NaN."""
    values = list(values)
    specials = {v for v in values if isinstance(v, float) and not math.isfinite(v)}
    if not specials:
        return exact_sum(arb(v) for v in values)
    if len(specials) > 1 or NAN in specials or any(map(math.isnan, specials)):
        return NAN
    return specials.pop()


def scale(value: Value, factor: arb) -> Value:
    """value * factor for a factor that is not zero."""
    if isinstance(value, arb) or math.isfinite(value):
        return arb(value) * factor
    return value if factor > 0 else -value


# ---------------------------------------------------------------- the operations


def softmax(row: Row) -> list[Value]:
    return row.probabilities


def log_softmax(row: Row) -> list[Value]:
    return row.logarithms


def logsumexp(row: Row) -> list[Value]:
    if row.nan:
        return [NAN]
    if not row.ordinary:
        return [INF if row.infinite else -INF]
    return [arb(max(row.logits)) + row.rest.log1p()]


def softmax_vjp(row: Row) -> list[Value]:
    """p_i (g_i - sum_j p_j g_j)."""
    if row.nan or row.void or row.infinite > 1:
        return row.probabilities
    if row.infinite == 1:  # p is constant near such a row
        return [0.0 for _ in row.logits]
    mean = exact_sum(
        p * times(g, n)
        for p, g, n in zip(row.probabilities, row.weights, row.counts, strict=True)
        if isinstance(p, arb)
    )
    return [
        p * (g - mean) if isinstance(p, arb) else 0.0
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def log_softmax_vjp(row: Row) -> list[Value]:
    """g_i - p_i sum(g)."""
    return [
        NAN if p != p else g - p * row.total_weight
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def logsumexp_vjp(row: Row) -> list[Value]:
    """p_i g; a row that is all -inf has the gradient 0."""
    if row.void and not row.nan:
        return [0.0 for _ in row.logits]
    return [
        0.0 if p == 0.0 else scale(p, arb(g)) if g else (p if p != p else 0.0)
        for p, g in zip(row.probabilities, row.weights, strict=True)
    ]


def cross_entropy(row: Row) -> list[Value]:
    """sum_k q_k (-log p_k), where 0 log 0 = 0."""
    if row.nan or row.void:
        return [NAN]
    return [
        add(
            scale(log_p, -times(q, n))
            for log_p, q, n in zip(row.logarithms, row.weights, row.counts, strict=True)
            if q != 0
        )
    ]


def cross_entropy_grad(row: Row) -> list[Value]:
    """sum(q) p - q."""
    return [scale(value, arb(-1)) for value in log_softmax_vjp(row)]


OPERATIONS: Mapping[str, Callable[[Row], list[Value]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "softmax_vjp": softmax_vjp,
    "log_softmax_vjp": log_softmax_vjp,
    "logsumexp_vjp": logsumexp_vjp,
    "cross_entropy": cross_entropy,
    "cross_entropy_grad": cross_entropy_grad,
}
REDUCED = ("logsumexp", "cross_entropy")
LOSSES = ("cross_entropy", "cross_entropy_grad")


# ---------------------------------------------------------------- arrays


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
    if operation not in OPERATIONS:
        raise ValueError(f"operation: expected one of {list(OPERATIONS)}: {operation}")
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
    if not others:
        weights = np.zeros_like(logits)
    elif operation in LOSSES:
        weights = distributions(others[0], first.shape, axis)
    elif operation == "logsumexp_vjp":
        expect_shape("g", others[0], batch)
        weights = np.broadcast_to(others[0].astype(np.float64)[..., None], logits.shape)
    else:
        expect_shape("g", others[0], first.shape)
        weights = np.moveaxis(others[0].astype(np.float64), axis, -1)

    rows = [
        group(x, w)
        for x, w in zip(
            logits.reshape(-1, classes), weights.reshape(-1, classes), strict=True
        )
    ]
    divisor = 1
    if operation in LOSSES and reduction == "mean":
        divisor = max(len(rows), 1)
    reduce = operation == "cross_entropy" and reduction != "none"

    def attempt() -> list[list[Value]]:
        results = [OPERATIONS[operation](Row(*pairs)) for pairs, _ in rows]
        if reduce:
            empty = NAN if reduction == "mean" else 0.0
            total = add(r[0] for r in results) if results else empty
            results = [[total]]
        return [[scale(v, arb(1) / divisor) for v in r] for r in results]

    results = certified(attempt, f"{operation} of shape {first.shape}")
    if reduce:
        hi, lo = (np.array(part[0]) for part in split(results[0]))
        return Reference(hi, lo)
    parts = [split(r) for r in results]
    if operation in REDUCED:
        hi, lo = (np.array([p[k][0] for p in parts]).reshape(batch) for k in (0, 1))
        return Reference(hi, lo)
    pair = np.empty((2, *logits.shape))
    flat = pair.reshape(2, -1, classes)
    for index, (part, (_, inverse)) in enumerate(zip(parts, rows, strict=True)):
        flat[0, index], flat[1, index] = part[0][inverse], part[1][inverse]
    return Reference(np.moveaxis(pair[0], -1, axis), np.moveaxis(pair[1], -1, axis))


def distributions(targets: Array, shape: tuple[int, ...], axis: int) -> Floats:
    """The targets as one distribution per row, class axis last."""
    batch = shape[:axis] + shape[axis + 1 :] if axis != -1 else shape[:-1]
    classes = shape[axis]
    if targets.dtype.kind not in "iu":
        expect_shape("targets", targets, shape)
        return np.moveaxis(targets.astype(np.float64), axis, -1)
    expect_shape("labels", targets, batch)
    if targets.size and not (targets.min() >= 0 and targets.max() < classes):
        raise ValueError(f"labels: expected 0 to {classes - 1}; such a row has no loss")
    return np.asarray(np.arange(classes) == targets[..., None], dtype=np.float64)


def expect_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, got {array.shape}")


Pairs = tuple[list[float], list[float], list[int]]


def group(logits: Floats, weights: Floats) -> tuple[Pairs, Array]:
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


def split(values: Sequence[Value]) -> tuple[Floats, Floats]:
    """hi = the nearest double of the midpoint, lo = that of what is left."""
    hi, lo = np.zeros(len(values)), np.zeros(len(values))
    with flint.ctx.workprec(2 * LAST_PRECISION):
        for index, value in enumerate(values):
            middle = value.mid() if isinstance(value, arb) else value
            hi[index] = float(middle)
            if isinstance(middle, arb) and math.isfinite(hi[index]):
                lo[index] = float(middle - arb(hi[index]))
    return hi + 0.0, lo + 0.0  # + 0.0: an exact zero has no sign here


# ---------------------------------------------------------------- the cache


def cache_directory() -> Path:
    chosen = os.environ.get("SXLIT_ORACLE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "sxlit-conformance"


# The oracle's own text is its version: no edit can leave stale values behind.
VERSION = hashlib.sha256(
    Path(__file__).read_bytes() + flint.__version__.encode()
).digest()


def digest(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> str:
    """The content hash of a question: equal bits, shapes, dtypes and options."""
    sha = hashlib.sha256(VERSION)
    sha.update(json.dumps([operation, dict(options)], sort_keys=True).encode())
    for name, value in arguments.items():
        array = np.asarray(value)
        native = array.astype(array.dtype.newbyteorder("="), order="C")
        sha.update(f"|{name}|{native.dtype.name}|{native.shape}|".encode())
        sha.update(native.tobytes())
    return sha.hexdigest()


def load(path: Path) -> Reference | None:
    """What the cache holds; nothing, where the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as parts:
            hi, lo = parts["hi"], parts["lo"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return Reference(hi, lo)


def save(path: Path, value: Reference) -> None:
    """Write under another name and rename: a reader sees all of a file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=".", suffix=".part", delete=False
        ) as file:
            np.savez(file, hi=value.hi, lo=value.lo)
        os.replace(file.name, path)
    except OSError as error:
        warnings.warn(
            f"the oracle's cache cannot be written, so every run computes anew: "
            f"{error}; set SXLIT_ORACLE_CACHE to a folder that can",
            RuntimeWarning,
            stacklevel=3,
        )
