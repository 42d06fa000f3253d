"""Exact numbers and arrays: what a case spells out is what an adapter is given."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from sxlit_conformance.model import Array, Source
from sxlit_conformance.wire import FLOATS, dtype

Generators = Mapping[str, Callable[..., Array]]

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
    """The argument in the dtype `name`, or a ValueError where that rounds."""
    if source.generator:
        make = known[source.generator]
        wants = "dtype" in inspect.signature(make).parameters
        extra = {"dtype": name} if wants else {}
        raw = np.asarray(make(**source.parameters, **extra))
    else:
        raw = np.array(_numbers(source.values, name))
    result = _exact(raw, name)
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


def _exact(raw: Array, name: str) -> Array:
    with np.errstate(all="ignore"):
        result = np.array(raw, dtype=dtype(name), order="C")
        back = result.astype(raw.dtype)
    same = np.atleast_1d((back == raw) | ((raw != raw) & (back != back)))
    if not same.all():
        first = np.atleast_1d(raw)[~same].flat[0]
        raise ValueError(f"{first!r} is not exact in {name}")
    return result
