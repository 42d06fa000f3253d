"""The stream between the runner and a worker: JSON lines, arrays as exact bits.

This file runs in the adapter's environment too, which may hold nothing but NumPy.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROTOCOL = 2

LAYOUTS = ("contiguous", "fortran", "strided", "reversed", "readonly", "bigendian")
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *INTEGERS, "bool")


def dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of this name; bfloat16 comes from ml_dtypes."""
    if name not in DTYPES:
        raise ValueError(f"dtype {name!r} is not one of {', '.join(DTYPES)}")
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def encode(array: NDArray[Any]) -> dict[str, Any]:
    """The bits of an array in C order, little-endian."""
    name = array.dtype.name
    if name not in DTYPES:
        raise ValueError(f"an array of dtype {name} cannot be sent")
    data = np.ascontiguousarray(array)
    big = data.dtype.byteorder == ">" or (
        data.dtype.byteorder == "=" and sys.byteorder == "big"
    )
    bits = (data.byteswap() if big else data).tobytes()
    return {
        "dtype": name,
        "shape": list(array.shape),
        "data": base64.b64encode(bits).decode("ascii"),
    }


def decode(message: dict[str, Any]) -> NDArray[Any]:
    """A fresh, writable, C-ordered array in the machine's byte order."""
    target = dtype(message["dtype"])
    shape = tuple(int(n) for n in message["shape"])
    data = np.frombuffer(base64.b64decode(message["data"]), dtype=target)
    if sys.byteorder == "big":
        data = data.byteswap()
    return data.reshape(shape).copy()


def arrange(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """The same values in another memory layout."""
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "strided" and array.ndim:
        # Every second element of a buffer; an adapter that ignores the stride reads
        # ones instead of values.
        wide = np.ones((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "reversed" and array.ndim:
        back = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[back])[back]
    if layout == "readonly":
        frozen = array.copy()
        frozen.flags.writeable = False
        return frozen
    if layout == "bigendian":
        return array.astype(array.dtype.newbyteorder(">"))
    return array


def pack(message: dict[str, Any]) -> bytes:
    """One message as one line."""
    return json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"


def unpack(line: bytes) -> dict[str, Any]:
    """One line as one message, or a ValueError."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("expected a JSON object")
    return message
