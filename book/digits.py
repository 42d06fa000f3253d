"""The one run of chapter 11 that NumPy, PyTorch, TensorFlow and JAX all make.

Data, first weights and order of the batches are computed here, once for all four. What
is left to the notebooks is what the frameworks bring: the model, the loss, its gradient
and the step. Each keeps its loss curve in `_curves/NAME.json`, and `check` compares.

Random numbers come from `np.random.RandomState`: NumPy promises that its stream never
changes, which it does not promise of newer generators.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

FILTERS, BATCH, EPOCHS, RATE = 8, 32, 20, 1.0
BOUND = 1e-10  # on the relative difference of two curves; chapter 11 says why
CURVES = Path(__file__).parent / "_curves"
WRITE = "SXLIT_WRITE_CURVES"  # set by `nox -s notebooks -- --write`


@dataclass(frozen=True)
class Digits:
    """Images of shape (N, 8, 8) with values in [0, 1], exact in float64; labels (N,).

    Every fifth image of scikit-learn's 1,797 is kept for the test.
    """

    images: Array
    labels: Indices
    test_images: Array
    test_labels: Indices


def load() -> Digits:
    """Read the digits that scikit-learn brings along; nothing is downloaded."""
    from sklearn.datasets import load_digits  # only the notebooks' environments have it

    images, labels = load_digits().images / 16, load_digits().target
    test = np.arange(len(labels)) % 5 == 4
    return Digits(images[~test], labels[~test], images[test], labels[test])


def first_weights() -> dict[str, Array]:
    """The weights before training: 3 x 3 filters as columns, then the linear layer."""
    draw = np.random.RandomState(11).uniform
    features = 9 * FILTERS
    return {
        "filters": draw(-0.8, 0.8, (9, FILTERS)),
        "offsets": np.zeros(FILTERS),
        "W": draw(-0.25, 0.25, (features, 10)),
        "b": np.zeros(10),
    }


def batches(rows: int) -> Indices:
    """The rows of each step, shape (steps, BATCH): every epoch in another order."""
    draw = np.random.RandomState(12)
    whole = rows // BATCH * BATCH
    return np.stack([draw.permutation(rows)[:whole] for _ in range(EPOCHS)]).reshape(
        -1, BATCH
    )


def difference(curve: Array, other: Array) -> float:
    """The largest relative difference of two loss curves."""
    return float(np.max(np.abs(curve - other) / np.abs(other)))


def kept(name: str) -> Array:
    """The committed loss curve of a run, every bit of it."""
    return np.array(json.loads((CURVES / f"{name}.json").read_text(encoding="utf-8")))


def check(name: str, losses: npt.ArrayLike) -> None:
    """Compare a fresh loss curve with the committed one, or write it if asked to."""
    curve = np.asarray(losses, dtype=np.float64)
    if os.environ.get(WRITE):
        CURVES.mkdir(exist_ok=True)
        text = json.dumps(curve.tolist(), indent=0)
        (CURVES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        return
    found = difference(curve, kept(name))
    if not found <= BOUND:
        raise AssertionError(
            f"the loss curve of {name} is off by {found:.1e} from "
            f"book/_curves/{name}.json, more than rounding can do ({BOUND:.0e}): this "
            "is another run. If that is meant, `nox -s notebooks -- --write` keeps it"
        )
