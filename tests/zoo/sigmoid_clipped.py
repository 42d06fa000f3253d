"""Wrong: the sigmoid stays within 1e-7 of 0 and 1, so that no logarithm is infinite."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def share(self, x: Array) -> Array:
        return np.asarray(np.clip(super().share(x), 1e-7, 1 - 1e-7), x.dtype)


offer(globals(), Wrong())
