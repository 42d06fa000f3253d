"""Time a last layer's loss and gradients, and count the memory they hold, by room.

    python benchmarks/linear.py ROOM --csv OUT.csv     ROOM: torch or jax
    python benchmarks/linear.py --join DIRECTORY       to book/_data/linear.csv

In each room the calls take turns in one process, on two processors. Memory is the peak
of a process of its own, above what it held before the call. Nothing is a verdict.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

THREADS = 2
SHAPES = ((1024, 512, 32_000), (1024, 512, 128_256))  # N, D, V
TURNS, SECONDS = 3, 6.0  # who takes longer than that has fewer turns
FIELDS = (
    "room",
    "provider",
    "version",
    "threads",
    "rows",
    "features",
    "classes",
    "median_s",
    "best_s",
    "peak_mib",
    "processor",
)
TARGET = Path(__file__).resolve().parent.parent / "book" / "_data" / "linear.csv"
Calls = Mapping[str, Callable[[], Any]]


def stay_on_few_processors() -> None:
    """Before anything that starts threads is imported."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def a_layer(rows: int, features: int, classes: int) -> tuple[Any, Any, Any]:
    """Activations, weights and labels."""
    import numpy as np

    rng = np.random.default_rng(0)
    h = rng.standard_normal((rows, features), np.float32)
    w = rng.standard_normal((classes, features), np.float32)
    w *= np.float32(features**-0.5)
    return h, w, rng.integers(classes, size=rows)


def our_calls(h: Any, w: Any, y: Any) -> Calls:
    """Tiles, whole logits with the gradient in their place, and the bare products."""
    from sxlit import fast
    from sxlit.linear import fused_linear_cross_entropy

    def whole() -> Any:
        x = h @ w.T
        loss, g = fast.cross_entropy_with_grad(x, y, out=x)
        return loss, g @ w, g.T @ h

    def products() -> Any:
        x = h @ w.T
        return x @ w, x.T @ h

    return {
        "sxlit.linear": lambda: fused_linear_cross_entropy(h, w, y),
        "sxlit.fast": whole,
        "products": products,
    }


def calls(room: str, h: Any, w: Any, y: Any) -> dict[str, Callable[[], Any]]:
    """Everybody's loss and gradients of one layer."""
    return {**our_calls(h, w, y), **import_module(f"layers_{room}").calls(h, w, y)}


def take_turns(everybody: Calls) -> dict[str, list[float]]:
    """Call one after the other, again and again; the seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in everybody}
    for call in everybody.values():
        call()  # compilation, caches, threads
    for _ in range(TURNS):
        for name, call in everybody.items():
            if sum(times[name]) < SECONDS:
                gc.collect()
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return times


def kilobytes(name: str) -> int:
    """What Linux knows of this process: VmRSS is held now, VmHWM was the most."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1])


def peak_of(room: str, provider: str, shape: tuple[int, ...]) -> float:
    """The most that this process holds during a call, above what it held before."""
    call = calls(room, *a_layer(*shape))[provider]
    call()  # compilation, threads, libraries
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the peak so far
    before = kilobytes("VmRSS")
    results = call()
    peak = kilobytes("VmHWM") - before
    del results
    return peak / 1024


def peak_elsewhere(room: str, provider: str, shape: tuple[int, ...]) -> float:
    """The same in a process of its own, which gives back all memory that it frees."""
    wanted = [room, "--peak", provider, "--shape", *map(str, shape)]
    said = subprocess.run(
        [sys.executable, __file__, *wanted],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    return float(said.stdout.split()[-1])


def measure(room: str) -> Iterator[tuple[Any, ...]]:
    """One line for each provider and shape."""
    import numpy as np
    from fast import processor

    versions = import_module(f"layers_{room}").VERSIONS | {
        "sxlit.linear": metadata.version("numba"),
        "sxlit.fast": metadata.version("numba"),
    }
    ours = set(our_calls(*a_layer(1, 1, 1)))
    for shape in SHAPES:
        for provider, times in take_turns(calls(room, *a_layer(*shape))).items():
            peak = ""
            if room == "torch" or provider not in ours:  # ours is the same everywhere
                peak = f"{peak_elsewhere(room, provider, shape):.1f}"
            seconds = f"{statistics.median(times):.4f}", f"{min(times):.4f}"
            start = room, provider, versions.get(provider, np.__version__), THREADS
            yield (*start, *shape, *seconds, peak, processor())


def write(path: Path, lines: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([FIELDS, *lines])


def join(folder: Path) -> None:
    """Put the rooms' tables together, where the book reads them."""
    lines = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            lines += [tuple(line) for line in csv.reader(file)][1:]
    if not lines:
        raise SystemExit(f"there are no tables in {folder}")
    write(TARGET, lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("room", nargs="?", choices=("torch", "jax"))
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    parser.add_argument("--join", type=Path, help="a folder of tables to put together")
    parser.add_argument("--peak", metavar="PROVIDER", help="print MiB held by one call")
    parser.add_argument("--shape", type=int, nargs=3, metavar=("N", "D", "V"))
    options = parser.parse_args(argv)
    if options.join:
        join(options.join)
        return 0
    if not options.room or bool(options.peak) != bool(options.shape):
        parser.error("name a room, with --peak also a --shape; or --join a folder")
    stay_on_few_processors()
    if options.peak:
        print(peak_of(options.room, options.peak, tuple(options.shape)))
        return 0
    lines = []
    for line in measure(options.room):
        print(*line[:-1], flush=True)
        lines.append(line)
    if options.csv:
        write(options.csv, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
