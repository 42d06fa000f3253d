"""Time training steps before and after one import: `sxlit.torch` and `sxlit.jax`.

    python benchmarks/training.py ROOM --csv OUT.csv   ROOM: torch or jax
    python benchmarks/training.py --join DIRECTORY     to book/_data/training.csv

Two networks: that of chapter 11, and the last layer of a language model. Each is
trained with the framework's loss and with the drop-in, steps taking turns in one
process, and once without a loss, by a gradient that is given: what the rest costs. Then
loss and gradient of the last layer's logits alone. The loss curves must be the same up
to rounding, or nothing is written. And fresh processes say what the first call costs,
with loops to compile and with loops that are kept.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from fast import processor

FIELDS = (
    "room",
    "version",
    "network",
    "loss",
    "steps",
    "median_ms",
    "best_ms",
    "curve",
    "processor",
)
ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "book" / "_data" / "training.csv"
TOKENS, WIDTH, CLASSES, STEPS, RATE = 1024, 256, 32_000, 12, 8.0
# How far two curves may part: of float64 as in chapter 11; of float32 by 2^-24 times
# a hundred, for logits that are sums of 256 products, each rounded.
BOUNDS = {
    "digits": 1e-10,
    "last layer": 100 * 2.0**-24,
    "loss alone": 100 * 2.0**-24,
}
Step = Callable[[int], float]  # the loss of one step, or 0 if there is none


def tokens() -> tuple[Any, Any, Any]:
    """Features, labels and first weights of the last layer, float32."""
    rng = np.random.default_rng(15)
    features = rng.standard_normal((TOKENS, WIDTH)).astype(np.float32)
    weights = rng.standard_normal((CLASSES, WIDTH)).astype(np.float32) / 16
    return features, rng.integers(CLASSES, size=TOKENS), weights


def take_turns(steps: Mapping[str, Step], count: int) -> tuple[Any, Any]:
    """Every run makes its next step, then every run the one after; times, losses."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    losses: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(count):
        for name, step in steps.items():
            start = time.perf_counter()
            losses[name].append(step(number))
            times[name].append(1e3 * (time.perf_counter() - start))
    return times, losses


def difference(losses: Mapping[str, list[float]], bound: float) -> float:
    """How far the two curves part; more than rounding explains is an error."""
    before, after = np.array(losses["before"]), np.array(losses["after"])
    found = float(np.max(np.abs(after - before) / np.abs(before)))
    if not found <= bound:
        raise SystemExit(f"the curves part by {found:.1e}, allowed is {bound:.1e}")
    return found


def first_calls(room: str) -> Iterator[tuple[str, float]]:
    """Milliseconds of import and first step in fresh processes."""
    program = f"import training_{room} as room; room.first()"
    with tempfile.TemporaryDirectory() as folder:
        for loss in ("loops to compile", "loops kept"):
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            run = subprocess.run(
                [sys.executable, "-c", program],
                cwd=Path(__file__).parent,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            yield loss, float(run.stdout)


def measure(room: str) -> Iterator[tuple[Any, ...]]:
    """One line for each network and loss, and for each first call."""
    module, name = import_module(f"training_{room}"), processor()
    for network, steps, count in (
        ("digits", module.digits_steps(), 880),
        ("last layer", module.layer_steps(*tokens()), STEPS),
        ("loss alone", module.loss_steps(*tokens()), STEPS),
    ):
        times, losses = take_turns(steps, count)
        curve = difference(losses, BOUNDS[network])
        for loss, taken in times.items():
            later = taken[2:]  # compilation, caches, threads
            middle, best = statistics.median(later), min(later)
            line = (room, module.VERSION, network, loss, count)
            yield (*line, f"{middle:.4f}", f"{best:.4f}", f"{curve:.1e}", name)
    for loss, took in first_calls(room):
        line = (room, module.VERSION, "first call", loss, 1)
        yield (*line, f"{took:.1f}", f"{took:.1f}", "", name)


def write(path: Path, lines: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([FIELDS, *lines])


def join(folder: Path) -> None:
    """Put the rooms' tables together, where the book reads them."""
    lines: list[tuple[Any, ...]] = []
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
    options = parser.parse_args(argv)
    if options.join:
        join(options.join)
        return 0
    if not options.room:
        parser.error("name a room, or --join a folder")
    sys.path.insert(0, str(ROOT / "book"))  # digits.py
    lines = []
    for line in measure(options.room):
        print(*line[:-1], flush=True)
        lines.append(line)
    if options.csv:
        write(options.csv, lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
