"""Wrong: a single distribution is used for every row."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def check_shape(self, found: Array, wanted: tuple[int, ...]) -> Array:
        return np.broadcast_to(found, wanted)


offer(globals(), Wrong())
