"""Rows in double-double and in pairs: every result lies where its theorem says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from flint import arb, ctx

from sameness import same_bits
from sxlit import accurate, pairrows, widerows
from sxlit.rounding import FORMATS

INF = np.inf
SHORT = (np.float16, ml_dtypes.bfloat16, np.float32)
NOTHING = arb(0)


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(3000):
        yield


@dataclass(frozen=True)
class Exact:
    """The row functions, as balls of 3000 bits; None stands for infinity."""

    p: list[arb]
    c: list[arb]
    surprise: list[arb | None]
    lse: arb
    entropy: arb

    @classmethod
    def of(cls, row: np.ndarray) -> Exact:
        top = int(row.argmax())
        x = [arb(float(v)) if np.isfinite(v) else None for v in row]
        d = [None if v is None else x[top] - v for v in x]
        e = [NOTHING if v is None else (-v).exp() for v in d]
        t = sum((v for j, v in enumerate(e) if j != top), NOTHING)
        s, log_norm = 1 + t, t.log1p()
        p = [v / s for v in e]
        c = [(t if j == top else s - v) / s for j, v in enumerate(e)]
        surprise = [None if v is None else v + log_norm for v in d]
        terms = (a * b for a, b in zip(p, surprise, strict=True) if b is not None)
        return cls(p, c, surprise, x[top] + log_norm, sum(terms, NOTHING))

    def loss(self, q: np.ndarray) -> arb | None:
        if any(s is None and w != 0 for s, w in zip(self.surprise, q, strict=True)):
            return None
        pairs = zip(self.surprise, q, strict=True)
        return sum((arb(float(w)) * s for s, w in pairs if s is not None), NOTHING)

    def gradient(self, q: np.ndarray) -> list[arb]:
        weights = [arb(float(w)) for w in q]
        others = [
            sum((w for k, w in enumerate(weights) if k != j), NOTHING)
            for j in range(len(q))
        ]
        columns = zip(self.p, self.c, weights, others, strict=True)
        return [p * o - w * c for p, c, w, o in columns]


def holds(found: Any, exact: list[arb | None]) -> bool:
    """Whether each exact value lies within the error of what was found."""
    columns = [np.broadcast_to(part, np.shape(found.hi)).ravel() for part in found]
    for hi, lo, error, exponent, rest, value in zip(*columns, exact, strict=True):
        if value is None:
            if not np.isinf(hi):
                return False
            continue
        scale = arb(2) ** int(exponent)
        parts = arb(float(hi)) + arb(float(lo)) + arb(float(rest))
        off = abs(parts * scale - value)
        if not off <= arb(float(error)) * scale:
            return False
    return True


def rows(spreads: tuple[float, ...], sizes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(12)
    random = [rng.standard_normal(n) * s for n in sizes for s in spreads]
    chosen = [
        [0.0, 0.0], [20.0, 0.0, 0.0], [0.0, -599.0], [5.0, -INF, -INF], [-3.0],
        [0.0, -INF, -550.0, -551.0], [0.3, -500.0], [1e-310, 0.0], [0.0, -40.0, -41.0],
        [-np.log(2.0), -np.log(2.0)], [1e5, 1e5 - 0.1, 1e5 - 300.0],
        [-1e17, -1e17, 8.0 - 1e17], [0.0] * 7, [2.0**-60, -(2.0**-1074)],
    ]  # fmt: skip
    return random + [np.array(row) for row in chosen]


MODERATE = rows((1e-300, 1e-12, 0.01, 1.0, 10.0, 60.0), (2, 3, 10, 33))
EXTREME = rows((100.0, 800.0, 1e300), (2, 3, 10, 33)) + [
    np.array(row)
    for row in (
        [0.0, -740.0], [0.0, -745.0], [0.0, -746.0], [0.0, -1499.0, -1501.0],
        [0.0, -1501.0, -1600.0], [0.0, -5000.0], [1e308, -1e308], [0.3, -700.0],
        [1.7e308, -1.7e308, 1.7e308],
    )
]  # fmt: skip


def weights(rng: np.random.Generator, n: int, spread: int) -> list[np.ndarray]:
    """Distributions, one-hot rows, and weights of both signs that sum to anything."""
    q = rng.dirichlet(np.ones(n))
    signed = rng.standard_normal(n) * 10.0 ** rng.integers(-spread, spread, n)
    return [q, np.where(rng.uniform(size=n) < 0.4, 0.0, q), *np.eye(n)[[0, -1]], signed]


@pytest.mark.theorem("thm-wide-rows")
@pytest.mark.parametrize(
    "row", MODERATE + EXTREME, ids=lambda row: f"{len(row)}-{row[0]:.4g}"
)
def test_rows_in_double_double_are_within_their_errors(row: np.ndarray) -> None:
    exact, n = Exact.of(row), len(row)
    state = widerows.wide_state(row[None])
    assert holds(widerows.wide_softmax(state), exact.p)
    negated = [None if s is None else -s for s in exact.surprise]
    assert holds(widerows.wide_log_softmax(state), negated)
    assert holds(widerows.wide_logsumexp(state), [exact.lse])
    assert holds(widerows.wide_entropy(state), [exact.entropy])
    for y in {0, n - 1, int(row.argmax())}:
        label = np.array([[y]])
        gradient = [
            -c if j == y else p
            for j, (p, c) in enumerate(zip(exact.p, exact.c, strict=True))
        ]
        assert holds(widerows.wide_label_loss(state, label), [exact.surprise[y]])
        assert holds(widerows.wide_label_gradient(state, label), gradient)
    for q in weights(np.random.default_rng(n), n, 300):
        if (loss := exact.loss(q)) is not None:
            assert holds(widerows.wide_loss(state, q[None]), [loss])
        assert holds(widerows.wide_gradient(state, q[None]), exact.gradient(q))


@pytest.mark.theorem("thm-pair-rows")
@pytest.mark.parametrize("row", MODERATE, ids=lambda row: f"{len(row)}-{row[0]:.4g}")
def test_rows_in_pairs_are_within_their_errors(row: np.ndarray) -> None:
    if not pairrows.is_moderate(row[None]).all():
        pytest.skip("its gaps go beyond 600: not in the theorem")
    exact, n = Exact.of(row), len(row)
    state = pairrows.pair_state(row[None])
    assert holds(pairrows.pair_softmax(state).enclosure, exact.p)
    negated = [None if s is None else -s for s in exact.surprise]
    assert holds(pairrows.pair_log_softmax(state).enclosure, negated)
    assert holds(pairrows.pair_logsumexp(state).enclosure, [exact.lse])
    assert holds(pairrows.pair_entropy(state).enclosure, [exact.entropy])
    for y in {0, n - 1, int(row.argmax())}:
        label = np.array([[y]])
        gradient = [
            -c if j == y else p
            for j, (p, c) in enumerate(zip(exact.p, exact.c, strict=True))
        ]
        assert holds(
            pairrows.pair_label_loss(state, label).enclosure, [exact.surprise[y]]
        )
        assert holds(pairrows.pair_label_gradient(state, label).enclosure, gradient)
    for q in weights(np.random.default_rng(n), n, 20):
        if (loss := exact.loss(q)) is not None:
            assert holds(pairrows.pair_loss(state, q[None]).enclosure, [loss])
            assert holds(
                pairrows.pair_gradient(state, q[None]).enclosure, exact.gradient(q)
            )


def some_logits(dtype: Any, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scales = np.array([0.01, 1.0, 3.0, 10.0, 50.0, 300.0])[:, None]
    return (rng.standard_normal((60, 50)) * np.tile(scales, (10, 1))).astype(dtype)


@pytest.mark.theorem("cor-softmax-ulp")
def test_softmax_in_float64_is_within_six_tenths_of_an_ulp() -> None:
    x = some_logits(np.float64)
    found = accurate.softmax(x)
    state = widerows.wide_state(x)
    hi, lo, _, exponent, _ = widerows.wide_softmax(state)
    nearest = np.ldexp(hi, exponent)
    off = (found - nearest) - np.ldexp(lo, exponent)
    normal = nearest > 1e-300
    assert (np.abs(off) <= 0.6 * np.spacing(nearest))[normal].all()


@pytest.mark.theorem("thm-pair-rows", "thm-rounding-test")
@pytest.mark.parametrize("dtype", SHORT, ids=lambda dtype: np.dtype(dtype).name)
def test_short_dtypes_are_rounded_correctly(dtype: Any) -> None:
    x = some_logits(dtype)
    found = accurate.softmax(x).astype(float)
    form = FORMATS[np.dtype(dtype).name]
    for row, results in zip(x.astype(float)[::7], found[::7], strict=True):
        for p, value in zip(Exact.of(row).p, results, strict=True):
            assert value == nearest_in(p, form)


def nearest_in(x: arb, form: Any) -> float:
    """Round a ball that is narrower than any doubt to a format, ties impossible."""
    size = int(np.ceil(float((abs(x).log() / arb(2).log()).mid()) - 1e-9))
    size += 1 if abs(x) >= arb(2) ** size else 0
    size -= 1 if abs(x) < arb(2) ** (size - 1) else 0
    unit = max(size - form.precision, form.lowest)
    whole = (x / arb(2) ** unit + arb("0.5")).floor().unique_fmpz()
    return float(np.ldexp(float(int(whole)), unit))


def counted(
    forms: accurate.Forms, x: np.ndarray, dtype: Any, targets: Any = None
) -> Any:
    return accurate.rounded_rows(forms, x, dtype, targets, "double-double")


EACH = pytest.mark.parametrize(
    "dtype", [*SHORT, np.float64], ids=lambda dtype: np.dtype(dtype).name
)


@EACH
def test_nothing_is_left_undecided(dtype: Any) -> None:
    x = some_logits(dtype).astype(float)
    y = np.random.default_rng(4).integers(0, 50, (len(x), 1))
    assert counted(accurate.SOFTMAX, x, dtype).undecided == 0
    assert counted(accurate.LOG_SOFTMAX, x, dtype).undecided == 0
    assert counted(accurate.LOGSUMEXP, x, dtype).undecided == 0
    assert counted(accurate.ENTROPY, x, dtype).undecided == 0
    assert counted(accurate.LABEL_LOSS, x, dtype, y).undecided == 0
    assert counted(accurate.LABEL_GRADIENT, x, dtype, y).undecided == 0


@EACH
@pytest.mark.parametrize("precision", ["float64", "double-double"])
def test_one_hot_rows_agree_with_labels(dtype: Any, precision: Any) -> None:
    x = some_logits(dtype).astype(float)
    y = np.random.default_rng(4).integers(0, 50, (60, 1))
    q = np.eye(50)[y[:, 0]]
    for labels, soft in (
        (accurate.LABEL_LOSS, accurate.LOSS),
        (accurate.LABEL_GRADIENT, accurate.GRADIENT),
    ):
        a = accurate.rounded_rows(labels, x, dtype, y, precision).value
        b = accurate.rounded_rows(soft, x, dtype, q, precision).value
        assert same_bits(a.astype(float), b.astype(float))


@pytest.mark.parametrize("precision", ["float64", "double-double"])
def test_special_rows_have_their_limits(precision: Any) -> None:
    x: Any = [
        [INF, 0, -INF],
        [0, -INF, 0],
        [INF, INF, 0],
        [-INF] * 3,
        [np.nan, 0, 1],
        [1, 2, 3],
    ]
    found = accurate.softmax(x, precision=precision)
    nan = np.nan
    assert found[:2].tolist() == [[1, 0, 0], [0.5, 0, 0.5]]
    assert np.array_equal(found[2], np.array([nan, nan, 0]), equal_nan=True)
    assert np.isnan(found[3:5]).all()
    assert found[5].sum() == pytest.approx(1.0, abs=1e-15)


PROGRAM = """
import hashlib, sys
import numpy as np
from sxlit import accurate as a
rng = np.random.default_rng(0)
x = rng.standard_normal((40, 300)) * np.ldexp(1.0, rng.integers(-6, 9, (40, 1)))
y, q = rng.integers(0, 300, (40, 1)), rng.dirichlet(np.ones(300), 40)
for precision in ("float64", "double-double"):
    for dtype in ("float64", "float32", "float16"):
        rows = x.astype(dtype).astype(float)
        for forms, t in (
            (a.SOFTMAX, None), (a.LOG_SOFTMAX, None), (a.LOGSUMEXP, None),
            (a.ENTROPY, None), (a.LABEL_LOSS, y), (a.LABEL_GRADIENT, y), (a.LOSS, q),
            (a.GRADIENT, q),
        ):
            found = a.rounded_rows(forms, rows, dtype, t, precision)
            print(hashlib.sha256(found.value).hexdigest())
print(hashlib.sha256(np.exp(x.clip(max=700))).hexdigest())
"""


def digests(disabled: str) -> list[str]:
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled}
    environment["PYTHONPATH"] = str(Path(accurate.__file__).resolve().parent.parent)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout.split()


def test_the_bits_do_not_depend_on_the_processor() -> None:
    config: Any = np.show_config(mode="dicts")
    found = config["SIMD Extensions"].get("found", [])
    if not found:
        pytest.skip("not run: NumPy has one path only on this processor")
    as_it_is, plain = digests(""), digests(" ".join(found))
    assert len(as_it_is) == 49
    assert as_it_is[:-1] == plain[:-1]
    if {"X86_V4", "AVX512_SKX"} & set(found):
        assert as_it_is[-1] != plain[-1]  # or nothing was disabled
