"""Wrong: the mean divides by all rows, the ignored ones too."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def divisor(self, asked: Asked) -> Array:
        return asked.q.dtype.type(len(asked.q))


offer(globals(), Wrong())
