"""Measure how accurate softmax and its family are, everywhere.

    python benchmarks/accuracy/measure.py questions
    python benchmarks/accuracy/measure.py ask PROVIDER...
    python benchmarks/accuracy/measure.py table [--write]

`nox -s accuracy` does all three, each provider in its own environment. What lies in
.cache/accuracy is used again; `--only NAME` and `--dtype DTYPE` leave the rest out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import exact_rows
import files
import questions
import score
from operations import DTYPES, ENVIRONMENTS, OPERATIONS, PLAIN

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = exact_rows.CACHE.parent
TABLE = ROOT / "benchmarks" / "accuracy.csv"


def write_questions(task: tuple[int, str]) -> None:
    """Write the questions of one operation, and what the exact answers are."""
    index, dtype = task
    operation = OPERATIONS[index]
    path = FOLDER / "questions" / f"{dtype} {operation.name}.npz"
    files.write(path, questions.batches(operation, dtype))
    score.exact_batches(operation, path)


def put(provider: str) -> None:
    """Ask in a process of its own; and again without the wide instructions."""
    script = [sys.executable, str(Path(__file__).with_name("ask.py"))]
    subprocess.run([*script, provider, str(FOLDER), provider], check=True)
    if "AVX-512" not in processor():
        return  # not run: there is nothing to take away
    plain = [*script, provider, str(FOLDER), f"{provider}{PLAIN}"]
    subprocess.run(plain, env=os.environ | ENVIRONMENTS[provider], check=True)


def processor() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    wide = any("avx512f" in line for line in lines)
    return f"{names[0] if names else 'unknown'}{', AVX-512' if wide else ''}"


def main(argv: list[str] | None = None) -> int:
    """Do one step."""
    parser = argparse.ArgumentParser(description="how accurate everybody is")
    parser.add_argument("step", choices=("questions", "ask", "table"))
    parser.add_argument("providers", nargs="*")
    parser.add_argument("--only", default="", help="operations that begin like this")
    parser.add_argument("--dtype", choices=DTYPES)
    parser.add_argument("--write", action="store_true", help=f"keep {TABLE.name}")
    options = parser.parse_args(argv)
    if options.step == "ask":
        for provider in options.providers:
            put(provider)
        return 0
    if options.step == "questions":
        tasks = [
            (index, dtype)
            for index, operation in enumerate(OPERATIONS)
            for dtype in DTYPES
            if operation.name.startswith(options.only)
            and dtype == (options.dtype or dtype)
        ]
        with ProcessPoolExecutor() as pool:
            list(pool.map(write_questions, tasks))
        return 0
    order = [f"{dtype} {o.name}" for o in OPERATIONS for dtype in DTYPES]
    paths = sorted(
        (FOLDER / "questions").glob("*.npz"), key=lambda path: order.index(path.stem)
    )
    with ProcessPoolExecutor() as pool:
        parts = pool.map(partial(all_scores, FOLDER), paths)
        scores = [one for part in parts for one in part]
    numpy = importlib.metadata.version("numpy")
    header = f"NumPy {numpy}; seed {questions.SEED}; {processor()}"
    target = TABLE if options.write else FOLDER / TABLE.name
    score.write(scores, header, target)
    print(target.read_text("utf-8"))
    return 0


def all_scores(folder: Path, path: Path) -> list[score.Score]:
    return list(score.score(path, folder))


if __name__ == "__main__":
    sys.exit(main())
