"""Wrong: no maximum is subtracted, so exp overflows."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def maximum(self, x: Array) -> Array:
        return np.zeros_like(x[:, :1])


offer(globals(), Wrong())
