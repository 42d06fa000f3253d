"""Batches of arrays as .npz files, bfloat16 too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def write(path: Path, batches: list[list[Array]]) -> None:
    """Each array under its place; the bits of bfloat16 as integers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {}
    for b, arrays in enumerate(batches):
        for k, array in enumerate(arrays):
            if array.dtype == ml_dtypes.bfloat16:
                named[f"{b}.{k}.bfloat16"] = array.view(np.uint16)
            else:
                named[f"{b}.{k}.{array.dtype.name}"] = array
    np.savez(path, **named)  # type: ignore[arg-type]


def read(path: Path) -> list[list[Array]]:
    """What `write` wrote."""
    found: list[list[Array]] = []
    with np.load(path) as parts:
        for key, array in parts.items():
            batch, _, dtype = key.split(".")
            if dtype == "bfloat16":
                array = array.view(ml_dtypes.bfloat16)
            if int(batch) == len(found):
                found.append([])
            found[int(batch)].append(array)
    return found
