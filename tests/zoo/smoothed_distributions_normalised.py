"""Wrong: smoothing adds e sum(q) / K, not e / K."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def mixed(self, q: Array, asked: Asked) -> Array:
        e, classes = q.dtype.type(asked.label_smoothing), q.dtype.type(q.shape[1])
        added = e / classes * q.sum(axis=-1, keepdims=True)
        return ((1 - e) * q + added) * self.weights(asked)


offer(globals(), Wrong())
