"""Who returns 0: the tables of chapter 12b, from the ladders and the records.

Pure functions of what is committed, so that the page cannot say what is not so:
`book/_ladder/*.json` (tools/ladder.py) has the answers, the records have the verdicts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sxlit_conformance.model import Verdict
from sxlit_conformance.record import Record
from sxlit_conformance.report import escaped, number

Ladder = Mapping[str, Any]
# By adapter, device, case, dtype and grade.
Verdicts = Mapping[tuple[str, str, str, str, str], Verdict]

# In the order of the page; another adapter with a ladder comes after these.
NAMES = {
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "scipy": "SciPy",
    "numpy-naive": "the textbook form",
    "sxlit": "sxlit",
    "sxlit-fast": "sxlit.fast",
}
# Reported elsewhere, of adapters that the ledger does not speak of.
ISSUES = {"scipy": "[scipy#19521](https://github.com/scipy/scipy/issues/19521)"}
# The exponent of the smallest positive number of a format.
SMALLEST = {"float16": -24, "bfloat16": -133, "float32": -149, "float64": -1074}
ROW = "20"  # the gap of the page's row
GRADED = ("5", "10", "20")
NOISE = ("gap-20-over-noise", "gap-20-over-noise-column")


def ladders(folder: Path) -> list[Ladder]:
    """The committed ladders, in the order of the page."""
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    order = list(NAMES)

    def place(ladder: Ladder) -> tuple[int, str, str]:
        name = ladder["adapter"]
        known = order.index(name) if name in order else len(order)
        return known, name, ladder["device"]

    return sorted(found, key=place)


def pages(found: Sequence[Ladder], records: Iterable[Record], folder: Path) -> str:
    """Sections that the chapter includes piece by piece, between comments."""
    verdicts: Verdicts = {
        (str(record.header["adapter"]), v.device, v.case, v.dtype, v.grade): v
        for record in records
        for v in record.verdicts
    }
    parts = {
        "answers": answers(found, verdicts),
        "first": first(found),
        "binary": first(found, "binary_cross_entropy"),
        "grades": grades(found, verdicts),
        "noise": noise(found, verdicts),
        "programs": programs(found, folder),
    }
    return "".join(
        f"<!-- {name} -->\n\n{text}\n\n<!-- end of {name} -->\n\n"
        for name, text in parts.items()
    )


def answers(found: Sequence[Ladder], verdicts: Verdicts) -> str:
    """What everybody answers to [20, 0, 0] in float32, and under which entry."""
    (truth,) = {exact(v) for _, v in _cases(verdicts, "cross_entropy")}
    # The gradient at the label is p - 1, and p is e^-loss.
    rows = [("*exactly*", _short(truth), _short(math.expm1(-truth)), "0", "")]
    for ladder in found:
        value = _answer(ladder, "cross_entropy", "float32", ROW)
        slope = _answer(ladder, "cross_entropy_grad", "float32", ROW)
        entries = {
            v.ledger
            for operation in ("cross_entropy", "cross_entropy_grad")
            for key, v in _cases(verdicts, operation)
            if key[:2] == (ladder["adapter"], ladder["device"]) and v.ledger
        }
        links = [f"{{ref}}`{entry} <known-{entry}>`" for entry in sorted(entries)]
        links += [ISSUES[ladder["adapter"]]] if ladder["adapter"] in ISSUES else []
        numbers = (_bold(value[0]), _bold(slope[0]), _short(sum(slope)))
        rows.append((who(ladder), *numbers, ", ".join(links)))
    head = ("", "loss", "gradient, label", "gradient, sum", "known as")
    return _table(head, rows)


def first(found: Sequence[Ladder], operation: str = "cross_entropy") -> str:
    """From which rung on the loss / the gradient at the label is 0."""
    dtypes = [
        dtype
        for dtype in SMALLEST
        if any(dtype in ladder["answers"].get(operation, {}) for ladder in found)
    ]
    rows = []
    for ladder in found:
        if operation in ladder["answers"]:
            cells = [
                " / ".join(
                    _lost(ladder, name, dtype)
                    for name in (operation, f"{operation}_grad")
                )
                for dtype in dtypes
            ]
            rows.append((who(ladder), *cells))
    others = 1 if operation.startswith("binary") else 2
    # others * e^-gap is at most half of the smallest number, and rounds to 0.
    due = [
        math.ceil((1 - SMALLEST[dtype]) * math.log(2) + math.log(others))
        for dtype in dtypes
    ]
    rows.append(("*no format needs it before*", *map(str, due)))
    return _table(("loss / gradient", *dtypes), rows)


def grades(found: Sequence[Ladder], verdicts: Verdicts) -> str:
    """Error over allowed error of the loss, in both grades."""
    dtypes = sorted({key[3] for key in verdicts if key[2].startswith("cross_entropy/")})
    rows = []
    for ladder in found:
        for dtype in dtypes:
            cells = []
            for gap in GRADED:
                case = f"cross_entropy/gap-{gap}-at-label"
                for grade in ("standard", "hra"):
                    place = ladder["adapter"], ladder["device"], case, dtype, grade
                    ratio = verdicts[place].ratio if place in verdicts else None
                    text = "–" if ratio is None else number(ratio)
                    cells.append(f"**{text}**" if ratio and ratio > 1 else text)
            if set(cells) != {"–"}:
                rows.append((who(ladder), dtype, *cells))
    kinds = ("standard", "hra") * len(GRADED)
    head = [f"{g}, {kind}" for g, kind in zip(sorted(GRADED * 2, key=int), kinds)]  # noqa: B905
    return _table(("", "dtype", *head), rows)


def noise(found: Sequence[Ladder], verdicts: Verdicts) -> str:
    """The label 20 ahead of many classes: how far off the loss is."""
    rows = []
    for case in NOISE:
        asked = f"cross_entropy/{case}"
        known = [v for key, v in verdicts.items() if key[2:4] == (asked, "float32")]
        truth = next(exact(v) for v in known)
        shape = "1,000 classes along axis 1" if "column" in case else "131,072 classes"
        for ladder in found:
            v = verdicts.get(
                (ladder["adapter"], ladder["device"], asked, "float32", "hra")
            )
            if v is not None and v.worst is not None:
                value = float.fromhex(v.worst.observed)
                off = f"{100 * (value / truth - 1):+.2g}\u00a0%"
                numbers = (f"{value:.5g}", f"{truth:.5g}", off)
                rows.append((shape, who(ladder), *map(_unbroken, numbers)))
    return _table(("", "", "loss", "exact", "off by"), rows)


def programs(found: Sequence[Ladder], folder: Path) -> str:
    """The few lines to ask with, and what they printed."""
    tabs = []
    for ladder in found:
        name = ladder["adapter"]
        program = (folder / f"ask_{name.replace('-', '_')}.py").read_text("utf-8")
        code = f"```python\n{program.strip()}\n```"
        output = f"```text\n{ladder['prints']}\n```"
        title = f"````{{tab-item}} {NAMES.get(name, name)}"
        tabs.append(f"{title}\n{code}\n\n{output}\n````")
    return "\n".join(["`````{tab-set}", *tabs, "`````"])


def exact(verdict: Verdict) -> float:
    """The certified value of a case with one element."""
    assert verdict.worst is not None
    return float.fromhex(verdict.worst.reference)


def who(ladder: Ladder) -> str:
    """The adapter, its version, and the device where it is no CPU."""
    name = NAMES.get(str(ladder["adapter"]), str(ladder["adapter"]))
    if ladder["adapter"] == "numpy-naive":
        name += ", NumPy"
    words = [f"{name} {ladder['version'].partition('+')[0]}"]
    words += [f"{other} {version}" for other, version in ladder["companions"].items()]
    words += [] if ladder["device"] == "cpu" else [ladder["device"]]
    return escaped(", ".join(words))


def _cases(
    verdicts: Verdicts, operation: str
) -> list[tuple[tuple[str, str, str, str, str], Verdict]]:
    asked = (f"{operation}/gap-{ROW}-at-label", "float32", "hra")
    return [(key, v) for key, v in verdicts.items() if key[2:] == asked]


def _answer(ladder: Ladder, operation: str, dtype: str, gap: str) -> list[float]:
    bits = ladder["answers"][operation][dtype][gap]
    return [float.fromhex(word) for word in bits]


def _lost(ladder: Ladder, operation: str, dtype: str) -> str:
    rungs = ladder["answers"].get(operation, {}).get(dtype)
    if rungs is None:
        return "–"
    for gap in rungs:
        value = _answer(ladder, operation, dtype, gap)[0]
        if not value:
            return str(gap)
        if math.isnan(value):
            return f"{gap} (NaN)"
    return "never"


def _bold(value: float) -> str:
    return _short(value) if value else "**0**"


def _short(value: float) -> str:
    return _unbroken(f"{value:.4g}")


def _unbroken(text: str) -> str:
    """The number with minus signs at which no line ends."""
    return text.replace("e-0", "e-").replace("-", "\u2212")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
