"""Time sxlit.fast against everybody's loss, gradient and softmax: one room at a time.

    python benchmarks/fast.py ROOM --csv OUT.csv       ROOM: torch, jax or tensorflow
    python benchmarks/fast.py --join DIRECTORY         to book/_data/fast.csv

In each room the calls take turns in one process, together with a copy and a read of the
same array, and only ratios to those compare across rooms. Timings are never a verdict.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

SHAPES = ((256, 10), (256, 1000), (4096, 1000), (1024, 32_000), (256, 128_256))
LINEAR = ((8, 1_000_000), (16, 1_000_000), (1024, 1000), (1024, 10_000))
FIELDS = (
    "room",
    "provider",
    "version",
    "operation",
    "form",
    "threads",
    "rows",
    "classes",
    "median_ms",
    "best_ms",
    "processor",
)
TURNS, TURN = 5, 0.03  # turns of so many seconds, of two calls at least
TARGET = Path(__file__).resolve().parent.parent / "book" / "_data" / "fast.csv"
Calls = Mapping[tuple[str, str], Callable[[], Any]]  # provider, form


def take_turns(calls: Calls) -> dict[tuple[str, str], list[float]]:
    """Let one after the other call for a while, in turns; all times in milliseconds.

    A turn has several calls, of which the first is not counted: threads of the one
    before may still be spinning, and its arrays fill the caches.
    """
    times: dict[tuple[str, str], list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()  # compilation, threads
    gc.collect()
    for _ in range(TURNS):
        for name, call in calls.items():
            call()
            end = time.perf_counter() + TURN
            taken = times[name]
            fewest = len(taken) + 2
            while len(taken) < fewest or time.perf_counter() < end:
                start = time.perf_counter()
                call()
                taken.append(1e3 * (time.perf_counter() - start))
    return times


def processor() -> str:
    """The processor's name, and how many of it this process may use."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        models = [line.partition(":")[2] for line in lines if "model name" in line]
        name = models[0].strip() if models else name
    return f"{name} x {os.cpu_count()}"


def operations(room: str, x: Any, y: Any, threads: int) -> Iterator[tuple[str, Calls]]:
    """What is timed for one array: ours, the floors, and the rivals of the room."""
    import numpy as np

    from sxlit import fast
    from sxlit.fastmemory import LARGE

    fast.set_threads(threads)
    rivals = import_module(f"rivals_{room}").Rivals(x, y, threads)
    out = np.zeros_like(x)

    def unkept(call: Callable[[Any], Any]) -> Calls:
        """The same where nothing is kept for it, which only large results are."""

        def forgetful() -> Any:
            fast.set_kept_memory(0)
            try:
                return call(x)
            finally:
                fast.set_kept_memory()

        return {("sxlit.fast", "unkept"): forgetful} if x.nbytes >= LARGE else {}

    floor: dict[tuple[str, str], Callable[[], Any]] = {
        ("copy", "out"): lambda: np.copyto(out, x),
        ("copy", "fresh"): lambda: x.copy(),
    }
    yield (
        "loss and gradient",
        {
            **floor,
            ("sxlit.fast", "fresh"): lambda: fast.cross_entropy_with_grad(x, y),
            ("sxlit.fast", "out"): lambda: fast.cross_entropy_with_grad(x, y, out=out),
            **unkept(lambda x: fast.cross_entropy_with_grad(x, y)),
            **rivals.loss_and_gradient(),
        },
    )
    yield (
        "softmax",
        {
            **floor,
            ("sxlit.fast", "fresh"): lambda: fast.softmax(x),
            ("sxlit.fast", "out"): lambda: fast.softmax(x, out=out),
            **unkept(fast.softmax),
            **rivals.softmax(),
        },
    )
    yield (
        "loss",
        {
            ("read", "fresh"): lambda: x.max(),
            ("sxlit.fast", "fresh"): lambda: fast.cross_entropy(x, y),
        },
    )


def measure(room: str) -> Iterator[tuple[Any, ...]]:
    """One line for each provider, operation, form, shape and number of threads."""
    import numpy as np

    versions = import_module(f"rivals_{room}").VERSIONS | {
        "sxlit.fast": metadata.version("numba")
    }
    name, rng = processor(), np.random.default_rng(0)
    shapes = (*SHAPES, *LINEAR) if room == "torch" else SHAPES
    for shape in shapes:
        x = rng.standard_normal(shape).astype(np.float32)
        y = rng.integers(shape[1], size=shape[0])
        for threads in (1, 2):
            for operation, calls in operations(room, x, y, threads):
                if shape in LINEAR:
                    own = ("copy", "read", "sxlit.fast")
                    calls = {key: calls[key] for key in calls if key[0] in own}
                for (provider, form), times in take_turns(calls).items():
                    median, best = statistics.median(times), min(times)
                    version = versions.get(provider, np.__version__)
                    start = (room, provider, version, operation, form, threads)
                    yield (*start, *shape, f"{median:.4f}", f"{best:.4f}", name)


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
    parser.add_argument("room", nargs="?", choices=("torch", "jax", "tensorflow"))
    parser.add_argument("--csv", type=Path, help="write the table to this file")
    parser.add_argument("--join", type=Path, help="a folder of tables to put together")
    options = parser.parse_args(argv)
    if options.join:
        join(options.join)
        return 0
    if not options.room:
        parser.error("name a room, or --join a folder")
    lines = []
    for line in measure(options.room):
        print(*line[:-1], flush=True)
        lines.append(line)
    if options.csv:
        write(options.csv, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
