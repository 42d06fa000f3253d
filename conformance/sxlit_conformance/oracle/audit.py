"""The oracle audits itself: a second formula must enclose what the first one said.

What is published is a pair of doubles, so it is the pair that is audited, with the
enclosure that it stands for. The second formula is evaluated with more and more bits
until its own enclosure is as narrow; the two must then overlap, and they must never be
apart. NaN, infinities and exact zeros must be equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import flint
import numpy as np
from flint import arb

from sxlit_conformance.model import Array, Reference
from sxlit_conformance.oracle.row import Value
from sxlit_conformance.oracle.second import second

FIRST_PRECISION = 160
LAST_PRECISION = 160 * 2**8


class AuditError(ArithmeticError):
    """The two formulas disagree, or the second one came to no decision."""


def confirm(
    operation: str,
    arguments: Mapping[str, Array],
    options: Mapping[str, Any],
    known: Reference,
) -> int:
    """The bits that the second formula needed to agree, or an AuditError."""
    precision = FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with flint.ctx.workprec(precision):
            values = second(operation, arguments, options)
        if values.shape != known.hi.shape:
            raise AuditError(
                f"{operation}: the first formula gives the shape {known.hi.shape}, the "
                f"second {values.shape}"
            )
        with flint.ctx.workprec(4 * LAST_PRECISION):
            places = np.ndindex(values.shape)
            # A list: a disagreement is told although an earlier element needs more.
            if all([_agrees(operation, known, i, values[i]) for i in places]):
                return precision
        precision *= 2
    raise AuditError(f"{operation}: {LAST_PRECISION} bits were not enough to audit it")


def published(hi: float, lo: float) -> arb:
    """What a pair stands for: 110 bits, and half a spacing of each of two roundings."""
    return arb(hi) + arb(lo) + arb(0, arb(abs(hi)) * arb(2) ** -105 + arb(2) ** -1074)


def _agrees(
    operation: str, known: Reference, index: tuple[int, ...], value: Value
) -> bool:
    """Whether it is decided that they agree; an AuditError where they do not."""
    hi, lo = float(known.hi[index]), float(known.lo[index])
    if isinstance(value, float):
        same = lo == 0 and (hi == value or (hi != hi and value != value))
        decided = True
    elif math.isfinite(hi):
        first = published(hi, lo)
        decided = value.is_finite() and value.rad() <= first.rad()
        same = not value.is_finite() or bool(value.overlaps(first))
    else:  # it may have overflowed
        decided = value.is_finite() and value.rel_accuracy_bits() >= 60
        same = not decided or float(value.mid()) == hi
    if same:
        return bool(decided)
    mine = f"{value!r}" if isinstance(value, float) else value.str(40, more=True)
    theirs = published(hi, lo).str(40, more=True) if math.isfinite(hi) else repr(hi)
    raise AuditError(
        f"{operation}: the oracle's formulas disagree at {index}: the first says "
        f"{theirs}, the second {mine}"
    )
