"""Wrong: computes in float32 and says float64."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def shares(self, x: Array) -> Array:
        return super().shares(x.astype(np.float32)).astype(x.dtype)


offer(globals(), Wrong())
