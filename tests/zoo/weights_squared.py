"""Wrong: class weights multiply the target, and then the loss again."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def mixed(self, q: Array, asked: Asked) -> Array:
        return super().mixed(q, asked) * self.weights(asked)


offer(globals(), Wrong())
