"""Wrong: shares below 1e-30 become 0, far above the subnormal range."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def shares(self, x: Array) -> Array:
        shares = super().shares(x)
        return np.where(shares < 1e-30, np.zeros_like(shares), shares)


offer(globals(), Wrong())
