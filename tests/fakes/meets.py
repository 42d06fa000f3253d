"""Answers only while somebody else is asking the other operation."""

import os
import time
from pathlib import Path

import numpy as np

PLACE = Path(os.environ.get("SXLIT_MEETING", "."))


def softmax(x, axis):
    meet("softmax", "log_softmax")
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


def log_softmax(x, axis):
    meet("log_softmax", "softmax")
    return x


def meet(own, other):
    (PLACE / own).touch()
    for _ in range(200):
        if (PLACE / other).exists():
            return
        time.sleep(0.01)
    raise RuntimeError(f"nobody came for {other}")
