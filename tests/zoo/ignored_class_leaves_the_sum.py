"""Wrong: the ignored class is struck from every softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from _right import Array, Right, offer


class Wrong(Right):
    def cross_entropy(self, logits: Array, targets: Array, **options: Any) -> Array:
        found, ignored = logits.copy(), options.get("ignore_index")
        if ignored is not None and 0 <= ignored < logits.shape[-1]:
            found[..., ignored] = -np.inf
        return super().cross_entropy(found, targets, **options)


offer(globals(), Wrong())
