"""The set-up that the four runs of chapter 11 share, and its comparison of curves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
sys.path.insert(0, str(BOOK))

import digits  # noqa: E402


@pytest.fixture
def curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(digits, "CURVES", tmp_path)
    monkeypatch.setenv(digits.WRITE, "1")
    digits.check("numpy", [2.0, 0.1, 1 / 3])
    monkeypatch.delenv(digits.WRITE)
    return tmp_path


def test_a_kept_curve_has_every_bit(curves: Path) -> None:
    assert digits.kept("numpy").tolist() == [2.0, 0.1, 1 / 3]
    digits.check("numpy", [2.0, 0.1, 1 / 3])
    assert digits.difference(digits.kept("numpy"), digits.kept("numpy")) == 0


@pytest.mark.parametrize("factor", [1 + 1e-9, np.nan, 0.0])
def test_another_run_is_told(curves: Path, factor: float) -> None:
    digits.check("numpy", [2.0, 0.1 * (1 + 1e-11), 1 / 3])
    with pytest.raises(AssertionError, match=r"numpy is off by .* --write` keeps it"):
        digits.check("numpy", [2.0, 0.1 * factor, 1 / 3])


def test_the_committed_curves_are_one_run() -> None:
    numpy, *others = map(digits.kept, ("numpy", "torch", "tensorflow", "jax"))
    for other in others:
        assert digits.difference(other, numpy) <= digits.BOUND
        assert (other != numpy).any()  # nobody copied it


def test_the_batches_are_permutations() -> None:
    batches = digits.batches(100)
    epochs = batches.reshape(digits.EPOCHS, -1)
    assert batches.shape == (3 * digits.EPOCHS, digits.BATCH)
    assert all(len(set(rows)) == 96 and max(rows) < 100 for rows in epochs.tolist())
    assert (epochs[0] != epochs[1]).any()
    assert (digits.batches(100) == batches).all()
