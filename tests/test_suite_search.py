"""The search: repeatable, honest about what it found, and it finds what is planted."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from suite_bench import FAKES
from sxlit_conformance import cli, corpus, oracle, rules
from sxlit_conformance.judge import Measure, measure, vacuity
from sxlit_conformance.locate import resolve
from sxlit_conformance.model import Case
from sxlit_conformance.operations import OPERATIONS, SEARCHED
from sxlit_conformance.search_find import spelled
from sxlit_conformance.search_inputs import Field, child, first
from sxlit_conformance.search_run import Found, Wish, search, text
from sxlit_conformance.wire import FLOATS, dtype

ZOO = Path(__file__).parent / "zoo"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXLIT_ORACLE_CACHE", str(tmp_path / "cache"))


def look(
    name: str, operation: str, name_of_dtype: str = "float32", **more: int
) -> Found:
    """The first outcome of a short search among the zoo's adapters."""
    wish = Wish((operation,), (name_of_dtype,), **{"evaluations": 800, **more})
    return next(search(resolve(str(ZOO / f"{name}.py"), sys.executable), wish, rules))


def loaded(table: str, folder: Path) -> Case:
    """A printed table, read as the corpus reads it."""
    operation = table.split('"')[1].partition("/")[0]
    (folder / f"{operation}.toml").write_text(table, "utf-8")
    (case,) = corpus.load(folder)
    return case


def printed(found: Found) -> str:
    shown = text(found)
    return shown[shown.index("[[case]]") :]


# -------------------------------------------------------------------- the inputs


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("operation", SEARCHED)
def test_rows_are_exact_in_their_dtype(operation: str, name: str) -> None:
    rng = np.random.default_rng(5)
    for labels in (True, False):
        where = Field(operation, name, 5, labels and operation.startswith("cross"))
        rows = [first(rng, where) for _ in range(10)]
        for _ in range(60):
            mother, father = rng.integers(len(rows), size=2)
            rows.append(child(rng, where, rows[mother], rows[father]))
        for argument, role in where.roles.items():
            values = np.stack([row[argument] for row in rows])
            assert not np.isnan(values).any()
            exact = values.astype(dtype(name)).astype(np.float64)
            assert role == "label" or np.array_equal(exact, values)
            if role == "shares":
                assert ((values >= 0) & (values <= 1)).all()
            if role == "label":
                assert set(values.ravel()) <= set(range(5))
            if role != "logits":
                assert np.isfinite(values).all()


def test_every_operation_with_a_bound_is_searched() -> None:
    assert set(SEARCHED) == {n for n, o in OPERATIONS.items() if not o.formula}


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -5e-324, 1e308, -np.inf, 2.0**-30])
def test_a_number_is_spelled_exactly(value: float) -> None:
    assert float.fromhex(spelled(value)) == value


# ----------------------------------------------------------------------- the climb


def test_a_seed_decides_all() -> None:
    one, two, three = (look("right_numpy", "softmax", seed=s) for s in (3, 3, 4))
    assert text(one) == text(two)
    assert text(one) != text(three)


def test_climbing_beats_drawing() -> None:
    """The same number of rows, all of them strangers, end lower."""
    climbed = look("right_numpy", "softmax", evaluations=1500)
    drawn = look("right_numpy", "softmax", evaluations=150)
    assert climbed.worst is not None
    assert drawn.worst is not None
    assert climbed.worst.ratio > drawn.worst.ratio


# Who, which operation, in which dtype.
PLANTED = [
    ("lse_minus_logit", "cross_entropy", "float32"),
    ("sigmoid_clipped", "sigmoid", "float64"),
    ("flushes_small", "softmax", "float64"),
    ("half_precision_sum", "softmax", "float32"),
    ("computes_in_float32", "softmax", "float64"),
    ("divergence_clipped", "kl_divergence", "float64"),
    ("serial_sum", "softmax", "float32"),
]


@pytest.mark.parametrize(("name", "operation", "precision"), PLANTED)
def test_a_planted_defect_is_found(name: str, operation: str, precision: str) -> None:
    found = look(name, operation, precision, evaluations=1500)
    assert found.exceeds, text(found)
    assert not look("right_numpy", operation, precision, evaluations=1500).exceeds


def test_a_lost_answer_is_shown_beside_the_worst() -> None:
    """Infinite ratios would hide every finite one, so they are told apart."""
    found = look("unshifted", "softmax", "float32")
    assert found.stray is not None
    assert found.stray.lost
    assert found.worst is not None
    assert not found.worst.lost
    assert "  lost: " in text(found)
    assert "  worst: " in text(found)


def test_zeros_cannot_hide_in_a_vacuous_row() -> None:
    found = look("zeros", "cross_entropy_grad", "float32")
    assert found.worst is not None
    assert found.worst.ratio > 1
    assert found.worst.vacuity < 1


# ----------------------------------------------------------------- what is printed


@pytest.mark.parametrize(
    "operation", ["softmax", "cross_entropy", "cross_entropy_hvp", "sigmoid"]
)
def test_the_table_is_a_case_of_the_same_ratio(operation: str, tmp_path: Path) -> None:
    found = look("right_numpy", operation)
    assert found.worst is not None
    case = loaded(printed(found), tmp_path)
    assert case.id.startswith(f"{operation}/found-right_numpy-")
    given, options = corpus.materialise(case, "float32"), corpus.options(case)
    known = oracle.reference(operation, given, options)
    numerics = rules.required_numerics("float32", False, "standard")
    bound = rules.tolerance(operation, given, options, "standard", numerics)
    assert vacuity(known, bound.allowed) == found.worst.vacuity < 1
    answer = np.full(known.hi.shape, found.worst.observed)
    measured = measure(answer, known, bound.allowed, "float32")
    assert isinstance(measured, Measure)
    assert measured.ratio >= found.worst.ratio  # the worst element is one of these
    for argument, role in found.worst.where.roles.items():
        row = found.worst.row[argument]
        assert given[argument].ravel().tolist() == row.tolist(), role


def test_what_is_found_is_made_simple() -> None:
    """A single number says it, and few digits."""
    found = look("sigmoid_clipped", "sigmoid", "float64")
    assert found.worst is not None
    (x,) = found.worst.row["x"]
    assert len(spelled(float(x))) <= len("-0x1.12345p+6")


def test_the_command_that_is_printed_finds_it_again(tmp_path: Path) -> None:
    """Seconds are not repeatable; the number of rows that they sufficed for is."""
    wish = Wish(("softmax",), ("float32",), seconds=0.5)
    who = resolve(str(ZOO / "right_numpy.py"), sys.executable)
    found = next(search(who, wish, rules))
    again = look("right_numpy", "softmax", evaluations=found.asked)
    assert printed(again) == printed(found)


# -------------------------------------------------------------------- the command


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = cli.main(["search", *words])
    except SystemExit as stop:
        code = int(str(stop.code))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_exits_1_where_a_bound_is_exceeded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ("--dtype", "float32", "--evaluations", "500", "--python", sys.executable)
    code, out, err = call(capsys, "softmax", str(ZOO / "half_precision_sum.py"), *few)
    assert (code, err) == (1, "")
    assert "vacuity" in out
    assert 'id = "softmax/found-' in out
    code, out, _ = call(capsys, "softmax", str(ZOO / "right_numpy.py"), *few)
    assert code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("walk sxlit", "argument OPERATION: invalid choice: 'walk'"),
        ("default_cross_entropy sxlit", "invalid choice"),
        ("softmax trch", "unknown adapter 'trch'; did you mean torch"),
        (
            "softmax sxlit --evaluations none",
            "a whole number from 1, got 'none'",
        ),
        ("softmax sxlit --seconds 3 --evaluations 4", "not allowed with argument"),
        ("softmax sxlit --python /no/python", "/no/python is no program"),
        ("softmax sxlit --mode fast", "modes: declares eager"),
        ("softmax sxlit --device tpu", "devices: declares cpu"),
        (f"entropy {FAKES}/correct.py", "does not offer entropy"),
    ],
)
def test_a_bad_call_is_one_line(
    capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    code, _, err = call(capsys, *words.split())
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_an_adapter_that_stops_answering_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = call(capsys, "softmax", f"{FAKES}/exits.py", "--evaluations", "99")
    assert "softmax: crashed" in err
    assert out == ""
    assert code == 2
