"""Time the way from NumPy to sxlit.fast, one step after the other, on one array.

    python benchmarks/steps.py [--write]       to book/_data/steps.csv

Loss and gradient of 1024 x 32,000 float32 logits and labels. The calls take turns, in
one process; timings are never a verdict.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fast import processor

from sxlit import fast
from sxlit.fastexp import lifted_exp
from sxlit.fastkernels import label_rows
from sxlit.jit import compiled

TARGET = Path(__file__).resolve().parent.parent / "book" / "_data" / "steps.csv"
ROWS, CLASSES, TURNS = 1024, 32_000, 7


def with_numpy(x: Any, y: Any, out: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    own = np.arange(len(y)), y
    loss = -np.log(p[own]).mean()
    p[own] -= 1
    np.divide(p, len(y), out=out)
    return loss


@compiled()
def indexed(x: Any, y: Any, out: Any) -> Any:
    """Row after row, and numbers by two indices that might be negative."""
    loss = 0.0
    for i in range(-len(x), 0):
        best = x[i, 0]
        for j in range(-x.shape[1], 0):
            best = max(best, x[i, j])
        total = np.float32(0)
        for j in range(-x.shape[1], 0):
            out[i, j] = math.exp(x[i, j] - best)
            total += out[i, j]
        for j in range(-x.shape[1], 0):
            out[i, j] = out[i, j] / (total * len(x))
        loss += best - x[i, y[i]] + math.log(total)
        out[i, y[i]] -= np.float32(1) / len(x)
    return loss / len(x)


@compiled()
def row_by_row(x: Any, y: Any, out: Any) -> Any:
    """The same through views of the rows."""
    loss = 0.0
    for i in range(len(x)):
        row, own = x[i], out[i]
        best = row[0]
        for j in range(row.size):
            best = max(best, row[j])
        total = np.float32(0)
        for j in range(row.size):
            own[j] = math.exp(row[j] - best)
            total += own[j]
        for j in range(row.size):
            own[j] = own[j] / (total * len(x))
        loss += best - row[y[i]] + math.log(total)
        own[y[i]] -= np.float32(1) / len(x)
    return loss / len(x)


@compiled()
def own_exp(x: Any, y: Any, out: Any) -> Any:
    """The same with the chapter's exponential, in a loop that vectorises."""
    loss, lift = 0.0, np.float32(2.0**32)
    for i in range(len(x)):
        row, own = x[i], out[i]
        best = row[0]
        for j in range(row.size):
            best = max(best, row[j])
        for j in range(row.size):
            own[j] = lifted_exp(row[j] - best)
        total = np.float32(0)
        for j in range(row.size):
            total += own[j]
        factor = np.float32(1) / (total * len(x))
        for j in range(row.size):
            own[j] = own[j] * factor
        loss += best - row[y[i]] + math.log(total / lift)
        own[y[i]] -= np.float32(1) / len(x)
    return loss / len(x)


def kernel(x: Any, y: Any, out: Any, streams: bool) -> Any:
    values, odd = np.empty(len(x)), np.empty(len(x), np.bool_)
    label_rows(x, out, y, values, odd, np.empty(0), 1 / len(x), streams)
    return values.mean()


def on(threads: int, call: Callable[[], Any]) -> Callable[[], Any]:
    def counted() -> Any:
        fast.set_threads(threads)
        return call()

    return counted


def steps(x: Any, y: Any) -> dict[str, Callable[[], Any]]:
    out = np.zeros_like(x)
    both = fast.cross_entropy_with_grad
    return {
        "copy, for comparison": lambda: np.copyto(out, x),
        "NumPy, array after array": lambda: with_numpy(x, y, out),
        "compiled, x[i, j] with a sign": lambda: indexed(x, y, out),
        "compiled, views of rows": lambda: row_by_row(x, y, out),
        "our exponential": lambda: own_exp(x, y, out),
        "explicit lanes, one loop": lambda: kernel(x, y, out, False),
        "past the caches": lambda: kernel(x, y, out, True),
        "two threads": on(2, lambda: both(x, y, out=out)),
        "two threads, new pages": on(2, lambda: unkept(x, y)),
        "two threads, kept memory": on(2, lambda: both(x, y)),
        "two threads, over the logits": on(2, lambda: in_place(x, y, out)),
    }


def unkept(x: Any, y: Any) -> Any:
    fast.set_kept_memory(0)
    try:
        return fast.cross_entropy_with_grad(x, y)
    finally:
        fast.set_kept_memory()


def in_place(x: Any, y: Any, out: Any) -> Any:
    return fast.cross_entropy_with_grad(out, y, out=out)


FIRST = """
import time
start = time.perf_counter()
from sxlit import fast
import numpy as np
loaded = time.perf_counter()
fast.cross_entropy_with_grad(np.zeros((2, 50), np.float32), [0, 1])
print(loaded - start, time.perf_counter() - loaded)
"""


def first_use() -> dict[str, tuple[float, float]]:
    """Seconds to import and to call for the first time, without and with a cache."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("nothing compiled", "machine code on disk"):
            answer = subprocess.run(
                [sys.executable, "-c", FIRST],
                env={**os.environ, "NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            found[name] = float(answer[0]), float(answer[1])
    return found


def measure() -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, CLASSES)).astype(np.float32)
    y = rng.integers(CLASSES, size=ROWS)
    calls = steps(x, y)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(TURNS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    lines: list[tuple[Any, ...]] = [
        ("step", name, f"{statistics.median(own):.3f}", f"{min(own):.3f}")
        for name, own in times.items()
    ]
    for name, (load, call_first) in first_use().items():
        lines.append(("import", name, f"{1e3 * load:.0f}", ""))
        lines.append(("first call", name, f"{1e3 * call_first:.0f}", ""))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.name}")
    options = parser.parse_args()
    lines = measure()
    for line in lines:
        print(*line, sep=" | ")
    if options.write:
        with TARGET.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("kind", "name", "median_ms", "best_ms", "processor"))
            table.writerows((*line, processor()) for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
