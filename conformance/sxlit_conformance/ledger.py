"""Known deviations: what may fail, why, and that it still does."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from sxlit_conformance.model import Verdict

OUTCOMES = (
    "wrong number",
    "nan",
    "zero",
    "+inf",
    "-inf",
    "empty",
    "raises",
    "wrong shape",
    "wrong dtype",
    "mutated input",
    "crashed",
    "timed out",
)
FAILING = ("fail", "miss", "crashed", "timed out")

# A wrong number that is nearer than this to what is allowed may be right on another
# processor, so its entry has to name the platform.
MARGIN = 2.0

_REQUIRED = {"id", "adapter", "versions", "cases", "expect", "reason"}
_LISTS = {"cases", "expect", "devices", "dtypes", "modes", "grades"}
_TEXTS = {"id", "adapter", "versions", "reason", "issue", "platform"}


class LedgerError(Exception):
    """An entry that cannot be read; the message names its file and its id."""


@dataclass(frozen=True)
class Deviation:
    """One entry; an empty tuple of devices, dtypes, modes or grades means any.

    A pattern of `cases` is a glob over case ids, or, with an @, over CASE@DTYPE/GRADE.
    """

    id: str
    adapter: str
    versions: str
    cases: tuple[str, ...]
    expect: tuple[str, ...]
    reason: str
    issue: str = ""
    devices: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    platform: str = ""
    margin: float = MARGIN

    def matches(self, verdict: Verdict) -> bool:
        """Whether this entry speaks of the verdict's claim."""
        narrow = f"{verdict.case}@{verdict.dtype}/{verdict.grade}"
        return (
            any(
                fnmatchcase(narrow if "@" in pattern else verdict.case, pattern)
                for pattern in self.cases
            )
            and verdict.device in (self.devices or (verdict.device,))
            and verdict.dtype in (self.dtypes or (verdict.dtype,))
            and verdict.mode in (self.modes or (verdict.mode,))
            and verdict.grade in (self.grades or (verdict.grade,))
        )


@dataclass(frozen=True)
class Settled:
    """Verdicts after the ledger, and what is wrong with the ledger itself."""

    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...]
    ignored: tuple[str, ...]  # entries for another version or platform
    used: tuple[Deviation, ...]


def load(folder: Traversable | None = None) -> tuple[Deviation, ...]:
    """All entries of a folder, in the order of files and then of their file."""
    folder = resources.files(__package__) / "ledger" if folder is None else folder
    if not folder.is_dir():
        return ()
    files = {entry.name: entry for entry in folder.iterdir()}
    entries: list[Deviation] = []
    for name in sorted(files):
        if name.endswith(".toml"):
            entries += _read(name, files[name].read_text("utf-8"))
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise LedgerError(f"ledger: {entry.id}: stands there twice")
        seen.add(entry.id)
    return tuple(entries)


def digest(entries: Sequence[Deviation]) -> str:
    """A hash of all entries, whatever their order."""
    rows = sorted((vars(entry) for entry in entries), key=lambda row: str(row["id"]))
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def settle(
    verdicts: Sequence[Verdict],
    entries: Sequence[Deviation],
    *,
    adapter: str,
    version: str,
    platform: str,
    complete: bool,
) -> Settled:
    """Turn what is known from fail into known, and what no longer fails into fixed.

    On a complete plan an entry that speaks of none of its claims is a problem too.
    """
    problems: list[str] = []
    own = [entry for entry in entries if entry.adapter == adapter]
    active = [entry for entry in own if _applies(entry, version, platform)]
    met: dict[str, int] = dict.fromkeys((entry.id for entry in active), 0)
    used: dict[str, Deviation] = {}
    settled: list[Verdict] = []
    for verdict in verdicts:
        speaking = [entry for entry in active if entry.matches(verdict)]
        for entry in speaking:
            met[entry.id] += 1
        if len(speaking) > 1:
            names = ", ".join(entry.id for entry in speaking)
            problems.append(f"ledger: {verdict.key}: more than one entry: {names}")
        elif speaking:
            entry = speaking[0]
            verdict = _settled(verdict, entry)
            if verdict.cls in ("known", "fixed"):
                used[entry.id] = entry
            if verdict.cls == "known" and _close(verdict, entry):
                problems.append(
                    f"ledger: {entry.id}: {verdict.key} is off by only "
                    f"{verdict.ratio:.3g} times the allowed error, which another "
                    "processor may not be: name the platform"
                )
        settled.append(verdict)
    if complete:
        for entry in active:
            if not met[entry.id] and _was_asked(entry, verdicts):
                problems.append(f"ledger: {entry.id}: matches no claim")
    return Settled(
        verdicts=tuple(settled),
        problems=tuple(problems),
        ignored=tuple(entry.id for entry in own if entry not in active),
        used=tuple(used.values()),
    )


def _settled(verdict: Verdict, entry: Deviation) -> Verdict:
    if verdict.cls == "pass":
        reason = f"{entry.id} says that this fails, and it passes: shorten the entry"
        return replace(verdict, cls="fixed", ledger=entry.id, reason=reason)
    if verdict.cls not in FAILING:
        return verdict
    if verdict.outcome not in entry.expect:
        known = f"{entry.id} expects {', '.join(entry.expect)}"
        reason = f"{verdict.reason}; {known}" if verdict.reason else known
        return replace(verdict, reason=reason)
    return replace(verdict, cls="known", ledger=entry.id)


def _close(verdict: Verdict, entry: Deviation) -> bool:
    return (
        verdict.ratio is not None
        and verdict.ratio < entry.margin
        and not entry.platform
    )


def _applies(entry: Deviation, version: str, platform: str) -> bool:
    if entry.platform and not fnmatchcase(platform, entry.platform):
        return False
    try:
        number = Version(version)
    except InvalidVersion:
        return not entry.versions  # no version, no range that could hold it
    return SpecifierSet(entry.versions, prereleases=True).contains(number)


def _was_asked(entry: Deviation, verdicts: Sequence[Verdict]) -> bool:
    """Whether the run went to a device and a mode that the entry is about."""
    return any(
        verdict.device in (entry.devices or (verdict.device,))
        and verdict.mode in (entry.modes or (verdict.mode,))
        for verdict in verdicts
    )


def _read(file: str, text: str) -> list[Deviation]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"{file}: {error}") from error
    if set(document) - {"deviation"}:
        raise LedgerError(f"{file}: expected [[deviation]] tables and nothing else")
    return [_entry(file, table) for table in document.get("deviation", [])]


def _entry(file: str, table: Mapping[str, Any]) -> Deviation:
    where = f"{file}: {table.get('id', 'an entry without id')}"
    if missing := _REQUIRED - set(table):
        raise LedgerError(f"{where}: {', '.join(sorted(missing))} missing")
    if unknown := set(table) - _LISTS - _TEXTS - {"margin"}:
        raise LedgerError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    for key in _TEXTS & set(table):
        value = table[key]
        if not isinstance(value, str) or (key in _REQUIRED and not value.strip()):
            raise LedgerError(f"{where}: {key}: expected some text")
    for key in _LISTS & set(table):
        value = table[key]
        if not isinstance(value, list) or not value or len(set(value)) != len(value):
            raise LedgerError(f"{where}: {key}: expected a list of different words")
    for outcome in table["expect"]:
        if outcome not in OUTCOMES:
            raise LedgerError(
                f"{where}: expect: {outcome!r} is not one of {', '.join(OUTCOMES)}"
            )
    margin = table.get("margin", MARGIN)
    if type(margin) not in (int, float) or margin < 1:
        raise LedgerError(f"{where}: margin: expected a number from 1 on")
    try:
        SpecifierSet(table["versions"])
    except InvalidSpecifier as error:
        raise LedgerError(f"{where}: versions: {error}") from error
    row: dict[str, Any] = {
        key: tuple(value) if key in _LISTS else value for key, value in table.items()
    }
    return Deviation(**{**row, "margin": float(margin)})
