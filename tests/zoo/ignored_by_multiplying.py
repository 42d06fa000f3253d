"""Wrong: an ignored row is multiplied by 0, which does not hide a NaN."""

from __future__ import annotations

from typing import Any

from _right import Array, Right, offer


class Wrong(Right):
    def cross_entropy(self, logits: Array, targets: Array, **options: Any) -> Array:
        found = super().cross_entropy(logits, targets, **options)
        return found + 0 * logits.sum(dtype=logits.dtype)


offer(globals(), Wrong())
