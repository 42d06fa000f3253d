"""A run from end to end: what it is called, whose ledger speaks, how it exits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from suite_bench import CASES, FAKES, QUICK, Rules, case, oracle
from sxlit_conformance import cli, corpus, ledger, locate, record
from sxlit_conformance.ledger import Deviation
from sxlit_conformance.model import Case, Verdict
from sxlit_conformance.record import Record
from sxlit_conformance.session import Options, conduct, status

LOST = [case(f"three-{n}", ((0, 1, n),)) for n in range(7)]  # each is lost by exits.py


def entry(**changes: Any) -> Deviation:
    fields: dict[str, Any] = {
        "id": "an-entry",
        "adapter": "numpy-naive",
        "versions": ">=0",
        "cases": ("softmax/two",),
        "expect": ("nan",),
        "reason": "for a test",
    }
    return Deviation(**{**fields, **changes})


def made(*classes: str, broken: str = "", problems: tuple[str, ...] = ()) -> Record:
    verdicts = [
        Verdict(
            case=f"softmax/{index}",
            operation="softmax",
            dtype="float32",
            device="cpu",
            mode="eager",
            grade="standard",
            level="required",
            cls=cls,  # type: ignore[arg-type]
            outcome=cls,
        )
        for index, cls in enumerate(classes)
    ]
    header = {"adapter": "x", "planned": len(verdicts)}
    return record.make(header, verdicts, {"broken": broken, "problems": problems})


@pytest.mark.parametrize(
    ("classes", "footer", "expected"),
    [
        (("pass",), {}, 0),
        (("pass", "known", "miss", "unsupported", "not offered"), {}, 0),
        (("known",), {}, 0),
        (("miss",), {}, 0),
        (("pass", "fail"), {}, 1),
        (("pass", "crashed"), {}, 1),
        (("pass", "timed out"), {}, 1),
        (("pass", "fixed"), {}, 1),
        (("pass",), {"problems": ("an entry matches no claim",)}, 1),
        (("pass",), {"broken": "crashed on the first 3 cases"}, 2),
        (("pass", "not run"), {}, 2),
        (("fail", "not run"), {}, 2),
        (("not run",), {}, 2),
        (("unsupported",), {}, 2),
        (("not offered",), {}, 2),
        (("unsupported", "not offered", "not run"), {}, 2),
        ((), {}, 2),
    ],
)
def test_the_exit_status(
    classes: tuple[str, ...], footer: dict[str, Any], expected: int
) -> None:
    assert status(made(*classes, **footer)) == expected


def call(
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    cases: list[Case],
    *entries: Deviation,
) -> int:
    monkeypatch.setattr(corpus, "load", lambda: tuple(cases))
    monkeypatch.setattr(ledger, "load", lambda: entries)
    monkeypatch.setattr(cli, "truth", lambda: (oracle, Rules()))
    return cli.main(["run", *words])


@pytest.mark.parametrize(
    ("changes", "expected", "said"),
    [
        ({}, 1, "FIXED softmax/two@float32/cpu/eager/standard"),
        ({"cases": ("softmax/nothing",)}, 1, "an-entry: matches no claim"),
        ({"cases": ("softmax/offset",), "expect": ("zero",)}, 1, "FAIL softmax/offset"),
        ({"cases": ("softmax/offset",)}, 0, "known an-entry: 2"),
    ],
)
def test_the_ledger_decides_the_exit_of_a_built_in_adapter(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    expected: int,
    said: str,
) -> None:
    offset = case("offset", ((1000, 1000, 999),))  # without a maximum this is NaN
    cases = [*CASES, offset] if "softmax/offset" in changes.get("cases", ()) else CASES
    code = call(monkeypatch, ("numpy-naive",), list(cases), entry(**changes))
    assert code == expected
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "cases", "expected", "said"),
    [
        ("hangs", CASES, 1, "TIMED OUT softmax/three"),
        ("exits", CASES, 1, "CRASHED softmax/three"),
        ("exits", [CASES[0], *LOST], 2, "not run: 4: not asked: lost 5 times in a row"),
        ("always_exits", LOST, 2, "crashed on the first 3 cases"),
        ("leaves", CASES, 2, "crashed on the first 3 cases; SystemExit: not today"),
    ],
)
def test_a_lost_worker_decides_the_exit(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    cases: list[Case],
    expected: int,
    said: str,
) -> None:
    words = (f"{FAKES}/{name}.py", "--timeout", "0.5" if name == "hangs" else "20")
    assert call(monkeypatch, words, list(cases)) == expected
    out, err = capsys.readouterr()
    assert said in out + err


def conducted(adapter: str | Path, *entries: Deviation, device: str = "cpu") -> Record:
    made, _ = conduct(
        locate.resolve(str(adapter), sys.executable),
        CASES,
        entries,
        oracle,
        Rules(),
        Options(devices=(device,), limits=QUICK),
        generators={},
    )
    return made


def test_a_stranger_cannot_borrow_a_shipped_ledger(tmp_path: Path) -> None:
    source = (FAKES / "wrong_dtype.py").read_text()
    known = entry(adapter="torch", cases=("*",), expect=("wrong dtype",))
    for named in ("", 'NAME = "torch"\n'):
        file = tmp_path / "torch.py"
        file.write_text(f'{source}\n{named}VERSION = "2.13.0"\n')
        found = conducted(file, known)
        assert {verdict.cls for verdict in found.verdicts} == {"fail", "miss"}
        assert not found.footer["ignored"]
        assert found.header["adapter"] == str(file)  # for it is not torch


def test_a_name_that_is_declared_is_the_name() -> None:
    assert conducted(FAKES / "named.py").header["adapter"] == "my-kernel"
    assert conducted(FAKES / "correct.py").header["adapter"] == "correct"
    # Known before any device is there, too.
    assert conducted(FAKES / "named.py", device="cuda").header["adapter"] == "my-kernel"


def test_a_built_in_keeps_its_name() -> None:
    (adapter,) = (locate.resolve(name, "python") for name in ("numpy-naive",))
    assert adapter.ships
    assert locate.called(adapter, "another") == "numpy-naive"
    for text in ("sxlit_conformance.adapters.torch", str(FAKES / "correct.py")):
        assert not locate.resolve(text, "python").ships


def test_a_version_that_nobody_knows_is_no_other_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = locate.Adapter(
        "x", "x", f"file:{FAKES / 'named.py'}", sys.executable, ships=True
    )
    monkeypatch.setattr(locate, "resolve", lambda text, interpreter: adapter)
    other = entry(adapter="x", versions=">=7")
    assert call(monkeypatch, ("x", "--device", "cuda"), list(CASES), other) == 2
    out = capsys.readouterr().out
    assert "not run: 6: no cuda device" in out
    assert "other versions" not in out
    assert call(monkeypatch, ("x",), list(CASES), other) == 0
    out = capsys.readouterr().out
    assert "ledger entries for other versions or platforms: an-entry" in out
