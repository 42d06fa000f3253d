"""The short formats as a kernel does them: computed in float32, stored at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from _right import Array, Right, offer

Store = Callable[[Array, np.dtype[Any]], Array]
SHORT = ("float16", "bfloat16")


def nearest(wide: Array, dtype: np.dtype[Any]) -> Array:
    """From float32 one rounding, also to bfloat16."""
    with np.errstate(over="ignore"):
        return np.asarray(wide.astype(dtype))


def offer_short(
    namespace: dict[str, Any], implementation: Right, store: Store = nearest
) -> None:
    """Make a module an adapter of the short formats."""
    namespace["DTYPES"] = SHORT
    wide: dict[str, Any] = {}
    offer(wide, implementation)
    for name, function in wide.items():
        namespace[name] = stored(function, store)


def stored(function: Callable[..., Array], store: Store) -> Callable[..., Array]:
    def call(*arguments: Array, **options: Any) -> Array:
        given = [widened(array) for array in arguments]
        named = {key: widened(value) for key, value in options.items()}
        result = np.asarray(function(*given, **named), np.float32)
        return store(result, arguments[0].dtype)

    return call


def widened(value: Any) -> Any:
    short = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
    is_short = isinstance(value, np.ndarray) and value.dtype in short
    return value.astype(np.float32) if is_short else value
