"""What checks which theorem: counted from marked tests and from the suite's records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sxlit_conformance import record

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "conformance/sxlit_conformance/records"
sys.path.insert(0, str(ROOT / "tools"))

import checks  # noqa: E402

TESTS = """
import pytest

@pytest.mark.theorem("thm-a", "lem-b")
@pytest.mark.parametrize("number", [1, 2])
def test_two(number):
    assert number

@pytest.mark.theorem("thm-a")
def test_one():
    assert OUTCOME
"""
SETTINGS = "[pytest]\nmarkers = theorem(*labels): checks\n"


def pytest_in(folder: Path, wish: str, tests: str) -> subprocess.CompletedProcess[str]:
    """Run marked tests beside a copy of this project's conftest."""
    conftest = (ROOT / "tests" / "conftest.py").read_text("utf-8")
    files = {"conftest.py": conftest, "pytest.ini": SETTINGS, "test_it.py": tests}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--theorems={wish}", "."],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_marked_tests_are_counted_and_kept(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "write", TESTS.replace("OUTCOME", "True"))
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / "theorems.json").read_text("utf-8")) == {
        "lem-b": {"test_it.py::test_two": 2},
        "thm-a": {"test_it.py::test_one": 1, "test_it.py::test_two": 2},
    }


def test_a_run_that_checks_less_fails(tmp_path: Path) -> None:
    good = TESTS.replace("OUTCOME", "True")
    pytest_in(tmp_path, "write", good)
    assert pytest_in(tmp_path, "check", good).returncode == 0
    done = pytest_in(tmp_path, "check", good.replace("[1, 2]", "[1]"))
    assert done.returncode == 1
    assert "thm-a: test_it.py::test_two passed 2 times when kept, 1 times now" in (
        done.stdout
    )
    assert "nox -s tests -- --write" in done.stdout


def test_a_test_that_fails_checks_nothing(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "write", TESTS.replace("OUTCOME", "False"))
    assert done.returncode == 1
    kept = json.loads((tmp_path / "theorems.json").read_text("utf-8"))
    assert kept["thm-a"] == {"test_it.py::test_two": 2}


def test_the_suite_counts_by_adapter() -> None:
    (sxlit,) = record.read(RECORDS / "sxlit-cpu.jsonl")
    (naive,) = record.read(RECORDS / "numpy-naive-cpu.jsonl")
    counts = checks.suite([sxlit, naive])["thm-softmax-error"]
    held, asked = counts["sxlit"]
    assert held == asked > 100
    held, asked = counts["numpy-naive"]
    assert 0 < held < asked


def test_both_sources_are_merged() -> None:
    merged = checks.merged({"thm-a": {"t": 1}}, {"thm-b": {"sxlit": [3, 4]}})
    assert merged == {
        "thm-a": {"tests": {"t": 1}, "suite": {}},
        "thm-b": {"tests": {}, "suite": {"sxlit": [3, 4]}},
    }
