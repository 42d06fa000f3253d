"""Wrong: the exponentials are summed in float16."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def total(self, terms: Array) -> Array:
        sums = np.cumsum(terms, axis=-1, dtype=np.float16)[:, -1:]
        return sums.astype(terms.dtype)


offer(globals(), Wrong())
