"""Wrong: with 127 classes the last one is read as its neighbour."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def shares(self, x: Array) -> Array:
        if x.shape[1] == 127:
            x = np.concatenate([x[:, :-1], x[:, -2:-1]], axis=-1)
        return super().shares(x)


offer(globals(), Wrong())
