"""Wrong: the losses are added in float16, whose numbers end at 65504."""

from __future__ import annotations

import numpy as np
from _right import Array, Right
from _short import offer_short


class Wrong(Right):
    def reduced(self, losses: Array, reduction: str, divisor: Array) -> Array:
        if reduction != "mean":
            return super().reduced(losses, reduction, divisor)
        with np.errstate(over="ignore"):
            total = losses.astype(np.float16).sum(dtype=np.float16)
        return np.asarray(total.astype(np.float32) / divisor)


offer_short(globals(), Wrong())
