"""The rows that everybody is asked about: random, adversarial and searched for."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from formats import FORMATS, Array, Floats, Format, _scaled, unit
from operations import Operation

SEED = 20
# Classes and rows; where a row has one result, more of the short ones.
MANY_RESULTS = {
    2: 6000, 3: 6000, 10: 2100, 33: 420, 100: 210, 1000: 14, 32_000: 1, 131_072: 1,
}  # fmt: skip
ONE_RESULT = {
    2: 98_000, 3: 91_000, 10: 10_500, 33: 700, 100: 210, 1000: 28, 32_000: 1,
    131_072: 1,
}  # fmt: skip
MATRICES = {2: 21_000, 3: 7000, 10: 490, 33: 14}
ENTRIES = 210_000
CANDIDATES = 8  # of so many rows the search keeps one
# Gaps beyond which an exponential is 0 in the dtype, or not even that.
DEEP = {"float16": 18.0, "bfloat16": 93.0, "float32": 104.0, "float64": 700.0}
Generator = np.random.Generator


def random(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    scale = 10.0 ** rng.uniform(-2.0, np.log10(deep / 8), (rows, 1))
    return rng.standard_normal((rows, classes)) * scale


def gaps(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    """One class ahead of equals by a gap: the loss is tiny, not 0."""
    x = np.zeros((rows, classes))
    x[np.arange(rows), rng.integers(classes, size=rows)] = rng.uniform(1, deep, rows)
    x[0] = 0.0
    x[0, 0] = 20.0  # if this is three classes: the row of the loss 4.1e-9
    return x


def ties(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    return rng.integers(-2, 3, (rows, classes)) * rng.choice([0.5, 1.0, 3.0], (rows, 1))


def masked(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    x = random(rng, rows, classes, deep)
    hidden = rng.uniform(size=x.shape) < 0.4
    hidden[np.arange(rows), rng.integers(classes, size=rows)] = False
    return np.where(hidden, -np.inf, x)


def offset(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    by = rng.choice([-1e4, -1000.0, -30.0, 100.0, 1e4], (rows, 1))
    return random(rng, rows, classes, deep) / 4 + by


def tails(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    """Probabilities around the smallest normal and subnormal numbers."""
    x = -rng.uniform(0.75 * deep, 1.05 * deep, (rows, classes))
    x[np.arange(rows), rng.integers(classes, size=rows)] = rng.uniform(-1, 1, rows)
    return x


def saturated(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    """A logit far ahead, with the others spread below."""
    x = random(rng, rows, classes, deep) / 8
    x[np.arange(rows), rng.integers(classes, size=rows)] += rng.uniform(0, deep, rows)
    return x


FAMILIES: tuple[Callable[[Generator, int, int, float], Floats], ...] = (
    random, gaps, ties, masked, offset, tails, saturated,
)  # fmt: skip


def logits(rng: Generator, rows: int, classes: int, deep: float) -> Floats:
    """Rows of all families; a lone row is random."""
    if rows < len(FAMILIES):
        return rng.standard_normal((rows, classes)) * 3.0
    share = rows // len(FAMILIES)
    parts = [family(rng, share, classes, deep) for family in FAMILIES]
    return np.concatenate(parts)


def hardness(values: Any, form: Format) -> Floats:
    """The distance of each row's results from a tie of the format, the least of them.

    Values are estimates in NumPy's longdouble: good enough to search with.
    """
    hi = values.astype(np.float64)
    lo = (values - hi).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        up = 1 - unit(hi, lo, form)
        halves = _scaled(hi, up)
        rest = (halves - 2.0 * np.rint(halves / 2.0)) + _scaled(lo, up)
        distance = np.abs(np.abs(rest) - 1.0)
    distance = np.where(np.isfinite(distance) & (hi != 0.0), distance, 1.0)
    return distance.reshape(len(values), -1).min(axis=-1)


def estimate(operation: Operation, x: Floats) -> Any:
    """Softmax, its logarithm or log-sum-exp of rows, in longdouble."""
    wide = x.astype(np.longdouble)
    if operation.gives == "entries":
        e = np.exp(-np.abs(wide))
        value = np.where(wide > 0, 1, e) / (1 + e)
        return value if operation.name == "sigmoid" else np.log1p(-value[::1])
    below = wide - wide.max(axis=-1, keepdims=True)
    weights = np.exp(below)
    total = weights.sum(axis=-1, keepdims=True)
    if operation.name == "logsumexp":
        return wide.max(axis=-1, keepdims=True) + np.log(total)
    if operation.name in ("log_softmax", "cross_entropy, labels"):
        return below - np.log(total)
    return weights / total


def searched(
    operation: Operation, rng: Generator, rows: int, classes: int, dtype: str
) -> Floats:
    """The rows whose results are hardest to round, of many times as many."""
    form = FORMATS[dtype]
    x = rng.standard_normal((CANDIDATES * rows, classes)) * 2.0
    if operation.gives == "entries":
        x = x.reshape(-1)
    x = x.astype(form.dtype).astype(np.float64)
    order = np.argsort(hardness(estimate(operation, x), form), kind="stable")
    return x[np.sort(order[:rows])]


def batches(operation: Operation, dtype: str) -> list[list[Array]]:
    """The arguments of each call: one for each number of classes."""
    rng = np.random.default_rng(
        [SEED, zlib.crc32(f"{operation.name} {dtype}".encode())]
    )
    deep, kind = DEEP[dtype], FORMATS[dtype].dtype
    if operation.gives == "entries":
        x = np.concatenate(
            [
                random(rng, 60_000, 1, deep)[:, 0],
                rng.uniform(-deep, deep, 60_000),
                rng.uniform(-1.1 * deep, -0.9 * deep, 30_000),
                searched(operation, rng, ENTRIES - 150_000, 1, dtype),
            ]
        )
        return [_typed([x, *_others(operation, rng, x)], kind)]
    shapes = {"classes": MANY_RESULTS, "rows": ONE_RESULT, "matrices": MATRICES}
    found = []
    for classes, rows in shapes[operation.gives].items():
        hard = rows // 4 if classes <= 3 else 0
        x = logits(rng, rows - hard, classes, deep)
        if hard:
            x = np.concatenate([x, searched(operation, rng, hard, classes, dtype)])
        x = x.astype(kind).astype(np.float64)
        found.append(_typed([x, *_others(operation, rng, x)], kind))
    return found


def _typed(arrays: list[Array], kind: np.dtype[Any]) -> list[Array]:
    return [a if a.dtype.kind == "i" else a.astype(kind) for a in arrays]


def _others(operation: Operation, rng: Generator, x: Floats) -> list[Array]:
    """What goes with the logits."""
    possible = np.isfinite(x)
    match operation.takes[1:]:
        case ():
            return []
        case ("labels",):
            return [np.where(possible, rng.uniform(size=x.shape), -1).argmax(axis=-1)]
        case ("targets",):
            q = rng.exponential(size=x.shape) * possible
            return [q / q.sum(axis=-1, keepdims=True)]
        case ("direction",):
            return [rng.standard_normal(x.shape)]
        case ("answers",):
            return [rng.choice([0.0, 1.0, 0.25, 0.9], x.shape)]
        case ("others",):
            near = rng.uniform(size=(len(x), 1)) < 0.5
            noise = rng.standard_normal(x.shape) * np.where(near, 0.05, 2.0)
            return [np.where(possible, x, 0.0) + noise + np.where(possible, 0, -np.inf)]
    raise ValueError(f"no such arguments: {operation.takes}")
