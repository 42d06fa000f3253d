"""Where a search for worst cases starts, and how one row becomes another.

A row is a case in the making: logits, and perhaps a label, a distribution or a
direction beside them. Every number is exact in the dtype that is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from sxlit_conformance.model import Array, Floats
from sxlit_conformance.operations import OPERATIONS
from sxlit_conformance.wire import dtype

Row = Mapping[str, Floats]  # every argument, one row of it; a label has one element

# Where something happens: ln 2, half an ulp of 1 in float32 and in float64, the ends
# of exp in float32 and in float64, and sizes at which a spacing is a number by itself.
LANDMARKS = (
    *(0.0, 1.0, math.log(2), 16.6355, 36.7368, 87.3, 88.7, 103.9, 708.4, 709.7, 745.1),
    *(1000.0, 10000.0, 2.0**24),
)
LARGEST = 2.0**14  # of the dtype's own: products and differences do not overflow
finfo: Any = ml_dtypes.finfo  # it knows bfloat16, and has no types
ELEMENTWISE = ("sigmoid", "log_sigmoid", "binary")


@dataclass(frozen=True)
class Field:
    """Rows of one length, for one operation in one dtype."""

    operation: str
    dtype: str
    classes: int
    labels: bool  # of a loss: class indices, and not distributions

    @property
    def elementwise(self) -> bool:
        return self.operation.startswith(ELEMENTWISE)

    def role(self, argument: str) -> str:
        """What an argument holds: logits, shares, labels, or directions."""
        if argument in ("x", "logits"):
            return "logits"
        if argument in ("p", "q"):
            return "shares"
        if argument == "targets":
            return "label" if self.labels else "shares"
        return "one" if self.operation == "logsumexp_vjp" else "directions"

    @property
    def roles(self) -> dict[str, str]:
        names = OPERATIONS[self.operation].arguments
        return {name: self.role(name) for name in names}

    def exactly(self, row: Row) -> Row:
        """The same with every number rounded to the dtype and within its range."""
        return {
            name: self._rounded(row[name], role) for name, role in self.roles.items()
        }

    def _rounded(self, values: Floats, role: str) -> Floats:
        if role == "label":
            return np.asarray(values % self.classes, np.float64)
        if role == "shares":
            values = np.clip(values, 0.0, 1.0)
        else:
            top = float(finfo(dtype(self.dtype)).max) / LARGEST
            values = np.where(values == -np.inf, values, np.clip(values, -top, top))
        return np.asarray(values.astype(dtype(self.dtype)), np.float64)

    def arrays(self, rows: list[Row]) -> dict[str, Array]:
        """The rows as the arguments of one question."""
        found: dict[str, Array] = {}
        for name, role in self.roles.items():
            stacked = np.stack([row[name] for row in rows])
            if role == "label":
                found[name] = stacked[:, 0].astype(np.int64)
            else:
                stacked = stacked[:, 0] if role == "one" else stacked
                found[name] = stacked.astype(dtype(self.dtype))
        return found


def first(rng: np.random.Generator, field: Field) -> Row:
    """A row with a structure: a gap, ties, a ramp, a cliff, an offset, noise."""
    makers = {"logits": logits, "shares": shares, "directions": directions}
    row = {}
    for name, role in field.roles.items():
        if role == "label":
            row[name] = np.array([rng.integers(field.classes)], np.float64)
        else:
            n = 1 if role == "one" else field.classes
            row[name] = makers.get(role, directions)(rng, n)
    return field.exactly(row)


def logits(rng: np.random.Generator, n: int) -> Floats:
    x = rng.normal(size=n) * 2.0 ** rng.integers(-12, 6)
    mark = float(rng.choice(LANDMARKS)) * float(rng.uniform(0.9, 1.1))
    match int(rng.integers(7)):
        case 0:  # one dominant logit
            x[rng.integers(n)] += mark
        case 1:  # near ties
            x = mark + 2.0 ** -rng.integers(10, 50) * rng.integers(4, size=n)
        case 2:
            x = np.linspace(0.0, -mark, n)
        case 3:  # one at 0, the others equal
            x = np.full(n, -mark)
            x[rng.integers(n)] = 0.0
        case 4:
            x += mark * rng.choice([-1.0, 1.0])
        case 5:  # the sum of the exponentials near 1
            x -= np.log(np.exp(x - x.max()).sum()) + x.max()
        case _:
            pass
    return np.asarray(x, np.float64)


def shares(rng: np.random.Generator, n: int) -> Floats:
    x = logits(rng, n)
    p = np.exp(x - x.max())
    p = p / p.sum()
    if rng.random() < 0.2:  # all on one
        p = np.eye(n)[rng.integers(n)]
    return np.asarray(p, np.float64)


def directions(rng: np.random.Generator, n: int) -> Floats:
    v = rng.normal(size=n) * 2.0 ** rng.integers(-8, 8)
    match int(rng.integers(4)):
        case 0:
            v = np.eye(n)[rng.integers(n)]
        case 1:  # nearly the same everywhere: what is left of it cancels
            v = v[0] + v * 2.0 ** -rng.integers(5, 40)
        case _:
            pass
    return np.asarray(v, np.float64)


def child(rng: np.random.Generator, field: Field, mother: Row, father: Row) -> Row:
    """The mother changed in one to three ways."""
    row = {name: values.copy() for name, values in mother.items()}
    for _ in range(int(rng.integers(1, 4))):
        name = str(rng.choice(list(row)))
        role = field.role(name)
        if role == "label":
            row[name] = np.array([rng.integers(field.classes)], np.float64)
        elif rng.random() < 0.15:  # a stretch of the father's
            a, b = np.sort(rng.integers(len(row[name]) + 1, size=2))
            row[name][a:b] = father[name][a:b]
        else:
            change = CHANGES[int(rng.integers(len(CHANGES)))]
            hidden = row[name] == -np.inf
            moved = change(rng, field, np.where(hidden, 0.0, row[name]))
            row[name] = np.where(hidden, -np.inf, moved)
    if not field.elementwise and rng.random() < 0.05:
        masked(rng, field, row)
    return field.exactly(row)


def masked(rng: np.random.Generator, field: Field, row: dict[str, Floats]) -> None:
    """A logit at -inf, as a mask puts it there; one that is there comes back."""
    for name, role in field.roles.items():
        if role == "logits" and field.classes > 2:
            i = rng.integers(field.classes)
            row[name][i] = 0.0 if row[name][i] == -np.inf else -np.inf


def bits(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    """A few spacings up or down, in one number or in all."""
    eps = float(finfo(dtype(field.dtype)).eps)
    steps = np.rint(rng.normal(size=len(x)) * 2.0 ** rng.integers(0, 12))
    return x + x * eps * steps * some(rng, len(x))


def jolt(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    size = 2.0 ** rng.integers(-30, 7)
    return x + some(rng, len(x)) * rng.normal(size=len(x)) * size


def shift(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    return x + rng.normal() * 2.0 ** rng.integers(-10, 12)


def stretch(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    """Times a number near 1, or near a power of two."""
    return x * (2.0 ** rng.integers(-2, 3) * (1 + rng.normal() * 0.1))


def tie(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    """Some numbers become equal to one of them."""
    chosen = some(rng, len(x)) > 0
    return np.where(chosen, x[rng.integers(len(x))], x)


def landmark(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    """One number moves to a place where something happens, seen from another one."""
    y = x.copy()
    other = x[rng.integers(len(x))] if rng.random() < 0.5 else 0.0
    y[rng.integers(len(x))] = other + rng.choice((-1, 1)) * rng.choice(LANDMARKS)
    return y


def order(rng: np.random.Generator, field: Field, x: Floats) -> Floats:
    """The same numbers in another order: another sum."""
    ways: tuple[Callable[[Floats], Floats], ...] = (
        lambda v: v[::-1].copy(),
        lambda v: np.sort(v),
        lambda v: rng.permutation(v),
    )
    return ways[int(rng.integers(3))](x)


def some(rng: np.random.Generator, n: int) -> Floats:
    """1 at one place, at some, or at all; 0 elsewhere."""
    match int(rng.integers(3)):
        case 0:
            return np.asarray(np.arange(n) == rng.integers(n), np.float64)
        case 1:
            return np.asarray(rng.random(n) < 0.3, np.float64)
        case _:
            return np.ones(n)


CHANGES = (bits, bits, jolt, jolt, shift, stretch, tie, landmark, order)
