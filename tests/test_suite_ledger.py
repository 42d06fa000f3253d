"""The ledger is strict both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sxlit_conformance import ledger
from sxlit_conformance.ledger import Deviation, LedgerError, Settled, settle
from sxlit_conformance.model import Verdict

ENTRY = """
[[deviation]]
id = "torch-zero"
adapter = "torch"
versions = ">=2.0,<3"
cases = ["loss/gap-*"]
expect = ["zero"]
reason = "log of the sum"
"""


def verdict(
    name: str, cls: str = "fail", outcome: str = "zero", **more: Any
) -> Verdict:
    fields = {"device": "cpu", "mode": "eager", "grade": "standard", **more}
    return Verdict(
        case=name,
        operation="cross_entropy",
        dtype="float32",
        level="required",
        cls=cls,  # type: ignore[arg-type]
        outcome=outcome,
        **fields,
    )


def entry(**changes: Any) -> Deviation:
    fields: dict[str, Any] = {
        "id": "torch-zero",
        "adapter": "torch",
        "versions": ">=2.0,<3",
        "cases": ("loss/gap-*",),
        "expect": ("zero",),
        "reason": "log of the sum",
    }
    return Deviation(**{**fields, **changes})


def apply(
    verdicts: list[Verdict],
    *entries: Deviation,
    version: str = "2.13.0+cpu",
    **more: Any,
) -> Settled:
    given = {"platform": "Linux-x86_64", "complete": True, **more}
    return settle(verdicts, entries, adapter="torch", version=version, **given)


def test_what_is_known_is_known() -> None:
    for cls in ("fail", "miss"):
        done = apply([verdict("loss/gap-20", cls)], entry())
        assert [(v.cls, v.ledger) for v in done.verdicts] == [("known", "torch-zero")]
        assert not done.problems
        assert [e.id for e in done.used] == ["torch-zero"]


def test_what_no_longer_fails_is_fixed() -> None:
    done = apply([verdict("loss/gap-20", "pass", "reference")], entry())
    assert [v.cls for v in done.verdicts] == ["fixed"]
    assert "passes" in done.verdicts[0].reason


def test_another_outcome_is_not_the_known_one() -> None:
    done = apply([verdict("loss/gap-20", outcome="nan")], entry())
    assert [v.cls for v in done.verdicts] == ["fail"]
    assert "torch-zero expects zero" in done.verdicts[0].reason


def test_an_entry_that_matches_nothing_is_a_problem_of_a_complete_plan() -> None:
    others = [verdict("loss/tie")]
    assert apply(others, entry()).problems == ("ledger: torch-zero: matches no claim",)
    assert not apply(others, entry(), complete=False).problems
    assert not apply(others, entry(devices=("cuda",))).problems
    assert not apply(others, entry(modes=("compiled",))).problems


def test_two_entries_for_one_claim_are_a_problem() -> None:
    done = apply([verdict("loss/gap-20")], entry(), entry(id="again"))
    assert "more than one entry: torch-zero, again" in done.problems[0]
    assert done.verdicts[0].cls == "fail"


def test_entries_for_other_versions_platforms_and_adapters_are_set_aside() -> None:
    for other in (entry(versions="<2"), entry(platform="Darwin-*")):
        done = apply([verdict("loss/gap-20")], other)
        assert done.verdicts[0].cls == "fail"
        assert done.ignored == ("torch-zero",)
        assert not done.problems
    assert apply([verdict("loss/gap-20")], entry(adapter="jax")).ignored == ()
    assert apply([verdict("loss/gap-20")], entry(), version="").ignored


def test_every_field_narrows() -> None:
    for field in ("devices", "dtypes", "modes", "grades"):
        narrow = entry(**{field: ("other",)})
        assert apply([verdict("loss/gap-20")], narrow).verdicts[0].cls == "fail"


def test_a_number_near_its_bound_names_its_platform() -> None:
    near = [verdict("loss/gap-20", ratio=1.5)]
    assert "name the platform" in apply(near, entry()).problems[0]
    assert not apply(near, entry(platform="Linux-x86_64")).problems
    assert not apply(near, entry(margin=1.25)).problems


def test_what_was_not_run_stays_so() -> None:
    done = apply([verdict("loss/gap-20", "not run", "not run")], entry())
    assert done.verdicts[0].cls == "not run"
    assert not done.problems


def test_reading(tmp_path: Path) -> None:
    assert ledger.load(tmp_path / "none") == ()
    (tmp_path / "torch.toml").write_text(ENTRY)
    assert ledger.load(tmp_path) == (entry(),)
    assert ledger.digest([entry()]) != ledger.digest([entry(reason="another")])
    assert ledger.digest([entry(), entry(id="b")]) == ledger.digest(
        [entry(id="b"), entry()]
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('adapter = "torch"', "", "torch-zero: adapter missing"),
        ('reason = "log of the sum"', 'reason = " "', "reason: expected some text"),
        ('expect = ["zero"]', 'expect = ["wrong"]', "'wrong' is not one of"),
        ('expect = ["zero"]', "expect = []", "expect: expected a list"),
        ('cases = ["loss/gap-*"]', 'cases = "loss"', "cases: expected a list"),
        ('">=2.0,<3"', '"two"', "versions: "),
        ('reason = "log of the sum"', 'reason = "a"\nmargin = 0.5', "margin: "),
        ('reason = "log of the sum"', 'reason = "a"\nnote = "b"', "unknown key note"),
        ("[[deviation]]", "[[deviations]]", "expected .*deviation"),
        ('id = "torch-zero"', "id = ", "torch.toml: "),
        (ENTRY, ENTRY + ENTRY, "torch-zero: stands there twice"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in ENTRY
    (tmp_path / "torch.toml").write_text(ENTRY.replace(old, new))
    with pytest.raises(LedgerError, match=message):
        ledger.load(tmp_path)


def test_the_ledger_that_ships_can_be_read() -> None:
    ledger.load()


def test_a_pattern_with_an_at_names_dtype_and_grade() -> None:
    claims = [verdict("loss/gap-9", grade="hra"), verdict("loss/gap-9", cls="pass")]
    settled = apply(claims, entry(cases=("loss/gap-*@float32/hra",)))
    assert [v.cls for v in settled.verdicts] == ["known", "pass"]
    settled = apply(claims, entry(cases=("loss/gap-*@float64/*",)))
    assert settled.problems == ("ledger: torch-zero: matches no claim",)
