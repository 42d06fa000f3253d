"""When two results count as the same: to the bit."""

from __future__ import annotations

import numpy as np


def same_bits(a: object, b: object) -> bool:
    """Whether dtype, shape and bits agree; one NaN is as good as another."""
    left, right = np.asarray(a), np.asarray(b)
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    kept = ~np.isnan(left)
    same_kept = left[kept].tobytes() == right[kept].tobytes()
    return same_kept and bool(np.isnan(right[~kept]).all())
