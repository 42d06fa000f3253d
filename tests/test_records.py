"""The committed records: whole, of today's corpus and ledger, and held to by CI."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sxlit_conformance import corpus, ledger, record
from sxlit_conformance.record import Record

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "conformance/sxlit_conformance/records").glob("*.jsonl"))
EACH = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)

sys.path.insert(0, str(ROOT / "tools"))
import records  # noqa: E402


def first(path: Path) -> Record:
    (found,) = record.read(path)
    return found


def test_the_adapters_of_the_readme_have_records() -> None:
    names = {path.stem for path in FILES}
    assert names >= {"sxlit-cpu", "torch-cpu", "tensorflow-cpu", "jax-cpu"}


@EACH
def test_a_record_is_of_this_corpus_and_this_ledger(path: Path) -> None:
    """Else the book shows what was: run `nox -s conformance -- --write`."""
    header = first(path).header
    assert header["corpus"] == corpus.digest(corpus.load())
    assert header["ledger"] == ledger.digest(ledger.load())


@EACH
def test_a_record_is_complete_and_hides_nothing(path: Path) -> None:
    found = first(path)
    assert found.header["complete"]
    assert not found.footer["problems"]
    assert {v.cls for v in found.verdicts} <= {
        "pass",
        "known",
        "unsupported",
        "not offered",
    }


def test_sxlit_needs_no_deviation() -> None:
    found = first(ROOT / "conformance/sxlit_conformance/records/sxlit-cpu.jsonl")
    assert {verdict.cls for verdict in found.verdicts} == {"pass"}


def test_a_verdict_of_another_class_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = first(FILES[0])
    adapter = old.header["adapter"]
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    assert records.check(adapter, "cpu", old) == 1
    assert "no committed record" in capsys.readouterr().out
    record.write(records.committed(adapter, "cpu"), [old])
    assert records.check(adapter, "cpu", old) == 0
    changed = replace(old.verdicts[0], cls="fail")
    new = replace(old, verdicts=(changed, *old.verdicts[1:]))
    assert records.check(adapter, "cpu", new) == 1
    assert f"{changed.key}: pass in the committed" in capsys.readouterr().out
