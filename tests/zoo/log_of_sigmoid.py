"""Wrong: the logarithm is taken of the rounded sigmoid."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def log_share(self, x: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.share(x)))


offer(globals(), Wrong())
