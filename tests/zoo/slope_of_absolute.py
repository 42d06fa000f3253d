"""Wrong: the binary gradient goes through |x| and max(x, 0), whose slope at 0 is 0."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def answer_slopes(self, x: Array, q: Array, a: Array) -> Array:
        right = super().answer_slopes(x, q, a)
        return np.where(x == 0, (1 - q).astype(x.dtype), right)


offer(globals(), Wrong())
