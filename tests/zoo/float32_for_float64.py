"""Wrong: answers float32 whatever the logits are."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def softmax(self, x: Array, axis: int) -> Array:
        return super().softmax(x, axis).astype(np.float32)


offer(globals(), Wrong())
