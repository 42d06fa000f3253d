"""Wrong: what is subnormal in float16 becomes 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from _right import Array, Right
from _short import nearest, offer_short


def store(wide: Array, dtype: np.dtype[Any]) -> Array:
    small = (dtype.name == "float16") & (np.abs(wide) < 2.0**-14)
    return nearest(np.where(small, np.float32(0), wide), dtype)


offer_short(globals(), Right(), store)
