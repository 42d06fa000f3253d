"""Exact values from ball arithmetic (Arb), rounded once into the dtype, and cached.

Each value is an enclosure of a relative width below 2^-110, or computed again with
twice the digits; where it lies near a tie of the dtype, until the rounding is certain.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from flint import arb, ctx

from formats import FORMATS, Array, Floats, Format, even_tie, nearest, nearest_to
from operations import Operation

DIGITS, MOST_DIGITS, WANTED = 192, 192 * 2**6, 110
Value: TypeAlias = "arb | float"  # a float is exact: a limit
INF = float("inf")


class Exact(NamedTuple):
    """Exact results as hi + lo, and the numbers of the dtype nearest to them."""

    hi: Floats
    lo: Floats
    nearest: Floats


class Row:
    """Weights of one row of logits, and their sum; -inf weighs nothing."""

    def __init__(self, x: Sequence[float]) -> None:
        self.x = x
        self.top = max(range(len(x)), key=x.__getitem__)
        m = arb(x[self.top])
        self.m = m
        self.below = [None if v == -INF else arb(v) - m for v in x]
        self.e = [arb(0) if d is None else d.exp() for d in self.below]
        self.t = sum((e for j, e in enumerate(self.e) if j != self.top), arb(0))
        self.s = 1 + self.t
        self.norm = self.t.log1p()

    def p(self) -> list[arb]:
        inverse = 1 / self.s
        return [e * inverse for e in self.e]

    def others(self, j: int) -> arb:
        """The sum of all weights but one, without cancellation for the largest."""
        return self.t if j == self.top else self.s - self.e[j]

    def logs(self) -> list[Value]:
        return [-INF if d is None else d - self.norm for d in self.below]


def softmax(x: list[float]) -> list[Value]:
    return list(Row(x).p())


def log_softmax(x: list[float]) -> list[Value]:
    return Row(x).logs()


def logsumexp(x: list[float]) -> list[Value]:
    row = Row(x)
    return [row.m + row.norm]


def label_loss(x: list[float], y: int) -> list[Value]:
    log_p = Row(x).logs()[y]
    return [-log_p]


def soft_loss(x: list[float], q: list[float]) -> list[Value]:
    terms = zip(q, Row(x).logs(), strict=True)
    return [sum((-log_p * w for w, log_p in terms if w), arb(0))]


def label_gradient(x: list[float], y: int) -> list[Value]:
    row = Row(x)
    gradient: list[Value] = list(row.p())
    gradient[y] = -row.others(y) / row.s
    return gradient


def soft_gradient(x: list[float], q: list[float]) -> list[Value]:
    whole = sum(map(arb, q), arb(0))
    return [p * whole - w for p, w in zip(Row(x).p(), q, strict=True)]


def vjp(x: list[float], g: list[float]) -> list[Value]:
    p = Row(x).p()
    mean = sum((a * b for a, b in zip(p, g, strict=True)), arb(0))
    return [a * (b - mean) for a, b in zip(p, g, strict=True)]


def jacobian(x: list[float]) -> list[Value]:
    row = Row(x)
    p = row.p()
    c = [row.others(j) / row.s for j in range(len(x))]
    return [
        p[i] * c[i] if i == j else -p[i] * p[j]
        for i in range(len(x))
        for j in range(len(x))
    ]


def entropy(x: list[float]) -> list[Value]:
    row = Row(x)
    pairs = zip(row.p(), row.logs(), strict=True)
    return [sum((-p * log_p for p, log_p in pairs if log_p != -INF), arb(0))]


def divergence(x: list[float], z: list[float]) -> list[Value]:
    first, second = Row(x), Row(z)
    terms = zip(first.p(), first.logs(), second.logs(), strict=True)
    return [sum((p * (a - b) for p, a, b in terms if a != -INF), arb(0))]


def sigmoid(x: float) -> list[Value]:
    e = (-abs(arb(x))).exp()
    return [(1 if x > 0 else e) / (1 + e)]


def log_sigmoid(x: float) -> list[Value]:
    return [arb(min(x, 0.0)) - (-abs(arb(x))).exp().log1p()]


def binary_loss(x: float, q: float) -> list[Value]:
    (yes,), (no,) = log_sigmoid(x), log_sigmoid(-x)
    return [-yes * q - no * (1 - arb(q))]


FORMULAS: dict[str, Callable[..., list[Value]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "cross_entropy, labels": label_loss,
    "cross_entropy, soft": soft_loss,
    "cross_entropy_grad, labels": label_gradient,
    "cross_entropy_grad, soft": soft_gradient,
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "binary_cross_entropy": binary_loss,
    "softmax_vjp": vjp,
    "softmax_jacobian": jacobian,
    "entropy_from_logits": entropy,
    "kl_divergence_from_logits": divergence,
}
CACHE = Path(os.environ.get("SXLIT_ACCURACY", ".cache/accuracy")) / "exact"
_HERE = Path(__file__).parent
VERSION = b"".join(
    (_HERE / name).read_bytes() for name in ("exact_rows.py", "formats.py")
)


def exact(operation: Operation, arrays: Sequence[Array], dtype: str) -> Exact:
    """The exact results of a batch, as sxlit shapes them; from the cache if known."""
    sha = hashlib.sha256(VERSION + f"{operation.name}|{dtype}".encode())
    for array in arrays:
        sha.update(f"{array.dtype.name}{array.shape}".encode() + array.tobytes())
    path = CACHE / f"{sha.hexdigest()}.npy"
    if path.exists():
        return Exact(*np.load(path))
    found = compute(operation, arrays, FORMATS[dtype])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    with part.open("wb") as file:
        np.save(file, np.stack(found))
    part.replace(path)
    return found


def compute(operation: Operation, arrays: Sequence[Array], form: Format) -> Exact:
    """Row by row; the results of a batch lie one after the other."""
    columns: list[Any] = [
        (a if a.dtype.kind == "i" else a.astype(np.float64)).tolist() for a in arrays
    ]
    rows, formula = list(zip(*columns, strict=True)), FORMULAS[operation.name]
    with ctx.workprec(DIGITS):
        parts = [_certain(formula, row) for row in rows]
    hi, lo = np.concatenate(parts, axis=1)
    value, doubtful = nearest(hi, lo, form)
    width = hi.size // len(rows)
    for k in np.flatnonzero(doubtful):
        value[k] = _decided(formula, rows[k // width], int(k % width), form)
    return Exact(hi, lo, value)


def _certain(formula: Callable[..., list[Value]], row: tuple[Any, ...]) -> Floats:
    values, digits = formula(*row), DIGITS
    while not all(map(_narrow, values)):
        digits *= 2
        if digits > MOST_DIGITS:
            raise ArithmeticError(f"{formula.__name__}: no end of cancellation: {row}")
        with ctx.workprec(digits):
            values = formula(*row)
    pair = np.zeros((2, len(values)))
    for k, value in enumerate(values):
        if isinstance(value, float):
            pair[0, k] = value
        else:
            middle = value.mid()
            hi = pair[0, k] = float(middle)
            pair[1, k] = float(middle - hi)
    return pair


_TINY = arb(2) ** -1200


def _narrow(value: Value) -> bool:
    if isinstance(value, float) or value.rel_accuracy_bits() >= WANTED:
        return True
    return bool(value.is_exact() or abs(value) < _TINY)


def _decided(
    formula: Callable[..., list[Value]], row: tuple[Any, ...], k: int, form: Format
) -> float:
    digits = DIGITS
    while digits < MOST_DIGITS:
        digits *= 2
        with ctx.workprec(digits):
            value = formula(*row)[k]
            if isinstance(value, float):
                return value
            if (found := nearest_to(value, form)) is not None:
                return found
    if len({x for x in np.atleast_1d(row[0]) if x != -INF}) == 1:
        # Equal logits: without exp and log the result is a fraction, whose distance
        # from a tie is 0 or far more than the last enclosure's width.
        with ctx.workprec(MOST_DIGITS):
            return even_tie(value, form)
    raise ArithmeticError(f"{formula.__name__}: a rounding stays undecided: {row}")
