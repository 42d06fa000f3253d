"""Wrong: the loss divides by the total weight, its gradient by the rows."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def slope_divisor(self, asked: Asked) -> Array:
        return asked.q.dtype.type(asked.kept.sum())


offer(globals(), Wrong())
