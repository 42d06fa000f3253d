"""Wrong: the weighted mean divides by the number of rows."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def divisor(self, asked: Asked) -> Array:
        return asked.q.dtype.type(asked.kept.sum())


offer(globals(), Wrong())
