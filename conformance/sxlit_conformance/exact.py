"""Exact numbers and arrays: what a case spells out is what an adapter is given."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from sxlit_conformance.model import Array, Floats, Source
from sxlit_conformance.wire import FLOATS, dtype

Generators = Mapping[str, Callable[..., Array]]

# Digits of the significand, and the exponents of the smallest subnormal number and of
# the largest number.
FORMATS = {
    "float16": (11, -24, 15),
    "bfloat16": (8, -133, 127),
    "float32": (24, -149, 127),
    "float64": (53, -1074, 1023),
}
# What a case spells is rounded to these; the others hold it as it is.
SHORT = ("float16", "bfloat16")

_HEX = re.compile(r"([+-]?)0x([0-9a-f]+)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?", re.I)
_SPECIAL = {"nan", "inf", "+inf", "-inf"}


class Decimal(str):
    """A number as TOML spells it, kept apart from a quoted string."""


def is_number(value: Any) -> bool:
    """Whether this is a number that TOML had to spell as text."""
    if isinstance(value, Decimal):
        return True
    return isinstance(value, str) and bool(value in _SPECIAL or _HEX.fullmatch(value))


def number(value: Any) -> float | int:
    """The number that is written, if a double holds it exactly."""
    if isinstance(value, bool | int):
        return value
    text = str(value).strip().lower()
    if text in _SPECIAL:
        return float(text)
    if found := _HEX.fullmatch(text):
        sign, whole, part, power = found.groups(default="")
        scale = Fraction(2) ** (int(power or 0) - 4 * len(part))
        exact = int(whole + part, 16) * scale
        exact, result = -exact if sign == "-" else exact, float.fromhex(text)
    else:
        exact, result = Fraction(text.replace("_", "")), float(text)
    if not math.isfinite(result) or Fraction(result) != exact:
        raise ValueError(f"{value} is no double; write one, such as {result.hex()}")
    return result


def array(source: Source, name: str, known: Generators) -> Array:
    """The argument in the dtype `name`, or a ValueError where that has no such number.

    A short format rounds, but to no infinity and to no zero; the others do not.
    """
    if source.generator:
        make = known[source.generator]
        wants = "dtype" in inspect.signature(make).parameters
        extra = {"dtype": name} if wants else {}
        raw = np.asarray(make(**source.parameters, **extra))
    else:
        raw = np.array(_numbers(source.values, name))
    result = _nearest(raw, name) if name in SHORT else _exact(raw, name)
    return result if source.shape is None else result.reshape(source.shape)


def _numbers(values: Any, name: str) -> Any:
    if isinstance(values, tuple):
        return [_numbers(value, name) for value in values]
    result = number(values)
    if name not in FLOATS:
        if isinstance(result, float):
            raise ValueError(f"{values} is not exact in {name}")
        return result
    if isinstance(result, int) and int(float(result)) != result:
        raise ValueError(f"{values} is no double")
    return float(result)


def spacing(values: Floats, name: str) -> Floats:
    """The distance of the numbers of this dtype at each finite value."""
    digits, smallest, largest = FORMATS[name]
    exponent = np.minimum(np.frexp(values)[1] - 1, largest)
    size = np.maximum(exponent - digits + 1, smallest)
    return np.ldexp(1.0, np.where(values == 0, smallest, size))


def rounded(values: Floats, name: str) -> Array:
    """The nearest numbers of the dtype, ties to even, in one rounding.

    NumPy's cast from float64 to bfloat16 passes through float32 and rounds twice.
    """
    finite = np.isfinite(values)
    size = spacing(np.where(finite, values, 0.0), name)
    with np.errstate(all="ignore"):
        near = np.where(finite, np.rint(values / size) * size, values)
        return np.asarray(near.astype(dtype(name)))


def _nearest(raw: Array, name: str) -> Array:
    wide = raw.astype(np.float64)
    result = rounded(wide, name)
    back, given = np.atleast_1d(result.astype(np.float64)), np.atleast_1d(wide)
    lost = (np.isinf(back) & np.isfinite(given)) | ((back == 0) & (given != 0))
    if lost.any():
        raise ValueError(f"{given[lost].flat[0]!r} is beyond the range of {name}")
    return np.asarray(result, order="C")


def _exact(raw: Array, name: str) -> Array:
    with np.errstate(all="ignore"):
        result = np.array(raw, dtype=dtype(name), order="C")
        back = result.astype(raw.dtype)
    same = np.atleast_1d((back == raw) | ((raw != raw) & (back != back)))
    if not same.all():
        first = np.atleast_1d(raw)[~same].flat[0]
        raise ValueError(f"{first!r} is not exact in {name}")
    return result
