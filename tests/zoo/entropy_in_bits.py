"""Wrong: the entropy is in bits where nats are asked for."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def surprises(self, p: Array) -> Array:
        return np.asarray(super().surprises(p) / np.log(2), p.dtype)


offer(globals(), Wrong())
