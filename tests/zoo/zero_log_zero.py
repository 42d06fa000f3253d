"""Wrong: 0 log 0 is NaN."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def surprises(self, p: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(p * np.log(p))


offer(globals(), Wrong())
