"""The ladders of chapter 12b: who is asked, what is told, and what the tables say."""

from __future__ import annotations

import copy
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sxlit_conformance import record
from sxlit_conformance.record import Record

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import ladder  # noqa: E402
import zero  # noqa: E402

FILES = sorted((ROOT / "conformance/sxlit_conformance/records").glob("*-cpu.jsonl"))
# A drop-in answers by sxlit.fast, which has climbed.
DROP_INS = {"sxlit-torch", "sxlit-jax"}
LADDERS = {one["adapter"]: one for one in zero.ladders(ladder.KEPT)}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    every = [one for path in FILES for one in record.read(path)]
    return [one for one in every if one.header["adapter"] not in DROP_INS]


def test_whoever_has_a_record_has_a_ladder_of_the_same_versions(
    records: list[Record],
) -> None:
    """Else the page shows what was: run `nox -s conformance -- --write`."""
    for one in records:
        (where, *_) = one.header["environments"].values()
        kept = LADDERS[one.header["adapter"]]
        assert kept["version"] == where["version"]
        assert kept["companions"] == where["companions"]
        declared = one.header["declared"]
        for operation, dtypes in kept["answers"].items():
            assert operation in declared["operations"]
            assert set(dtypes) == set(declared["dtypes"])


def test_the_ladder_agrees_with_the_record(records: list[Record]) -> None:
    """The same case of the suite got the same bits."""
    asked = 0
    for one in records:
        kept = LADDERS[one.header["adapter"]]["answers"]["cross_entropy"]
        for verdict in one.verdicts:
            name, _, gap = verdict.case.partition("/gap-")
            rung = gap.removesuffix("-at-label")
            known = rung in kept.get(verdict.dtype, {}) and verdict.worst
            if name == "cross_entropy" and gap != rung and known:
                assert kept[verdict.dtype][rung] == [verdict.worst.observed]
                asked += 1
    assert asked >= 40


@pytest.mark.parametrize("name", ["sxlit", "sxlit-fast"])
def test_sxlit_is_right_on_every_rung(name: str) -> None:
    answers = LADDERS[name]["answers"]
    for dtype in answers["cross_entropy"]:
        digits = ladder.BITS[dtype]
        for gap, (bits,) in answers["cross_entropy"][dtype].items():
            truth = math.log1p(2 * math.exp(-float(gap)))
            spacing = max(truth * 2.0 ** (1 - digits), 2.0 ** zero.SMALLEST[dtype])
            assert abs(float.fromhex(bits) - truth) <= 4 * spacing
        for gap, bits in answers["cross_entropy_grad"][dtype].items():
            t = 2 * math.exp(-float(gap))
            spacing = max(t * 2.0 ** (1 - digits), 2.0 ** zero.SMALLEST[dtype])
            assert abs(float.fromhex(bits[0]) + t / (1 + t)) <= 4 * spacing


def test_climbing_gives_what_is_kept() -> None:
    found = ladder.climb("sxlit", "cpu")
    assert not list(ladder.differences(LADDERS["sxlit"], {**LADDERS["sxlit"], **found}))
    assert ladder.printed("sxlit") == LADDERS["sxlit"]["prints"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "0.0"}, "version: .* was kept, 0.0 now"),
        ({"prints": "1.0"}, "prints: .* was kept, 1.0 now"),
    ],
)
def test_another_version_is_told(change: dict[str, str], told: str) -> None:
    old = LADDERS["torch"]
    (line,) = ladder.differences(old, {**old, **change})
    assert line.startswith(told.partition(":")[0])
    assert line.endswith("now")


def test_a_zero_that_went_is_told_and_a_last_bit_is_not() -> None:
    old: dict[str, Any] = LADDERS["torch"]
    new = copy.deepcopy(old)
    rungs = new["answers"]["cross_entropy"]["float32"]
    rungs["5"] = [float(np.nextafter(float.fromhex(rungs["5"][0]), 1)).hex()]
    new["prints"] = new["prints"].replace("2.06115369216775e-09", "2.0612e-09")
    assert not list(ladder.differences(old, new))
    rungs["20"] = [(4.122e-9).hex()]
    del rungs["21"]
    assert list(ladder.differences(old, new)) == [
        "cross_entropy/20@float32: 0 was kept, a number now",
        "cross_entropy/21@float32: 0 was kept, not asked now",
    ]


def test_a_ladder_is_written_a_rung_a_line() -> None:
    text = ladder.text(LADDERS["jax"])
    assert json.loads(text) == LADDERS["jax"]
    assert (ladder.KEPT / "jax-cpu.json").read_text("utf-8") == text


def test_an_adapter_that_does_not_start_keeps_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ladder.main(["--write", "nobody"]) == 2
    assert "unknown adapter 'nobody'" in capsys.readouterr().err


def test_the_tables_say_what_was_answered(records: list[Record]) -> None:
    page = zero.pages(list(LADDERS.values()), records, ladder.KEPT)
    assert "| *exactly* | 4.122e\u22129 | \u22124.122e\u22129 | 0 |  |" in page
    (torch,) = [line for line in page.splitlines() if "known-torch-log" in line]
    assert torch.startswith("| PyTorch 2.13.0 | **0** | **0** | 4.122e\u22129 |")
    for ladder_ in LADDERS.values():
        assert ladder_["prints"] in page
    for name in ("answers", "first", "binary", "grades", "noise", "programs"):
        assert f"<!-- {name} -->" in page
        assert f"<!-- end of {name} -->" in page


def test_a_dtype_that_somebody_lacks_has_a_dash() -> None:
    """And the others show the first rung at which somebody answers 0."""
    fewer = copy.deepcopy(LADDERS["torch"])
    for operation in ("cross_entropy", "cross_entropy_grad"):
        fewer["answers"][operation].pop("bfloat16", None)
        fewer["answers"][operation]["float16"] = {"5": ["0x0.0p+0"], "6": ["nan"]}
    head, _, first, *_ = zero.first([fewer, LADDERS["jax"]]).splitlines()
    assert head == "| loss / gradient | float16 | bfloat16 | float32 | float64 |"
    assert first.split(" | ")[1] == "5 / 5"
    assert first.split(" | ")[2] == "– / –"
