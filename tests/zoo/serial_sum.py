"""Wrong: one running sum, which swallows what is below half its ulp."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def total(self, terms: Array) -> Array:
        return np.cumsum(terms, axis=-1)[:, -1:]


offer(globals(), Wrong())
