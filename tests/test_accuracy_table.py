"""The committed accuracy table keeps the promise, and a sample of its rows too.

`nox -s accuracy -- --write` makes the table; here some twenty rows of each
batch of short rows are asked and enclosed anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks" / "accuracy")]

from flint import arb, ctx  # noqa: E402

import accuracy  # noqa: E402
import ask  # noqa: E402
import exact_rows  # noqa: E402
import formats  # noqa: E402
import operations  # noqa: E402
import questions  # noqa: E402
import score  # noqa: E402
from operations import ABSOLUTE, DTYPES, OPERATIONS, WIDE, Operation  # noqa: E402

TABLE = ROOT / "benchmarks" / "accuracy.csv"
SHORT = ("float16", "bfloat16", "float32")
ASKED = [
    (operation, dtype, provider)
    for operation in OPERATIONS
    for dtype in DTYPES
    for provider in ("sxlit", WIDE)
    if provider == "sxlit" or dtype == "float64"
]
EACH = pytest.mark.parametrize(
    ("operation", "dtype", "provider"),
    ASKED,
    ids=lambda part: str(getattr(part, "name", part)),
)


def promise(found: score.Score) -> None:
    """Correct but for what was counted; in float64 without double-double, two ulps."""
    assert found.undecided is not None
    if found.dtype in SHORT or found.provider == WIDE:
        assert found.correct >= found.outputs - found.undecided
    elif found.operation not in ABSOLUTE or not found.undecided:
        assert found.largest <= 2.0


def committed() -> dict[tuple[str, str, str], score.Score]:
    _, lines = score.load(TABLE)
    return {(line.operation, line.dtype, line.provider): line for line in lines}


@EACH
def test_the_committed_table_keeps_the_promise(
    operation: Operation, dtype: str, provider: str
) -> None:
    line = committed()[operation.name, dtype, provider]
    assert line.outputs >= 200_000
    promise(line)


@pytest.mark.parametrize("provider", operations.PROVIDERS)
def test_everybody_is_in_the_table(provider: str) -> None:
    lines = committed().values()
    found = {line.dtype for line in lines if line.provider == provider}
    assert {"float32", "float64"} <= found


def sample(batches: list[list[Any]]) -> list[list[Any]]:
    """About twenty rows of each batch of short rows."""
    return [
        [a[:: max(1, len(a) // 20)] for a in arrays]
        for arrays in batches
        if arrays[0].ndim == 1 or arrays[0].shape[1] <= 100
    ]


@EACH
def test_a_sample_keeps_it_today(
    operation: Operation, dtype: str, provider: str
) -> None:
    batches = questions.batches(operation, dtype)
    outputs = sum(
        len(a) * {"rows": 1, "entries": 1}.get(operation.gives, a.shape[-1])
        * (a.shape[-1] if operation.gives == "matrices" else 1)
        for a, *_ in batches
    )  # fmt: skip
    assert outputs == committed()[operation.name, dtype, provider].outputs
    some = sample(batches)
    form = formats.FORMATS[dtype]
    exact = [exact_rows.compute(operation, arrays, form) for arrays in some]
    one = ask.ask_sxlit("float64" if provider == "sxlit" else WIDE)
    answers, undecided = ask.counted(one, operation, some)
    assert {a.dtype for a in answers} == {form.dtype}
    total, correct, largest = score.compare(answers, exact, dtype)
    promise(
        score.Score(
            operation.name, dtype, provider, "", total, correct, undecided, None,
            largest,
        )
    )  # fmt: skip


# The judge itself


@pytest.mark.parametrize("dtype", DTYPES)
def test_nearest_rounds_as_numpy_does(dtype: str) -> None:
    form = formats.FORMATS[dtype]
    rng = np.random.default_rng(1)
    x = np.ldexp(rng.standard_normal(20_000), rng.integers(-160, 130, 20_000))
    with np.errstate(over="ignore", under="ignore"):
        if dtype == "bfloat16":  # cast through float32: 24 bits are rounded once
            x = x.astype(np.float32).astype(np.float64)
        expected = x.astype(form.dtype).astype(np.float64)
    found = formats.nearest(x, np.zeros_like(x), form)
    settled = ~found.doubtful
    np.testing.assert_array_equal(found.value[settled], expected[settled])
    assert settled.mean() > 0.99
    with ctx.workprec(200):
        one_by_one = [formats.nearest_to(arb(float(v)), form) for v in x[::20]]
    np.testing.assert_array_equal(one_by_one, expected[::20])


def test_a_tie_and_its_neighbours() -> None:
    form = formats.FORMATS["bfloat16"]
    with ctx.workprec(4000):
        tie = 1 + arb(2) ** -8
        tiny = arb(2) ** -1500
        assert formats.nearest_to(tie - tiny, form) == 1.0
        assert formats.nearest_to(tie, form) == 1.0
        assert formats.nearest_to(tie + tiny, form) == 1.0 + 2.0**-7
        doubt = arb(0, 1e-300)
        assert formats.nearest_to(3 + arb(2) ** -7 + doubt, form) is None
        assert formats.even_tie(3 + arb(2) ** -7 + doubt, form) == 3.0
        assert formats.even_tie(3 + 3 * arb(2) ** -7 + doubt, form) == 3.0 + 2.0**-5


def test_a_wrong_answer_is_seen() -> None:
    x = [np.array([[20.0, 0.0, 0.0]], np.float32), np.array([0])]
    operation = operations.named("cross_entropy, labels")
    exact = [exact_rows.compute(operation, x, formats.FORMATS["float32"])]
    right = exact[0].nearest.astype(np.float32)
    assert 4.1e-9 < right[0] < 4.2e-9
    assert score.compare([right], exact, "float32")[:2] == (1, 1)
    total, correct, largest = score.compare([0.0 * right], exact, "float32")
    assert (total, correct) == (1, 0)
    assert largest > 2.0**22
    assert score.compare([np.nan * right], exact, "float32")[2] == np.inf


def test_the_page_shows_each_line() -> None:
    text = accuracy.markdown(TABLE)
    for dtype in DTYPES:
        assert f"**{dtype}**" in text
    assert accuracy.percent(999_999, 1_000_000) == f"99.9{accuracy.SPACE}%"
    assert accuracy.error("inf") == f"not{accuracy.SPACE}finite"
    assert np.dtype(ml_dtypes.bfloat16).name in text
