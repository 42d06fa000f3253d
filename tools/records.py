"""Run adapters, and hold what came to the records that the book's matrix is built from.

    python tools/records.py [--device cpu] [--jobs N] [--write] ADAPTER ...

Fails where an adapter does not conform, and where the class of a verdict is not the
committed one. With --write the new records take the place of the committed ones, whole,
once all adapters have run; what does not conform is never kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sxlit_conformance import cli, record
from sxlit_conformance.record import Record

RECORDS = Path(__file__).parent.parent / "conformance/sxlit_conformance/records"
SHOWN = 10  # differences that are printed


def committed(adapter: str, device: str) -> Path:
    """Where the record of an adapter on a device is kept."""
    return RECORDS / f"{adapter}-{device}.jsonl"


def differences(old: Record, new: Record) -> Iterator[str]:
    """What two records say differently about the same claims, a line each."""
    before = {verdict.key: verdict.cls for verdict in old.verdicts}
    after = {verdict.key: verdict.cls for verdict in new.verdicts}
    for key in before.keys() | after.keys():
        was, now = before.get(key, "not asked"), after.get(key, "not asked")
        if was != now:
            yield f"{key}: {was} in the committed record, {now} now"


def check(adapter: str, device: str, new: Record) -> int:
    """Return 0 if the new record agrees with the committed one, else say why not."""
    path = committed(adapter, device)
    if not path.exists():
        print(f"{adapter}: no committed record {path.name}; keep one with `-- --write`")
        return 1
    (old,) = record.read(path)
    found = sorted(differences(old, new))
    for line in found[:SHOWN]:
        print(f"  {line}")
    if found:
        print(f"{adapter}: {len(found)} verdicts differ from {path.name}")
        return 1
    print(f"{adapter}: all {len(new.verdicts)} verdicts are those of {path.name}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run, then compare or keep; the exit status is the worst of all adapters."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("adapters", nargs="+", metavar="ADAPTER")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", default="1", help="workers of an adapter at once")
    parser.add_argument("--write", action="store_true", help="keep the new records")
    options = parser.parse_args(argv)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for adapter in options.adapters:
            out = Path(folder) / f"{adapter}.jsonl"
            asked = ["--grade", "hra", "--device", options.device]
            asked += ["--jobs", options.jobs]
            code = cli.main(["run", adapter, *asked, "--record", str(out)])
            status = max(status, code)
            if code == 0:
                (made[adapter],) = record.read(out)
        if options.write and status == 0:
            RECORDS.mkdir(exist_ok=True)
            for adapter, new in made.items():
                record.write(committed(adapter, options.device), [new])
                print(f"{adapter}: kept {committed(adapter, options.device).name}")
        elif not options.write:
            for adapter, new in made.items():
                status = max(status, check(adapter, options.device, new))
    return status


if __name__ == "__main__":
    sys.exit(main())
