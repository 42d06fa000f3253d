"""Named inputs that are too long to write out, and exact in every dtype they are for.

Every value is a small integer times a power of two, computed with integers, so that
all machines make the same bits and rounding to the claim's dtype changes nothing (the
loader checks that). A row runs along the last axis; `shape` in a case reshapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sxlit_conformance.model import Array, Floats

Integers = NDArray[np.int64]

# Targets are integers over this: 2^22 parts, so that three times a part is exact in
# float32 too.
PARTS = 2**22


def drawn(shape: tuple[int, ...], seed: int, below: int) -> Integers:
    """Fixed pseudo-random integers from 0 to `below` - 1.

    SplitMix64 of the position: a function of position and seed alone, no state.
    """
    count = int(np.prod(shape))
    z = np.arange(1, count + 1, dtype=np.uint64) + (np.uint64(seed) << np.uint64(32))
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = (z ^ (z >> np.uint64(31))) >> np.uint64(33)
    return (z % np.uint64(below)).astype(np.int64).reshape(shape)


def constant(rows: int, classes: int, value: float) -> Floats:
    """x_j = value."""
    return np.full((rows, classes), value, dtype=np.float64)


def moderate(rows: int, classes: int, seed: int) -> Floats:
    """x_j = (the sum of four draws below 128, minus 254) / 64: much like N(0, 1.15)."""
    parts = drawn((rows, classes, 4), seed, 128)
    return np.asarray((parts.sum(axis=-1) - 254) / 64, dtype=np.float64)


def grid(
    rows: int, classes: int, seed: int, start: float, step: float, levels: int
) -> Floats:
    """x_j = start + step k_j, with k_j drawn below `levels`: data at a large offset."""
    counts = drawn((rows, classes), seed, levels).astype(np.float64)
    return start + step * counts


def ramp(rows: int, classes: int, start: float, step: float) -> Floats:
    """x_j = start + step j."""
    return np.tile(start + step * np.arange(classes, dtype=np.float64), (rows, 1))


def gap_over_noise(rows: int, classes: int, gap: float, seed: int) -> Floats:
    """x_0 = gap, and `moderate` elsewhere."""
    x = moderate(rows, classes, seed)
    x[:, 0] = gap
    return x


def cliff(rows: int, classes: int, depth: float) -> Floats:
    """x_0 = 0, and -depth elsewhere."""
    x = np.full((rows, classes), -depth)
    x[:, 0] = 0
    return x


def near_ties(rows: int, classes: int, step: float) -> Floats:
    """x_j = 1 + (j mod 4) step."""
    return np.tile(1 + step * (np.arange(classes) % 4), (rows, 1))


def alternating(rows: int, classes: int, value: float) -> Floats:
    """x_j = value for even j and -value for odd j."""
    signs = 1 - 2 * (np.arange(classes) % 2)
    return np.tile(value * signs, (rows, 1))


def each_row(rows: int, value: float) -> Floats:
    """One `value` for each row, without the class axis."""
    return np.full(rows, value, dtype=np.float64)


def row_weights(rows: int, seed: int) -> Floats:
    """`moderate` numbers, one for each row, without the class axis."""
    return moderate(rows, 1, seed)[:, 0]


def labels(rows: int, classes: int, seed: int) -> Integers:
    """One class index for each row, drawn below `classes`."""
    return drawn((rows,), seed, classes)


def same_label(rows: int, label: int) -> Integers:
    """The same class index for each row."""
    return np.full(rows, label, dtype=np.int64)


def one_hot(rows: int, classes: int, seed: int) -> Floats:
    """1 at `labels(rows, classes, seed)`, and 0 elsewhere."""
    chosen = labels(rows, classes, seed)[:, None]
    return np.asarray(np.arange(classes) == chosen, dtype=np.float64)


def soft(
    rows: int, classes: int, seed: int, total: float = 1.0, dtype: str = "float64"
) -> Floats:
    """Positive targets that sum to `total` exactly, as integers over 2^22.

    Classes 2i and 2i + 1 get 2^22 / classes parts plus and minus the same draw; the
    first class gets the remainder. A short format has fewer parts, below 43 for each
    class, so that three times a part is exact in 8 bits, and shares the remainder out.
    """
    if dtype in ("float16", "bfloat16"):
        return few_parts(rows, classes, seed) * total
    share = PARTS // classes
    swing = np.zeros((rows, classes), dtype=np.int64)
    draw = drawn((rows, classes // 2), seed, share)
    swing[:, 0 : 2 * (classes // 2) : 2] = draw
    swing[:, 1 : 2 * (classes // 2) : 2] = -draw
    parts = share + swing
    parts[:, 0] += PARTS - share * classes
    return np.asarray(parts / PARTS * total, dtype=np.float64)


def few_parts(rows: int, classes: int, seed: int) -> Floats:
    """Positive multiples of a power of two that sum to 1, none above 85 of them."""
    count = 1 << int(42 * classes).bit_length() - 1
    share, left = divmod(count, classes)
    parts = np.full((rows, classes), share, dtype=np.int64)
    draw = drawn((rows, classes // 2), seed, share)
    parts[:, 0 : 2 * (classes // 2) : 2] += draw
    parts[:, 1 : 2 * (classes // 2) : 2] -= draw
    parts[:, :left] += 1
    return np.asarray(parts / count, dtype=np.float64)


def signed(rows: int, classes: int, seed: int) -> Floats:
    """Targets of both signs, multiples of 1/16 from -1/2 to 1."""
    return (drawn((rows, classes), seed, 25).astype(np.float64) - 8) / 16


GENERATORS: Mapping[str, Callable[..., Array]] = {
    make.__name__: make
    for make in (
        constant,
        moderate,
        grid,
        ramp,
        gap_over_noise,
        cliff,
        near_ties,
        alternating,
        each_row,
        row_weights,
        labels,
        same_label,
        one_hot,
        soft,
        signed,
    )
}
