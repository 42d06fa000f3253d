"""The errata chapter has a line, and a place in the book, for each of the 38 claims."""

from __future__ import annotations

import json
import re
from pathlib import Path

BOOK = Path(__file__).resolve().parent.parent / "book"


def cell(identity: str) -> str:
    cells = json.loads((BOOK / "B_errata.ipynb").read_text("utf-8"))["cells"]
    (source,) = ("".join(c["source"]) for c in cells if c["id"] == identity)
    return source


def test_every_claim_has_a_verdict_and_a_place() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| (✓|\(✓\)|✗) \| (.+) \|$", cell("claims"), re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, 39))
    # A place is a theorem, a chapter, or what stands above the table. Whether the
    # first two exist, the build of the book checks.
    for number, verdict, place in rows:
        assert "{prf:ref}" in place or "](" in place or "above" in place, number
        assert verdict != "✗" or "above" in place or "](" in place, number
