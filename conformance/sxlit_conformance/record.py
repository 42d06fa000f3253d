"""Records: a header, one line for each verdict, a footer; anything else is refused.

A file holds one such segment for each adapter that ran.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from sxlit_conformance.model import Verdict, Worst

RECORD = 2  # the version of this format

_MEASURED = ("error_ulp", "allowed_ulp", "ratio", "vacuity")
_FIELDS = {field.name for field in fields(Verdict)}


Refuse = Callable[[str], NoReturn]


class RecordError(Exception):
    """A record that cannot be written or believed; the message is one line."""


@dataclass(frozen=True)
class Record:
    """What one adapter's run left behind."""

    header: Mapping[str, Any]
    verdicts: tuple[Verdict, ...]
    footer: Mapping[str, Any]


def make(
    header: Mapping[str, Any], verdicts: Sequence[Verdict], footer: Mapping[str, Any]
) -> Record:
    """A record of a run: the header must plan as many claims as there are verdicts."""
    if header["planned"] != len(verdicts):
        raise RecordError(
            f"{header['adapter']}: {header['planned']} claims were planned and "
            f"{len(verdicts)} have a verdict"
        )
    classes = dict(sorted(Counter(verdict.cls for verdict in verdicts).items()))
    return Record(
        {"record": RECORD, **header},
        tuple(verdicts),
        {"count": len(verdicts), "classes": classes, **footer},
    )


def dumps(record: Record) -> bytes:
    """The lines of one segment; the footer holds a hash of those before it."""
    rows = [{"header": dict(record.header)}]
    rows += [{"verdict": _row(verdict)} for verdict in record.verdicts]
    body = b"".join(_line(row) for row in rows)
    footer = {**record.footer, "sha256": hashlib.sha256(body).hexdigest()}
    return body + _line({"footer": footer})


def loads(data: bytes, name: str) -> tuple[Record, ...]:
    """The records of a file; `name` is for the messages."""
    records: list[Record] = []
    header: Mapping[str, Any] | None = None
    verdicts: list[Verdict] = []
    body, at = b"", 0

    def refuse(problem: str) -> NoReturn:
        raise RecordError(f"{name}:{at}: {problem}")

    for at, line in enumerate(data.splitlines(keepends=True), 1):  # noqa: B007
        try:
            row = json.loads(line)
            ((kind, content),) = row.items()
        except (ValueError, AttributeError):
            refuse("expected one of header, verdict and footer as a JSON object")
        if kind == "header":
            if header is not None:
                refuse("a header inside a record: the one before has no footer")
            if content.get("record") != RECORD:
                refuse(f"record version {content.get('record')!r}, expected {RECORD}")
            header, verdicts, body = content, [], line
        elif header is None:
            refuse(f"a {kind} before any header")
        elif kind == "verdict":
            verdicts.append(_verdict(content, refuse))
            body += line
        elif kind == "footer":
            _check(header, verdicts, content, body, refuse)
            records.append(Record(header, tuple(verdicts), content))
            header = None
        else:
            refuse(f"a line of the unknown kind {kind!r}")
    if header is not None:
        refuse("the record ends without its footer")
    if not records:
        refuse("there is no record in this file")
    return tuple(records)


def read(path: str | Path) -> tuple[Record, ...]:
    """The records of a file, or a RecordError that says what is wrong with it."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    return loads(data, str(path))


def check_writable(path: str | Path) -> None:
    """Refuse, before anything runs, a path that could not be written after it."""
    target = Path(path)
    if target.is_dir():
        raise RecordError(f"cannot write the record {path}: it is a directory")
    if target.exists() and not target.is_file():  # a device would be replaced
        raise RecordError(f"cannot write the record {path}: it is no regular file")
    if target.exists() and not os.access(target, os.W_OK):
        raise RecordError(f"cannot write the record {path}: it is write-protected")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".record-")
    except OSError as error:
        raise RecordError(
            f"cannot write the record {path}: {error.strerror}"
        ) from error
    os.close(handle)
    os.unlink(name)


def write(path: str | Path, records: Sequence[Record]) -> None:
    """Write the records as one file, whole or not at all."""
    check_writable(path)
    target = Path(path)
    data = b"".join(dumps(record) for record in records)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".record-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, 0o644)  # mkstemp lets nobody else read
            os.replace(name, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise RecordError(
            f"cannot write the record {path}: {error.strerror}"
        ) from error


def _line(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.encode() + b"\n"


def _row(verdict: Verdict) -> dict[str, Any]:
    row = asdict(verdict)
    for key in _MEASURED:
        value = row[key]
        # Four digits are what a reader can use; JSON has no infinity.
        if value is not None:
            row[key] = float(f"{value:.4g}") if math.isfinite(value) else "inf"
    row["seconds"] = float(f"{verdict.seconds:.2g}")
    # What says nothing is left out; committed records are large enough.
    return {key: value for key, value in row.items() if value not in ("", None)}


def _verdict(row: Any, refuse: Refuse) -> Verdict:
    if not isinstance(row, dict) or set(row) - _FIELDS:
        refuse("a verdict with unknown fields")
    row = dict(row)
    for key in _MEASURED:
        if row.get(key) == "inf":
            row[key] = math.inf
    if worst := row.get("worst"):
        row["worst"] = Worst(
            tuple(worst["index"]), worst["observed"], worst["reference"]
        )
    try:
        return Verdict(**row)
    except TypeError as error:
        refuse(f"a verdict with missing fields: {error}")


def _check(
    header: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    footer: Mapping[str, Any],
    body: bytes,
    refuse: Refuse,
) -> None:
    count, planned = footer.get("count"), header.get("planned")
    if count != len(verdicts):
        refuse(f"the footer counts {count} verdicts, and there are {len(verdicts)}")
    if planned != len(verdicts):
        refuse(f"{planned} claims were planned, and there are {len(verdicts)} verdicts")
    if len({verdict.key for verdict in verdicts}) != len(verdicts):
        refuse("a claim has two verdicts")
    if footer.get("classes") != Counter(verdict.cls for verdict in verdicts):
        refuse("the footer's counts per class are not those of the verdicts")
    if footer.get("sha256") != hashlib.sha256(body).hexdigest():
        refuse("a line was changed after the record was written")
