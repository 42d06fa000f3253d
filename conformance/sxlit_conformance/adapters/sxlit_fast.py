"""sxlit's compiled loops. Requires: sxlit[fast]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NAME = "sxlit-fast"
DTYPES = ("float16", "bfloat16", "float32", "float64")
VERSION = ""
COMPANIONS: dict[str, str] = {}


def setup(device: str, mode: str) -> None:
    global VERSION
    import numba

    import sxlit
    import sxlit.fast

    VERSION = sxlit.__version__
    COMPANIONS["numba"] = numba.__version__


def call(name: str, *arguments: Array, **options: Any) -> Array:
    from sxlit import fast

    return np.asarray(getattr(fast, name)(*arguments, **options))


def slope(name: str, *arguments: Array, **options: Any) -> Array:
    from sxlit import fast

    return np.asarray(getattr(fast, name)(*arguments, **options)[1])


def softmax(x: Array, axis: int) -> Array:
    return call("softmax", x, axis=axis)


def log_softmax(x: Array, axis: int) -> Array:
    return call("log_softmax", x, axis=axis)


def logsumexp(x: Array, axis: int) -> Array:
    return call("logsumexp", x, axis=axis)


def cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return call("cross_entropy", logits, targets, **options)


def cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    return slope("cross_entropy_with_grad", logits, targets, **options)


def binary_cross_entropy(logits: Array, targets: Array, **options: Any) -> Array:
    return call("binary_cross_entropy", logits, targets, **options)


def binary_cross_entropy_grad(logits: Array, targets: Array, **options: Any) -> Array:
    return slope("binary_cross_entropy_with_grad", logits, targets, **options)


def default_cross_entropy(logits: Array, targets: Array) -> Array:
    return call("cross_entropy", logits=logits, targets=targets)


def default_binary_cross_entropy(logits: Array, targets: Array) -> Array:
    return call("binary_cross_entropy", logits=logits, targets=targets)


def positional_cross_entropy(first: Array, second: Array) -> Array:
    return call("cross_entropy", first, second)
