"""What has checked each statement of the book: marked tests, and verdicts of the suite.

Both sources are committed, and repeated by CI: `tests/theorems.json` by `nox -s tests`,
the records by `nox -s conformance`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sxlit_conformance.record import Record

# The classes of a verdict that compared a number with the theorem's bound.
HELD, MISSED = {"pass"}, {"fail", "known", "miss"}


def suite(records: Iterable[Record]) -> dict[str, dict[str, list[int]]]:
    """`{theorem: {adapter: [claims that held, claims asked]}}`, CPU and all devices."""
    found: dict[str, dict[str, list[int]]] = {}
    for record in records:
        adapter = str(record.header["adapter"])
        for verdict in record.verdicts:
            if verdict.theorem and verdict.cls in HELD | MISSED:
                counts = found.setdefault(verdict.theorem, {})
                pair = counts.setdefault(adapter, [0, 0])
                pair[0] += verdict.cls in HELD
                pair[1] += 1
    return found


def merged(
    tests: Mapping[str, Mapping[str, int]],
    verdicts: Mapping[str, Mapping[str, list[int]]],
) -> dict[str, Any]:
    """Both, by the label of the statement."""
    return {
        label: {
            "tests": dict(tests.get(label, {})),
            "suite": dict(verdicts.get(label, {})),
        }
        for label in sorted(tests.keys() | verdicts.keys())
    }


def write(tests: Path, records: Iterable[Record], target: Path) -> None:
    """Keep, for the book, what has checked each statement."""
    kept = json.loads(tests.read_text("utf-8"))
    target.write_text(json.dumps(merged(kept, suite(records)), indent=1) + "\n")
