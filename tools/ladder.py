"""Ask adapters for the loss and gradient of [gap, 0, 0], gap by gap, and keep it all.

    python tools/ladder.py [--device cpu] [--write] ADAPTER ...

A record says of a case whether it holds, and its worst element. Chapter 12b draws what
comes out at every rung of a ladder of gaps, so the answers are kept, bit by bit, in
book/_ladder/ADAPTER-DEVICE.json, beside what the few lines of ask_ADAPTER.py print.
Without --write this fails where another rung than a committed one gives 0 or NaN, or
the version is another. Last bits may change with the processor; of rungs next to the
gap where 1 + t becomes 1, and between whole gaps, nothing is demanded.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sxlit_conformance import runner, wire
from sxlit_conformance.locate import AdapterError, resolve
from sxlit_conformance.model import Array, Case, Claim, Observation, Source, Verdict

KEPT = Path(__file__).resolve().parent.parent / "book" / "_ladder"
# Adapters that are no part of the suite.
OWN = {"scipy": str(KEPT / "adapter_scipy.py")}
WHOLE = (*range(1, 46), *range(50, 111, 5))
FINE = tuple(quarters / 4 for quarters in range(4, 181))  # exact in every format
BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
_SMALL = re.compile(r"[\d.]+e[-+]\d+")
SHOWN = 10  # differences that are printed

# The loss of three classes, the first ahead and right, and that of one logit.
OPERATIONS = tuple(
    f"{loss}{what}"
    for loss in ("cross_entropy", "binary_cross_entropy")
    for what in ("", "_grad")
)
Ladder = dict[str, Any]


def rungs() -> tuple[Case, ...]:
    """One case for each operation and gap."""
    cases = []
    for operation in OPERATIONS:
        binary = operation.startswith("binary")
        for gap in sorted(WHOLE if binary else {*WHOLE, *FINE}):
            row = {
                "logits": Source(((gap, 0, 0),)),
                "targets": Source((0,), dtype="int64"),
            }
            yes = {"logits": Source((gap,)), "targets": Source((1,))}
            cases.append(
                Case(
                    id=f"{operation}/{gap:g}",
                    operation=operation,
                    arguments=yes if binary else row,
                    options={},
                    dtypes=wire.FLOATS,
                    grades=("contract",),
                    level="required",
                    accept=("reference",),
                    why="how a loss becomes 0",
                    source="book, chapter 12b",
                    layout="contiguous",
                )
            )
    return tuple(cases)


def climb(name: str, device: str) -> Ladder:
    """All answers of an adapter: `answers[operation][dtype][gap]` is a list of bits."""
    answers: dict[str, dict[str, dict[str, list[str]]]] = {}

    def keep(
        claim: Claim,
        observation: Observation,
        arguments: Mapping[str, Array],
        hello: Mapping[str, Any],
    ) -> Verdict:
        operation, _, gap = claim.case.id.partition("/")
        if observation.array is not None:
            values = observation.array.astype(float).ravel().tolist()
            found = answers.setdefault(operation, {}).setdefault(claim.dtype, {})
            found[gap] = [value.hex() for value in values]
        elif observation.kind not in ("not offered", "unsupported"):
            said = f"{observation.kind}: {observation.message}"
            raise AdapterError(f"{name}: {claim.key}: {said}")
        place = (claim.dtype, claim.device, claim.mode, claim.grade)
        return Verdict(claim.case.id, operation, *place, "required", "pass", "kept")

    adapter = resolve(OWN.get(name, name), sys.executable)
    run = runner.run(adapter, rungs(), keep, devices=(device,))
    if not run.environments:
        raise AdapterError(f"{name}: there is no {device} here")
    (environment,) = run.environments.values()
    about = {key: environment[key] for key in ("version", "companions", "accelerator")}
    return {"adapter": name, "device": device, **about, "answers": answers}


def printed(name: str) -> str:
    """What the adapter's own few lines print; they run on the CPU."""
    program = KEPT / f"ask_{name.replace('-', '_')}.py"
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AdapterError(f"{program.name} failed: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def differences(old: Ladder, new: Ladder) -> Iterator[str]:
    """What a new ladder says otherwise, a line each."""
    for key in ("version", "companions", "prints"):
        if _short(str(old[key])) != _short(str(new[key])):
            yield f"{key}: {old[key]} was kept, {new[key]} now"
    before, after = dict(_words(old)), dict(_words(new))
    for rung in sorted(before.keys() | after.keys()):
        was, now = before.get(rung, "not asked"), after.get(rung, "not asked")
        if was != now:
            yield f"{rung}: {was} was kept, {now} now"


def _is_close(gap: float, dtype: str) -> bool:
    """Whether the last bit of an exp, which is the processor's, decides about a 0."""
    return BITS[dtype] - 1 < gap / math.log(2) < BITS[dtype] + 2 or gap % 1 != 0


def _short(text: str) -> str:
    """The same with four digits of each number that is written with an exponent."""
    return _SMALL.sub(lambda found: f"{float(found[0]):.3e}", text)


def _words(ladder: Ladder) -> Iterator[tuple[str, str]]:
    for operation, dtypes in ladder["answers"].items():
        for dtype, gaps in dtypes.items():
            for gap, (first, *_) in gaps.items():
                if _is_close(float(gap), dtype):
                    continue
                value = float.fromhex(first)
                word = "NaN" if value != value else "a number" if value else "0"
                yield f"{operation}/{gap}@{dtype}", word


def text(ladder: Ladder) -> str:
    """JSON with a line for each rung."""
    lines = json.dumps(ladder, indent=1)
    return re.sub(r"\[\s+([^][]*?)\s+\]", _one_line, lines) + "\n"


def _one_line(found: re.Match[str]) -> str:
    return "[" + " ".join(found[1].split()) + "]"


def main(argv: list[str] | None = None) -> int:
    """Climb, then compare or keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("adapters", nargs="+", metavar="ADAPTER")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="keep the new answers")
    options = parser.parse_args(argv)
    status = 0
    for name in options.adapters:
        path = KEPT / f"{name}-{options.device}.json"
        try:
            new = {**climb(name, options.device), "prints": printed(name)}
        except AdapterError as error:
            print(f"tools/ladder.py: {error}", file=sys.stderr)
            return 2
        if options.write:
            path.write_text(text(new), encoding="utf-8")
            print(f"{name}: kept {path.name}")
            continue
        if not path.exists():
            print(f"{name}: no {path.name}; keep one with `-- --write`")
            status = 1
            continue
        found = list(differences(json.loads(path.read_text(encoding="utf-8")), new))
        for line in found[:SHOWN]:
            print(f"  {line}")
        same = "is as" if not found else f"differs in {len(found)} places from what"
        print(f"{name}: its ladder of gaps {same} {path.name} says")
        status = max(status, bool(found))
    return status


if __name__ == "__main__":
    sys.exit(main())
