"""Wrong: the exponentials are summed in bfloat16, where 256 + 1 is 256."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from _right import Array, Right
from _short import offer_short


class Wrong(Right):
    def total(self, terms: Array) -> Array:
        total = np.zeros((len(terms), 1), ml_dtypes.bfloat16)
        for column in terms.T:
            total = (total + column[:, None]).astype(ml_dtypes.bfloat16)
        return total.astype(terms.dtype)


offer_short(globals(), Wrong())
