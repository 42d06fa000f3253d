"""Wrong: probabilities are clipped at 1e-7, so that no divergence is infinite."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def ratios(self, p: Array, q: Array) -> Array:
        one = p.dtype.type(1)
        return super().ratios(*(np.clip(v, p.dtype.type(1e-7), one) for v in (p, q)))


offer(globals(), Wrong())
