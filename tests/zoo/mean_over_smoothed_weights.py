"""Wrong: the mean divides by the weights after smoothing."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def divisor(self, asked: Asked) -> Array:
        return self.mixed(asked.q, asked)[asked.kept].sum()


offer(globals(), Wrong())
