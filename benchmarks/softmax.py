"""Time softmax, log-sum-exp and the loss against SciPy's, in one process.

    python benchmarks/softmax.py [--csv OUT.csv]

The calls are interleaved, each allocates its own result, and the median of the rounds
is shown with its ratio to SciPy's of the same run. Timings are never a verdict: no test
reads them.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import scipy
from scipy import special

import sxlit

SHAPES = ((256, 10), (64, 1000), (256, 1000), (64, 32_000))
ROUNDS = 15


def scipy_loss(x: np.ndarray, y: np.ndarray) -> float:
    """The mean cross-entropy as one would write it with SciPy."""
    log_p = special.log_softmax(x, axis=-1)
    return float(-np.take_along_axis(log_p, y[:, None], axis=-1).mean())


def rivals(x: np.ndarray, y: np.ndarray) -> dict[str, tuple[Callable[[], object], ...]]:
    """For each operation, ours and SciPy's."""
    return {
        "softmax": (lambda: sxlit.softmax(x), lambda: special.softmax(x, axis=-1)),
        "logsumexp": (
            lambda: sxlit.logsumexp(x),
            lambda: special.logsumexp(x, axis=-1),
        ),
        "cross_entropy": (lambda: sxlit.cross_entropy(x, y), lambda: scipy_loss(x, y)),
    }


def median_ms(calls: tuple[Callable[[], object], ...]) -> list[float]:
    """The median time of each call in milliseconds, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            taken.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def main(argv: list[str] | None = None) -> int:
    """Print the table, and write it as CSV if asked to."""
    parser = argparse.ArgumentParser(description="time sxlit against SciPy")
    parser.add_argument("--csv", help="also write the table to this file")
    options = parser.parse_args(argv)
    versions = f"sxlit {sxlit.__version__}, NumPy {np.__version__}"
    print(f"{versions}, SciPy {scipy.__version__}, {platform.processor() or 'CPU'}")
    header = ("operation", "dtype", "rows", "classes", "sxlit_ms", "scipy_ms", "ratio")
    table: list[tuple[object, ...]] = []
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        for rows, classes in SHAPES:
            x = rng.standard_normal((rows, classes)).astype(dtype)
            y = rng.integers(classes, size=rows)
            for name, calls in rivals(x, y).items():
                ours, theirs = median_ms(calls)
                figures = (f"{ours:.3f}", f"{theirs:.3f}", f"{ours / theirs:.2f}")
                table.append((name, dtype, rows, classes, *figures))
    for row in (header, *table):
        print("".join(f"{cell!s:>18}" for cell in row))
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            csv.writer(file).writerows([header, *table])
    return 0


if __name__ == "__main__":
    sys.exit(main())
