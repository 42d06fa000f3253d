"""Wrong: the mean of no losses is 0."""

from __future__ import annotations

import numpy as np
from _right import Array, Asked, Right, offer


class Wrong(Right):
    def divisor(self, asked: Asked) -> Array:
        return np.maximum(super().divisor(asked), asked.q.dtype.type(1e-9))


offer(globals(), Wrong())
