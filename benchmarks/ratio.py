"""What correct rounding costs: sxlit.softmax over scipy.special.softmax, 64 x 1000.

    python benchmarks/ratio.py

In float64, twice: with both taking turns in one process, where the heap stays warm for
both; and each in fresh processes of its own, as a program that uses one of them sees
it. A ratio of one run, never a verdict.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

ROWS, CLASSES, ROUNDS, PROCESSES = 64, 1000, 201, 5


def call_of(name: str) -> Callable[[], object]:
    """Softmax of one matrix, by one of the two."""
    x = np.random.default_rng(0).standard_normal((ROWS, CLASSES))
    if name == "sxlit":
        import sxlit

        return lambda: sxlit.softmax(x)
    from scipy import special

    return lambda: special.softmax(x, axis=-1)


def medians(*calls: Callable[[], object]) -> list[float]:
    """The median time of each call in milliseconds, the calls taking turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times) for times in taken]


def alone(name: str) -> float:
    """The median over fresh processes, of the median in each."""
    command = [sys.executable, __file__, name]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True)
        for _ in range(PROCESSES)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main(arguments: list[str]) -> int:
    """Print both ratios; with a name, only the time of that one."""
    if arguments:
        print(*medians(call_of(arguments[0])))
        return 0
    together = medians(call_of("sxlit"), call_of("scipy"))
    apart = [alone("sxlit"), alone("scipy")]
    print(f"softmax, float64, {ROWS} x {CLASSES}: sxlit / SciPy")
    for where, (ours, theirs) in (("one process", together), ("its own", apart)):
        print(f"{where:>12}: {ours:.3f} ms / {theirs:.3f} ms = {ours / theirs:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
