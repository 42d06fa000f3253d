"""Wrong: NaN counts as a masked class."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def shares(self, x: Array) -> Array:
        return super().shares(np.where(np.isnan(x), -np.inf, x))


offer(globals(), Wrong())
