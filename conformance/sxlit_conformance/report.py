"""Records in, a page or data out: a pure function that knows no judge."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sxlit_conformance.model import Verdict
from sxlit_conformance.operations import OPERATIONS
from sxlit_conformance.record import Record

# The order in which a cell counts what is no pass, worst first.
_CLASSES = (
    "fail",
    "crashed",
    "timed out",
    "fixed",
    "known",
    "miss",
    "unsupported",
    "not offered",
    "not run",
)
_FAILING = ("fail", "crashed", "timed out", "fixed")

Cell = Callable[[Sequence[Verdict]], str]


def markdown(records: Sequence[Record]) -> str:
    """A MyST page: who ran where, the matrix, what deviates, and what was not run."""
    parts = [_environments(records)]
    for device, mode in _places(records):
        here = [
            (record, verdicts)
            for record in records
            if (verdicts := _of_place(record, device, mode))
        ]
        parts += [f"## Required of everybody: {device}, {mode}", _LEGEND]
        parts += [_matrix(here, lambda v: v.grade != "hra", _counts)]
        parts += ["Largest finite error, as a multiple of the allowed one:"]
        parts += [_matrix(here, lambda v: v.grade == "standard", _ratio)]
        parts += [_VACUITY, _matrix(here, lambda v: v.grade == "standard", _vacuity)]
        parts += [f"## High relative accuracy: {device}, {mode}"]
        parts += [_matrix(here, lambda v: v.grade == "hra", _counts)]
    targets: set[str] = set()
    for record in records:
        parts += _known(record, targets)
        parts += _open(record)
    return "\n\n".join(part for part in parts if part) + "\n"


def data(records: Sequence[Record]) -> str:
    """The same as JSON: every record, whole."""
    rows = [
        {
            "header": dict(record.header),
            "verdicts": [_plain(asdict(verdict)) for verdict in record.verdicts],
            "footer": dict(record.footer),
        }
        for record in records
    ]
    return json.dumps({"records": rows}, indent=1, sort_keys=True, allow_nan=False)


def number(value: float | None) -> str:
    """A measured number, short."""
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞"
    if value >= 10:
        return f"{value:.0f}" if value < 1e5 else f"{value:.1e}"
    return f"{value:.2g}"


_LEGEND = (
    "A plain number counts claims that hold. Deviations are counted by name: *known* "
    "stands below with its reason, *miss* is a promise that was not asked for, "
    "*unsupported* an option that the adapter does not take."
)

_VACUITY = (
    "Largest vacuity, the tolerance of a case over its largest certified value: at 1 "
    "zeros would pass, and the suite does not ask."
)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escaped(text: str) -> str:
    """Text that cannot end a table's cell or start markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _environments(records: Sequence[Record]) -> str:
    rows = []
    asked = {
        (record.header["adapter"], device)
        for record in records
        for device, _ in _places([record])
    }
    for record in records:
        header = record.header
        for place, where in header["environments"].items():
            machine = where["accelerator"] or where["processor"]
            software = [f"Python {where['python']}", f"NumPy {where['numpy']}"]
            software += [f"{name} {v}" for name, v in where["companions"].items()]
            rows.append(
                (
                    escaped(f"{header['adapter']} {header['version']}"),
                    escaped(place),
                    escaped(f"{machine}, {where['platform']}"),
                    escaped(", ".join(software)),
                    header["date"][:10],
                )
            )
        ran = {tuple(place.split("/", 1)) for place in header["environments"]}
        for device, mode in _places([record]):
            if (device, mode) not in ran:
                place = escaped(f"{device}/{mode}")
                rows.append((escaped(header["adapter"]), place, "**not run**", "", ""))
        # A device that the adapter offers, and that no record was made on.
        for device in header["declared"]["devices"]:
            if (header["adapter"], device) not in asked:
                name = escaped(header["adapter"])
                rows.append((name, escaped(device), "**not run**", "", ""))
    return _table(("adapter", "device/mode", "machine", "software", "date"), rows)


def _places(records: Sequence[Record]) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys((v.device, v.mode) for record in records for v in record.verdicts)
    )


def _of_place(record: Record, device: str, mode: str) -> list[Verdict]:
    return [v for v in record.verdicts if (v.device, v.mode) == (device, mode)]


def _matrix(
    here: Sequence[tuple[Record, Sequence[Verdict]]],
    keep: Callable[[Verdict], bool],
    cell: Cell,
) -> str:
    groups: dict[tuple[str, str, int], list[Verdict]] = defaultdict(list)
    for column, (_, verdicts) in enumerate(here):
        for verdict in filter(keep, verdicts):
            groups[verdict.operation, verdict.dtype, column].append(verdict)
    dtypes = sorted({dtype for _, dtype, _ in groups})
    rows = []
    for operation in OPERATIONS:
        for dtype in dtypes:
            found = [
                groups.get((operation, dtype, column), [])
                for column in range(len(here))
            ]
            if any(found):
                cells = [cell(verdicts) if verdicts else "–" for verdicts in found]
                rows.append((f"`{operation}`", dtype, *cells))
    if not rows:
        return ""
    names = [escaped(record.header["adapter"]) for record, _ in here]
    return _table(("operation", "dtype", *names), rows)


def _counts(verdicts: Sequence[Verdict]) -> str:
    counts: Counter[str] = Counter(verdict.cls for verdict in verdicts)
    words = [f"{counts[cls]} {cls}" for cls in _CLASSES if counts[cls]]
    if len(counts) == 1 and words and verdicts[0].cls in ("not offered", "not run"):
        return verdicts[0].cls
    passed = [str(counts["pass"])] if counts["pass"] else []
    bold = [f"**{w}**" if w.split(" ", 1)[1] in _FAILING else w for w in words]
    return ", ".join(passed + bold)


def _ratio(verdicts: Sequence[Verdict]) -> str:
    ratios = [verdict.ratio for verdict in verdicts if verdict.ratio is not None]
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    return number(max(finite)) if finite else "–"


def _vacuity(verdicts: Sequence[Verdict]) -> str:
    measured = [v.vacuity for v in verdicts if v.vacuity is not None]
    return number(max(measured)) if measured else "–"


def _known(record: Record, targets: set[str]) -> list[str]:
    """The entries that were met; the first place of each is what pages link to."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in record.verdicts:
        if verdict.cls == "known":
            groups[verdict.ledger].append(verdict)
    if not groups:
        return []
    parts = [f"## Known deviations of {escaped(record.header['adapter'])}"]
    for name, verdicts in sorted(groups.items()):
        entry = record.footer["deviations"][name]
        issue = entry["issue"]
        short = issue.removeprefix("https://github.com/").replace("/issues/", "#")
        link = f" ([{escaped(short)}]({issue}))" if issue else ""
        example = max(verdicts, key=lambda verdict: verdict.ratio or 0.0)
        count = f"{len(verdicts)} claim" + "s" * (len(verdicts) > 1)
        parts += [] if name in targets else [f"(known-{name})="]
        targets.add(name)
        parts += [f"**{name}**, {count}: {escaped(entry['reason'])}{link}"]
        parts += [f"> `{example.case}`, {example.dtype}: {_measured(example)}."]
        parts += [f"```text\n{_repro(record, example)}\n```"]
    return parts


def _repro(record: Record, verdict: Verdict) -> str:
    """The command that prints a program which shows this deviation."""
    grade = "" if verdict.grade == "contract" else f" --grade {verdict.grade}"
    asked = f"{verdict.case} {record.header['adapter']} --dtype {verdict.dtype}{grade}"
    return f"sxlit-conformance repro {asked}"


def _measured(verdict: Verdict) -> str:
    if verdict.worst is None:
        return escaped(f"{verdict.outcome}: {verdict.reason or verdict.message}")
    observed = float.fromhex(verdict.worst.observed)
    certified = float.fromhex(verdict.worst.reference)
    short, exact = f"{observed:.8g}", f"{certified:.8g}"
    if short == exact:
        short, exact = f"{observed:.17g}", f"{certified:.17g}"
    text = f"{short}, certified {exact}"
    if verdict.ratio is not None and math.isfinite(verdict.ratio):
        text += f"; {number(verdict.ratio)} times the allowed error"
    return text


def _open(record: Record) -> list[str]:
    """What a reader must not take for agreement: failures, and what was not run."""
    name = escaped(record.header["adapter"])
    rows = [
        (f"`{v.key}`", f"**{v.cls}**: {escaped(v.outcome)}", _measured(v))
        for v in record.verdicts
        if v.cls in _FAILING
    ]
    parts = []
    if rows:
        parts += [f"## {name} does not conform"]
        parts += [_table(("claim", "verdict", "what was seen"), rows)]
    idle = Counter(
        (v.device, v.mode, v.reason) for v in record.verdicts if v.cls == "not run"
    )
    for (device, mode, reason), count in idle.items():
        parts.append(f"{name}, {device}, {mode}: {count} not run: {escaped(reason)}")
    problems = record.footer["problems"]
    return [*parts, "\n".join(f"- {escaped(problem)}" for problem in problems)]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity."""
    return {
        key: "inf" if isinstance(value, float) and math.isinf(value) else value
        for key, value in row.items()
    }
