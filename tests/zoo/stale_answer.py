"""Wrong: answers the previous question where the shapes agree."""

from __future__ import annotations

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def __init__(self) -> None:
        self.previous: Array = np.zeros(0)

    def softmax(self, x: Array, axis: int) -> Array:
        answer = super().softmax(x, axis)
        stale, self.previous = self.previous, answer
        return stale.astype(x.dtype) if stale.shape == answer.shape else answer


offer(globals(), Wrong())
