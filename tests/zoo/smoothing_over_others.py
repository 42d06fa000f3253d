"""Wrong: the share e is split among the K - 1 other classes."""

from __future__ import annotations

from _right import Array, Asked, Right, offer


class Wrong(Right):
    def mixed(self, q: Array, asked: Asked) -> Array:
        e, others = q.dtype.type(asked.label_smoothing), q.shape[1] - 1
        return ((1 - e) * q + e / others * (1 - q)) * self.weights(asked)


offer(globals(), Wrong())
