"""What each framework means: the table of the survey, a pure function of records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sxlit_conformance.model import Verdict
from sxlit_conformance.record import Record
from sxlit_conformance.report import escaped

_SILENT = ("unsupported", "not offered", "not run")
_LOST = ("crashed", "timed out")
_WORDS = {"nan": "NaN"}


@dataclass(frozen=True)
class Cell:
    """What one adapter does, in a word, and the case that found it out."""

    adapter: str
    word: str
    case: str

    @property
    def answered(self) -> bool:
        return self.word not in _SILENT


@dataclass(frozen=True)
class Row:
    """One question of a topic, and a cell for each adapter."""

    topic: str
    question: str
    case: str
    cells: tuple[Cell, ...]


def rows(records: Sequence[Record]) -> tuple[Row, ...]:
    """The table: questions by topic in the order of asking, adapters as recorded."""
    adapters = list(dict.fromkeys(str(r.header["adapter"]) for r in records))
    asked: dict[str, tuple[str, str]] = {}
    found: dict[tuple[str, str], list[Verdict]] = {}
    for record in records:
        for verdict in record.verdicts:
            if verdict.topic:
                asked.setdefault(verdict.case, (verdict.topic, verdict.question))
                key = verdict.case, str(record.header["adapter"])
                found.setdefault(key, []).append(verdict)
    topics = list(dict.fromkeys(topic for topic, _ in asked.values()))
    table = [
        Row(
            topic,
            question,
            case,
            tuple(Cell(a, _word(found.get((case, a), [])), case) for a in adapters),
        )
        for case, (topic, question) in asked.items()
    ]
    return tuple(sorted(table, key=lambda row: topics.index(row.topic)))


def markdown(records: Sequence[Record]) -> str:
    """A table for each topic, and how to see each column's answers for oneself."""
    table = rows(records)
    parts = []
    for topic in dict.fromkeys(row.topic for row in table):
        parts += _topic(topic, [row for row in table if row.topic == topic])
    return "\n\n".join(parts) + "\n" if parts else ""


def data(records: Sequence[Record]) -> str:
    """The same as JSON."""
    return json.dumps([asdict(row) for row in rows(records)], indent=1)


def _word(verdicts: Sequence[Verdict]) -> str:
    """One word where all devices, modes and dtypes agree, else each with its place."""
    words: dict[str, list[str]] = {}
    for verdict in verdicts:
        said = verdict.cls if verdict.cls in (*_SILENT, *_LOST) else verdict.outcome
        said = _WORDS.get(said, said)
        if verdict.cls == "fail":
            said = f"**{said}**"
        words.setdefault(said, []).append(f"{verdict.device}, {verdict.mode}")
    if len(words) > 1:
        words.pop("not run", None)
    if len(words) > 1:
        return "; ".join(f"{w} ({', '.join(places)})" for w, places in words.items())
    return next(iter(words), "not run")


def _topic(topic: str, table: Sequence[Row]) -> list[str]:
    """Columns for who answers anything; who does not is named below."""
    adapters = [cell.adapter for cell in table[0].cells]
    columns = [
        index
        for index in range(len(adapters))
        if any(row.cells[index].answered for row in table)
    ]
    names = [escaped(adapters[index]) for index in columns]
    head = [topic[:1].upper() + topic[1:], *names]
    lines = [head, ["---"] * len(head)]
    for row in table:
        cells = [escaped(row.cells[index].word) for index in columns]
        lines.append([f"{row.question} `{row.case}`", *cells])
    parts = ["\n".join("| " + " | ".join(line) + " |" for line in lines)]
    silent: dict[str, list[str]] = {}
    for index, adapter in enumerate(adapters):
        if index not in columns:
            words = dict.fromkeys(row.cells[index].word for row in table)
            silent.setdefault(" or ".join(words), []).append(escaped(adapter))
    if silent:
        said = (f"{', '.join(names)}: {words}" for words, names in silent.items())
        parts.append("; ".join(said) + ".")
    commands = [
        f"sxlit-conformance repro {next(r.case for r in table if r.cells[i].answered)} "
        f"{adapters[i]}"
        for i in columns
    ]
    return [*parts, "```text\n" + "\n".join(commands) + "\n```"]
