"""Every way to misbehave is survived, and reported as what it was."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from suite_bench import CASES, FAKES, QUICK, bench, case, fake, run_fake
from sxlit_conformance import worker
from sxlit_conformance.locate import Adapter, AdapterError, resolve
from sxlit_conformance.model import Claim, Observation, Verdict
from sxlit_conformance.runner import Run, run


def outcomes(done: Run) -> dict[str, tuple[str, str]]:
    """What became of each case in the standard grade."""
    return {
        verdict.case.removeprefix("softmax/"): (verdict.cls, verdict.outcome)
        for verdict in done.verdicts
        if verdict.grade == "standard"
    }


GOOD = ("pass", "reference")


def test_a_correct_adapter_passes_and_every_claim_has_one_verdict() -> None:
    done = run_fake("correct")
    assert outcomes(done) == dict.fromkeys(("two", "three", "four"), GOOD)
    assert done.planned == len(done.verdicts) == 6
    assert len({verdict.key for verdict in done.verdicts}) == 6


@pytest.mark.parametrize(
    ("name", "expected", "message"),
    [
        ("hangs", "timed out", "no answer within 0.5 s"),
        ("exits", "crashed", "ended with exit status 7"),
        ("segfaults", "crashed", "killed by SIGSEGV"),
    ],
)
def test_a_lost_worker_costs_one_case(name: str, expected: str, message: str) -> None:
    done = run_fake(name, limits=replace(QUICK, case=0.5))
    assert outcomes(done) == {"two": GOOD, "three": (expected,) * 2, "four": GOOD}
    assert done.planned == len(done.verdicts)
    lost = [verdict for verdict in done.verdicts if verdict.cls == expected]
    assert {verdict.message for verdict in lost} == {message}


def test_stderr_is_attached() -> None:
    done = run_fake("exits")
    assert done.stderr == {
        f"softmax/three@float32/cpu/eager/{grade}": "goodbye\n"
        for grade in ("standard", "hra")
    }


def test_what_is_printed_does_not_reach_the_stream() -> None:
    done = run_fake("chatty")
    assert set(outcomes(done).values()) == {GOOD}
    assert all(len(text) <= 4000 for text in done.stderr.values())


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("mutates", "mutated input"),
        ("wrong_dtype", "wrong dtype"),
        ("wrong_shape", "wrong shape"),
        ("no_array", "wrong dtype"),
    ],
)
def test_a_wrong_answer_is_called_by_its_name(name: str, outcome: str) -> None:
    assert set(outcomes(run_fake(name)).values()) == {("fail", outcome)}


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_memory_is_limited() -> None:
    done = run_fake("eats_memory")
    assert outcomes(done) == {"two": GOOD, "three": ("crashed",) * 2, "four": GOOD}
    said = {v.message.partition(":")[0] for v in done.verdicts if v.cls == "crashed"}
    assert said in ({"MemoryError"}, {"_ArrayMemoryError"})


def test_a_message_quotes_no_traceback() -> None:
    error = ValueError("no such\nshape, at (most recent call last):\n  File 'x.py'")
    assert worker._line(error) == "no such shape, at"


def test_only_an_error_of_the_call_is_a_refusal() -> None:
    # Whatever is raised, a case that asks for a refusal must not take it for one.
    rows = {"one": (0,), "two": (0, 1), "three": (0, 1, 2), "four": (0, 1, 2, 3)}
    cases = [case(name, (row,), accept=("raises",)) for name, row in rows.items()]
    done = run(fake("interrupts"), cases, bench, limits=QUICK, generators={})
    assert outcomes(done)["one"] == ("fail", "wrong number")
    lost = {v.case: v for v in done.verdicts if v.cls == "crashed"}
    assert [lost[f"softmax/{name}"].message for name in ("two", "three")] == [
        "KeyboardInterrupt",
        "MemoryError: no room",
    ]
    assert lost["softmax/four"].message.startswith("RecursionError: maximum recursion")
    done = run(fake("leaves"), cases[:1], bench, limits=QUICK, generators={})
    assert {(v.cls, v.message) for v in done.verdicts} == {
        ("crashed", "SystemExit: not today")
    }


def test_a_callable_without_a_signature_is_no_mistake() -> None:
    done = run_fake("no_signature")
    assert done.hello["operations"] == ["softmax", "log_softmax"]
    assert set(outcomes(done).values()) == {GOOD}


def test_an_adapter_that_crashes_at_once_is_broken_and_the_rest_not_run() -> None:
    cases = [case(f"n-{n}", ((0,) * n,)) for n in range(1, 7)]
    adapter = fake("always_exits")
    done = run(adapter, cases, bench, limits=QUICK, generators={})
    assert [v.cls for v in done.verdicts if v.grade == "hra"] == (
        ["crashed"] * 3 + ["not run"] * 3
    )
    assert "crashed on the first 3 cases; ended with exit status 3" in done.broken
    assert done.planned == len(done.verdicts)


def test_an_operation_that_is_always_lost_is_given_up() -> None:
    two = case("first", ((0, 1),))
    lost = [case(f"three-{n}", ((0, 1, n),)) for n in range(4)]
    limits = replace(QUICK, crashes=2)
    done = run(fake("exits"), [two, *lost], bench, limits=limits, generators={})
    classes = [v.cls for v in done.verdicts if v.grade == "standard"]
    assert classes == ["pass", "crashed", "crashed", "not run", "not run"]
    assert not done.broken


def kept(claim: Claim, observation: Observation, *_: object) -> Verdict:
    """No judgement: what came."""
    place = (claim.dtype, claim.device, claim.mode, claim.grade)
    said = observation.kind, observation.message
    return Verdict(claim.case.id, claim.case.operation, *place, "required", *said)


@pytest.mark.parametrize(("jobs", "met"), [(1, False), (2, True), (3, True)])
def test_operations_are_asked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, met: bool
) -> None:
    monkeypatch.setenv("SXLIT_MEETING", str(tmp_path))
    cases = [
        case(name, ((0, 1),), id=f"{name}/two", operation=name)
        for name in ("softmax", "log_softmax")
    ]
    adapter = fake("meets")
    done = run(adapter, cases, kept, limits=QUICK, generators={}, jobs=jobs)
    assert [v.operation for v in done.verdicts[::2]] == ["softmax", "log_softmax"]
    assert (done.verdicts[0].cls == "answered") is met, done.verdicts[0]


def test_whoever_stops_listening_stops_all_workers() -> None:
    def interrupted(*_: object) -> Verdict:
        raise KeyboardInterrupt

    adapter, before = fake("hangs"), threading.active_count()
    cases = [CASES[0], replace(CASES[1], operation="log_softmax")]
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(adapter, cases, interrupted, limits=QUICK, generators={}, jobs=2)
    assert threading.active_count() == before
    assert time.monotonic() - start < QUICK.case


def test_an_adapter_that_does_not_start_twice_is_one_error() -> None:
    limits = replace(QUICK, start=20.0)
    with pytest.raises(AdapterError, match=r"setup: .*KeyError: 'device'"):
        run(fake("broken_setup"), CASES, bench, limits=limits, generators={}, jobs=2)


def test_an_answer_for_another_case_is_no_answer(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    script = FAKES / "other_case.py"
    worker.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    worker.chmod(0o755)
    adapter = Adapter("liar", "liar", "module:liar", str(worker))
    done = run(adapter, CASES[:1], bench, limits=QUICK, generators={})
    assert {verdict.cls for verdict in done.verdicts} == {"crashed"}
    assert "answers for another case: 2 for 1" in done.verdicts[0].message


def test_what_is_no_message_ends_the_adapter(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    worker.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKES / "babbles.py"}"\n')
    worker.chmod(0o755)
    adapter = Adapter("babbles", "babbles", "module:babbles", str(worker))
    with pytest.raises(AdapterError, match="is no message: b'good morning'"):
        run(adapter, CASES, bench, limits=QUICK, generators={})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hangs_at_import", "no answer within 1 s"),
        ("missing_framework", "has no package 'a_framework_that_nobody_has'; install"),
        ("broken_at_import", r"broken_at_import\.py:4: KeyError: 'softmax'"),
        ("leaves_at_import", r"leaves_at_import\.py:3: SystemExit: not today"),
        (
            "wrong_signature",
            r"expected softmax\(x, axis\), with the options by keyword and a default "
            r"for any other; got softmax\(x, dim\): missing a required argument: 'dim'",
        ),
        ("no_core", "offers none of the core operations softmax, log_softmax"),
        ("broken_setup", r"setup: .*broken_setup\.py:5: KeyError: 'device'"),
    ],
)
def test_an_adapter_that_does_not_start_gives_one_line(name: str, message: str) -> None:
    with pytest.raises(AdapterError, match=message) as caught:
        run_fake(name, limits=replace(QUICK, start=1.0 if "hangs" in name else 20.0))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_python_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "no-python.py"
    file.write_text('"""Hm."""\n\ndef softmax(x, axis)\n    return x\n')
    adapter = resolve(str(file), sys.executable)
    with pytest.raises(
        AdapterError, match=r"no-python\.py:3: SyntaxError: expected ':'"
    ):
        run(adapter, CASES, bench, limits=QUICK, generators={})


def test_a_missing_device_is_not_run_in_every_mode() -> None:
    done = run_fake("no_device", devices=("cuda",))
    assert {(v.cls, v.reason) for v in done.verdicts} == {("not run", "no cuda device")}
    assert {verdict.mode for verdict in done.verdicts} == {"eager", "compiled"}
    assert done.planned == len(done.verdicts) == 12
    assert not done.environments


def test_an_undeclared_device_is_a_bad_call() -> None:
    with pytest.raises(AdapterError, match="no device 'tpu'; it declares cpu, cuda"):
        run_fake("no_device", devices=("tpu",))


def test_not_implemented_is_unsupported_and_no_pass() -> None:
    done = run_fake("no_device")
    assert set(outcomes(done).values()) == {("unsupported", "unsupported")}


def test_no_case_selected_is_an_error() -> None:
    with pytest.raises(AdapterError, match="no case is selected"):
        run_fake("correct", select=lambda claim: False)


def test_a_layout_survives_the_wire() -> None:
    layouts = ("fortran", "strided", "reversed", "readonly", "bigendian")
    cases = [case(name, ((0, 1, 2), (4, 0, 1)), layout=name) for name in layouts]
    done = run(fake("correct"), cases, bench, limits=QUICK, generators={})
    assert outcomes(done) == dict.fromkeys(layouts, GOOD)
    done = run(fake("mutates"), cases[3:4], bench, limits=QUICK, generators={})
    assert outcomes(done) == {"readonly": ("fail", "raises")}
