"""Wrong: the weight of a yes is given to every answer."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def answer_losses(self, x: Array, q: Array, a: Array) -> Array:
        return np.asarray(a * super().answer_losses(x, q, np.ones_like(a)))


offer(globals(), Wrong())
