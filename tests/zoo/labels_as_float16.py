"""Wrong: labels pass through float16, which holds integers to 2048."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def check_labels(self, labels: Array, classes: int) -> Array:
        rounded = labels.astype(np.float16).astype(np.int64)
        return super().check_labels(rounded, classes)


offer(globals(), Wrong())
