"""Which tests check which statement of the book: counted, compared, kept.

A test says what it checks with `@pytest.mark.theorem("thm-softmax-error")`. A run over
everything compares what passed with `theorems.json`, which the book shows under each
theorem: `nox -s tests` fails where the two differ, and `nox -s tests -- --write` keeps
the new counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

KEPT = Path(__file__).parent / "theorems.json"
SHOWN = 10  # differences that are printed
Counts = Mapping[str, Mapping[str, int]]  # statement -> test -> passed cases


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--theorems",
        choices=("check", "write"),
        help="compare the checks of theorems with theorems.json, or keep them there",
    )


def pytest_configure(config: pytest.Config) -> None:
    wish = config.getoption("theorems")
    if wish and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Checks(wish), "theorems")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's reports carry the statements that it checks, from every worker."""
    for item in items:
        for mark in item.iter_markers("theorem"):
            item.user_properties += [("theorem", label) for label in mark.args]


class Checks:
    """Counts the passed cases of each test of each statement."""

    def __init__(self, wish: str) -> None:
        self.wish = wish
        self.counter: dict[str, Counter[str]] = {}
        self.faults: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            test = report.nodeid.partition("[")[0]
            for key, label in report.user_properties:
                if key == "theorem":
                    self.counter.setdefault(str(label), Counter())[test] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        counts = {
            label: dict(sorted(tests.items()))
            for label, tests in sorted(self.counter.items())
        }
        if self.wish == "write":
            KEPT.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
            return
        kept: Counts = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        self.faults = list(differences(kept, counts))
        if self.faults and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.faults:
            terminalreporter.section("checks of theorems")
            for line in self.faults[:SHOWN]:
                terminalreporter.line(line)
            terminalreporter.line(
                f"{len(self.faults)} differ from {KEPT.name}; where that is meant, "
                "keep them: nox -s tests -- --write"
            )


def differences(kept: Counts, found: Counts) -> Iterator[str]:
    """What two counts say differently, a line each."""
    for label in sorted(kept.keys() | found.keys()):
        before, now = kept.get(label, {}), found.get(label, {})
        for test in sorted(before.keys() | now.keys()):
            was, is_ = before.get(test, 0), now.get(test, 0)
            if was != is_:
                yield f"{label}: {test} passed {was} times when kept, {is_} times now"
