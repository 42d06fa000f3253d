"""Wrong: e is divided by the length of the last axis, whatever the class axis."""

from __future__ import annotations

from typing import Any

from _right import Array, Right, offer


class Wrong(Right):
    def cross_entropy(self, logits: Array, targets: Array, **options: Any) -> Array:
        e = options.get("label_smoothing", 0.0)
        if targets.dtype.kind in "iu" or not e:
            return super().cross_entropy(logits, targets, **options)
        last, one = logits.shape[-1], targets.dtype.type(1)
        smooth = (one - e) * targets + one * e / last
        changed = {**options, "label_smoothing": 0.0}
        return super().cross_entropy(logits, smooth, **changed)


offer(globals(), Wrong())
