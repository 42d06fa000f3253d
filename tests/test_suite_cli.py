"""The command: every bad call is one clear line and exit 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite_bench import FAKES
from sxlit_conformance import cli, corpus, record, show

CORRECT = str(FAKES / "correct.py")
FEW = "softmax/gap-5@ and float32 and not log"


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = cli.main(words)
    except SystemExit as stop:  # argparse ends so
        code = int(str(stop.code))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("walk", "invalid choice: 'walk'"),
        ("run", "the following arguments are required: ADAPTER"),
        ("run trch", "unknown adapter 'trch'; did you mean torch"),
        ("run xyzzy", "unknown adapter 'xyzzy': expected one of jax, numpy-naive"),
        ("run none.py", "adapter none.py: there is no such file"),
        ("run no.such.module", "there is no module 'no'"),
        (f"run {CORRECT} -k (", "-k '(': expected a word"),
        (f"run {CORRECT} -k zzz", "no case is selected"),
        (f"run {CORRECT} --device tpu", "no device 'tpu'; it declares cpu"),
        (f"run {CORRECT} --dtype float8", "invalid choice: 'float8'"),
        (f"run {CORRECT} --grade best", "invalid choice: 'best'"),
        (f"run {CORRECT} --timeout never", "expected seconds, got 'never'"),
        (f"run {CORRECT} --record /no/where.jsonl", "cannot write the record"),
        (f"run {CORRECT} --python torch=python3", "expected ADAPTER=INTERPRETER"),
        (f"run {CORRECT} --python {CORRECT}=/no/python", "/no/python is no program"),
        (f"run {FAKES}/missing_framework.py", "a_framework_that_nobody_has"),
        (f"run {FAKES}/broken_at_import.py", "broken_at_import.py:4: KeyError"),
        (f"run {FAKES}/no_core.py", "offers none of the core operations"),
        (f"run {FAKES}/wrong_signature.py", "expected softmax(x, axis), with the"),
        (f"repro softmax/gap-5 {CORRECT} --device gpu", "no device 'gpu'; it declares"),
        (f"repro softmax/gap-5 {CORRECT} --mode lazy", "no mode 'lazy'; it declares"),
        ("repro softmax/gap-5 torch --device nonsense", "declares cpu, cuda"),
        ("list things", "invalid choice: 'things'"),
        ("show softmax/gap-2000", "unknown case 'softmax/gap-2000'; did you mean"),
        ("repro softmax/gap-5 trch", "unknown adapter 'trch'"),
        (f"repro softmax/no-such {CORRECT}", "unknown case"),
        (f"repro softmax/gap-5 {FAKES}/no_core.py", "does not offer softmax"),
        (f"repro softmax/offset-1e8 {CORRECT} --dtype float16", "has the dtypes"),
        ("report none.jsonl", "none.jsonl: No such file"),
        (f"report {CORRECT}", "correct.py:1: expected one of header"),
    ],
)
def test_a_bad_call_is_one_line(
    capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    code, out, err = call(capsys, *words.split())
    assert code == 2
    assert not out
    assert err.count("\n") == 1
    assert err.startswith("sxlit-conformance: error: ")
    assert message in err


def test_a_framework_that_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    # An environment without the framework: one with nothing at all on its path but
    # NumPy is what this interpreter is for an adapter whose package does not exist.
    code, _, err = call(
        capsys, "run", f"{FAKES}/missing_framework.py", CORRECT, "-k", FEW
    )
    assert code == 2
    assert "pip install a_framework_that_nobody_has" in err


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "list", "adapters")
    assert code == 0
    assert {"sxlit", "numpy-naive", "torch", "tensorflow", "jax"} <= set(out.split())
    code, out, _ = call(capsys, "list", "operations")
    assert "softmax(x, axis=-1)  (core)" in out.splitlines()
    code, out, _ = call(capsys, "list")
    assert out.startswith("softmax/")
    assert len(out.splitlines()) >= 200


def test_conforming_exits_0_and_records(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    words = ("run", CORRECT, "-k", FEW, "--record", str(path))
    code, out, err = call(capsys, *words)
    assert (code, err) == (0, "")
    assert out == "correct: 2 claims: 2 pass\n"
    (made,) = record.read(path)
    assert made.header["planned"] == len(made.verdicts) == 2
    assert made.header["options"]["expression"] == FEW
    assert made.header["complete"] is False
    code, out, _ = call(capsys, "report", str(path))
    assert code == 0
    assert "| `softmax` | float32 | 1 |" in out
    code, out, _ = call(capsys, "report", str(path), "--format", "json")
    assert len(json.loads(out)["records"][0]["verdicts"]) == 2


def test_not_conforming_exits_1_and_says_how_to_see_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    adapter = f"{FAKES}/wrong_dtype.py"
    code, out, _ = call(capsys, "run", adapter, "-k", FEW)
    assert code == 1
    assert "FAIL softmax/gap-5@float32/cpu/eager/standard: wrong dtype" in out
    assert "expected float32; answers float64" in out
    last = out.splitlines()[-1].split()
    assert (
        last
        == f"sxlit-conformance repro softmax/gap-5 {adapter} --dtype float32".split()
    )
    code, out, _ = call(capsys, *last[1:])
    assert code == 0
    compile(out, "snippet", "exec")


def test_nothing_that_ran_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "run", f"{FAKES}/no_device.py", "-k", FEW)
    assert code == 2
    assert "4 unsupported" in out


def test_a_missing_device_is_not_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    words = ("-k", FEW, "--device", "cuda", "--record", str(path))
    code, out, _ = call(capsys, "run", f"{FAKES}/no_device.py", *words)
    assert code == 2
    assert "not run: 4: no cuda device" in out
    code, out, _ = call(capsys, "report", str(path))
    assert "**not run**" in out


def test_a_broken_adapter_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = call(
        capsys, "run", f"{FAKES}/broken_at_import.py", CORRECT, "-k", FEW
    )
    assert code == 2
    assert err.count("\n") == 1
    assert out == "correct: 2 claims: 2 pass\n"


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "show", "softmax/gap-5")
    assert code == 0
    for part in ("softmax(x, axis=-1)", "source", "certified", "standard", "thm-"):
        assert part in out


def test_a_record_replaces_no_pipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, out, err = call(capsys, "run", CORRECT, "-k", FEW, "--record", str(pipe))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "it is no regular file" in err
    assert pipe.is_fifo()


def test_show_of_a_contract_says_what_is_accepted_and_what_is_true(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "show", "cross_entropy/one-class")
    assert "  accepted zero\n" in out
    assert out.count("  certified() [0") == 4
    assert "thm-" not in out
    _, out, _ = call(capsys, "show", "cross_entropy/label-minus-one")
    assert "  accepted raises or nan\n" in out
    assert "no certified value: labels: expected 0 to 2" in out
    for case in corpus.load():
        if case.accept != ("reference",):
            assert show.case_text(case, *cli.truth())


def test_show_says_where_a_case_is_not_asked_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "show", "softmax/offset-1e8")
    assert "  not in   float16: An input is above its largest number, 65504." in out
    _, out, _ = call(capsys, "show", "softmax_vjp/classes-32000")
    assert "  hra only float16" in out
    part = out.partition("\nfloat16\n")[2].partition("\nbfloat16\n")[0]
    assert "  hra      allows" in part
    assert "standard" not in part


def test_show_of_a_survey_says_what_each_candidate_would_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "show", "cross_entropy/survey-weighted-mean")
    assert "  survey   class weights: What does the mean over labels divide by?" in out
    assert "  the labels' weights: () [0x1." in out
    assert "  nothing: () [0x1." in out


def test_no_framework_is_imported_here() -> None:
    program = f"""
import sys
from sxlit_conformance import cli
assert cli.main(["list"]) == 0
assert cli.main(["list", "adapters"]) == 0
assert cli.main(["run", {CORRECT!r}, "-k", {FEW!r}]) == 0
print(sorted({{"torch", "tensorflow", "jax", "optax", "keras"}} & set(sys.modules)))
print([name for name in sys.modules if name.startswith("sxlit_conformance.adapters.")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]
    assert not done.stderr


def test_the_package_is_light() -> None:
    program = (
        "import sys, sxlit_conformance; "
        "print([n for n in ('numpy', 'flint', 'sxlit_conformance.cli') "
        "if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
