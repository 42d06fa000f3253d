"""Time log-sum-exp against exponentials, a sum and a logarithm, in one process.

    python benchmarks/logsumexp.py [--csv OUT.csv]

The plain form overflows where the stable one does not; the question is only what the
stability costs. The calls of a library take turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy
import torch
from scipy import special

import sxlit

SHAPES = ((1, 1000), (256, 10), (256, 1000), (64, 32_000))
ROUNDS = 31
FIELDS = ("library", "version", "dtype", "rows", "classes", "plain_ms", "stable_ms")


def forms(x: Any) -> dict[str, tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """For each library its version, the plain form and the stable one."""
    tensor = torch.from_numpy(x)

    def plain() -> Any:
        return np.log(np.exp(x).sum(axis=-1))

    return {
        "sxlit": (sxlit.__version__, plain, lambda: sxlit.logsumexp(x)),
        "SciPy": (
            scipy.__version__,
            plain,
            lambda: special.logsumexp(x, axis=-1),
        ),
        "PyTorch": (
            str(torch.__version__),
            lambda: tensor.exp().sum(-1).log(),
            lambda: torch.logsumexp(tensor, -1),
        ),
    }


def medians(*calls: Callable[[], Any]) -> list[float]:
    """The median time of each call in milliseconds, the calls taking turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times) for times in taken]


def rows() -> Iterator[tuple[Any, ...]]:
    """One line for each library, dtype and shape."""
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        for shape in SHAPES:
            x = rng.standard_normal(shape).astype(dtype)
            for library, (version, *calls) in forms(x).items():
                plain, stable = medians(*calls)
                figures = (f"{plain:.4f}", f"{stable:.4f}", f"{stable / plain:.2f}")
                yield (library, version, dtype, *shape, *figures)


def main(argv: list[str] | None = None) -> int:
    """Print the table, and write it as CSV if asked to."""
    parser = argparse.ArgumentParser(description="what a stable log-sum-exp costs")
    parser.add_argument("--csv", help="also write the table to this file")
    options = parser.parse_args(argv)
    table = [(*FIELDS, "ratio"), *rows()]
    for row in table:
        print("".join(f"{cell!s:>12}" for cell in row))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
