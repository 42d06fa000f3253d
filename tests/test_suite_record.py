"""A record is whole and unchanged, or it is refused in one line."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from suite_bench import run_fake
from sxlit_conformance import record, report
from sxlit_conformance.model import Verdict, Worst
from sxlit_conformance.record import Record, RecordError

WHERE = {
    "accelerator": "",
    "processor": "a processor",
    "platform": "Linux-x86_64",
    "python": "3.12",
    "numpy": "2.4",
    "companions": {"y": "3.1"},
}


def verdict(name: str, **changes: object) -> Verdict:
    fields: dict[str, object] = {
        "case": name,
        "operation": "softmax",
        "dtype": "float32",
        "device": "cpu",
        "mode": "eager",
        "grade": "standard",
        "level": "required",
        "cls": "pass",
        "outcome": "reference",
    }
    return Verdict(**{**fields, **changes})  # type: ignore[arg-type]


VERDICTS = (
    verdict("softmax/a", error_ulp=0.5, allowed_ulp=2.0, ratio=0.25, vacuity=1e-7),
    verdict(
        "softmax/b",
        cls="known",
        outcome="nan",
        ratio=math.inf,
        ledger="x-nan",
        theorem="thm-softmax",
        worst=Worst((0, 1), "nan", "0x1.8000000000000p-1"),
    ),
    verdict("softmax/c", cls="unsupported", outcome="unsupported"),
    verdict("softmax/a", device="cuda", cls="not run", reason="no cuda device"),
)


def made() -> Record:
    header = {
        "adapter": "x",
        "location": "x",
        "version": "1.0",
        "environments": {"cpu/eager": WHERE},
        "declared": {"devices": ["cpu", "cuda", "tpu"]},
        "date": "2026-01-02T03:04:05+00:00",
        "planned": len(VERDICTS),
    }
    issue = "https://github.com/o/r/issues/7"
    deviation = {"reason": "a | in a reason", "issue": issue}
    footer = {
        "broken": "",
        "problems": [],
        "ignored": [],
        "deviations": {"x-nan": deviation},
    }
    return record.make(header, VERDICTS, footer)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    record.write(path, [made(), made()])
    first, second = record.read(path)
    assert first == second
    assert first.verdicts == VERDICTS
    assert first.header == made().header
    assert {**made().footer, "sha256": first.footer["sha256"]} == first.footer
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_run_gives_a_record() -> None:
    done = run_fake("correct")
    header = {"adapter": "correct", "planned": done.planned}
    data = record.dumps(record.make(header, done.verdicts, {}))
    (back,) = record.loads(data, "r")
    assert [v.key for v in back.verdicts] == [v.key for v in done.verdicts]


def test_a_verdict_that_is_missing_cannot_be_recorded() -> None:
    with pytest.raises(RecordError, match="x: 5 claims were planned and 4 have"):
        record.make({"adapter": "x", "planned": 5}, VERDICTS, {})


def drop(number: int) -> Callable[[list[str]], list[str]]:
    return lambda lines: lines[:number] + lines[number + 1 :]


def change(number: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    def edit(lines: list[str]) -> list[str]:
        assert old in lines[number]
        return [
            line.replace(old, new) if index == number else line
            for index, line in enumerate(lines)
        ]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (drop(2), "r:5: the footer counts 4 verdicts, and there are 3"),
        (drop(5), "r:5: the record ends without its footer"),
        (drop(0), "r:1: a verdict before any header"),
        (change(5, '"count":4', '"count":3'), "counts 3 verdicts, and there are 4"),
        (change(0, '"planned":4', '"planned":5'), "5 claims were planned"),
        (change(1, '"ratio":0.25', '"ratio":0.20'), "a line was changed"),
        (change(1, '"cls":"pass"', '"cls":"fail"'), "counts per class"),
        (change(1, "softmax/a", "softmax/c"), "a claim has two verdicts"),
        (change(1, '"cls"', '"colour"'), "a verdict with unknown fields"),
        (change(1, '"cls":"pass",', ""), "a verdict with missing fields"),
        (change(0, '"record":2', '"record":1'), "record version 1, expected 2"),
        (change(3, "{", "<"), "r:4: expected one of header, verdict and footer"),
        (change(3, '"verdict"', '"remark"'), "unknown kind 'remark'"),
        (lambda lines: lines[:3] + lines, "r:4: a header inside a record"),
        (lambda lines: [], "there is no record"),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(
    edit: Callable[[list[str]], list[str]], message: str
) -> None:
    lines = edit(record.dumps(made()).decode().splitlines(keepends=True))
    with pytest.raises(RecordError, match=message):
        record.loads("".join(lines).encode(), "r")


def test_a_path_that_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    record.check_writable(tmp_path / "r.jsonl")
    assert not list(tmp_path.iterdir())
    for path in (tmp_path, tmp_path / "no" / "r.jsonl", Path("/dev/null/r.jsonl")):
        with pytest.raises(RecordError, match="cannot write the record") as caught:
            record.check_writable(path)
        assert "\n" not in str(caught.value)


def test_only_a_file_is_replaced_by_a_record(tmp_path: Path) -> None:
    # Replacing is what would end a device, such as /dev/null for who may write there.
    pipe, link, file = (tmp_path / name for name in ("pipe", "link", "r.jsonl"))
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(RecordError, match="it is no regular file"):
            record.check_writable(path)
        with pytest.raises(RecordError, match="it is no regular file"):
            record.write(path, [made()])
    assert pipe.is_fifo()
    assert link.is_symlink()
    file.write_text("an old one")
    record.check_writable(file)
    assert file.read_text() == "an old one"


def test_a_missing_record_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.jsonl: No such file"):
        record.read(tmp_path / "none.jsonl")


def test_the_page_shows_the_matrix_the_deviations_and_what_was_not_run() -> None:
    page = report.markdown([made()])
    assert "| `softmax` | float32 | 1, 1 known, 1 unsupported |" in page
    assert "| `softmax` | float32 | 1e-07 |" in page  # the vacuity of softmax/a
    assert "## Known deviations of x" in page
    known = "**x-nan**, 1 claim: a \\| in a reason ([o/r#7](https://github.com/"
    assert known in page
    assert "> `softmax/b`, float32: nan, certified 0.75" in page
    assert "repro softmax/b x --dtype float32 --grade standard" in page
    assert "| x | cuda/eager | **not run** |" in page
    assert "| x | tpu | **not run** |" in page
    assert "| Python 3.12, NumPy 2.4, y 3.1 |" in page
    assert "x, cuda, eager: 1 not run: no cuda device" in page
    assert page == report.markdown([made()])


def test_the_columns_of_every_table_agree() -> None:
    table: list[int] = []
    for line in [*report.markdown([made(), made()]).splitlines(), ""]:
        if line.startswith("|"):
            table.append(line.replace("\\|", "").count("|"))
        else:
            assert len(set(table)) <= 1
            table = []


def test_the_data_is_json_with_everything() -> None:
    (entry,) = json.loads(report.data([made()]))["records"]
    assert len(entry["verdicts"]) == 4
    assert entry["verdicts"][1]["ratio"] == "inf"
    assert entry["header"]["planned"] == entry["footer"]["count"] == 4
