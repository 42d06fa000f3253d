"""Wrong: class weights multiply the label alone; what smoothing adds has none."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def mixed(self, q: Array, asked: Asked) -> Array:
        e, classes = q.dtype.type(asked.label_smoothing), q.dtype.type(q.shape[1])
        return (1 - e) * q * self.weights(asked) + e / classes


offer(globals(), Wrong())
