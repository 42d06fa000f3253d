"""A correctly rounded result has the same bits on every processor: all functions.

NumPy is asked twice, in processes of their own: with all that it knows of the processor
and with the baseline alone. In float64 the results are correctly rounded with the
precision "double-double".
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import sxlit
from every_function import FUNCTIONS, Array, Function

SHORT: tuple[Any, ...] = (np.float16, ml_dtypes.bfloat16, np.float32)
DTYPES = {np.dtype(dtype).name: dtype for dtype in (*SHORT, np.float64)}
ROWS, CLASSES = 48, 37
PROGRAM = """
import sys
import numpy as np
from every_function import FUNCTIONS
from test_same_bits import DTYPES, answer, arguments
answers = {
    f"{f} {name}": answer(f, arguments(f, name)).reshape(-1).view(np.uint8)
    for f in FUNCTIONS for name in DTYPES
}
np.savez(sys.argv[1], **answers, control=np.exp(np.linspace(-9.0, 9.0, 10_000)))
"""


def arguments(f: Function, name: str) -> list[Array]:
    """Rows of small and large spread, with offsets, gaps and masks, without exp."""
    rng = np.random.default_rng(list(f"{f} {name}".encode()))
    limit = float(ml_dtypes.finfo(DTYPES[name]).max) ** 0.5
    shape = (ROWS, CLASSES) if f.gives != "matrices" else (ROWS, 5)
    scale = np.ldexp(1.0, rng.integers(-6, 9, (shape[0], 1)))
    x = rng.standard_normal(shape) * np.minimum(scale, limit / 8)
    x[::5] += 64.0
    x[1::5, 0] += 20.0
    weights = rng.integers(1, 64, shape).astype(float)
    shares = {
        "logits": np.where(np.arange(shape[1]) % 7 == 3, -np.inf, x),
        "other logits": x + rng.standard_normal(shape) / 8,
        "direction": rng.standard_normal(shape),
        "targets": weights / weights.sum(axis=-1, keepdims=True),
        "p": weights / weights.sum(axis=-1, keepdims=True),
        "q": weights[:, ::-1] / weights.sum(axis=-1, keepdims=True),
        "labels": rng.integers(3, size=shape[0]),
        "number": rng.standard_normal(shape[0]),
        "probability": rng.uniform(size=shape),
        "log-odds": x,
        "slope": rng.standard_normal(shape),
        "answers": rng.choice([0.0, 0.25, 1.0], shape),
    }
    if "other logits" in f.takes or "targets" in f.takes or "direction" in f.takes:
        shares["logits"] = x  # a weight where nothing is possible costs infinity
    given = [shares[kind] for kind in f.takes]
    return [a if a.dtype.kind == "i" else a.astype(DTYPES[name]) for a in given]


def answer(f: Function, given: list[Array]) -> Array:
    """Correctly rounded: in float64 that has to be asked for."""
    options: dict[str, Any] = {}
    if given[0].dtype == np.float64:
        options["precision"] = "double-double"
    return np.ascontiguousarray(f.raw(*given, **options))


def answers(folder: Path, disabled: str) -> dict[str, Array]:
    """What a process says whose NumPy knows less of the processor."""
    kept = folder / "answers.npz"
    paths = (Path(__file__).parent, Path(sxlit.__file__).parent.parent)
    environment = os.environ | {
        "NPY_DISABLE_CPU_FEATURES": disabled,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", PROGRAM, str(kept)],
        env=environment, check=True,
    )  # fmt: skip
    with np.load(kept) as parts:
        return dict(parts.items())


def dispatched() -> list[str]:
    """The features beyond the baseline that NumPy uses on this processor."""
    config: Any = np.show_config(mode="dicts")
    return list(config["SIMD Extensions"].get("found", []))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Array], ...]:
    found = dispatched()
    if not {"X86_V4", "AVX512_SKX"} & set(found):
        pytest.skip("not run: NumPy finds no AVX-512 on this processor")
    folder = tmp_path_factory.mktemp("bits")
    return answers(folder, ""), answers(folder, " ".join(found))


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("f", FUNCTIONS, ids=str)
def test_the_bits_do_not_depend_on_the_processor(
    f: Function, name: str, both: tuple[dict[str, Array], ...]
) -> None:
    as_it_is, plain = (answers[f"{f} {name}"] for answers in both)
    assert as_it_is.size > 0
    assert as_it_is.tobytes() == plain.tobytes()


def test_something_was_disabled(both: tuple[dict[str, Array], ...]) -> None:
    """The comparison can fail: NumPy's own exp has other bits."""
    as_it_is, plain = (answers["control"] for answers in both)
    assert np.count_nonzero(as_it_is != plain) > 10
